"""What label files say, before any of it is believed: one sheet per picture, and every fault with the file that has it.

A format's reader makes a `Draft` and never stops at a bad row. `zoo.data.labels.read` refuses a draft with faults; the doctor explains
them; `mend` leaves them out.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.decode import decode
from zoo.data.inspection import Seen, inspect
from zoo.data.listing import SPLITS
from zoo.data.objects import Objects

UNSPLIT = "all"
"""The name of the one split of labels that are not divided."""
SHORT = {"validation": "val"}
"""How our splits are called in the files of others, where that differs."""


_MOST_CLASSES = 1_000_000


class LabelError(ValueError):
    """Labels that cannot be used as they are. The message names the files and the cure."""


@dataclass(frozen=True)
class Fault:
    """Something that a reader met. kind: a key of `zoo.data.labels.findings.KINDS`; path: the file; reason: a clause for people."""

    kind: str
    path: Path
    reason: str
    split: str = ""


@dataclass
class Row:
    """One object as a file describes it: class number, box xyxy in pixels, and whatever else the format has."""

    number: int
    box: Sequence[float]
    rings: tuple[np.ndarray, ...] = ()
    keypoints: np.ndarray | None = None
    crowd: bool = False
    difficult: bool = False
    attributes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        left, top, right, bottom = self.box
        if self.number > _MOST_CLASSES:
            raise ValueError(f"the class number {str(self.number)[:20]} is no number of a class")
        if not all(math.isfinite(edge) and abs(edge) < 1e7 for edge in self.box):
            raise ValueError(f"the box {list(self.box)} is not made of usable numbers")
        points = [*self.rings, *([] if self.keypoints is None else [self.keypoints])]
        if not all(np.isfinite(each).all() for each in points):
            raise ValueError("a point of its outline or a keypoint is not a finite number")
        if right < left or bottom < top:
            raise ValueError(f"its right edge lies left of its left, or its bottom above its top: {left:g}, {top:g}, {right:g}, {bottom:g}")


@dataclass
class Sheet:
    """The labels of one picture.

    name:    of the picture, as the label file has it.
    picture: where it lies, or a sequence of one that decodes it.
    seen:    what decoding told.
    size:    (width, height) that the label file states, or None.
    label:   the label file, or None where there is none.
    number:  of the picture in a COCO file, or None.
    shares:  the file has shares of width and height; the rows are pixels of the upright picture.
    """

    split: str
    name: str
    picture: Any
    seen: Seen
    rows: list[Row] = field(default_factory=list)
    size: tuple[int, int] | None = None
    label: Path | None = None
    number: int | None = None
    shares: bool = False

    def image(self) -> np.ndarray:
        """The picture as uint8 (h, w, 3), upright."""
        return decode(self.picture) if isinstance(self.picture, Path) else self.picture[0]

    @cached_property
    def objects(self) -> Objects:
        """The rows as arrays, in the pixels that the file means."""
        return gather(self.rows)


@dataclass
class Draft:
    """Everything that was found. `classes` in the order of their numbers; a row may have a number beyond them."""

    format: str
    root: Path
    classes: list[str] = field(default_factory=list)
    sheets: list[Sheet] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    keypoint_names: tuple[str, ...] = ()
    flip_pairs: tuple[tuple[int, int], ...] = ()

    def fault(self, kind: str, path: Path, reason: str, split: str = "") -> None:
        self.faults.append(Fault(kind, path, reason, split))


@dataclass(frozen=True)
class Asked:
    """What the caller of a reader asked for beyond the place: where the pictures lie, the names of the classes, who hears of progress."""

    images: Path | None = None
    classes: tuple[str, ...] = ()
    progress: Callable[[int, int], None] | None = None


def gather(rows: Sequence[Row]) -> Objects:
    """Rows -> Objects. A column that only some rows have is filled with its empty value: (), 0, False, "" or None."""
    if not rows:
        return Objects.none()
    points = max((len(row.keypoints) for row in rows if row.keypoints is not None), default=0)
    keypoints = np.zeros((len(rows), points, 3), np.float32)
    for index, row in enumerate(rows):
        if row.keypoints is not None:
            keypoints[index, : len(row.keypoints)] = row.keypoints
    names = dict.fromkeys(name for row in rows for name in row.attributes)
    return Objects(
        boxes=np.array([row.box for row in rows], np.float64).astype(np.float32),
        classes=np.array([row.number for row in rows], np.int64),
        polygons=tuple(row.rings for row in rows) if any(row.rings for row in rows) else None,
        keypoints=keypoints if points else None,
        crowd=np.array([row.crowd for row in rows]),
        difficult=np.array([row.difficult for row in rows]),
        attributes={name: column([row.attributes.get(name) for row in rows]) for name in names},
    )


def column(values: Sequence[Any]) -> np.ndarray:
    """Values as an array (n,): of bools, numbers or letters where all agree; otherwise of objects."""
    known = [value for value in values if value is not None]
    for kind, empty in ((bool, False), (int, 0), (float, math.nan), (str, "")):
        if known and all(type(value) is kind or (kind is float and type(value) is int) for value in known):
            return np.array([empty if value is None else value for value in values])
    result = np.empty(len(values), object)
    result[:] = values
    return result


def look_at(paths: Iterable[Path], asked: Asked) -> dict[Path, Seen]:
    """Decode every picture, through the one decode function and its memory: {path: what was seen}."""
    files = list(dict.fromkeys(paths))
    if not files:
        return {}
    places = [file.absolute() for file in files]  # a list may name some by absolute paths and others not
    root = Path(os.path.commonpath([place.parent for place in places]))
    return dict(zip(files, inspect(root, places, asked.progress), strict=True))


def split_of(stem: str, *folders: str) -> str:
    """The split that a file's stem mentions, or that a folder is called; as our word for it. UNSPLIT if none does.

    The stems "instances_train2017" and "train_labels" mention train; the folders "train" and "train2017" are called so.
    """
    words = [_letters(stem), *(parts for folder in folders if len(parts := _letters(folder)) == 1)]
    return next((SPLITS[part] for parts in words for part in parts if part in SPLITS), UNSPLIT)


def _letters(name: str) -> list[str]:
    return "".join(letter if letter.isalpha() else " " for letter in name.lower()).split()


def ordered(splits: Mapping[str, Any]) -> list[str]:
    """train, validation, test, then the rest as they come."""
    first = [split for split in ("train", "validation", "test") if split in splits]
    return [*first, *(split for split in splits if split not in first)]
