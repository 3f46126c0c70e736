"""How many objects of each class there were at what time, in a fixed amount of memory however long the video is."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

BINS = 256
"""Most points that are kept."""


class Timeline:
    """Mean number of objects per class over equal stretches of frames. When there are too many stretches, neighbours are joined."""

    def __init__(self, bins: int = BINS):
        if bins < 2 or bins % 2:
            raise ValueError(f"wanted an even number of bins, at least 2, got {bins}")
        self.bins, self.width = bins, 1
        self._sums: dict[int, np.ndarray] = {}  # class -> objects in each stretch
        self._frames = np.zeros(bins)
        self._ends = np.zeros(bins)
        self._added = 0

    def add(self, seconds: float, classes: Iterable[int]) -> None:
        """One more frame at time `seconds`, with the class of each of its objects."""
        if self._added == self.bins * self.width:
            self._join()
        row = self._added // self.width
        self._added += 1
        self._frames[row] += 1
        self._ends[row] = seconds
        for kind in classes:
            self._sums.setdefault(int(kind), np.zeros(self.bins))[row] += 1

    def rows(self) -> list[dict[str, float]]:
        """[{"seconds": time of the last frame of a stretch, class: mean number of objects in a frame, ...}], in order."""
        used = -(-self._added // self.width)
        return [
            {"seconds": float(self._ends[row])}
            | {str(kind): float(sums[row] / self._frames[row]) for kind, sums in sorted(self._sums.items())}
            for row in range(used)
        ]

    def _join(self) -> None:
        half = self.bins // 2
        empty = np.zeros(half)
        self._sums = {kind: np.concatenate([_pairs(sums), empty]) for kind, sums in self._sums.items()}
        self._frames = np.concatenate([_pairs(self._frames), empty])
        self._ends = np.concatenate([self._ends[1::2], empty])
        self.width *= 2


def _pairs(values: np.ndarray) -> np.ndarray:
    return values.reshape(-1, 2).sum(axis=1)
