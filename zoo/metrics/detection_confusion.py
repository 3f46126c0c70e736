"""Which class a detector takes for which, with the background as a class of its own. Numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from zoo.metrics import matching, objects, overlap


def detection_confusion(
    truths: Sequence[Any],
    detections: Sequence[Any],
    classes: int,
    *,
    confidence: float = 0.25,
    least: float = 0.5,
    kind: str = "boxes",
    sigmas: np.ndarray = overlap.SIGMAS,
) -> np.ndarray:
    """Counts int64 (classes + 1, classes + 1): rows are the truth, columns the detections, the last of both is background.

    Truth and detections as for `zoo.metrics.average_precision`; detections with score >= confidence count, pairs that overlap by
    `least` or more. First every detection takes an object of its own class by the COCO rule: the diagonal is what
    `detection_curves` calls hits. What is then left over is paired in the same way whatever the class: a confusion. Objects still
    free are missed (last column), detections still free are false alarms (last row); the corner is 0.
    Crowds, and detections that lie in a crowd of their class, are left out. A row adds up to the objects of the class.
    """
    found = matching.match(truths, detections, classes, kind=kind, thresholds=[least], most=np.inf, sigmas=sigmas)
    kept = found.detected.score >= confidence
    detected, taken, ignored = objects.take(found.detected, kept), found.matched[kept, 0, 0], found.ignored[kept, 0, 0]
    right = (taken >= 0) & ~ignored
    free_truth = found.counts[:, 0].copy()
    free_truth[taken[right]] = False
    free = ~right & ~ignored
    left, lost = objects.take(detected, free), objects.take(found.truth, free_truth)
    near = matching.pairs(left.image, lost.image, matching.overlaps(left, lost, kind, sigmas), min(least, 1 - 1e-10))
    none = np.zeros((len(lost.image), 1), bool)
    partner = matching.greedy(near, left.image, left.score, lost.crowd, none, [least])[:, 0, 0]
    taken_for = np.full(len(lost.image), classes)
    taken_for[partner[partner >= 0]] = left.classes[partner >= 0]
    rows = np.concatenate([detected.classes[right], lost.classes, np.full((partner < 0).sum(), classes)])
    columns = np.concatenate([detected.classes[right], taken_for, left.classes[partner < 0]])
    size = classes + 1
    return np.bincount(rows * size + columns, minlength=size * size).reshape(size, size).astype(np.int64)
