"""YOLO text files: one per picture, a line per object, in shares of the picture's width and height.

`class cx cy w h` is a box, `class x y x y x y ...` an outline, and `class cx cy w h (x y v) * k` a pose, which only the `kpt_shape` of
data.yaml tells from an outline. A picture's labels lie where `images` in its path is replaced by `labels`, or beside it. No file means: no
object. Class names are in data.yaml or a list of lines.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo import atomic
from zoo.data.labels import names, outlines
from zoo.data.labels.draft import SHORT, UNSPLIT, Asked, Draft, LabelError, Row, Sheet, look_at, ordered, split_of
from zoo.data.labels.pictures import Placed, place
from zoo.data.listing import pictures as listed
from zoo.data.objects import ObjectSet

KINDS = ("auto", "boxes", "polygons", "pose")


def load(place: Path, asked: Asked) -> Draft:
    """Raises LabelError when there are no pictures or not one label file."""
    root = place if place.is_dir() else place.parent
    config = place if place.is_file() else next((path for path in _configs(root)), None)
    settings = names.yaml(config) if config else {}
    draft = Draft("yolo", root)
    draft.classes = list(asked.classes) or _names(settings, config, root)
    shape = settings.get("kpt_shape") or (0, 0)
    draft.keypoint_names = tuple(f"point {number}" for number in range(shape[0]))
    draft.flip_pairs = tuple((left, right) for left, right in enumerate(settings.get("flip_idx") or ()) if left < right)
    found = [(split, picture) for split, files in _pictures(root, config, settings, asked) for picture in files]
    if not found:
        raise LabelError(
            f"no pictures in {place}; wanted {root}/images/train/*.jpg with {root}/labels/train/*.txt, or a data.yaml that says where"
        )
    seen = look_at([picture for _, picture in found], asked)
    labels = set()
    for split, picture in found:
        label = label_of(picture)
        labels.add(label)
        sheet = Sheet(split, picture.name, picture, seen[picture], label=label if label.is_file() else None, shares=True)
        draft.sheets.append(sheet)
        if sheet.label is not None and not sheet.seen.reason:
            _rows(draft, sheet, shape)
    if not any(sheet.label for sheet in draft.sheets):
        raise LabelError(f"not one of {len(found)} pictures has a label file; the first one's would be {label_of(found[0][1])}")
    for folder in sorted({label.parent for label in labels}):
        for orphan in sorted(set(folder.glob("*.txt")) - labels) if folder.is_dir() else ():
            if orphan.name not in names.LISTS and not _is_list(orphan):
                draft.fault("missing picture", orphan, "no picture belongs to these labels", split_of("", folder.name, folder.parent.name))
    if not draft.classes:
        draft.classes = [str(number) for number in range(1 + max((row.number for sheet in draft.sheets for row in sheet.rows), default=-1))]
        draft.notes.append(f"No class names were found beside the labels: the {len(draft.classes)} classes are called by their numbers.")
    return draft


def label_of(picture: Path) -> Path:
    """Where the labels of a picture lie: the last folder `images` of its path becomes `labels`; without one, beside the picture."""
    parts = list(picture.parts)
    for index in range(len(parts) - 2, -1, -1):
        if parts[index].lower() == "images":
            swapped = Path(*parts[:index], "Labels" if parts[index] == "Images" else "labels", *parts[index + 1 :]).with_suffix(".txt")
            return swapped if swapped.parent.is_dir() or not picture.with_suffix(".txt").is_file() else picture.with_suffix(".txt")
    return picture.with_suffix(".txt")


def _configs(root: Path) -> Iterator[Path]:
    """A data.yaml, or any other YAML file that names classes."""
    for path in sorted([*root.glob("*.yaml"), *root.glob("*.yml")], key=lambda path: (path.stem != "data", path.name)):
        if "names:" in path.read_text(encoding="utf-8-sig", errors="replace"):
            yield path


def _names(settings: dict[str, Any], config: Path | None, root: Path) -> list[str]:
    if config and settings.get("names") is not None:
        return names.from_mapping(settings["names"], config)
    return names.beside(root, root / "labels", *sorted(path for path in root.iterdir() if path.is_dir()))


def _pictures(root: Path, config: Path | None, settings: dict[str, Any], asked: Asked) -> Iterator[tuple[str, list[Path]]]:
    """(split, its pictures), by data.yaml, or by the names of the folders."""
    if asked.images:
        yield split_of("", asked.images.name), listed(asked.images)
        return
    entries = [(split_of(key), value) for key, value in settings.items() if key in ("train", "val", "test") and value]
    if entries and config:
        base = config.parent / str(settings.get("path") or ".")
        for split, value in entries:
            values = value if isinstance(value, list) else [value]
            yield split, [picture for each in values for picture in _entry(str(each), (base, config.parent), config)]
        return
    yield from _by_folder(root).items()


def _entry(entry: str, bases: Sequence[Path], config: Path) -> list[Path]:
    """The pictures of one entry: a folder, or a text file that lists them. "../train/images" often means "train/images"."""
    candidates = [base / each for base in bases for each in (entry, entry.removeprefix("../"))]
    where = next((path for path in candidates if path.exists()), None)
    if where is None:
        raise LabelError(f"{config} says {entry!r}, but there is no {candidates[0]}; correct the entry, or its `path:`")
    if where.is_dir():
        return listed(where)
    return [Path(os.path.normpath(where.parent / line.strip())) for line in where.read_text(encoding="utf-8").splitlines() if line.strip()]


def _by_folder(root: Path) -> dict[str, list[Path]]:
    """{split: pictures} by the first folder below the root that means a split: images/train/*, train/images/*, or neither."""
    found: dict[str, list[Path]] = {}
    for picture in listed(root):
        parts = picture.relative_to(root).parts[:-1]
        found.setdefault(split_of("", *parts, root.name), []).append(picture)
    if UNSPLIT in found and len(found) > 1:
        del found[UNSPLIT]  # pictures beside the split folders: a plot of the last training, a logo
    return {split: found[split] for split in ordered(found)}


def _is_list(path: Path) -> bool:
    """Does a text file list pictures, as darknet's train.txt does?"""
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.readline().strip().lower().endswith((".jpg", ".jpeg", ".png", ".bmp"))


def _rows(draft: Draft, sheet: Sheet, shape: Sequence[int]) -> None:
    assert sheet.label is not None  # noqa: S101 - the caller asked
    try:
        text = sheet.label.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        draft.fault("bad label", sheet.label, f"cannot be read ({error})", sheet.split)
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                sheet.rows.append(_row(line.split(), sheet.seen.width, sheet.seen.height, shape))
            except ValueError as error:
                draft.fault("bad label", sheet.label, f"line {number}: {error}", sheet.split)


def _row(words: list[str], width: int, height: int, shape: Sequence[int]) -> Row:
    if not words[0].isdecimal():
        raise ValueError(f"a line begins with the number of a class, got {words[0]!r}")
    values = np.array([float(word) for word in words[1:]], np.float64)
    if not np.isfinite(values).all():
        raise ValueError("a coordinate is not finite")
    points, depth = shape
    pose = points > 0 and len(values) == 4 + points * depth
    if len(values) != 4 and not pose:
        if len(values) < 6 or len(values) % 2:
            guess = ": a prediction with its score?" if len(values) == 5 else ""
            raise ValueError(f"{len(words)} numbers are neither a box (5), an outline (1 + x y for 3 points or more), nor a pose{guess}")
        ring = (values.reshape(-1, 2) * (width, height)).astype(np.float32)
        return Row(int(words[0]), outlines.bounds([ring]), (ring,))
    x, y, w, h = values[:4] * (width, height, width, height)
    if w < 0 or h < 0:
        raise ValueError(f"a width or height below 0: {words[3]} {words[4]}")
    keypoints = None
    if pose:
        keypoints = np.ones((points, 3), np.float32)
        keypoints[:, :depth] = values[4:].reshape(points, depth)
        if depth == 2:  # no visibility is stored: a point in the corner stands for one that nobody labelled
            keypoints[:, 2] = np.where(keypoints[:, :2].any(axis=1), 2, 0)
        keypoints[:, :2] *= (width, height)
    return Row(int(words[0]), (x - w / 2, y - h / 2, x + w / 2, y + h / 2), (), keypoints)


def save(data: ObjectSet, folder: Path, pictures: str, rows: str = "auto") -> list[Path]:
    """images/SPLIT, labels/SPLIT and data.yaml. rows: "boxes", "polygons", "pose", or "auto": the richest that every object has."""
    kind = kind_of(data) if rows == "auto" else rows
    folders: dict[str, str] = {}
    taken: set[str] = set()
    written: list[Path] = []
    points = max(
        (each.keypoints.shape[1] for part in data.splits.values() for each in part.objects if each.keypoints is not None), default=0
    )
    for split in ordered(data.splits):
        short = SHORT.get(split, split)
        folders["train" if split == UNSPLIT else short] = f"images/{short}"  # data.yaml has no word for "not divided"
        for placed in place(data, split, folder / "images" / short, pictures, taken):
            text = "".join(f"{line}\n" for line in _lines(placed, kind, points))
            written.append(atomic.write(folder / "labels" / short / f"{placed.stem}.txt", text))
    flip = list(range(points))
    for left, right in data.flip_pairs:
        flip[left], flip[right] = right, left
    text = names.data_yaml(data.classes, folders, points if kind == "pose" else 0, flip)
    return [atomic.write(folder / "data.yaml", text), *written]


def kind_of(data: ObjectSet) -> str:
    """ "pose" when any object has keypoints, "polygons" when every object has an outline, else "boxes". Crowds do not count."""
    every = [each.take(~each.crowd) for part in data.splits.values() for each in part.objects if len(each)]
    if any(each.keypoints is not None and each.keypoints[..., 2].any() for each in every):
        return "pose"
    outlined = [len(each) == 0 or (each.polygons is not None and all(each.polygons)) for each in every]
    return "polygons" if any(len(each) for each in every) and all(outlined) else "boxes"


def _lines(placed: Placed, kind: str, points: int) -> Iterator[str]:
    objects, size = placed.objects, np.array([placed.width, placed.height], np.float64)
    for index in np.flatnonzero(~objects.crowd):
        low, high = objects.boxes[index, :2].astype(np.float64), objects.boxes[index, 2:].astype(np.float64)
        values = [*((low + high) / 2 / size), *((high - low) / size)]
        if kind == "polygons" and objects.polygons is not None and objects.polygons[index]:
            values = list((outlines.joined(objects.polygons[index]) / size).ravel())
        line = [str(objects.classes[index]), *(_short(value) for value in values)]
        if kind == "pose":
            own = np.zeros((points, 3)) if objects.keypoints is None else objects.keypoints[index].astype(np.float64)
            line += [word for x, y, seen in own for word in (_short(x / size[0]), _short(y / size[1]), str(int(seen)))]
        yield " ".join(line)


def _short(value: float) -> str:
    """Eight decimals: a ten-thousandth of a pixel in a picture of 10,000."""
    return f"{value:.8f}".rstrip("0").rstrip(".")
