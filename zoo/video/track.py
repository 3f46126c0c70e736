"""The same object from frame to frame: boxes get numbers that stay (SORT, Bewley et al. 2016, arXiv:1602.00763; ByteTrack, Zhang et al.
2022, arXiv:2110.06864).

In every frame each known object is first moved on to where it should be now (`zoo.video.kalman`). Then boxes go to objects so that the
sum of their overlaps is the largest (Hungarian method), in three rounds:

1. sure boxes (score >= high) to all confirmed objects, those out of sight too;
2. the others (score >= low) to what is left of those in sight: a half hidden object has a low score, but it is where it was expected;
3. sure boxes that are left to objects seen once only.

A sure box that nobody claims begins an object; it gets its number when it is seen a second time in a row, so that a false alarm of one
frame is never counted (ByteTrack makes an exception for the first frame of a video, we do not). An object that is not seen for more than
`patience` frames ends. Numbers are not used again. Boxes of different classes are never the same object unless `by_class` is off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.video import kalman


@dataclass(frozen=True)
class Tracked:
    """The objects of a frame that have a number: boxes (n, 4) xyxy in pixels as detected, scores (n,), classes (n,), ids (n,) from 1."""

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    ids: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)


@dataclass
class _Known:
    """Columns of the known objects: filter state and covariance, class, number (0 while it is unconfirmed), frames out of sight."""

    state: np.ndarray
    covariance: np.ndarray
    classes: np.ndarray
    ids: np.ndarray
    unseen: np.ndarray

    def pick(self, rows) -> _Known:
        return _Known(*(column[rows] for column in vars(self).values()))

    def joined(self, other: _Known) -> _Known:
        return _Known(*(np.concatenate(pair) for pair in zip(vars(self).values(), vars(other).values(), strict=True)))


class Tracker:
    """Gives numbers to the boxes of one video, frame after frame. One video, one tracker.

    high:     score from which a box is sure; set it near the threshold that you would show boxes at.
    low:      score below which a box is ignored.
    birth:    score from which a box may begin an object.
    overlap:  smallest intersection over union with the expected place, in the rounds 1, 2 and 3.
    patience: frames that an object may be out of sight.
    """

    def __init__(
        self,
        high: float = 0.5,
        low: float = 0.1,
        birth: float = 0.6,
        overlap: tuple[float, float, float] = (0.2, 0.5, 0.3),
        patience: int = 30,
        by_class: bool = True,
    ):
        if not 0 <= low <= high <= 1 or not high <= birth <= 1:
            raise ValueError(f"wanted 0 <= low <= high <= birth <= 1, got low={low}, high={high}, birth={birth}")
        if patience < 0 or len(overlap) != 3 or not all(0 < value <= 1 for value in overlap):
            raise ValueError(f"wanted patience >= 0 and three overlaps in (0, 1], got {patience} and {overlap}")
        self.high, self.low, self.birth, self.overlap, self.patience, self.by_class = high, low, birth, overlap, patience, by_class
        self.born = 0
        empty = np.zeros(0, np.int64)
        self._known = _Known(np.zeros((0, 4, 2)), np.zeros((0, 4, 2, 2)), empty, empty, empty)

    @classmethod
    def around(cls, threshold: float, **rules) -> Tracker:
        """The rules for a detector whose boxes one would show from this score on."""
        return cls(**{"high": threshold, "low": min(0.1, threshold), "birth": min(1.0, threshold + 0.1), **rules})

    def update(self, detections: Any) -> Tracked:
        """The numbered objects of the next frame. Call it for every frame, also for one without a box.

        detections: anything with boxes (n, 4) xyxy in pixels, scores (n,) in [0, 1] and classes (n,); rows of class -1 are padding.
        Raises ValueError for misshapen or not finite values.
        """
        boxes, scores, classes = checked(detections)
        known = self._known
        state, covariance = kalman.predict(known.state, known.covariance, known.unseen == 0)
        expected = kalman.cornered(state)
        close = overlaps(expected, boxes)
        if self.by_class:
            close = np.where(known.classes[:, None] == classes[None], close, 0)
        sure, weak = scores >= self.high, (scores < self.high) & (scores >= self.low)
        confirmed, seen = known.ids > 0, known.unseen == 0
        mine = np.full(len(known.ids), -1)  # the box of every known object
        for rows, columns, least in (
            (confirmed, sure, self.overlap[0]),
            (confirmed & seen, weak, self.overlap[1]),
            (~confirmed, sure, self.overlap[2]),
        ):
            _assign(close, mine, rows, columns, least)
        held = mine >= 0
        state[held], covariance[held] = kalman.correct(state[held], covariance[held], boxes[mine[held]])
        ids = known.ids.copy()
        ids[held & ~confirmed] = self._numbers(int((held & ~confirmed).sum()))
        now = _Known(state, covariance, np.where(held, classes[mine] if len(classes) else 0, known.classes), ids, known.unseen + 1)
        now.unseen[held] = 0
        new = (scores >= self.birth) & ~np.isin(np.arange(len(boxes)), mine[held])
        nothing = np.zeros(int(new.sum()), np.int64)
        begun = _Known(*kalman.begin(boxes[new]), classes[new], nothing, nothing)
        stays = (now.unseen <= self.patience) & (now.ids > 0)  # an unconfirmed one that is missed once was a false alarm
        self._known = now.pick(stays).joined(begun)
        return Tracked(boxes[mine[held]], scores[mine[held]], now.classes[held], now.ids[held])

    def _numbers(self, count: int) -> np.ndarray:
        self.born += count
        return np.arange(self.born - count + 1, self.born + 1)


def overlaps(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Intersection over union (n, m) of boxes (n, 4) with boxes (m, 4), xyxy; boxes without area overlap nothing."""
    a, b = rows[:, None], columns[None]
    sides = np.maximum(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0)
    common = sides.prod(axis=-1)
    whole = (a[..., 2:] - a[..., :2]).prod(axis=-1) + (b[..., 2:] - b[..., :2]).prod(axis=-1) - common
    return np.divide(common, whole, out=np.zeros_like(common), where=common > 0)


def checked(detections: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes (n, 4) float64, scores (n,) and classes (n,) of the rows that are no padding."""
    boxes = np.asarray(detections.boxes, np.float64).reshape(-1, 4)
    scores, classes = np.asarray(detections.scores, np.float64).reshape(-1), np.asarray(detections.classes).reshape(-1)
    if not len(boxes) == len(scores) == len(classes):
        raise ValueError(f"wanted as many boxes as scores and classes, got {len(boxes)}, {len(scores)} and {len(classes)}")
    real = classes >= 0
    boxes, scores = boxes[real], scores[real]
    if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
        raise ValueError("a box or a score is NaN or infinite: the detector is broken")
    return boxes, scores, classes[real].astype(np.int64)


def _assign(close, mine, rows, columns, least) -> None:
    """Give boxes to objects without one, among `rows` and `columns`, where they overlap at least `least`; written into `mine`."""
    from scipy.optimize import linear_sum_assignment

    free = np.flatnonzero(rows & (mine < 0))
    boxes = np.setdiff1d(np.flatnonzero(columns), mine)
    gain = close[np.ix_(free, boxes)]
    gain = np.where(gain >= least, gain, 0)  # before the choice: a pair that is too far apart must not push a good one away
    for row, column in zip(*linear_sum_assignment(gain, maximize=True), strict=True):
        if gain[row, column] > 0:
            mine[free[row]] = boxes[column]
