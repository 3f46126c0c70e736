"""Objects cut out of their pictures: boxes become a classification set, to learn names from before boxes."""

from __future__ import annotations

import numpy as np

from zoo.data.decode import resize
from zoo.data.objects import ObjectExamples


def crops(examples: ObjectExamples, size: int | tuple[int, int], margin: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Every object that is no crowd, in the order of the pictures: (uint8 (n, *size, 3), its class int64 (n,)).

    size:   (height, width) of a crop, or one side of a square; the object is stretched to it.
    margin: how much of its surroundings is shown on each side, as a share of the box's longer side, >= 0; cut off at the picture's border.

    Objects of which no pixel lies inside their picture are left out. Raises ValueError when there is none at all.
    """
    if margin < 0:
        raise ValueError(f"margin is a share of the box's side, >= 0, got {margin}")
    found, classes = [], []
    for index, objects in enumerate(examples.objects):
        if not len(objects):
            continue
        image = examples.image(index)
        height, width = image.shape[:2]
        room = margin * (objects.boxes[:, 2:] - objects.boxes[:, :2]).max(axis=1, keepdims=True)
        corners = np.clip(np.floor(objects.boxes[:, :2] - room), 0, None).astype(int)
        ends = np.minimum(np.ceil(objects.boxes[:, 2:] + room), [width, height]).astype(int)
        for (left, top), (right, bottom), kind, crowd in zip(corners, ends, objects.classes, objects.crowd, strict=True):
            if right > left and bottom > top and not crowd:
                found.append(resize(np.ascontiguousarray(image[top:bottom, left:right]), size))
                classes.append(kind)
    if not found:
        raise ValueError("there is no object to cut out of these pictures")
    return np.stack(found), np.array(classes, np.int64)
