"""Masks as run lengths, as COCO files keep them: down the columns, zeros first.

A mask is `{"size": [height, width], "counts": ...}`. The counts are a list of run lengths, or the same list squeezed into letters: each
number (from the fourth on its difference to the one two before, which is small where neighbouring columns resemble each other) in groups
of five bits, lowest first, a sixth bit says that more follow, and 48 is added to make it a printable letter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def encode(mask: np.ndarray, squeezed: bool = True) -> dict[str, Any]:
    """A mask (height, width), bool or 0 and 1, as run lengths; `squeezed` as letters, else as a list."""
    mask = np.asarray(mask)
    if mask.ndim != 2:
        raise ValueError(f"a mask has the shape (height, width), got {mask.shape}; encode several one by one")
    flat = mask.astype(bool).ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist() if flat.size else []
    if flat.size and flat[0]:
        counts = [0, *counts]
    return {"size": [int(side) for side in mask.shape], "counts": squeeze(counts) if squeezed else counts}


def decode(rle: Mapping[str, Any]) -> np.ndarray:
    """Run lengths -> bool (height, width). Raises ValueError when they do not fill the mask exactly."""
    height, width, counts = checked(rle)
    flat = np.repeat(np.arange(len(counts)) % 2 == 1, np.asarray(counts, np.int64))
    return flat.reshape((height, width), order="F")


def checked(rle: Mapping[str, Any]) -> tuple[int, int, list[int]]:
    """(height, width, run lengths) of a mask that may come from anywhere, without filling it. Raises ValueError as `decode`."""
    height, width = _size(rle)
    counts = runs(rle)
    if any(run < 0 for run in counts) or sum(counts) != height * width:
        raise ValueError(f"the run lengths of a mask of {height}x{width} must be >= 0 with sum {height * width}, got sum {sum(counts)}")
    return height, width, counts


def runs(rle: Mapping[str, Any]) -> list[int]:
    """The run lengths of a mask as a list, however they are written."""
    counts = rle.get("counts")
    if isinstance(counts, bytes):
        counts = counts.decode("ascii", "replace")
    if isinstance(counts, str):
        return expand(counts)
    if isinstance(counts, list | tuple) and all(isinstance(run, int) and not isinstance(run, bool) for run in counts):
        return list(counts)
    raise ValueError(f"the counts of a mask are a list of whole numbers or their letters, got {type(counts).__name__}")


def area(rle: Mapping[str, Any]) -> int:
    """Pixels of the mask."""
    return sum(runs(rle)[1::2])


def squeeze(counts: list[int]) -> str:
    """Run lengths -> letters."""
    letters = []
    for index, count in enumerate(counts):
        rest = count - counts[index - 2] if index > 2 else count
        more = True
        while more:
            group = rest & 31
            rest >>= 5
            more = rest != (-1 if group & 16 else 0)  # the fifth bit is the sign once nothing follows
            letters.append(chr(48 + (group | 32 if more else group)))
    return "".join(letters)


def expand(letters: str) -> list[int]:
    """Letters -> run lengths. Raises ValueError for letters that `squeeze` cannot have written."""
    counts: list[int] = []
    number, shift = 0, 0
    for letter in letters:
        group = ord(letter) - 48
        if not 0 <= group < 64:
            raise ValueError(f"the letter {letter!r} does not occur in squeezed run lengths")
        number |= (group & 31) << shift
        shift += 5
        if group & 32:
            continue
        if group & 16:
            number -= 1 << shift
        counts.append(number + (counts[-2] if len(counts) > 2 else 0))
        number, shift = 0, 0
    if shift:
        raise ValueError("the squeezed run lengths end inside a number: the file was cut")
    return counts


def _size(rle: Mapping[str, Any]) -> tuple[int, int]:
    size = rle.get("size")
    if not isinstance(size, list | tuple) or len(size) != 2 or not all(isinstance(side, int) and side >= 0 for side in size):
        raise ValueError(f'a mask of run lengths needs "size": [height, width], got {size!r}')
    return size[0], size[1]
