"""Which detection found which object: the greedy rule of COCO for all images, classes, thresholds and sizes at once. Numpy only.

Inside one image and class the detections choose in the order of their scores. Each takes, of the objects that are still free and
that it overlaps by at least the threshold, the one that it overlaps most (of equals the last). An object that does not count (a
crowd, or of another size than asked for) is taken only when no other is left, and a crowd is never used up.

Nothing here loops over images: the first detections of every image and class choose together, then the second ones, ...
Only pairs that overlap enough are held, so most detections never take part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from zoo.metrics import objects, overlap
from zoo.metrics.objects import Table

_PAIRS = 1_000_000
"""Pairs whose overlap is computed at once: bounds the memory."""


@dataclass(frozen=True)
class Matches:
    """Which detection found which object at T thresholds and A sizes.

    matched: (d, T, A) row of the truth or -1. ignored: (d, T, A) the detection counts neither as right nor as wrong.
    counts:  (n, A) the object counts. rank: (d,) place of the detection among those of its image and class, best first.
    """

    detected: Table
    truth: Table
    matched: np.ndarray
    ignored: np.ndarray
    counts: np.ndarray
    rank: np.ndarray


def match(
    truths, detections, classes: int, *, thresholds, kind="boxes", areas=((0.0, 1e10),), most: float = 100, sigmas=overlap.SIGMAS
) -> Matches:
    """Match everything; arguments as `zoo.metrics.average_precision`, areas: (A, 2) least and largest area of an object that counts.

    Detections beyond the `most` best of an image and class are dropped.
    """
    if len(truths) != len(detections):
        raise ValueError(f"{len(truths)} images of truth need as many of detections (empty where nothing was found), got {len(detections)}")
    truth, detected = objects.gather(truths, classes, kind), objects.gather(detections, classes, kind, scored=True)
    cells = [table.image * classes + table.classes for table in (detected, truth)]
    rank = ranks(cells[0], detected.score)
    detected, rank, cell = objects.take(detected, rank < most), rank[rank < most], cells[0][rank < most]
    low, high = np.asarray(areas, np.float64).T
    empty = (truth.keypoints[..., 2] <= 0).all(axis=1) if kind == "keypoints" else np.zeros(len(truth.image), bool)
    counts = ~(truth.crowd | empty)[:, None] & (truth.area[:, None] >= low) & (truth.area[:, None] <= high)
    near = pairs(cell, cells[1], overlaps(detected, truth, kind, sigmas), min(np.min(thresholds), 1 - 1e-10))
    matched = greedy(near, cell, detected.score, truth.crowd, ~counts, thresholds)
    outside = (detected.area[:, None] < low) | (detected.area[:, None] > high)
    ignored = np.where(matched >= 0, False, outside[:, None])
    d, t, a = np.nonzero(matched >= 0)
    ignored[d, t, a] = ~counts[matched[d, t, a], a]
    return Matches(detected, truth, matched, ignored, counts, rank)


def overlaps(detected: Table, truth: Table, kind: str, sigmas: np.ndarray) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A function of rows (d (p,), t (p,)) that gives the overlap (p,) of each pair; the pairs of an image must follow one another."""

    def of_masks(d: np.ndarray, t: np.ndarray) -> np.ndarray:
        found = np.zeros(len(d))
        starts = np.flatnonzero(np.diff(truth.image[t], prepend=-1))
        for start, stop in zip(starts, np.append(starts[1:], len(d)), strict=True):
            image, rows = truth.image[t[start]], slice(start, stop)
            crowd = np.zeros(len(truth.masks[image]), bool)
            crowd[truth.place[t[rows]]] = truth.crowd[t[rows]]
            table = overlap.mask_overlap(detected.masks[image], truth.masks[image], crowd)
            found[rows] = table[detected.place[d[rows]], truth.place[t[rows]]]
        return found

    def of_keypoints(d: np.ndarray, t: np.ndarray) -> np.ndarray:
        return overlap.keypoint_overlap(detected.keypoints[d], truth.keypoints[t], truth.boxes[t], truth.area[t], sigmas)

    def of_boxes(d: np.ndarray, t: np.ndarray) -> np.ndarray:
        return overlap.box_overlap(detected.boxes[d], truth.boxes[t], truth.crowd[t])

    return {"boxes": of_boxes, "masks": of_masks, "keypoints": of_keypoints}[kind]


def pairs(d_cell: np.ndarray, t_cell: np.ndarray, of: Callable, least: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows d, t and overlap of every pair in the same cell (an image, or an image and class) that overlaps by at least `least`."""
    order = np.argsort(t_cell, kind="stable")
    first, last = (np.searchsorted(t_cell[order], d_cell, side) for side in ("left", "right"))
    rows = np.argsort(d_cell, kind="stable")
    rows = rows[(last > first)[rows]]
    counts = (last - first)[rows]
    found = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))]
    for part in np.split(rows, np.flatnonzero(np.diff(np.cumsum(counts) // _PAIRS)) + 1) if len(rows) else []:
        count = (last - first)[part]
        d = np.repeat(part, count)
        t = order[np.arange(len(d)) + np.repeat(first[part] - np.cumsum(count) + count, count)]
        value = of(d, t)
        near = value >= least
        found.append((d[near], t[near], value[near]))
    d, t, value = (np.concatenate(column) for column in zip(*found, strict=True))
    return d, t, value


def greedy(found, cell: np.ndarray, score: np.ndarray, crowd: np.ndarray, ignored: np.ndarray, thresholds) -> np.ndarray:
    """The truth (d, T, A) int32 that each detection takes at each threshold and size, -1 for none.

    found: what `pairs` gave; cell, score: (d,) of the detections; crowd: (n,) and ignored: (n, A) of the truths, which says what
    does not count at each of A sizes; thresholds: (T,).
    """
    d, t, value = found
    limits = np.minimum(np.asarray(thresholds, np.float64), 1 - 1e-10)  # a perfect box must pass the threshold 1 in spite of rounding
    matched = np.full((len(cell), len(limits), ignored.shape[1]), -1, np.int32)
    if not len(d):
        return matched
    turn = np.empty(len(cell), np.int64)
    turn[np.lexsort((-score, cell))] = np.arange(len(cell))  # stable: of equal scores the earlier
    choosers = np.unique(turn[d], return_inverse=True)
    round_of = _rounds(cell[np.argsort(turn)][choosers[0]])[choosers[1]]
    order = np.lexsort((turn[d], round_of))
    d, t, value, round_of = d[order], t[order], value[order], round_of[order]
    # A pair's preference is its rank among all: counting truth before other, then by overlap, then the later truth.
    ranked = np.stack([np.lexsort((t, value, ~ignored[t, a])) for a in range(ignored.shape[1])], axis=1)
    preference = np.empty_like(ranked)
    np.put_along_axis(preference, ranked, np.arange(len(d))[:, None], axis=0)
    used = np.zeros((len(crowd), *matched.shape[1:]), bool)
    bounds = np.append(np.flatnonzero(np.diff(round_of, prepend=-1)), len(d))
    sizes = np.arange(ignored.shape[1])
    for start, stop in zip(bounds[:-1], bounds[1:], strict=True):
        rows, truth = d[start:stop], t[start:stop]
        free = (value[start:stop, None] >= limits)[:, :, None] & ~used[truth]
        first = np.flatnonzero(np.diff(rows, prepend=-1))
        best = np.maximum.reduceat(np.where(free, preference[start:stop, None, :], -1), first, axis=0)  # (choosers, T, A)
        taken = np.where(best >= 0, t[ranked[best, sizes]], -1)
        matched[rows[first]] = taken
        who, threshold, size = np.nonzero((taken >= 0) & ~crowd[taken])
        used[taken[who, threshold, size], threshold, size] = True
    return matched


def ranks(cell: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Place (d,) of each detection among those of its cell, the highest score first, of equal ones the earlier."""
    order = np.lexsort((-score, cell))
    place = np.empty(len(cell), np.int64)
    place[order] = _rounds(cell[order])
    return place


def _rounds(cell: np.ndarray) -> np.ndarray:
    """0, 1, 2, ... within each run of equal cells."""
    starts = np.flatnonzero(np.diff(cell, prepend=-1))
    return np.arange(len(cell)) - np.repeat(starts, np.diff(np.append(starts, len(cell))))
