"""Pictures -> named boxes, by a detector of the zoo or of a run folder: what `zoo.predict` is for classifiers."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

from zoo import create, predict
from zoo.data.decode import decode, resize
from zoo.data.letterbox import Letterbox
from zoo.detect import ROWS, Detections, build, with_nms, yolo_fastest
from zoo.detect.raw import Raw

_SAVED_WITH = build.build
"""Named so that its modules are imported: Keras reads a detector's file only when it knows the class, the criterion and the layers."""


@dataclass(frozen=True)
class Locator:
    """A detector with what is needed to use it on pictures of any size.

    model:   image (b, h, w, c) in [0, 255] -> {"boxes", "scores" (logits), ...}, as `zoo.detector` makes it.
    classes: the names of the classes.
    note:    what a reader must know, for example that the weights are random.
    floor:   lowest score that suppression looks at; a request may ask for a higher one.
    iou:     overlap above which the box with the lower score goes.
    most:    boxes kept of each picture.
    how:     "letterbox" or "squash" (see `zoo.data.decode.resize`): how pictures are fitted into the size, as at training.
    trained: False for random weights.
    """

    model: keras.Model
    classes: tuple[str, ...]
    note: str = ""
    floor: float = 0.05
    iou: float = 0.5
    most: int = 100
    how: str = "letterbox"
    trained: bool = True

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels that pictures are fitted into."""
        height, width = self.model.input_shape[1:3]
        return height, width

    @functools.cached_property
    def graph(self) -> keras.Model:
        """The model with the suppression inside."""
        return with_nms(self.model, threshold=self.floor, iou=self.iou, most=self.most)

    def prepare(self, images: Sequence) -> np.ndarray:
        """Paths, bytes or uint8 arrays (h, w, 3) -> float32 (b, height, width, c) in [0, 255], whole."""
        arrays = [image if isinstance(image, np.ndarray) else decode(image) for image in images]
        batch = np.stack([resize(array, self.size, self.how) for array in arrays]).astype("float32")
        if self.model.inputs[0].shape[-1] == 1:
            batch = batch @ np.array([[0.299], [0.587], [0.114]], np.float32)  # ITU-R BT.601 luma, as PIL's convert("L")
        return batch

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        """What `prepare` gave -> the outputs of the graph."""
        return {name: np.asarray(values) for name, values in self.graph.predict_on_batch(batch).items()}

    def read(self, outputs: dict[str, np.ndarray], shapes: Sequence[tuple[int, int]], threshold: float | None = None) -> list[Detections]:
        """Outputs of the graph and the (height, width) of every picture -> its objects, boxes in its own pixels, best first."""
        found = []
        for row, shape in enumerate(shapes):
            count = int(outputs["count"][row])
            scores = outputs["scores"][row, :count]
            keep = np.flatnonzero(scores > (self.floor if threshold is None else threshold))
            boxes = self.back(outputs["boxes"][row, keep], shape)
            found.append(Detections(boxes, scores[keep].astype("float32"), outputs["classes"][row, keep].astype("int64")))
        return found

    def locate(self, images: Sequence, threshold: float = 0.25) -> list[Detections]:
        """Paths, bytes or uint8 arrays (h, w, 3) -> the objects of each, in its own pixels."""
        arrays = [image if isinstance(image, np.ndarray) else decode(image) for image in images]
        outputs = [self.run(self.prepare([array])) for array in arrays]
        return [self.read(output, [array.shape[:2]], threshold)[0] for output, array in zip(outputs, arrays, strict=True)]

    def warm(self) -> None:
        """Run once on nothing, so that the first picture does not wait for the compiler."""
        self.run(np.zeros((1, *self.model.input_shape[1:]), np.float32))

    def raw(self, image: np.ndarray) -> Raw:
        """What the network says of one picture, uint8 (h, w, 3), before suppression, from the floor on. See `zoo.detect.raw`."""
        return Raw.of(self.model.predict_on_batch(self.prepare([image])), self.floor)

    def back(self, boxes: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """Boxes (n, 4) of the image the model saw -> float32 (n, 4) of a picture of this (height, width), cut off at its border."""
        if self.how == "letterbox":
            return Letterbox((shape[0], shape[1]), self.size).boxes_back(boxes, clip=True)
        scale = np.array([shape[1] / self.size[1], shape[0] / self.size[0]] * 2)
        return np.clip(boxes * scale, 0, np.array([shape[1], shape[0]] * 2)).astype(np.float32)

    def cut(self, heat: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """A map (h, w) of the image the model saw -> the part of it that shows a picture of this (height, width)."""
        return Letterbox((shape[0], shape[1]), self.size).cut(heat) if self.how == "letterbox" else heat


def knows(row: str) -> bool:
    """Whether `row` names a detector that `from_registry` opens."""
    return row in ROWS or row == yolo_fastest.NAME


def is_detector(model: keras.Model) -> bool:
    """Whether `model` gives boxes and scores, as `zoo.detector` does."""
    outputs = getattr(model, "output", None)  # a model that was never called has none
    return isinstance(outputs, dict) and {"boxes", "scores"} <= set(outputs)


def from_folder(folder: str | Path) -> Locator | predict.Predictor:
    """The trained model of a run folder, whichever it is: a detector or a classifier. Raises as `zoo.predict.from_run`."""
    model, facts = predict.opened(folder)
    if is_detector(model):
        return of(model, facts["classes"], f"trained on {facts['trained_on']}")
    return predict.from_opened(folder, model, facts)


def from_run(folder: str | Path) -> Locator:
    """The trained detector of a run folder: `model.keras` and `labels.json`. Raises as `zoo.predict.from_run`."""
    found = from_folder(folder)
    if not isinstance(found, Locator):
        raise ValueError(f"{folder} holds a classifier, no detector; `zoo.predict` opens it")
    return found


def from_registry(row: str, weights=None, **options) -> Locator:
    """A row of `zoo.detect.ROWS`; without weights it guesses, and the note says so. Further options go to `zoo.detector`.

    `zoo.detect.yolo_fastest.NAME` is a published network of darknet, which is there with its weights only.
    """
    if row == yolo_fastest.NAME:
        if weights not in (None, yolo_fastest.TAG) or options:
            raise ValueError(f"{row} is the published network, with the weights {yolo_fastest.TAG!r} and no options")
        return of(*yolo_fastest.load(), f"weights: {yolo_fastest.TAG}", how="squash")
    model = create.detector(row, weights=weights, **options)
    note = f"weights: {weights}" if weights else "random weights: the answer means nothing"
    return of(model, tuple(f"class {index}" for index in range(model.output["scores"].shape[-1])), note, trained=bool(weights))


def of(model: keras.Model, classes: Sequence[str] | None = None, note: str = "", **options) -> Locator:
    """A locator of a model that is at hand. Raises ValueError for a model that is no detector, or another number of names."""
    if not is_detector(model):
        raise ValueError(f'{model.name} is no detector: wanted outputs "boxes" and "scores"')
    count = model.output["scores"].shape[-1]
    names = tuple(classes) if classes is not None else tuple(f"class {index}" for index in range(count))
    if len(names) != count:
        raise ValueError(f"{model.name} scores {count} classes, but there are names for {len(names)}")
    return replace(Locator(model, names, note), **options)
