"""The work on a video, a little at a time, so that the page stays alive: progress, the last picture, and a button to stop."""

from __future__ import annotations

import shutil
import tempfile
import time
import weakref
from pathlib import Path

import numpy as np

from apps.clips import Clip
from zoo.locate import Locator
from zoo.video import LineCounter, Step, Tracker, Watch

PATIENCE = 0.7
"""Seconds of work between two signs of life."""


class Work:
    """One video under way. Its files lie in a folder that goes with it, also when the visitor just leaves.

    every: look at every so many frames; most: at so many at most; threshold: score from which a box is sure;
    line: height of a level line to count at, as a share of the picture's, or None.
    """

    def __init__(self, clip: Clip, locator: Locator, *, every: int, most: int, threshold: float, line: float | None):
        folder = Path(tempfile.mkdtemp(prefix="zoo-video-"))
        self._remove = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        source, self.output = folder / f"source{clip.suffix}", folder / "seen.mp4"
        source.write_bytes(clip.content)
        tracker = Tracker.around(threshold)
        self.watching = Watch(
            lambda images: locator.locate(images, tracker.low),
            source,
            self.output,
            tracker=tracker,
            names=locator.classes,
            every=every,
            stop=every * most,
        )
        if line is not None:
            height, width = self.watching.report.size
            self.watching.counters["line"] = LineCounter((0, line * height), (width, line * height))
        self._steps = iter(self.watching)
        self.last: Step | None = None
        self.finished = False
        locator.warm()

    @property
    def report(self):
        return self.watching.report

    def step(self) -> None:
        """Work for a moment. Raises ValueError when the video turns out to be broken."""
        until = time.perf_counter() + PATIENCE
        while not self.finished:
            found = next(self._steps, None)
            if found is None:
                self.watching.__exit__(None, None, None)
                self.finished = True
            else:
                self.last = found
            if time.perf_counter() >= until:
                return

    def stop(self) -> None:
        """End here and keep what was written."""
        self.watching.stop()
        self.step()

    def close(self) -> None:
        """Give everything up, files included."""
        if not self.finished:
            self.watching.__exit__(None, None, None)
            self.finished = True
        self._remove()

    def picture(self) -> np.ndarray | None:
        """The last frame with its objects."""
        return None if self.last is None else self.last.picture
