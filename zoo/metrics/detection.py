"""Average precision and recall of a detector as COCO measures them (https://cocodataset.org/#detection-eval). Numpy only.

Equal to pycocotools, with these deviations where that is wrong or of no use:
an object is identified by its place, so an annotation id of 0 is no special case; the average precision is read at the largest
of `most`, whatever that is (pycocotools looks for 100); and what is not defined, as the precision of a class without an object, is NaN
and left out of means (pycocotools says -1: `Result.coco` does too).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.metrics import matching, overlap

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
SIZES = {"all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""Least and largest area of an object in pixels, both included."""


@dataclass(frozen=True)
class Result:
    """What `average_precision` found. T thresholds, R recalls, K classes, A sizes, M limits of `most`; NaN where a class has no
    object.

    precision: (T, R, K, A, M) best precision at that recall or more.
    scores:    (T, R, K, A, M) the confidence at which that recall is reached, 0 where it is not.
    recall:    (T, K, A, M) share of the objects that are found.
    objects:   (K, A) how many objects count. thresholds (T,), recalls (R,), classes, sizes and most name the axes.
    """

    precision: np.ndarray
    recall: np.ndarray
    scores: np.ndarray
    objects: np.ndarray
    thresholds: np.ndarray
    recalls: np.ndarray
    classes: tuple[str, ...]
    sizes: tuple[str, ...]
    most: tuple[int, ...]

    def ap(self, threshold: float | None = None, size: str = "all") -> float:
        """Mean average precision over classes and thresholds, or at one threshold; NaN when no class has an object of that size."""
        return _mean(self._precision(threshold, size))

    def ar(self, most: int | None = None, size: str = "all", threshold: float | None = None) -> float:
        """Mean recall over classes and thresholds, or at one threshold, of at most `most` detections for each image and class."""
        last = len(self.most) - 1 if most is None else self.most.index(most)
        return _mean(self.recall[self._at(threshold), :, self.sizes.index(size), last])

    def per_class(self, threshold: float | None = None, size: str = "all") -> dict[str, float]:
        """Average precision of each class; NaN for one without objects."""
        values = self._precision(threshold, size)
        return {name: _mean(values[:, :, k]) for k, name in enumerate(self.classes)}

    @property
    def numbers(self) -> dict[str, float]:
        """The numbers that COCO prints, in its order, NaN where not defined: AP, AP50, AP75, AP_small, ..., AR1, AR10, AR100, AR_small, ...

        A threshold or size that was not asked for is left out.
        """
        parts = [size for size in self.sizes if size != "all"]
        found = {"AP": self.ap()}
        found |= {f"AP{round(100 * at)}": self.ap(at) for at in (0.5, 0.75) if np.isclose(self.thresholds, at).any()}
        found |= {f"AP_{size}": self.ap(size=size) for size in parts}
        found |= {f"AR{most}": self.ar(most) for most in self.most}
        return found | {f"AR_{size}": self.ar(size=size) for size in parts}

    def coco(self) -> np.ndarray:
        """`numbers` as an array, -1 where not defined: the twelve of pycocotools' `stats`."""
        return np.nan_to_num(np.array(list(self.numbers.values())), nan=-1.0)

    def _precision(self, threshold: float | None, size: str) -> np.ndarray:
        return self.precision[self._at(threshold), :, :, self.sizes.index(size), -1]

    def _at(self, threshold: float | None) -> slice:
        if threshold is None:
            return slice(None)
        near = np.flatnonzero(np.isclose(self.thresholds, threshold))
        if not len(near):
            raise ValueError(f"threshold {threshold} was not evaluated; these were: {', '.join(f'{each:g}' for each in self.thresholds)}")
        return slice(near[0], near[0] + 1)


def average_precision(
    truths: Sequence[Any],
    detections: Sequence[Any],
    classes: int | Sequence[str],
    *,
    kind: str = "boxes",
    thresholds: Sequence[float] | np.ndarray = THRESHOLDS,
    sizes: Mapping[str, tuple[float, float]] = SIZES,
    most: Sequence[int] = (1, 10, 100),
    sigmas: np.ndarray = overlap.SIGMAS,
) -> Result:
    """Average precision and recall of detections against the truth.

    truths:     one per image, as `zoo.metrics.Truth`: boxes (n, 4) xyxy pixels, classes (n,), and crowd, area, masks, keypoints if any.
    detections: one per image in the same order: boxes, scores (n,), classes, and masks (n, h, w) or keypoints (n, k, 2 or 3).
                Give all down to a score of about 0.01: a cut at 0.25 lowers AP, for the precision beyond its recall counts as 0.
    classes:    how many, or their names. kind: what is compared: "boxes", "masks", or "keypoints" (COCO then uses
                `most=(20,)` and no small size). sigmas: (k,) spread of each keypoint.

    Among equal scores the earlier image, then the earlier detection comes first.
    Raises ValueError for lists of different lengths, classes out of range, or values that are not finite.
    """
    names = tuple(f"{k}" for k in range(classes)) if isinstance(classes, int) else tuple(map(str, classes))
    limits = np.sort(np.asarray(most, np.int64))
    if not len(limits) or limits[0] < 1 or not names or not len(thresholds) or "all" not in sizes:
        asked = f"{len(names)} classes, thresholds {list(thresholds)}, most {list(most)}, sizes {list(sizes)}"
        raise ValueError(f"wanted at least one class and threshold, most of at least 1 and a size 'all', got {asked}")
    areas = np.array(list(sizes.values()), np.float64)
    found = matching.match(
        truths, detections, len(names), kind=kind, thresholds=thresholds, areas=areas, most=int(limits[-1]), sigmas=sigmas
    )
    shape = (len(thresholds), len(RECALLS), len(names), len(areas), len(limits))
    precision, scores = np.full(shape, np.nan), np.full(shape, np.nan)
    recall = np.full((shape[0], *shape[2:]), np.nan)
    totals = np.stack([np.bincount(found.truth.classes[column], minlength=len(names)) for column in found.counts.T], axis=1)
    order = np.lexsort((-found.detected.score, found.detected.classes))  # stable: equal scores keep the order of the images
    edges = np.searchsorted(found.detected.classes[order], np.arange(len(names) + 1))
    for k, a in np.argwhere(totals):
        rows = order[edges[k] : edges[k + 1]]
        for m, limit in enumerate(limits):
            kept = rows[found.rank[rows] < limit]
            hit, counted = found.matched[kept, :, a].T >= 0, ~found.ignored[kept, :, a].T
            curve = interpolate(hit & counted, ~hit & counted, found.detected.score[kept], totals[k, a])
            precision[:, :, k, a, m], scores[:, :, k, a, m], recall[:, k, a, m] = curve
    return Result(precision, recall, scores, totals, np.asarray(thresholds), RECALLS, names, tuple(sizes), tuple(limits.tolist()))


def interpolate(hit: np.ndarray, alarm: np.ndarray, score: np.ndarray, total: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision (T, R) and score (T, R) at each of RECALLS, and the recall (T,) that is reached.

    hit, alarm: (T, n) bool, detections by falling score (n,) that are right and wrong; total: number of objects, at least 1.
    The precision at a recall is the best at that recall or any higher one; beyond the last recall it is 0.
    """
    hits, alarms = np.cumsum(hit, axis=1, dtype=np.float64), np.cumsum(alarm, axis=1, dtype=np.float64)
    exact = hits / (hits + alarms + np.spacing(1))
    best = np.maximum.accumulate(exact[:, ::-1], axis=1)[:, ::-1]
    precision, at = np.zeros((len(hit), len(RECALLS))), np.zeros((len(hit), len(RECALLS)))
    for t, reached in enumerate(hits / total):
        place = np.searchsorted(reached, RECALLS, side="left")
        inside = place < len(score)
        precision[t, inside], at[t, inside] = best[t, place[inside]], score[place[inside]]
    return precision, at, hits[:, -1] / total if len(score) else np.zeros(len(hit))


def _mean(values: np.ndarray) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")
