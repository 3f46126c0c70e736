"""Boxes that move along known paths, what a detector makes of them, and two scores of a tracker by their definitions."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np


@dataclass(frozen=True)
class Found:
    """What a detector gives for one frame."""

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray


@dataclass(frozen=True)
class Path:
    """Centre at frame 0 and speed in pixels per frame; alive from `first` up to but without `last`."""

    start: tuple[float, float]
    speed: tuple[float, float]
    size: tuple[float, float] = (40, 60)
    kind: int = 0
    first: int = 0
    last: int = 10**9

    def box(self, frame: int) -> list[float]:
        x, y = (place + speed * frame for place, speed in zip(self.start, self.speed, strict=True))
        return [x - self.size[0] / 2, y - self.size[1] / 2, x + self.size[0] / 2, y + self.size[1] / 2]


EASY = (
    Path((30, 60), (6, 0)),
    Path((400, 160), (-5, 0)),
    Path((200, 300), (0, -0.5), kind=1),
    Path((30, 400), (4, 1), first=5),
)
"""Nobody comes near another; one arrives late."""
CROSSING = (Path((40, 200), (8, 0)), Path((440, 215), (-8, 0)), Path((240, 40), (0, 7)))
"""Three of one class meet in the middle, two of them at the same time."""


def truth(paths, frames: int) -> list[dict[int, list[float]]]:
    """For every frame {number of the path: box}."""
    return [{n: path.box(frame) for n, path in enumerate(paths) if path.first <= frame < path.last} for frame in range(frames)]


def detected(paths, frames: int, *, miss=0.0, alarms=0.0, noise=0.0, seed=0) -> list[Found]:
    """The boxes of `truth`, some missed, with noise in pixels, and on average `alarms` false ones per frame, in a shuffled order."""
    random = np.random.default_rng(seed)
    out = []
    for present in truth(paths, frames):
        rows = [
            (np.array(box) + random.normal(0, noise, 4), random.uniform(0.7, 1), paths[n].kind)
            for n, box in present.items()
            if random.random() >= miss
        ]
        for _ in range(random.poisson(alarms)):
            x, y = random.uniform(0, 460, 2)
            rows.append((np.array([x, y, x + 35, y + 55]), random.uniform(0.6, 0.8), 0))
        order = random.permutation(len(rows))
        rows = [rows[place] for place in order]
        boxes, scores, kinds = ([row[column] for row in rows] for column in range(3))
        out.append(Found(np.array(boxes).reshape(-1, 4), np.array(scores), np.array(kinds, int)))
    return out


def overlap(one, other) -> float:
    """Intersection over union, for one pair."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    common = max(wide, 0) * max(high, 0)
    return common / ((one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - common)


def mota(truths, tracked) -> tuple[float, int]:
    """CLEAR MOT (Bernardin and Stiefelhagen 2008): 1 - (missed + false + switches) / objects, and the switches.

    A pair keeps together while it overlaps by half; the rest is paired by trying every way, so only for a few boxes.
    """
    before: dict[int, int] = {}  # object -> number it had last
    missed = false = switches = objects = 0
    for present, found in zip(truths, tracked, strict=True):
        boxes = dict(zip(found.ids.tolist(), found.boxes.tolist(), strict=True))
        pairs = {n: before[n] for n in present if before.get(n) in boxes and overlap(present[n], boxes[before[n]]) >= 0.5}
        free = [n for n in present if n not in pairs]
        left = [number for number in boxes if number not in pairs.values()]
        pairs |= _best(free, left, lambda n, number: overlap(present[n], boxes[number]))  # noqa: B023
        switches += sum(n in before and before[n] != number for n, number in pairs.items())
        before |= pairs
        objects += len(present)
        missed += len(present) - len(pairs)
        false += len(boxes) - len(pairs)
    return 1 - (missed + false + switches) / objects, switches


def idf1(truths, tracked) -> float:
    """Identity F1 (Ristani et al. 2016): each object gets one number for all the video, so that the most boxes are right."""
    objects = sorted({n for present in truths for n in present})
    numbers = sorted({number for found in tracked for number in found.ids.tolist()})
    right = np.zeros((len(objects), len(numbers)))
    for present, found in zip(truths, tracked, strict=True):
        for number, box in zip(found.ids.tolist(), found.boxes.tolist(), strict=True):
            for n, true in present.items():
                right[objects.index(n), numbers.index(number)] += overlap(true, box) >= 0.5
    rows, columns = (right, right.T)[len(objects) > len(numbers)].shape
    table = right if len(objects) <= len(numbers) else right.T
    keep = np.argsort(-table.max(axis=0), kind="stable")[:7]  # alarms of a frame or two change nothing
    best = max(sum(table[row, keep[place]] for row, place in enumerate(way)) for way in permutations(range(len(keep)), rows))
    return 2 * best / (sum(map(len, truths)) + sum(len(found.ids) for found in tracked))


def _best(rows, columns, value) -> dict:
    """The pairing with the most pairs of value >= 0.5, then the largest sum."""
    if len(rows) > len(columns):
        return {row: column for column, row in _best(columns, rows, lambda a, b: value(b, a)).items()}
    best: tuple[tuple[int, float], dict] = ((0, 0.0), {})
    for way in permutations(columns, len(rows)):
        pairs = {row: column for row, column in zip(rows, way, strict=True) if value(row, column) >= 0.5}
        worth = (len(pairs), sum(value(*pair) for pair in pairs.items()))
        best = max(best, (worth, pairs), key=lambda item: item[0])
    return best[1]
