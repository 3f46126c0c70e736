"""From what label files say to a data set: faults are refused or left out and counted, labels of lying pictures are turned."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zoo.data.labels import outlines
from zoo.data.labels.draft import Draft, Fault, LabelError, Sheet, ordered
from zoo.data.labels.orientation import LYING, turned
from zoo.data.labels.tfrecord import Recorded
from zoo.data.objects import ObjectExamples, Objects, ObjectSet

FATAL = ("bad label", "missing picture", "bad picture", "unknown class")
"""Kinds of faults that `read` refuses."""


def believe(found: Draft, *, skip_bad: bool = False, masks: bool = False, drawn: str = "as stated") -> ObjectSet:
    """A draft as the data set it describes. See `read`."""
    faults = [*(fault for fault in found.faults if fault.kind in FATAL), *pictures(found), *classes(found)]
    if faults and not skip_bad:
        lines = [f"  {fault.path}: {fault.reason}" for fault in faults[:10]]
        lines += [f"  ... and {len(faults) - 10} more; `zoo labels doctor {found.root}` shows all"] if len(faults) > 10 else []
        count = f"{len(faults)} fault{'s' * (len(faults) > 1)}"
        raise LabelError(f"{found.root} has {count}; repair them, or leave them out with skip_bad (--skip-bad):\n" + "\n".join(lines))
    splits: dict[str, list[Sheet]] = {}
    for sheet in found.sheets:
        if not sheet.seen.reason:
            splits.setdefault(sheet.split, []).append(sheet)
    if not splits:
        raise LabelError(f"{found.root} holds no usable picture; `zoo labels doctor {found.root}` tells why")
    notes = [*found.notes, *_told(found, faults, drawn)]
    parts = {split: _examples(splits[split], len(found.classes), masks, drawn) for split in ordered(splits)}
    name = f"folder:{found.root.resolve().stem}"
    return ObjectSet(name, "folder", tuple(found.classes), parts, tuple(notes), found.keypoint_names, found.flip_pairs)


def pictures(found: Draft) -> list[Fault]:
    """A fault for every picture that cannot be decoded."""
    return [Fault("bad picture", _where(sheet), sheet.seen.reason, sheet.split) for sheet in found.sheets if sheet.seen.reason]


def _where(sheet: Sheet) -> Path:
    return sheet.picture if isinstance(sheet.picture, Path) else (sheet.label or Path()) / sheet.name


def classes(found: Draft) -> list[Fault]:
    """A fault for every object whose class number has no name."""
    most = len(found.classes)
    return [
        Fault(
            "unknown class",
            sheet.label or _where(sheet),
            f"class {row.number} of {sheet.name}; the {most} names have 0 to {most - 1}",
            sheet.split,
        )
        for sheet in found.sheets
        for row in sheet.rows
        if not 0 <= row.number < most
    ]


def _told(found: Draft, faults: list[Fault], drawn: str) -> list[str]:
    notes = []
    if faults:
        shown = "; ".join(f"{fault.path.name}: {fault.reason}" for fault in faults[:3])
        entries = f"{len(faults)} faulty entr{'ies' if len(faults) > 1 else 'y'}"
        notes.append(f"Left out {entries}: {shown}{'; ...' if len(faults) > 3 else '.'}")
    for kind, what in (
        ("zero id", "ids of 0"),
        ("missing label", "pictures without labels, left out"),
        ("unlisted", "label files in no list of a split"),
    ):
        told = [fault for fault in found.faults if fault.kind == kind]
        if told:
            notes.append(f"Warning: {len(told)} {what} (first: {told[0].path.name}, {told[0].reason}).")
    count = sum(lying(sheet, drawn) for sheet in found.sheets)
    if count:
        notes.append(f"{count} pictures were labelled lying, as their EXIF says they are stored: labels were turned upright with them.")
    return notes


def lying(sheet: Sheet, drawn: str) -> bool:
    """Were the labels drawn on the picture as it is stored, before EXIF turned it?"""
    seen = sheet.seen
    if seen.reason or seen.orientation == 1 or drawn == "upright":
        return False
    if drawn == "lying":
        return True
    return seen.orientation in LYING and seen.width != seen.height and sheet.size == (seen.height, seen.width)


def _examples(sheets: list[Sheet], most: int, masks: bool, drawn: str) -> ObjectExamples:
    objects = [_objects(sheet, most, masks, drawn) for sheet in sheets]
    attributes: dict[str, np.ndarray] = {"name": np.array([sheet.name for sheet in sheets], object)}
    if all(isinstance(sheet.number, int) and abs(sheet.number) < 2**63 for sheet in sheets):
        attributes["id"] = np.array([sheet.number for sheet in sheets], np.int64)
    if all(isinstance(sheet.picture, Recorded) for sheet in sheets):
        return ObjectExamples(Recorded([sheet.picture.rows[0] for sheet in sheets]), objects, attributes)
    return ObjectExamples([sheet.picture for sheet in sheets], objects, attributes)


def _objects(sheet: Sheet, most: int, masks: bool, drawn: str) -> Objects:
    objects = sheet.objects
    objects = objects.take((objects.classes >= 0) & (objects.classes < most))
    if lying(sheet, drawn):
        objects = turned(objects, sheet.seen, sheet.shares)
    if not masks or not len(objects):
        return objects
    others = {name: column for name, column in objects.attributes.items() if name != "rle"}
    every = outlines.masks(objects, sheet.seen.height, sheet.seen.width)
    return Objects(objects.boxes, objects.classes, every, objects.polygons, objects.keypoints, objects.crowd, objects.difficult, others)
