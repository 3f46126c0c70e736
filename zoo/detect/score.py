"""The COCO numbers of a detector during `fit`, so that history, checkpoints and early stopping can go by them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np

from zoo.metrics.detection import Result, average_precision

LEAST_SCORE = 0.01
"""Detections below are not asked for. A cut at the usual 0.25 would lower the average precision."""


class CocoScore(keras.callbacks.Callback):
    """Measures a detector after an epoch and writes "val_AP", "val_AP50", "val_AP75", "val_AP_small", ..., "val_AR100", ... into the logs.

    data:    batches that can be gone through again and again: (images (b, h, w, 3), {"boxes": (b, n, 4) xyxy pixels, "classes":
             (b, n), -1 on padding}), for example `ObjectPipeline.validation.evaluation(8)`. Further columns (b, n) that count: "area", and
             "crowd", either bool, or the class of the crowd where "classes" says -1, and -1 elsewhere.
    classes: how many, or their names.
    every:   epochs between two measurements; the epochs between repeat the last numbers, so that every epoch has all columns.
             The last epoch of `fit` is always measured.
    detect:  (model, images of a batch as numpy) -> per image an object with boxes (n, 4) xyxy pixels, scores (n,) and classes (n,).
             None: zoo.detect.detections.detect with scores down to 0.01 and at most 100 detections.
    prefix:  what the names in the logs begin with.

    The logs hold numbers in [0, 1] only: an untrained network without any detection scores 0, and so does a number that is not
    defined on these data (the AP of large objects where all are small). `result` holds the whole last `zoo.metrics` Result, NaN
    where not defined. Give this callback before those that read its numbers:

        model.fit(..., callbacks=[CocoScore(data, 3), keras.callbacks.ModelCheckpoint(path, monitor="val_AP", mode="max")])
    """

    def __init__(
        self,
        data: Iterable[Any],
        classes: int | Sequence[str],
        *,
        every: int = 1,
        detect: Callable[[keras.Model, np.ndarray], Sequence[Any]] | None = None,
        prefix: str = "val_",
    ):
        super().__init__()
        if every < 1:
            raise ValueError(f"every must be at least 1 epoch, got {every}")
        if iter(data) is data:
            raise ValueError("data can be gone through only once, but every measurement needs all of it: pass a list or a tf.data dataset")
        self.data, self.classes, self.every, self.prefix = data, classes, every, prefix
        self.detect = _detect if detect is None else detect
        self.result: Result | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        last = epoch + 1 == (self.params or {}).get("epochs")
        if (epoch + 1) % self.every == 0 or last:
            self.result = self.measure()
        if logs is not None:
            numbers = dict.fromkeys(_NAMES, 0.0) if self.result is None else self.result.numbers
            logs.update({self.prefix + name: 0.0 if np.isnan(value) else value for name, value in numbers.items()})

    def measure(self, model: keras.Model | None = None) -> Result:
        """Run `model` (None: the one in training) over the data and judge it. Raises ValueError when the data hold no image."""
        model = self.model if model is None else model
        if hasattr(model, "jax_state_sync"):
            model.jax_state_sync()  # on JAX the weights live in the loop until they are asked for
        truths: list[Any] = []
        found: list[Any] = []
        for batch in self.data:
            images, labels = batch[0], {key: np.asarray(value) for key, value in batch[1].items()}
            truths += _truths(labels)
            found += self.detect(model, np.asarray(images))
            if len(found) != len(truths):
                raise ValueError(f"detect must give one result per image: wanted {len(truths)} so far, got {len(found)}")
        if not truths:
            raise ValueError("the evaluation data hold no image; nothing can be measured")
        return average_precision(truths, found, self.classes)


_NAMES = tuple(average_precision([], [], 1).numbers)


def _truths(labels: dict[str, np.ndarray]) -> list[SimpleNamespace]:
    known = {key: labels.get(key) for key in ("boxes", "classes", "crowd", "area")}
    crowd, classes = labels.get("crowd"), labels["classes"]
    if crowd is not None and crowd.dtype != bool:
        if ((crowd >= 0) & (classes >= 0)).any():
            raise ValueError("integers in 'crowd' are the class of a crowd where 'classes' says -1, and -1 elsewhere; give flags as bool")
        known |= {"crowd": crowd >= 0, "classes": np.where(crowd >= 0, crowd, classes)}
    rows = range(len(labels["classes"]))
    return [SimpleNamespace(**{key: None if value is None else value[row] for key, value in known.items()}) for row in rows]


def _detect(model: keras.Model, images: np.ndarray) -> Sequence[Any]:
    from zoo.detect.detections import detect

    return detect(model, images, threshold=LEAST_SCORE, most=100)
