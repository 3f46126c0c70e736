"""COCO JSON, read: one file per split with images, annotations and categories that refer to each other by id.

Boxes are [x, y, width, height] in pixels; outlines are polygons or run lengths; a crowd is marked `iscrowd`. The ids of the 80 COCO classes
run from 1 to 90 with gaps, so an id is never used as a class number: classes are numbered from 0 in the order of their ids.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.labels import outlines, rle
from zoo.data.labels.draft import UNSPLIT, Asked, Draft, LabelError, Row, Sheet, look_at, split_of
from zoo.data.labels.pictures import find


def files(place: Path) -> list[Path]:
    """The annotation files in a folder and the folders in it; only those of instances where there are several kinds."""
    if place.is_file():
        return [place]
    folders = [place, *sorted(path for path in place.iterdir() if path.is_dir())] if place.is_dir() else []
    found = [path for folder in folders for path in sorted(folder.glob("*.json")) if _is_coco(path)]
    chosen = [path for path in found if path.stem.startswith("instances")]
    return chosen or found


def load(place: Path, asked: Asked) -> Draft:
    """Raises LabelError when there is no annotation file, or one is not JSON."""
    draft = Draft("coco", place)
    found = files(place)
    if not found:
        raise LabelError(f"no COCO file in {place}; wanted {place}/annotations/instances_train.json, or give the .json file itself")
    read = []
    for path in found:
        try:
            read.append((path, _parsed(path)))
        except LabelError as error:
            if len(found) == 1:
                raise
            draft.fault("bad label", path, str(error), split_of(path.stem, path.parent.name))
    numbers = _classes(draft, read, asked)
    for path, data in read:
        split = split_of(path.stem, path.parent.name)
        _file(draft, path, data, split, numbers[path], asked)
    seen = look_at([sheet.picture for sheet in draft.sheets], asked)
    for sheet in draft.sheets:
        sheet.seen = seen[sheet.picture]
    return draft


def _is_coco(path: Path) -> bool:
    """By the first kilobytes, since the files are large: captions and panoptic files have no boxes."""
    if path.stem.startswith(("captions", "panoptic", "stuff", "image_info")):
        return False
    with path.open(encoding="utf-8", errors="replace") as file:
        start = file.read(4096)
    if not start.lstrip().startswith("{"):
        return False
    named = ('"images"', '"annotations"', '"categories"')
    return any(name in start for name in named) or all(name in path.read_text(encoding="utf-8", errors="replace") for name in named)


def _parsed(path: Path) -> dict[str, list[dict[str, Any]]]:
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise LabelError(f"{path} is not a whole JSON file: {error}") from error
    missing = [key for key in ("images", "annotations", "categories") if not isinstance(data, dict) or not isinstance(data.get(key), list)]
    if missing:
        raise LabelError(f"{path} is no COCO file of objects: it has no list of {', '.join(missing)}")
    for key in ("images", "annotations", "categories"):
        if not all(isinstance(entry, dict) for entry in data[key]):
            raise LabelError(f"{path} is no COCO file of objects: its {key} are not all objects in braces")
    return data


def _classes(draft: Draft, read, asked: Asked) -> dict[Path, dict[Any, int]]:
    """{file: {category id: class number}}; the files may give different ids to one name."""
    by_file: dict[Path, dict[Any, int]] = {}
    order = list(asked.classes)
    for path, data in read:
        known: dict[Any, int] = {}
        for category in sorted((each for each in data["categories"] if isinstance(each.get("id"), int)), key=lambda each: each["id"]):
            name = str(category.get("name", category["id"]))
            if any(order[number] == name for number in known.values()):
                name = f"{name} ({category['id']})"  # two categories of one name are two classes all the same
            if name not in order:
                order.append(name)
            known[category["id"]] = order.index(name)
            points = category.get("keypoints")
            if isinstance(points, list) and len(points) > len(draft.keypoint_names):
                draft.keypoint_names = tuple(map(str, points))
                draft.flip_pairs = mirrored(draft.keypoint_names)
        if 0 in known:
            draft.fault("zero id", path, "a category has the id 0, which several trainers take for background")
        by_file[path] = known
    draft.classes = order
    return by_file


def mirrored(names: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """Pairs of keypoints that trade places in a mirror, by "left" and "right" in their names."""
    other = {name: name.replace("left", "right") for name in names if "left" in name}
    return tuple((names.index(left), names.index(right)) for left, right in other.items() if right in names)


def _file(draft: Draft, path: Path, data, split: str, numbers: dict[Any, int], asked: Asked) -> None:
    sheets: dict[Any, Sheet] = {}
    for entry, picture in _images(draft, path, data["images"], split, asked):
        own = split_of(str(entry.get("split", ""))) if split == UNSPLIT else split
        size = (entry["width"], entry["height"]) if all(isinstance(entry.get(side), int) for side in ("width", "height")) else None
        number = entry["id"]
        if number in sheets:
            draft.fault("bad label", path, f"two images have the id {number}: {sheets[number].name}, {entry['file_name']}", own)
            continue
        sheets[number] = Sheet(own, str(entry["file_name"]), picture, None, size=size, label=path, number=number)  # type: ignore[arg-type]
    absent = {entry["id"] for entry in data["images"] if isinstance(entry.get("id"), int | str)} - set(sheets)
    ids: set[Any] = set()
    for annotation in data["annotations"]:
        number, image = annotation.get("id"), annotation.get("image_id")
        if not isinstance(number, int | str | None) or not isinstance(image, int | str):
            draft.fault("bad label", path, f"an annotation without usable id and image_id: {str(annotation)[:80]}", split)
            continue
        if number == 0:
            draft.fault("zero id", path, "an annotation has the id 0: pycocotools counts its object as never found", split)
        if number is not None and number in ids:
            draft.fault("bad label", path, f"two annotations have the id {number}", split)
        ids.add(number)
        if image in absent:
            continue  # its picture was told already
        if image not in sheets:
            draft.fault("bad label", path, f"annotation {number} belongs to image {image}, which is not listed", split)
            continue
        try:
            sheets[image].rows.append(_row(annotation, numbers, sheets[image]))
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            kind = "unknown class" if isinstance(error, KeyError) else "bad label"
            draft.fault(kind, path, f"annotation {number} of {sheets[image].name}: {error.args[0]}", sheets[image].split)
    draft.sheets += sheets.values()


def _images(draft: Draft, path: Path, entries, split: str, asked: Asked) -> Iterator[tuple[dict[str, Any], Path]]:
    """The entries whose picture is there, with it."""
    tag = path.stem.rsplit("_", 1)[-1]
    folders = [asked.images] if asked.images else [path.parent, path.parent.parent]
    folders = [each for folder in folders for each in (folder, folder / "images")]
    folders = [each for folder in folders for each in (folder, folder / tag, folder / split)]
    chosen: list[Path] = []
    for entry in entries:
        name = entry.get("file_name")
        if not isinstance(entry.get("id"), int | str) or not isinstance(name, str):
            draft.fault("bad label", path, f"an image without id or file_name: {str(entry)[:80]}", split)
            continue
        picture = find(name, [*chosen, *folders])
        if picture is None:
            draft.fault("missing picture", path, f"{name} is not there; looked in {folders[0]} and about it", split)
            continue
        if not chosen:
            chosen = [folder for folder in folders if (folder / name).is_file()][:1]
        yield entry, picture


def _row(annotation: dict[str, Any], numbers: dict[Any, int], sheet: Sheet) -> Row:
    if annotation.get("category_id") not in numbers:
        raise KeyError(f"the category id {annotation.get('category_id')!r} is not listed")
    own = annotation.get("attributes") or {}
    attributes: dict[str, Any] = {name: value for name, value in own.items() if isinstance(value, bool | int | float | str)}
    difficult = bool(attributes.pop("difficult", False))
    rings, lengths = _outline(annotation.get("segmentation"))
    if lengths is not None:
        attributes["rle"] = lengths
    if isinstance(annotation.get("area"), int | float):
        attributes["area"] = float(annotation["area"])
    box = annotation.get("bbox")
    if box is None and rings:
        left, top, right, bottom = outlines.bounds(rings)
    else:
        if not isinstance(box, list) or len(box) != 4 or not all(isinstance(value, int | float) for value in box):
            raise ValueError(f"bbox must be [x, y, width, height], got {box!r}")
        left, top, right, bottom = box[0], box[1], box[0] + box[2], box[1] + box[3]
    points = annotation.get("keypoints")
    keypoints = np.array(points, np.float32).reshape(-1, 3) if points else None
    row = Row(numbers[annotation["category_id"]], (left, top, right, bottom), rings, keypoints, bool(annotation.get("iscrowd")), difficult)
    row.attributes = attributes
    return row


def _outline(found) -> tuple[tuple[np.ndarray, ...], dict[str, Any] | None]:
    """(rings, run lengths or None) of a segmentation."""
    if isinstance(found, dict):
        height, width, counts = rle.checked(found)
        return (), {"size": [height, width], "counts": rle.squeeze(counts)}
    rings = []
    for ring in found or ():
        if not isinstance(ring, list) or len(ring) < 6 or len(ring) % 2:
            raise ValueError(
                f"a polygon needs an even number of at least 6 coordinates, got {len(ring) if isinstance(ring, list) else ring}"
            )
        rings.append(np.array(ring, np.float32).reshape(-1, 2))
    return tuple(rings), None
