"""Precision, recall and F1 of a detector against the confidence that is asked for, and which confidence to ask for. Numpy only.

COCO's average precision judges a detector over all confidences; in use one must be chosen. Choose on validation data: the figures
at the chosen point are a best case on the data it was chosen on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.metrics import matching


@dataclass(frozen=True)
class Choice:
    """A confidence and what it brings: keep detections with score >= confidence; infinity keeps none.

    cost: mean cost of an image, NaN when no costs were stated.
    """

    confidence: float
    precision: float
    recall: float
    f1: float
    cost: float


@dataclass(frozen=True)
class Curve:
    """What is found when detections down to each confidence are kept.

    confidence: (n,) falling, every score that occurs, once. hits, alarms: (n,) detections at or above it that are right, and wrong.
    objects, images: how many there are in all.
    """

    confidence: np.ndarray
    hits: np.ndarray
    alarms: np.ndarray
    objects: int
    images: int

    @property
    def precision(self) -> np.ndarray:
        """(n,) share of the kept detections that are right; NaN when those that are kept all lie in crowds."""
        return _ratio(self.hits, self.hits + self.alarms)

    @property
    def recall(self) -> np.ndarray:
        """(n,) share of the objects that are found; NaN without objects."""
        return _ratio(self.hits, np.full(len(self.hits), self.objects))

    @property
    def f1(self) -> np.ndarray:
        """(n,) harmonic mean of both: 2 hits / (detections + objects)."""
        return _ratio(2 * self.hits, self.hits + self.alarms + self.objects)

    def at(self, confidence: float) -> Choice:
        """Precision, recall and F1 when detections with score >= confidence are kept; precision is NaN when none is."""
        kept = int(np.searchsorted(-self.confidence, -confidence, side="right"))
        return self._choice(kept, confidence, np.nan)

    def best_f1(self) -> Choice:
        """The confidence of the highest F1, of equals the highest. Raises ValueError when there is no object."""
        self._need_objects()
        if not self.hits.any():
            return self._choice(0, np.inf, np.nan)
        best = int(np.nanargmax(self.f1))
        return self._choice(best + 1, float(self.confidence[best]), np.nan)

    def cheapest(self, miss: float, alarm: float) -> Choice:
        """The confidence of the lowest cost when an object that is missed costs `miss` and a false alarm `alarm`.

        Of equal costs the highest confidence; infinity when it is cheapest to report nothing. Raises ValueError without an
        object, or for costs that are negative or not finite.
        """
        self._need_objects()
        if not (np.isfinite([miss, alarm]).all() and miss >= 0 and alarm >= 0):
            raise ValueError(f"wanted the finite, not negative costs of a miss and of a false alarm, got {miss} and {alarm}")
        hits, alarms = np.append(0, self.hits), np.append(0, self.alarms)
        cost = (miss * (self.objects - hits) + alarm * alarms) / self.images
        best = int(np.argmin(cost))
        return self._choice(best, float(self.confidence[best - 1]) if best else np.inf, float(cost[best]))

    def _choice(self, kept: int, confidence: float, cost: float) -> Choice:
        if kept:
            precision, recall, f1 = (float(column[kept - 1]) for column in (self.precision, self.recall, self.f1))
            return Choice(confidence, precision, recall, f1, cost)
        return Choice(confidence, np.nan, 0.0 if self.objects else np.nan, 0.0 if self.objects else np.nan, cost)

    def _need_objects(self) -> None:
        if not self.objects:
            raise ValueError("without an object no confidence is better than another; choose on images that show some")


@dataclass(frozen=True)
class Curves:
    """A curve for each class, and `all` of them pooled: every detection and object counts alike whatever its class."""

    classes: dict[str, Curve]
    all: Curve


def detection_curves(
    truths: Sequence[Any], detections: Sequence[Any], classes: int | Sequence[str], *, overlap: float = 0.5, kind: str = "boxes"
) -> Curves:
    """Curves over the confidence. Arguments as `zoo.metrics.average_precision`; right is what overlaps by `overlap` at least.

    A detection takes its object by the COCO rule, best score first. What is found at a confidence is therefore the same
    whether the detections below were thrown away before or not. Detections in crowds count neither way.
    """
    names = [f"{k}" for k in range(classes)] if isinstance(classes, int) else [str(name) for name in classes]
    found = matching.match(truths, detections, len(names), kind=kind, thresholds=[overlap], most=np.inf)
    counted = ~found.ignored[:, 0, 0]
    table, right = found.detected, found.matched[:, 0, 0] >= 0
    labels, objects = table.classes, np.bincount(found.truth.classes[found.counts[:, 0]], minlength=len(names))
    of = {}
    for k, name in enumerate(names):
        rows = counted & (labels == k)
        of[name] = _curve(table.score[rows], right[rows], int(objects[k]), len(truths))
    return Curves(of, _curve(table.score[counted], right[counted], int(objects.sum()), len(truths)))


def _curve(score: np.ndarray, right: np.ndarray, objects: int, images: int) -> Curve:
    order = np.argsort(-score, kind="stable")
    falling = score[order]
    last = np.flatnonzero(np.append(np.diff(falling) != 0, True)) if len(falling) else np.zeros(0, np.int64)
    hits = np.cumsum(right[order])[last]
    return Curve(falling[last], hits, last + 1 - hits, objects, images)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) > 0)
