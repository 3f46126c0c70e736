"""COCO JSON, written: annotations/instances_SPLIT.json with the pictures in images/SPLIT.

Annotations are numbered from 1: to pycocotools an object with the id 0 is never found. Pictures keep their numbers where they have some.
Classes are numbered from 1 in their order. What COCO has no field for stands in `attributes`, as CVAT writes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from zoo import atomic
from zoo.data.labels import outlines, rle
from zoo.data.labels.draft import SHORT, ordered
from zoo.data.labels.pictures import Placed, place
from zoo.data.objects import ObjectSet


def save(data: ObjectSet, folder: Path, pictures: str) -> list[Path]:
    """One file per split, and the pictures."""
    taken: set[str] = set()
    written = []
    for split in ordered(data.splits):
        short = SHORT.get(split, split)
        placed = list(place(data, split, folder / "images" / short, pictures, taken))
        text = json.dumps(_content(data, placed), ensure_ascii=False, allow_nan=False)
        written.append(atomic.write(folder / "annotations" / f"instances_{short}.json", text))
    return written


def _content(data: ObjectSet, placed: list[Placed]) -> dict[str, Any]:
    numbers = [each.number for each in placed]
    if None in numbers or len(set(numbers)) < len(numbers):
        numbers = list(range(1, len(placed) + 1))
    images = [
        {"id": number, "file_name": each.name, "width": each.width, "height": each.height}
        for number, each in zip(numbers, placed, strict=True)
    ]
    points = {"keypoints": list(data.keypoint_names), "skeleton": []} if data.keypoint_names else {}
    categories = [{"id": number, "name": name, "supercategory": "", **points} for number, name in enumerate(data.classes, start=1)]
    annotations: list[dict[str, Any]] = []
    for number, each in zip(numbers, placed, strict=True):
        for fields in _annotations(each):
            annotations.append({"id": len(annotations) + 1, "image_id": number, **fields})
    return {"info": {"description": data.name}, "licenses": [], "images": images, "annotations": annotations, "categories": categories}


def _annotations(placed: Placed) -> Iterator[dict[str, Any]]:
    objects = placed.objects
    boxes = exact(objects.boxes)
    for index in range(len(objects)):
        columns = {name: values[index] for name, values in objects.attributes.items()}
        lengths = columns.pop("rle", None)
        rings = objects.polygons[index] if objects.polygons is not None else ()
        if lengths is None and not rings and objects.masks is not None:
            lengths = rle.encode(objects.masks[index])
        if lengths is not None and objects.crowd[index]:
            lengths = {"size": lengths["size"], "counts": rle.runs(lengths)}  # as COCO itself writes crowds
        area = columns.pop("area", None)
        if area is None or not np.isfinite(area):
            area = rle.area(lengths) if lengths else outlines.area(rings) if rings else boxes[index][2] * boxes[index][3]
        fields: dict[str, Any] = {"category_id": int(objects.classes[index]) + 1, "bbox": boxes[index], "area": round(float(area), 4)}
        fields |= {"iscrowd": int(objects.crowd[index]), "segmentation": lengths or [_flat(ring) for ring in rings]}
        if objects.keypoints is not None:
            points = objects.keypoints[index]
            fields["keypoints"] = [number for x, y, seen in points for number in (*_flat(np.array([x, y])), int(seen))]
            fields["num_keypoints"] = int((points[:, 2] > 0).sum())
        others = {name: _bare(value) for name, value in columns.items()}
        others |= {"difficult": True} if objects.difficult[index] else {}
        fields |= {"attributes": kept} if (kept := {name: value for name, value in others.items() if value is not None}) else {}
        yield fields


def exact(boxes: np.ndarray) -> list[list[float]]:
    """float32 xyxy (n, 4) -> [x, y, width, height] with as few decimals as give the same float32 edges again."""
    low, high = boxes[:, :2], boxes[:, 2:]
    start = np.array([float(str(value)) for value in low.ravel()]).reshape(low.shape)  # 0.1, not 0.10000000149
    whole = high.astype(np.float64) - start
    sizes = whole.copy()
    undecided = np.ones(sizes.shape, bool)
    for digits in range(8):
        rounded = np.round(whole, digits)
        good = undecided & ((start + rounded).astype(np.float32) == high)
        sizes[good], undecided = rounded[good], undecided & ~good
    return np.concatenate([start, sizes], axis=1).tolist()


def _flat(ring: np.ndarray) -> list[float]:
    return [float(str(value)) for value in np.asarray(ring, np.float32).ravel()]


def _bare(value: Any) -> bool | int | float | str | None:
    """A value as JSON has it; None for what JSON or others could not read."""
    value = value.item() if isinstance(value, np.generic) else value
    finite = not isinstance(value, float) or np.isfinite(value)
    return value if isinstance(value, bool | int | float | str) and finite else None
