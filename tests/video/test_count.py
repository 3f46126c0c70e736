"""Counts against a brute-force crossing, another library's polygons, and paths whose counts are known."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.path import Path as Outline

from tests.video import bed
from zoo.video import LineCounter, Tracked, Tracker, ZoneCounter


def standing(points, ids=None, kind=0) -> Tracked:
    """Objects whose lower edge has its middle at points (n, 2)."""
    points = np.asarray(points, float).reshape(-1, 2)
    boxes = np.concatenate([points - [10, 20], points + [10, 0]], axis=1)
    count = len(points)
    return Tracked(boxes, np.ones(count), np.full(count, kind), np.arange(1, count + 1) if ids is None else np.asarray(ids))


def walk(counter, *points):
    return [counter.update(standing([point])) for point in points]


def test_down_is_forward_and_up_is_backward():
    for points, way in (((50, 10), (50, 90)), "forward"), (((50, 90), (50, 10)), "backward"):
        counter = LineCounter((0, 50), (100, 50))
        assert walk(counter, *points) == [{}, {1: way}]
        assert counter.counts() == {"forward": {}, "backward": {}} | {way: {0: 1}}


@pytest.mark.parametrize(
    ("points", "count"),
    [
        (((50, 10), (50, 50)), 0),  # stops on the line
        (((50, 10), (50, 50), (50, 60)), 1),
        (((50, 10), (50, 50), (50, 10)), 0),  # and turns back
        (((50, 50), (50, 90)), 0),  # begins on it: which side it came from is not known
        (((150, 10), (150, 90)), 0),  # passes beside its end
        (((100, 10), (100, 90)), 1),  # over its end
        (((90, 10), (130, 90)), 0),  # beyond its end: crosses at x = 110
        (((50, 10), (50, 90), (50, 10), (50, 90)), 1),  # to and fro: once
    ],
)
def test_what_crosses(points, count):
    counter = LineCounter((0, 50), (100, 50))
    walk(counter, *points)
    assert sum(counter.counts()["forward"].values()) == count
    assert not counter.counts()["backward"]


def test_random_walks_against_an_equation():
    """Where two segments meet is a linear system: solved by numpy for each step of each walk."""
    random = np.random.default_rng(4)
    for _ in range(60):
        start, end = random.uniform(0, 100, (2, 2))
        places = np.cumsum(random.normal(0, 25, (12, 2)), axis=0) + 50
        counter = LineCounter(tuple(start), tuple(end))
        walk(counter, *places)
        wanted = None
        for before, here in zip(places, places[1:], strict=False):
            line, step = end - start, here - before
            along, share = np.linalg.solve(np.stack([line, -step], axis=1), before - start)
            if 0 <= along <= 1 and 0 <= share <= 1:
                wanted = "forward" if np.linalg.det(np.stack([line, step])) > 0 else "backward"
                break
        assert counter.counted == ({} if wanted is None else {1: wanted})


def test_a_zone_is_the_one_of_another_library():
    """matplotlib's polygons, a concave one among them."""
    random = np.random.default_rng(0)
    for polygon in ([(10, 10), (90, 20), (60, 90)], [(0, 0), (100, 0), (100, 100), (50, 30), (0, 100)], random.uniform(0, 100, (7, 2))):
        places = random.uniform(-10, 110, (500, 2))
        counter = ZoneCounter([tuple(point) for point in polygon])
        inside = np.flatnonzero(Outline(polygon).contains_points(places)) + 1
        assert counter.update(standing(places)) == inside.tolist()
        assert counter.counts() == {"entered": {0: len(inside)}, "inside": {0: len(inside)}}


def test_a_zone_counts_each_object_once_and_knows_who_is_in():
    counter = ZoneCounter([(0, 0), (50, 0), (50, 50), (0, 50)])
    walk(counter, (25, 25), (75, 25), (25, 25))
    assert counter.counts() == {"entered": {0: 1}, "inside": {0: 1}}
    counter.update(standing([]))
    assert counter.counts() == {"entered": {0: 1}, "inside": {}}


@pytest.mark.parametrize("seed", range(3))
def test_a_street_is_counted_exactly(seed):
    """Five go down and three up over the line, two turn away; some frames are missed, and there are false alarms."""
    paths = [
        *(bed.Path((60 + 90 * lane, 20 - 6 * lane), (0, 6), kind=lane % 2) for lane in range(5)),
        *(bed.Path((560 + 90 * lane, 480), (0, -6), kind=2) for lane in range(3)),
        bed.Path((900, 20), (0, 3)),
        bed.Path((1000, 20), (2, 0)),
    ]
    tracker, counter = Tracker(), LineCounter((0, 250), (1100, 250))
    for found in bed.detected(paths, 60, miss=0.15, alarms=0.2, noise=1.0, seed=seed):
        counter.update(tracker.update(found))
    assert counter.counts() == {"forward": {0: 3, 1: 2}, "backward": {2: 3}}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: LineCounter((5, 5), (5, 5)), "2 different points"),
        (lambda: LineCounter((0, 0), (np.nan, 1)), "points"),
        (lambda: LineCounter((0, 0), (1, 1), point="left"), "point must be one of"),
        (lambda: ZoneCounter([(0, 0), (1, 1)]), "at least 3 points"),
    ],
)
def test_impossible_counters_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
