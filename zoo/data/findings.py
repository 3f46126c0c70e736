"""The doctor: what is wrong with an image folder, file by file, before a training stops on it or is deceived by it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from zoo.data.inspection import Seen, inspect
from zoo.data.listing import Listing, scan

ERROR, WARNING, NOTE = "error", "warning", "note"

KINDS = {
    "bad": (ERROR, "cannot be decoded; training stops on them unless bad files are skipped"),
    "empty": (ERROR, "class folders without a usable picture"),
    "one class": (ERROR, "nothing to tell apart"),
    "unknown class": (ERROR, "classes that the training split does not have"),
    "leak": (ERROR, "the same picture in two splits: results on it are too good"),
    "conflict": (ERROR, "the same picture under two classes: one of them is wrong"),
    "duplicate": (WARNING, "the same picture twice in one class and split"),
    "absent": (WARNING, "classes that a split does not test"),
    "tiny": (WARNING, "too small to show much"),
    "rotated": (NOTE, "turned upright by their EXIF orientation; other programs may show them lying"),
    "16-bit": (NOTE, "scaled to 8 bits"),
    "misnamed": (NOTE, "read by content; the extension says another format"),
    "ignored": (NOTE, "passed over"),
}
"""Every kind of finding, most serious first: (severity, what it means)."""

TINY = 16
"""Pictures with a side below this many pixels are reported."""


@dataclass(frozen=True)
class Finding:
    """One thing worth knowing about one file or folder: `kind` is a key of `KINDS`, `reason` a clause for people."""

    kind: str
    path: Path
    reason: str


@dataclass(frozen=True)
class Findings:
    """The doctor's answer. True when there is an error: something that stops a training or falsifies its numbers.

    listing: the folder as it lies on disk.
    seen:    what decoding told, one per file of `listing.files()`.
    items:   the findings, most serious first.
    """

    listing: Listing
    seen: list[Seen] = field(repr=False)
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

    def table(self, limit: int = 20) -> str:
        """Plain text for a terminal: a summary, then every kind with at most `limit` of its files and reasons."""
        lines = [_summary(self.listing)]
        for kind, (severity, meaning) in KINDS.items():
            found = self.of(kind)
            if not found:
                continue
            lines.append(f"\n{severity.upper()}: {len(found)} {kind} ({meaning})")
            lines += [f"  {_within(item.path, self.listing.root)}: {item.reason}" for item in found[:limit]]
            if len(found) > limit:
                lines.append(f"  ... and {len(found) - limit} more")
        errors = sum(KINDS[item.kind][0] == ERROR for item in self.items)
        lines.append(f"\n{errors} error{'s' * (errors != 1)}." if errors else "\nNo errors.")
        return "\n".join(lines)


def doctor(folder: str | os.PathLike, *, progress: Callable[[int, int], None] | None = None) -> Findings:
    """Decode every picture of an image folder and report what is wrong, each finding with its file and reason.

    Copies are found by their decoded pixels, so other metadata, another name or another lossless format does not hide them.
    What was decoded once is remembered in the user cache by path, size and time of change.

    folder:   see `zoo.data.listing.scan`, whose errors it raises. Nothing in it is changed.
    progress: called as progress(done, total).
    """
    listing = scan(folder)
    files = listing.files()
    seen = inspect(listing.root, [path for _, _, path in files], progress)
    items = [*_classes(listing, files, seen), *_copies(listing, files, seen)]
    for (_, _, path), one in zip(files, seen, strict=True):
        items += _file(path, one)
    for reason, paths in listing.ignored.items():
        items += [Finding("ignored", path, reason) for path in paths]
    order = list(KINDS)
    return Findings(listing, seen, tuple(sorted(items, key=lambda item: order.index(item.kind))))


def _classes(listing: Listing, files, seen: list[Seen]) -> Iterator[Finding]:
    usable = Counter((split, name) for (split, name, _), one in zip(files, seen, strict=True) if not one.reason)
    in_splits = "train" in listing.splits
    train = {name for name in listing.classes if usable["train" if in_splits else "", name]}
    for split, classes in listing.splits.items():
        for name, paths in classes.items():
            place = listing.root / split / name
            if not usable[split, name]:
                yield Finding("empty", place, "every file in it is bad" if paths else "no pictures in it")
            elif name not in train:
                yield Finding("unknown class", place, f"{len(paths)} pictures of a class without pictures in train")
        for name in sorted(train - set(classes)) if split in ("validation", "test") else ():
            yield Finding("absent", listing.root / split, f"no folder for class {name}")
    if len(train) == 1:
        yield Finding("one class", listing.root, f"only class {next(iter(train))!r} has pictures; a classifier needs at least two")


def _copies(listing: Listing, files, seen: list[Seen]) -> Iterator[Finding]:
    """Later copies, each told against the first of its picture."""
    first: dict[str, tuple[str, str, Path]] = {}
    for (split, name, path), one in zip(files, seen, strict=True):
        if one.reason:
            continue
        original = first.setdefault(one.pixels, (split, name, path))
        if original[2] is path:
            continue
        same = f"same picture as {_within(original[2], listing.root)}"
        if original[0] != split:
            yield Finding("leak", path, same)
        if original[1] != name:
            yield Finding("conflict", path, same)
        if original[:2] == (split, name):
            yield Finding("duplicate", path, same)


def _file(path: Path, seen: Seen) -> Iterator[Finding]:
    if seen.reason:
        yield Finding("bad", path, seen.reason)
        return
    if min(seen.height, seen.width) < TINY:
        yield Finding("tiny", path, f"{seen.width}x{seen.height} pixels")
    if seen.orientation != 1:
        yield Finding("rotated", path, f"EXIF orientation {seen.orientation}")
    if seen.mode.startswith("I"):
        yield Finding("16-bit", path, f"mode {seen.mode}")
    expected = {".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG", ".tif": "TIFF"}
    suffix = path.suffix.lower()
    if expected.get(suffix, suffix[1:].upper()) != seen.format:
        yield Finding("misnamed", path, f"it is {seen.format}")


def _summary(listing: Listing) -> str:
    counts = {split: sum(map(len, classes.values())) for split, classes in listing.splits.items()}
    splits = ", ".join(f"{split} {count}" for split, count in counts.items() if split)
    return f"{listing.root}: {sum(counts.values())} pictures, {len(listing.classes)} classes" + (f", splits: {splits}" if splits else "")


def _within(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path != root else str(path)
