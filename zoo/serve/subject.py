"""What is served: a classifier (labels) or a detector (boxes), with one shape for the application, which knows neither."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from zoo.metrics.classification import softmax
from zoo.serve.parameters import Number
from zoo.viz.marks import captioned, marked


class Subject(Protocol):
    """The model and its two sides.

    kind:       "classifier" or "detector".
    name, note: of the model, and what a reader must know of its weights.
    parameters: what a request may choose, by name.
    """

    @property
    def kind(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def note(self) -> str: ...

    @property
    def parameters(self) -> dict[str, Number]: ...

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """Picture, uint8 (h, w, 3) -> what the model takes, (1, height, width, c). Any number of threads at once."""

    def run(self, batch: np.ndarray) -> Any:
        """The model. One thread at a time."""

    def answer(self, outputs: Any, shape: tuple[int, int], chosen: dict[str, Any]) -> dict[str, Any]:
        """What JSON can hold, of a picture of this (height, width)."""

    def draw(self, image: np.ndarray, answer: dict[str, Any], scale: float) -> np.ndarray:
        """The picture with the answer on it; `scale` is how much larger it is than the one that was answered."""


@dataclass(frozen=True)
class Labels:
    """A classifier: `zoo.predict.Predictor` behind HTTP."""

    predictor: Any
    kind: str = "classifier"

    @property
    def name(self) -> str:
        return self.predictor.model.name

    @property
    def note(self) -> str:
        return self.predictor.note

    @property
    def parameters(self) -> dict[str, Number]:
        count = len(self.predictor.classes)
        return {"top": Number(int, 1, count, min(5, count), "how many labels")}

    def prepare(self, image):
        return self.predictor.prepare([image])

    def run(self, batch):
        return self.predictor.model.predict_on_batch(batch)

    def answer(self, outputs, shape, chosen):
        probabilities = softmax(np.asarray(outputs, "float32"))[0]
        best = np.argsort(-probabilities, kind="stable")[: chosen["top"]]
        return {
            "labels": [self.predictor.classes[index] for index in best],
            "probabilities": [float(probabilities[index]) for index in best],
        }

    def draw(self, image, answer, scale):
        lines = [f"{value:.1%}  {label}" for label, value in zip(answer["labels"], answer["probabilities"], strict=True)]
        return captioned(image, lines)


@dataclass(frozen=True)
class Boxes:
    """A detector: `zoo.locate.Locator` behind HTTP.

    Non-maximum suppression runs in the model, at the locator's lowest score; a higher threshold then only leaves boxes out, which gives
    exactly what suppression at that threshold would have given: a box is never removed by one with a lower score.
    """

    locator: Any
    kind: str = "detector"

    @property
    def name(self) -> str:
        return self.locator.model.name

    @property
    def note(self) -> str:
        return self.locator.note

    @property
    def parameters(self) -> dict[str, Number]:
        low, most = self.locator.floor, self.locator.most
        return {
            "threshold": Number(float, low, 1.0, max(0.25, low), "lowest score of a box"),
            "most": Number(int, 1, most, most, "how many boxes at most"),
        }

    def prepare(self, image):
        return self.locator.prepare([image])

    def run(self, batch):
        return self.locator.run(batch)

    def answer(self, outputs, shape, chosen):
        (found,) = self.locator.read(outputs, [shape], threshold=chosen["threshold"])
        boxes, scores, classes = (values[: chosen["most"]] for values in (found.boxes, found.scores, found.classes))
        return {
            "boxes": [[round(float(side), 2) for side in box] for box in boxes],
            "scores": [float(score) for score in scores],
            "classes": [int(index) for index in classes],
            "names": [self.locator.classes[int(index)] for index in classes],
        }

    def draw(self, image, answer, scale):
        boxes = np.array(answer["boxes"], "float32").reshape(-1, 4) * scale
        texts = [f"{name} {score:.0%}" for name, score in zip(answer["names"], answer["scores"], strict=True)]
        return marked(image, boxes, texts, answer["classes"])
