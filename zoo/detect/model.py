"""A detector is a functional Keras model with a criterion: `compile`, `fit`, `save` and `load_model` are Keras' own.

    detector = Detector(images, {"boxes": ..., "scores": ..., ...}, criterion=RetinaNetLoss(...))
    detector.compile("adam")
    detector.fit(batches)          # (images, {"boxes": (b, n, 4), "classes": (b, n)}), classes -1 on padding

What an anchor has to predict follows from the objects of its image, so the loss must see both at once and all outputs together. That is
the one thing that Keras' `compile(loss=...)` cannot say, and `compute_loss` is where Keras lets a model say it, on every backend and
inside the compiled step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import keras
from keras import ops


class Criterion(Protocol):
    """What a detector learns by: `zoo.detect.criteria` has one for each family.

    parts: names of the summands of the loss, which become metrics: ("box", "class").
    Calling it with the truth {"boxes": (b, n, 4) xyxy in pixels, "classes": (b, n), -1 on padding} and the outputs of the model returns
    (total, {part: value}), float32 scalars. It is registered with Keras for saving (`get_config`).
    """

    parts: tuple[str, ...]

    def __call__(self, truth: Mapping[str, Any], outputs: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]: ...

    def get_config(self) -> dict: ...


@keras.saving.register_keras_serializable(package="zoo")
class Detector(keras.Model):
    """A functional model from images (b, h, w, 3) to a dict of float32 tensors with at least these two, over a anchors or points:

    "boxes":  (b, a, 4), xyxy in pixels of the image the model saw.
    "scores": (b, a, classes), logits.

    criterion: what it learns by, saved with the model; None for a model that only predicts. Another one for the same layers:
               Detector(model.inputs, model.output, criterion=...).
    levels:    where its parts end, from the image on: {"c1": (layer name,), ..., "neck": (layer names)}; what comes after is the head.
               `zoo.train.freeze` and `trainable_report` go by it.
    """

    def __init__(
        self,
        inputs,
        outputs,
        name=None,
        *,
        criterion: Criterion | Mapping | None = None,
        levels: Mapping[str, Sequence[str]] | None = None,
        **keywords,
    ):
        # This signature, with ours after the star, is what lets Keras save the graph and hand the rest of the configuration back.
        if not isinstance(outputs, Mapping) or not {"boxes", "scores"} <= set(outputs):
            got = sorted(outputs) if isinstance(outputs, Mapping) else type(outputs).__name__
            raise ValueError(f'wanted the outputs of a detector as a dict with at least "boxes" and "scores", got {got}')
        super().__init__(inputs=inputs, outputs=outputs, name=name, **keywords)
        saved = isinstance(criterion, Mapping)
        kept: Any = keras.saving.deserialize_keras_object(criterion) if saved else criterion
        self.criterion = kept
        self.levels = {level: tuple(names) for level, names in (levels or {}).items()}
        names = () if kept is None else kept.parts
        self.part_trackers = {part: keras.metrics.Mean(name=part) for part in names}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The criterion's loss of a batch, plus what layers add (weight penalties); its parts are tracked as means over the images.

        y: {"boxes": (b, n, 4), "classes": (b, n)}, further keys are ignored. Raises ValueError for labels of another form.
        """
        if self._compile_loss is not None:
            raise ValueError(f"{self.name} has its own loss, the criterion: call compile without loss=..., or change the criterion")
        if self.criterion is None:
            raise ValueError(f"{self.name} has no criterion to learn by: Detector(model.inputs, model.output, criterion=...) adds one")
        if sample_weight is not None:
            raise ValueError("a detector takes no sample weights: what weighs how much is the criterion's business")
        if not isinstance(y, Mapping) or not {"boxes", "classes"} <= set(y):
            got = sorted(y) if isinstance(y, Mapping) else type(y).__name__
            raise ValueError(f'wanted labels {{"boxes": (b, n, 4), "classes": (b, n)}}, got {got}')
        total, parts = self.criterion(y, y_pred)
        images = ops.shape(y["boxes"])[0]
        for name, tracker in self.part_trackers.items():
            tracker.update_state(parts[name], sample_weight=images)  # as Keras weighs "loss": the last batch may be smaller
        return total + sum(ops.cast(ops.sum(loss), total.dtype) for loss in self.losses)

    def predictor(self) -> keras.Model:
        """The same layers from images to {"boxes", "scores"} only: what is needed once training is over."""
        return keras.Model(self.input, {name: self.output[name] for name in ("boxes", "scores")}, name=self.name)

    def export(self, filepath, *arguments, **keywords):
        """Keras' export, of boxes and scores alone."""
        return self.predictor().export(filepath, *arguments, **keywords)

    def get_config(self):
        criterion = None if self.criterion is None else keras.saving.serialize_keras_object(self.criterion)
        return {**super().get_config(), "criterion": criterion, "levels": {level: list(names) for level, names in self.levels.items()}}
