"""How many passed: objects that cross a line, by direction, and objects in a zone. Every object is counted once.

A counter looks at one point of every tracked box, by default the middle of its lower edge, where the object stands on the ground.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from zoo.video.track import Tracked

FORGET = 300
"""Frames after which the last place of an object that is not seen any more is forgotten, so that memory stays small."""
POINTS = {"bottom": (0.5, 1.0), "centre": (0.5, 0.5), "top": (0.5, 0.0)}
"""Point of a box -> its place in it, as shares of width and height."""


class Counter(Protocol):
    """What `watch` asks of a counter."""

    def update(self, tracked: Tracked) -> Any:
        """Look at the objects of the next frame."""

    def counts(self) -> dict[str, dict[int, int]]:
        """What was counted so far: {what: {class: how many}}."""

    def outline(self) -> list[tuple[float, float]]:
        """Points to draw: two of a line, more of a zone."""


class LineCounter:
    """Counts objects whose point crosses the line from `start` to `end`, (x, y) in pixels.

    "forward" is from the left of the arrow start -> end to its right, as one sees it on the picture: for a line drawn from the left to
    the right edge, downwards. A point that stops on the line has not crossed; one that passes beside the line's ends neither; one that
    goes back and forth counts the first time only.
    """

    def __init__(self, start: tuple[float, float], end: tuple[float, float], point: str = "bottom"):
        self.start, self.end = _points((start, end), 2)
        self.point = _place(point)
        self.counted: dict[int, str] = {}
        self._by: dict[str, dict[int, int]] = {"forward": {}, "backward": {}}
        self._last: dict[int, tuple[np.ndarray, int]] = {}  # where an object was last beside the line, and when
        self._frame = 0

    def update(self, tracked: Tracked) -> dict[int, str]:
        """The objects that cross in this frame: {id: "forward" or "backward"}."""
        crossed = {}
        for identity, kind, here in zip(tracked.ids.tolist(), tracked.classes.tolist(), at(tracked.boxes, self.point), strict=True):
            side = _side(self.start, self.end, here)
            if identity in self.counted or side == 0:
                continue
            if identity in self._last:
                before = self._last[identity][0]
                if self._crosses(before, here, side):
                    way = "forward" if side > 0 else "backward"
                    crossed[identity] = self.counted[identity] = way
                    self._by[way][kind] = self._by[way].get(kind, 0) + 1
                    del self._last[identity]
                    continue
            self._last[identity] = (here, self._frame)
        self._frame += 1
        self._last = {key: value for key, value in self._last.items() if self._frame - value[1] <= FORGET}
        return crossed

    def counts(self) -> dict[str, dict[int, int]]:
        return {way: dict(sorted(found.items())) for way, found in self._by.items()}

    def outline(self) -> list[tuple[float, float]]:
        return [tuple(self.start.tolist()), tuple(self.end.tolist())]

    def _crosses(self, before: np.ndarray, here: np.ndarray, side: float) -> bool:
        """Whether the way from `before` to `here` meets the line between its ends."""
        if side * _side(self.start, self.end, before) > 0:
            return False
        return _side(before, here, self.start) * _side(before, here, self.end) <= 0


class ZoneCounter:
    """Counts objects whose point is inside a polygon of at least three points (x, y) in pixels, which may be concave.

    "entered" is how many different objects were inside at any time, "inside" how many are now.
    """

    def __init__(self, polygon: Sequence[tuple[float, float]], point: str = "bottom"):
        self.polygon = _points(polygon, 3)
        self.point = _place(point)
        self.counted: dict[int, int] = {}
        self._now: dict[int, int] = {}

    def update(self, tracked: Tracked) -> list[int]:
        """The ids that are inside in this frame."""
        inside = within(self.polygon, at(tracked.boxes, self.point))
        found = dict(zip(tracked.ids[inside].tolist(), tracked.classes[inside].tolist(), strict=True))
        self._now = _summed(found.values())
        for identity, kind in found.items():
            self.counted.setdefault(identity, kind)
        return list(found)

    def counts(self) -> dict[str, dict[int, int]]:
        return {"entered": _summed(self.counted.values()), "inside": self._now}

    def outline(self) -> list[tuple[float, float]]:
        return [tuple(point) for point in self.polygon.tolist()]


def at(boxes: np.ndarray, place: tuple[float, float]) -> np.ndarray:
    """The point (n, 2) of every box (n, 4) xyxy at shares (x, y) of its width and height."""
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    return boxes[:, :2] + (boxes[:, 2:] - boxes[:, :2]) * place


def within(polygon: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Whether points (n, 2) lie in the polygon (p, 2), (n,) bool: a ray to the right meets its border an odd number of times."""
    inside = np.zeros(len(points), bool)
    x, y = points[:, 0], points[:, 1]
    for (x1, y1), (x2, y2) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if y1 != y2:
            inside ^= ((y1 > y) != (y2 > y)) & (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1))
    return inside


def _side(start: np.ndarray, end: np.ndarray, point: np.ndarray) -> float:
    """Above 0 to the right of the arrow start -> end, where y grows downwards; 0 on it."""
    along, towards = end - start, point - start
    return float(along[0] * towards[1] - along[1] * towards[0])


def _points(given, fewest: int) -> np.ndarray:
    points = np.asarray(given, np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < fewest or not np.isfinite(points).all():
        raise ValueError(f"wanted at least {fewest} points (x, y) in pixels, got {given!r}")
    if len(np.unique(points, axis=0)) < fewest:
        raise ValueError(f"wanted {fewest} different points, got {given!r}")
    return points


def _place(name: str) -> tuple[float, float]:
    if name not in POINTS:
        raise ValueError(f"point must be one of {', '.join(POINTS)}, got {name!r}")
    return POINTS[name]


def _summed(classes) -> dict[int, int]:
    found: dict[int, int] = {}
    for kind in classes:
        found[kind] = found.get(kind, 0) + 1
    return dict(sorted(found.items()))
