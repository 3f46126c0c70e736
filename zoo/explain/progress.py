"""How a long explanation tells how far it is, and how its caller stops it."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""progress(done, total) is called between chunks; an exception that it raises ends the work and leaves nothing behind."""


def report(progress: Progress | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)
