"""Converters talk: to Python's loggers, as warnings, and from C++ to the screen. Here they are heard only when they fail."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet(*loggers: str) -> Iterator[None]:
    """Hold back what a converter logs, warns and prints on stdout and stderr; if it fails, everything is shown on stderr."""
    levels = {logger: logging.getLogger(logger).level for logger in loggers}
    with tempfile.TemporaryFile() as held, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _flush()
        before = {number: os.dup(number) for number in (1, 2)}
        for number in before:
            os.dup2(held.fileno(), number)
        for logger in loggers:
            logging.getLogger(logger).setLevel(logging.CRITICAL)
        failed = True
        try:
            yield
            failed = False
        finally:
            _flush()
            for number, copy in before.items():
                os.dup2(copy, number)
                os.close(copy)
            for logger, level in levels.items():
                logging.getLogger(logger).setLevel(level)
            if failed:
                held.seek(0)
                with os.fdopen(os.dup(2), "wb") as screen:
                    shutil.copyfileobj(held, screen)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(ValueError, OSError):  # closed, or not a file
            stream.flush()
