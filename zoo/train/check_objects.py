"""Look at boxes before the first step: fractions instead of pixels, corner and size instead of two corners, classes that are off by one."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from zoo.train.check import check_images
from zoo.train.guard import first_nonfinite


def teaches_itself(model: keras.Model) -> bool:
    """Whether the model brings its own loss, as a detector does: one with a `criterion`."""
    return getattr(model, "criterion", None) is not None


def check_objects(model: keras.Model, images, labels: Mapping[str, Any]) -> None:
    """Raise ValueError if a detector cannot learn from this batch, warn (UserWarning) if it probably should not.

    images: as in `check_batch`. labels: {"boxes": (b, n, 4) xyxy in pixels of these images, "classes": (b, n) in [0, classes), -1 on
    padding}; other columns are not looked at.
    """
    images = np.asarray(images)
    check_images(model, images)
    if not isinstance(labels, Mapping) or not {"boxes", "classes"} <= set(labels):
        got = ", ".join(sorted(labels)) if isinstance(labels, Mapping) else type(labels).__name__
        raise ValueError(f'wanted labels {{"boxes": (b, n, 4), "classes": (b, n)}}, got {got}; zoo.data.ObjectPipeline gives them')
    boxes, classes = np.asarray(labels["boxes"]), np.asarray(labels["classes"])
    if boxes.ndim != 3 or boxes.shape[2] != 4 or classes.shape != boxes.shape[:2] or len(boxes) != len(images):
        raise ValueError(
            f"wanted boxes (b, n, 4) and classes (b, n), padded with -1, of {len(images)} images, got {boxes.shape} and {classes.shape}"
        )
    real = classes >= 0
    if not real.any():
        message = "no image of the first batch has an object: is every class -1? The criterion then teaches background only"
        warnings.warn(message, UserWarning, stacklevel=2)
    _check_classes(classes, int(model.output["scores"].shape[-1]))
    _check_boxes(boxes, real, images.shape[1:3])
    path = first_nonfinite(model)
    if path is not None:
        raise ValueError(f"weight {path!r} of the model holds NaN or infinity before the first step; build or load the model again")


def _check_classes(classes: np.ndarray, known: int) -> None:
    if classes.dtype.kind == "f" and (classes != np.round(classes)).any():
        raise ValueError("wanted whole numbers as classes, got fractions")
    if classes.max(initial=-1) >= known:
        raise ValueError(
            f"class {int(classes.max())} is outside [0, {known}): the model has {known} classes. "
            f"Build it with classes={int(classes.max()) + 1} or more, or correct the labels: they start at 0, and there is no background"
        )


def _check_boxes(boxes: np.ndarray, real: np.ndarray, size: tuple[int, int]) -> None:
    found = boxes[real].astype("float64")
    if not len(found):
        return
    image = np.nonzero(real)[0]
    wrong = ~np.isfinite(found).all(axis=1)
    if wrong.any():
        raise ValueError(f"a box of image {image[np.argmax(wrong)]} of the batch is not finite: {found[np.argmax(wrong)].tolist()}")
    if found.max() <= 1.5 and min(size) > 4:
        raise ValueError(f"no box reaches beyond {found.max():g}, which looks like fractions; wanted xyxy in pixels of {size[0]}x{size[1]}")
    wrong = (found[:, 2:] <= found[:, :2]).any(axis=1)
    if wrong.any():
        first = int(np.argmax(wrong))
        raise ValueError(
            f"a box of image {image[first]} of the batch is {found[first].tolist()}: wanted left < right and top < bottom (xyxy, "
            "not corner and size); give what has no area the class -1"
        )
    beyond = (found[:, :2] < -1).any() or (found[:, 2:] > np.array(size[::-1]) + 1).any()
    if beyond:
        message = (
            f"boxes reach beyond their images of {size[0]}x{size[1]} pixels, to {found.max():g}: are they of the image before resizing?"
        )
        warnings.warn(message, UserWarning, stacklevel=3)
