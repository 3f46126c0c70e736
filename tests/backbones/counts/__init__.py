"""Parameters counted with pencil and paper: from the papers' layer tables, without building a model.

Each family is written a second time here, as arithmetic only, so that a wrong model and a wrong constant cannot agree by accident.
One file per family, with `PAPER` {row: trainable parameters} for every row and `MICRO` {a real row: its `_micro` row}.
"""

from __future__ import annotations

import importlib
import pkgutil

_FILES = [
    importlib.import_module(f"{__name__}.{found.name}")
    for found in sorted(pkgutil.iter_modules(__path__), key=lambda found: found.name)
    if found.name != "terms"
]

PAPER = {row: count for file in _FILES for row, count in file.PAPER.items()}
"""Row -> trainable parameters."""

MICRO = {real: micro for file in _FILES for real, micro in file.MICRO.items()}
"""A real row -> the `_micro` row that has every kind of its layers."""
