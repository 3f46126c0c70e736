"""Faults planted on purpose into a copy of labels, one of each kind that the doctor knows best: for lessons, and for testing the doctor."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

Change = Callable[[list[str], list[str], int], list[str]]
"""(lines of a file, words of the first, number of classes) -> lines."""

CHANGES: dict[str, Change] = {
    "out of range": lambda lines, words, classes: [" ".join([words[0], "1.0", *words[2:]]), *lines[1:]],
    "no area": lambda lines, words, classes: [*lines, f"{words[0]} 0.5 0.5 0 0"],
    "duplicate box": lambda lines, words, classes: [lines[0], *lines],
    "conflict": lambda lines, words, classes: [" ".join([str((int(words[0]) + 1) % classes), *words[1:]]), *lines],
    "unknown class": lambda lines, words, classes: [" ".join([str(classes + 3), *words[1:]]), *lines[1:]],
    "bad label": lambda lines, words, classes: [f"stop {' '.join(words[1:])}", *lines],
}
"""Kind of finding -> what is done to a label file for it."""
KINDS = (*CHANGES, "missing label", "bad picture", "leak")


def plant(folder: Path, classes: int) -> dict[str, str]:
    """Plant one fault of each of `KINDS`, each into another file: {kind: name of the label file}.

    folder: labels as `zoo.data.labels.write(..., "yolo", rows="boxes")` leaves them, with the splits train and validation; it is changed.
    classes: how many there are, at least 2.

    Raises ValueError for fewer training pictures with objects than there are kinds, or one class only.
    """
    files = sorted(path for path in (folder / "labels" / "train").glob("*.txt") if path.read_text(encoding="utf-8").strip())
    if len(files) < len(KINDS) or classes < 2:
        raise ValueError(
            f"wanted at least {len(KINDS)} training pictures with objects of at least 2 classes, one for each fault; "
            f"{folder} has {len(files)} with {classes}"
        )
    planted = dict(zip(KINDS, files, strict=False))
    for kind, change in CHANGES.items():
        lines = planted[kind].read_text(encoding="utf-8").splitlines()
        planted[kind].write_text("\n".join(change(lines, lines[0].split(), classes)) + "\n", encoding="utf-8")
    pictures = {path.stem: path for path in (folder / "images" / "train").iterdir()}
    planted["missing label"].unlink()
    broken = pictures[planted["bad picture"].stem]
    broken.write_bytes(broken.read_bytes()[:100])
    leaked = planted["leak"]
    shutil.copy(pictures[leaked.stem], folder / "images" / "val" / f"copy_of_{pictures[leaked.stem].name}")
    shutil.copy(leaked, folder / "labels" / "val" / f"copy_of_{leaked.name}")
    return {kind: path.name for kind, path in planted.items()}
