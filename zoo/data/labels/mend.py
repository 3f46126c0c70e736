"""A repaired copy of a labelled folder: boxes clipped, useless and double ones dropped, every change listed. The source is not touched."""

from __future__ import annotations

import csv
import io
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from zoo import atomic
from zoo.data.labels import belief
from zoo.data.labels.belief import FATAL, believe, lying
from zoo.data.labels.findings import Checkup
from zoo.data.labels.formats import write
from zoo.data.objects import Objects

LIST = "changes.csv"
"""The file in the repaired folder that lists what was changed."""


@dataclass(frozen=True)
class Change:
    """What was done to one picture's labels, and why, in words."""

    picture: str
    what: str


def mended(checkup: Checkup, folder: str | os.PathLike, format: str | None = None, *, pictures: str = "copy") -> list[Change]:
    """Write a repaired copy of what the doctor examined into a new folder, in its own format or another; returns what was changed.

    Boxes are clipped to their pictures with their outlines and keypoints; those without area or of one pixel after that, and copies of
    a box with the same class, are dropped; pictures that cannot be used and rows that cannot be understood are left out; pictures that
    EXIF turns are written upright with labels that fit. Leaks, contradictions and shifted class numbers need a person and stay as they
    are. The list is also written as `changes.csv`.

    Raises ValueError for a folder that is not empty or lies in the source.
    """
    out, draft = Path(folder).expanduser(), checkup.draft
    if out.resolve().is_relative_to(draft.root.resolve()):
        raise ValueError(f"{out} lies in {draft.root}, which is not to be changed; name a folder outside of it")
    faults = [*(fault for fault in draft.faults if fault.kind in FATAL), *belief.pictures(draft), *belief.classes(draft)]
    changes = [Change(checkup.within(fault.path), f"left out: {fault.reason}") for fault in faults]
    changes += [Change(sheet.name, "turned upright, labels with it") for sheet in draft.sheets if lying(sheet, "as stated")]
    data = believe(draft, skip_bad=True)
    sizes: dict[str, list[tuple[int, int]]] = {}  # in the order of `believe`: pictures of two folders may have one name
    for sheet in draft.sheets:
        if not sheet.seen.reason:
            sizes.setdefault(sheet.split, []).append((sheet.seen.width, sheet.seen.height))
    splits = {}
    for split, part in data.splits.items():
        objects = []
        for index, each in enumerate(part.objects):
            name = str(part.attributes["name"][index])
            good, done = repaired(each, *sizes[split][index])
            objects.append(good)
            changes += [Change(name, what) for what in done]
        splits[split] = replace(part, objects=objects)
    lost = write(replace(data, splits=splits), out, format or draft.format, pictures=pictures)
    changes += [Change("(all)", sentence) for sentence in lost]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("picture", "change"), *((change.picture, change.what) for change in changes)])
    atomic.write(out / LIST, text.getvalue())
    return changes


def repaired(objects: Objects, width: int, height: int) -> tuple[Objects, list[str]]:
    """Objects inside their picture, none useless, none twice; and what was done, in words."""
    if not len(objects):
        return objects, []
    limits = np.array([width, height, width, height], np.float32)
    boxes = np.clip(objects.boxes, 0, limits)
    sides = boxes[:, 2:] - boxes[:, :2]
    keep: np.ndarray = (sides.min(axis=1) > 0) & (sides.max(axis=1) > 1)
    moved = np.any(boxes != objects.boxes, axis=1)
    done = [
        f"object {i + 1} dropped: {_edges(objects.boxes[i])} has no area, or one pixel, in {width}x{height}" for i in np.flatnonzero(~keep)
    ]
    done += [f"object {i + 1} clipped: {_edges(objects.boxes[i])} to {_edges(boxes[i])}" for i in np.flatnonzero(moved & keep)]
    seen: dict[tuple, int] = {}
    for index in np.flatnonzero(keep):
        key = (int(objects.classes[index]), *np.round(boxes[index], 2).tolist())
        if seen.setdefault(key, int(index)) != index:
            keep[index] = False
            done.append(f"object {index + 1} dropped: the same box and class as object {seen[key] + 1}")
    columns = dict(objects.attributes)
    if "area" in columns:
        columns["area"] = np.where(moved, np.nan, columns["area"])  # is measured again
    clipped = replace(objects, boxes=boxes, attributes=columns)
    clipped = replace(clipped, polygons=_rings(objects, width, height), keypoints=_points(objects, width, height))
    return clipped.take(keep), done


def _rings(objects: Objects, width: int, height: int):
    if objects.polygons is None:
        return None
    return tuple(tuple(np.clip(ring, 0, np.array([width, height], np.float32)) for ring in rings) for rings in objects.polygons)


def _points(objects: Objects, width: int, height: int):
    """Keypoints outside of the picture become "not labelled"."""
    if objects.keypoints is None:
        return None
    places = objects.keypoints[..., :2]
    inside = np.asarray((places >= 0) & (places <= [width, height])).all(axis=-1)
    return np.where(np.expand_dims(inside, -1), objects.keypoints, 0)


def _edges(box: np.ndarray) -> str:
    return f"[{', '.join(f'{edge:g}' for edge in box)}]"
