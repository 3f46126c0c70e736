"""The doctor of labels: what would stop a training on them, deceive it, or falsify its numbers; each with its picture and reason."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from zoo.data.labels import copies
from zoo.data.labels.belief import lying
from zoo.data.labels.draft import UNSPLIT, Draft, Sheet
from zoo.data.labels.findings import KINDS, Checkup, Finding
from zoo.data.labels.formats import draft
from zoo.data.labels.orientation import LYING, stored_size

_BACKGROUND = {"background", "__background__", "_background_", "bg", "none", "void"}
_BEYOND = 0.5
"""Pixels by which a box may leave its picture: rounding in the format."""


def doctor(
    path: str | os.PathLike,
    format: str | None = None,
    *,
    images: str | os.PathLike | None = None,
    classes: Sequence[str] = (),
    near: float = copies.CLOSE,
    progress: Callable[[int, int], None] | None = None,
) -> Checkup:
    """Read labels of any format, decode every picture, and report what is wrong. Nothing is changed.

    path, format, images, classes, progress: see `zoo.data.labels.read`.
    near: cosine in (0, 1] of two sketches from which pictures count as nearly the same, see `zoo.data.labels.copies`.

    Raises LabelError or FileNotFoundError when there are no labels at all.
    """
    if not 0 < near <= 1:
        raise ValueError(f"near is a cosine in (0, 1], got {near!r}")
    found = draft(path, format, images=images, classes=classes, progress=progress)
    items = [Finding(fault.kind, fault.path, fault.reason, fault.split) for fault in found.faults]
    items += _numbers(found)
    for sheet in found.sheets:
        items += _picture(found, sheet)
        items += _boxes(found, sheet)
    items += _copies(found, near, progress)
    order = list(KINDS)
    return Checkup(found, tuple(sorted(items, key=lambda item: order.index(item.kind))))


def where(sheet: Sheet) -> Path:
    """The file to name for a sheet."""
    return sheet.picture if isinstance(sheet.picture, Path) else (sheet.label or Path()) / sheet.name


def frame(sheet: Sheet) -> tuple[int, int]:
    """(width, height) of the picture that the rows are pixels of."""
    seen = sheet.seen
    return stored_size(seen) if lying(sheet, "as stated") and not sheet.shares else (seen.width, seen.height)


def _numbers(found: Draft) -> Iterator[Finding]:
    """Do the class numbers fit the names? Numbers from 1 for names from 0 are the classic."""
    names, root = found.classes, found.root
    used = Counter(row.number for sheet in found.sheets for row in sheet.rows)
    beyond = sorted(number for number in used if not 0 <= number < len(names))
    if beyond == [len(names)] and not used[0] and names:
        reason = f"the numbers run from {min(used)} to {len(names)}, the {len(names)} names from 0 to {len(names) - 1}: subtract 1 from all"
        yield Finding("off by one", root, reason)
    for sheet in found.sheets:
        wrong = tuple(index for index, row in enumerate(sheet.rows) if not 0 <= row.number < len(names))
        if wrong:
            numbers = ", ".join(map(str, sorted({sheet.rows[index].number for index in wrong})))
            reason = f"{len(wrong)} of class {numbers}; the names are for 0 to {len(names) - 1}"
            yield Finding("unknown class", where(sheet), reason, sheet.split, sheet, wrong)
    if not used:
        return
    for number, name in enumerate(names):
        if name.strip().lower() in _BACKGROUND:
            yield Finding("background", root, f"class {number} is called {name!r} and has {used[number]} objects")
        elif not used[number]:
            hint = ": are the numbers off by one?" if number == 0 and used[len(names) - 1] and len(names) > 1 else ""
            yield Finding("unused class", root, f"class {number}, {name!r}{hint}")
    per_split: dict[str, Counter] = {}
    for sheet in found.sheets:
        per_split.setdefault(sheet.split, Counter()).update(row.number for row in sheet.rows)
    for split in ("validation", "test"):
        own = per_split.get(split)
        if own is None:
            continue
        absent = [names[number] for number in sorted(per_split.get("train", ())) if number < len(names) and not own[number]]
        if absent:
            yield Finding("absent class", root, f"{split} has no {', no '.join(absent[:8])}{' ...' if len(absent) > 8 else ''}", split)


def _picture(found: Draft, sheet: Sheet) -> Iterator[Finding]:
    seen, path = sheet.seen, where(sheet)
    if seen.reason:
        yield Finding("bad picture", path, seen.reason, sheet.split)
        return
    stated, shown = sheet.size, (seen.width, seen.height)
    if lying(sheet, "as stated"):
        reason = (
            f"EXIF orientation {seen.orientation}: stated is {_size(stated)}, the picture as it is stored; upright it is {_size(shown)}"
        )
        yield Finding("lying", path, f"{reason}; `zoo labels convert` turns the labels", sheet.split, sheet)
    elif stated is not None and stated != shown:
        yield Finding("size", path, f"the labels say {_size(stated)}, the picture has {_size(shown)}", sheet.split, sheet)
    elif seen.orientation != 1:
        reason = f"EXIF orientation {seen.orientation}: the labels are taken as drawn on the upright picture, {_size(shown)}"
        if stated is None or seen.orientation not in LYING or seen.width == seen.height:
            reason += "; the file does not tell, so look at it"
        yield Finding("rotated", path, reason, sheet.split, sheet)
    if sheet.label is None:
        yield Finding("missing label", path, "no label file; read as a picture without objects", sheet.split, sheet)
    elif not sheet.rows and not any(fault.path == sheet.label for fault in found.faults):
        yield Finding("empty", path, "no objects", sheet.split, sheet)


def _boxes(found: Draft, sheet: Sheet) -> Iterator[Finding]:
    if sheet.seen.reason or not sheet.rows:
        return
    boxes = np.array([row.box for row in sheet.rows], np.float64)
    width, height = frame(sheet)
    zero = (found.format == "voc") & (boxes[:, :2].min(axis=1) == -1)
    if zero.any():
        places = tuple(np.flatnonzero(zero).tolist())
        yield _finding("from zero", sheet, places, f"{len(places)} boxes with xmin or ymin 0 in a format that counts from 1")
        boxes = np.maximum(boxes, np.where(zero[:, None], 0, -np.inf))  # told once
    beyond = np.concatenate([-boxes[:, :2], boxes[:, 2:] - [width, height]], axis=1).max(axis=1)
    outside = (boxes[:, 2:] <= 0).any(axis=1) | (boxes[:, :2] >= [width, height]).any(axis=1)
    if (beyond > _BEYOND).any():
        places = tuple(np.flatnonzero(beyond > _BEYOND).tolist())
        reason = f"{len(places)} box{'es' * (len(places) > 1)}, by up to {beyond.max():.0f} px of {_size((width, height))}"
        reason += f", {outside.sum()} wholly outside" if outside.any() else ""
        if found.format == "yolo" and (boxes[:, 2:] > np.array([width, height]) * 2).any():
            reason += ": are these pixels, not shares?"
        yield _finding("out of range", sheet, places, reason)
    sides = boxes[:, 2:] - boxes[:, :2]
    no_area = (sides.min(axis=1) <= 0) | (sides.max(axis=1) <= 1)
    if no_area.any():
        places = tuple(np.flatnonzero(no_area).tolist())
        shown = ", ".join(f"{sides[index, 0]:.3g} x {sides[index, 1]:.3g} px at {_corner(boxes[index])}" for index in places[:4])
        yield _finding("no area", sheet, places, f"{shown}{' ...' if len(places) > 4 else ''}")
    yield from _twice(sheet)


def _twice(sheet: Sheet) -> Iterator[Finding]:
    first: dict[tuple[float, ...], int] = {}
    pairs: dict[str, list[tuple[int, int]]] = {"conflict": [], "duplicate box": []}
    for index, row in enumerate(sheet.rows):
        other = first.setdefault(tuple(np.round(row.box, 2).tolist()), index)
        if other != index:
            pairs["duplicate box" if sheet.rows[other].number == row.number else "conflict"].append((other, index))
    for kind, found in pairs.items():
        if found:
            shown = ", ".join(f"{one + 1} and {other + 1} at {_corner(sheet.rows[one].box)}" for one, other in found[:4])
            places = tuple(sorted({place for pair in found for place in pair}))
            yield _finding(kind, sheet, places, f"objects {shown}{f' and {len(found) - 4} more' if len(found) > 4 else ''}")


def _copies(found: Draft, near: float, progress) -> Iterator[Finding]:
    """Later copies, each told against the first of its picture; then pairs that are close without being equal."""
    first: dict[str, Sheet] = {}
    originals = []
    for sheet in found.sheets:
        if sheet.seen.reason:
            continue
        original = first.setdefault(sheet.seen.pixels, sheet)
        if original is sheet:
            originals.append(sheet)
            continue
        same = f"same picture as {_shown(original)}"
        differ = not _equal(sheet, original)
        if original.split != sheet.split:
            yield Finding("leak", where(sheet), same, sheet.split, sheet, other=original)
        elif not differ:
            yield Finding("duplicate picture", where(sheet), same, sheet.split, sheet, other=original)
        if differ:
            reason = f"{same}, which has {len(original.rows)} objects; here are {len(sheet.rows)}"
            yield Finding("contradiction", where(sheet), reason, sheet.split, sheet, other=original)
    found_sketches = copies.sketches([sheet.image for sheet in originals], progress)
    told: set[tuple[str, int]] = set()
    for left, right, cosine in copies.pairs(found_sketches, near):
        one, other = originals[left], originals[right]
        kind = "near duplicate" if one.split == other.split else "near leak"
        if (kind, right) not in told:  # the frames of a still camera resemble each other in every pair
            told.add((kind, right))
            yield Finding(kind, where(other), f"nearly the same as {_shown(one)} (cosine {cosine:.3f})", other.split, other, other=one)


def _equal(one: Sheet, other: Sheet) -> bool:
    return sorted((row.number, *row.box) for row in one.rows) == sorted((row.number, *row.box) for row in other.rows)


def _shown(sheet: Sheet) -> str:
    return f"{sheet.name} of {sheet.split}" if sheet.split != UNSPLIT else sheet.name


def _finding(kind: str, sheet: Sheet, places: tuple[int, ...], reason: str) -> Finding:
    return Finding(kind, where(sheet), reason, sheet.split, sheet, places)


def _size(size: tuple[int, int] | None) -> str:
    return "an unknown size" if size is None else f"{size[0]}x{size[1]}"


def _corner(box) -> str:
    return f"({round(float(box[0]), 1):g}, {round(float(box[1]), 1):g})"
