"""Objects at the library's edge, as numpy: `detect` for pictures, `with_nms` for one graph from image to objects."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from zoo.layers import Suppress


@dataclass(frozen=True, eq=False)
class Detections:
    """The objects found in one image, best first.

    boxes:     float32 (n, 4), xyxy in pixels of the image the model saw.
    scores:    float32 (n,), probabilities.
    classes:   int64 (n,).
    masks:     bool (n, h, w), or None; keypoints: float32 (n, k, 3) of x, y, visibility, or None.
    """

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    masks: np.ndarray | None = None
    keypoints: np.ndarray | None = None

    def __post_init__(self):
        count = len(self.boxes)
        lengths = {name: len(value) for name, value in vars(self).items() if value is not None}
        if set(lengths.values()) - {count} or np.shape(self.boxes) != (count, 4):
            raise ValueError(f"detections want boxes (n, 4) and as many of everything else, got boxes {np.shape(self.boxes)} and {lengths}")

    def __len__(self) -> int:
        return len(self.boxes)

    def kept(self, keep: np.ndarray) -> Detections:
        """Those that a mask (n,) or a list of indices chooses."""
        chosen: Any = {name: None if value is None else value[keep] for name, value in vars(self).items()}
        return Detections(**chosen)


def with_nms(
    model: keras.Model,
    *,
    threshold: float = 0.25,
    iou: float = 0.5,
    most: int = 100,
    pre: int = 1000,
    method: str = "exact",
    several: bool = False,
) -> keras.Model:
    """A detector with the suppression inside: one static graph, image (b, h, w, c) -> {"boxes", "scores", "classes", "count"}.

    Boxes (b, most, 4), scores (b, most), classes (b, most) with -1 behind the first `count`. The arguments are those of
    `zoo.layers.Suppress`; COCO's metric wants threshold=0.05 (or 0.001) and several=True. The layers are shared with `model`.
    Raises ValueError for a model that is no detector.
    """
    outputs: Any = model.output
    if not isinstance(outputs, dict) or not {"boxes", "scores"} <= set(outputs):
        raise ValueError(f'{model.name} is no detector: wanted outputs "boxes" and "scores" (logits), got {_named(outputs)}')
    size = model.input_shape[1:3]
    if None in size:
        raise ValueError(
            f"{model.name} takes images of any size, and boxes belong to one: build it with input_shape=(height, width, channels)"
        )
    layer = Suppress(size, threshold, iou, most, pre, method, several, name="objects")
    return keras.Model(model.inputs, layer({name: outputs[name] for name in ("boxes", "scores")}), name=f"{model.name}_objects")


def detect(
    model: keras.Model, images, threshold: float = 0.25, iou: float = 0.5, most: int = 100, *, batch_size: int = 8, **options: Any
) -> list[Detections]:
    """The objects in images (b, h, w, c) in [0, 255] of the model's size, or in a list of such images: one `Detections` per image.

    threshold, iou, most and the further `options` are those of `with_nms`. For pictures of other sizes see `zoo.data.letterbox`, which also
    brings the boxes back. Raises ValueError for images of another size.
    """
    if not len(images):
        return []
    shapes = sorted({tuple(np.shape(image)) for image in images}) if isinstance(images, Sequence) else []
    if len(shapes) > 1:
        raise ValueError(
            f"{model.name} takes images {model.input_shape[1:]}, got images of different shapes, such as {shapes[0]} and {shapes[-1]}; fit "
            "them into its size first"
        )
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[1:] != model.input_shape[1:]:
        raise ValueError(
            f"{model.name} takes images (b, {', '.join(map(str, model.input_shape[1:]))}), got {images.shape}; fit them into its size first"
        )
    found = _predictor(model, threshold=threshold, iou=iou, most=most, **options).predict(images, batch_size=batch_size, verbose=0)
    return [_cut({name: values[index] for name, values in found.items()}) for index in range(len(images))]


_PREDICTORS: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()
"""Model -> {options: model with suppression}, so that a second call compiles nothing."""


def _predictor(model: keras.Model, **options) -> keras.Model:
    known = _PREDICTORS.setdefault(model, {})
    key = tuple(sorted(options.items()))
    if key not in known:
        known[key] = with_nms(model, **options)
    return known[key]


def _cut(row: dict) -> Detections:
    count = int(row["count"])
    return Detections(
        boxes=np.asarray(row["boxes"][:count], "float32"),
        scores=np.asarray(row["scores"][:count], "float32"),
        classes=np.asarray(row["classes"][:count], "int64"),
    )


def _named(outputs) -> str:
    return ", ".join(sorted(outputs)) if isinstance(outputs, dict) else "a single tensor"
