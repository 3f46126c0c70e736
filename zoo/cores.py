"""How many processor cores there are for this process."""

from __future__ import annotations

import os


def cores() -> int:
    """Processor cores that this process may use; a container or `taskset` may leave it fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
