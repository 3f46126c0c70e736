"""What the doctor of labels may find, how serious it is, and his answer as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from zoo.data.labels.draft import UNSPLIT, Draft, Sheet, ordered

ERROR, WARNING, NOTE = "error", "warning", "note"

KINDS = {
    "bad label": (ERROR, "label files or rows that cannot be understood"),
    "bad picture": (ERROR, "pictures that cannot be decoded; training stops on them unless they are skipped"),
    "missing picture": (ERROR, "labels without their picture"),
    "off by one": (ERROR, "class numbers that are shifted against the names"),
    "unknown class": (ERROR, "objects of a class that has no name"),
    "size": (ERROR, "the labels were made for a picture of another size"),
    "lying": (
        ERROR,
        "labelled on the picture as it is stored: programs that turn it by its EXIF see boxes beside the objects",
    ),
    "from zero": (ERROR, "boxes that begin at 0 where the format counts from 1: all may lie a pixel too far left and up"),
    "out of range": (ERROR, "boxes that leave their picture"),
    "no area": (ERROR, "boxes without area, or of one pixel: a slip of the mouse; their loss or their gradient is not a number"),
    "contradiction": (ERROR, "one picture twice, with different labels"),
    "leak": (ERROR, "the same picture in two splits: results on it are too good"),
    "near leak": (ERROR, "nearly the same picture in two splits: saved again, resized, brightened, or the next frame of a video"),
    "zero id": (WARNING, "ids of 0, which some programs take for background or for nothing"),
    "conflict": (WARNING, "one box with two classes"),
    "duplicate box": (WARNING, "the same box and class twice: a detector is punished for finding it once"),
    "duplicate picture": (WARNING, "the same picture twice in one split, with the same labels"),
    "near duplicate": (WARNING, "nearly the same picture twice in one split"),
    "missing label": (WARNING, 'pictures without labels: as "nothing to see here" they teach the detector to miss objects'),
    "background": (WARNING, "a class for background: detectors here have none, boxes of it are found like any other"),
    "unused class": (WARNING, "names of which no object exists"),
    "absent class": (WARNING, "classes of the training split that another split does not test"),
    "wrong filename": (NOTE, "the file's own word for its picture is not the picture's name"),
    "rotated": (NOTE, "pictures that their EXIF turns; TensorFlow's own decoder shows them lying, so the labels would not fit there"),
    "unlisted": (NOTE, "label files in no list of a split"),
    "empty": (NOTE, "pictures without an object: true ones lower the false alarms, forgotten ones teach to miss"),
}
"""Every kind of finding, most serious first: (severity, what it means)."""


@dataclass(frozen=True)
class Finding:
    """One thing worth knowing.

    kind:    a key of `KINDS`.
    path:    the file.
    sheet:   the picture with its labels, or None.
    objects: numbers of the rows of `sheet` that are meant.
    other:   the picture of which it is a copy.
    """

    kind: str
    path: Path
    reason: str
    split: str = ""
    sheet: Sheet | None = field(default=None, repr=False, compare=False)
    objects: tuple[int, ...] = ()
    other: Sheet | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Checkup:
    """The doctor's answer. True when there is an error. `draft` is what was read."""

    draft: Draft = field(repr=False)
    items: tuple[Finding, ...]

    def __bool__(self) -> bool:
        return any(KINDS[item.kind][0] == ERROR for item in self.items)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def of(self, kind: str) -> tuple[Finding, ...]:
        """The findings of one kind."""
        if kind not in KINDS:
            raise ValueError(f"there is no kind of finding called {kind!r}; kinds: {', '.join(KINDS)}")
        return tuple(item for item in self.items if item.kind == kind)

    def within(self, path: Path) -> str:
        """A path as it is shown: below the root of the labels where it lies there."""
        return str(path.relative_to(self.draft.root)) if path != self.draft.root and path.is_relative_to(self.draft.root) else str(path)

    def summary(self) -> str:
        """One line: the format, how many pictures and objects, and the splits."""
        sheets = self.draft.sheets
        splits = Counter(sheet.split for sheet in sheets)
        objects = sum(len(sheet.rows) for sheet in sheets)
        parts = ", ".join(f"{split} {splits[split]}" for split in ordered(splits) if split != UNSPLIT)
        text = f"{self.draft.root}: {self.draft.format}, {len(sheets)} pictures, {objects} objects, {len(self.draft.classes)} classes"
        return text + (f", splits: {parts}" if parts else "")

    def table(self, limit: int = 10) -> str:
        """Plain text for a terminal: the summary, then every kind with at most `limit` of its files and reasons."""
        lines = [self.summary()]
        for kind, (severity, meaning) in KINDS.items():
            found = self.of(kind)
            if not found:
                continue
            lines.append(f"\n{severity.upper()}: {len(found)} {kind} ({meaning})")
            lines += [f"  {self.within(item.path)}: {item.reason}" for item in found[:limit]]
            lines += [f"  ... and {len(found) - limit} more"] if len(found) > limit else []
        errors = sum(KINDS[item.kind][0] == ERROR for item in self.items)
        lines.append(f"\n{errors} error{'s' * (errors != 1)}." if errors else "\nNo errors.")
        return "\n".join(lines)
