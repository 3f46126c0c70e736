"""Look at a video: find the objects in every frame, follow and count them, draw them, and write the video again. Constant memory.

    report = watch(detect, "road.mp4", "seen.mp4", names=("car", "truck"), counters=[LineCounter((0, 300), (640, 300))])

`Watch` does the same frame by frame, for a page that shows progress and may be told to stop.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo import viz
from zoo.video.count import Counter
from zoo.video.read import read
from zoo.video.report import Report, Track
from zoo.video.timeline import Timeline
from zoo.video.track import Tracked, Tracker
from zoo.video.write import Writer

Detect = Callable[[list[np.ndarray]], Sequence[Any]]


@dataclass(frozen=True)
class Step:
    """One frame that was looked at: its number in the file, its time, the picture as written (h, w, 3), its objects; done and total frames
    to look at, where the total is None if the header does not say."""

    index: int
    seconds: float
    picture: np.ndarray
    tracked: Tracked
    done: int
    total: int | None


def watch(
    detect: Detect,
    source: str | os.PathLike,
    output: str | os.PathLike | None = None,
    *,
    progress: Callable[[int, int | None], None] | None = None,
    **how: Any,
) -> Report:
    """Look at all of a video; the arguments are those of `Watch`.

    progress: called as (done, total) after every frame; what it raises ends the work, and no output is left.
    """
    with Watch(detect, source, output, **how) as watching:
        for step in watching:
            if progress is not None:
                progress(step.done, step.total)
        return watching.report


class _Left(Exception):
    """The `with` was left before the end."""


class Watch:
    """Iterating gives a `Step` for every frame looked at; `report` is complete when that ends.

    detect:   list of images, uint8 (h, w, 3) -> for each boxes xyxy in its pixels, scores and classes. Give the tracker low scores too:
              a threshold of 0.1 instead of 0.5 is what its second round lives on; boxes are drawn once they have a number.
    source:   a video file; every, start, stop: which of its frames, see `zoo.video.read`.
    output:   an .mp4 file to write, None for none. Its rate is that of the source divided by `every`, so it plays at the true speed.
    tracker:  None for a new one.
    counters: of lines and zones; a mapping gives them names, in a sequence they are called "line 1", "zone 2" after their outline.
    names:    of the classes.
    draw:     False writes the frames as they are.
    codec:    of the output, see `zoo.video.Writer`.

    `stop()` ends the work after the current frame and keeps what was written; leaving the `with` by an error, or early, writes nothing.
    `timeline` is how many objects there were so far, see `zoo.video.timeline`.
    """

    def __init__(
        self,
        detect: Detect,
        source: str | os.PathLike,
        output: str | os.PathLike | None = None,
        *,
        tracker: Tracker | None = None,
        counters=(),
        names: Sequence[str] = (),
        draw: bool = True,
        every: int = 1,
        start: int = 0,
        stop: int | None = None,
        codec: str | None = None,
    ):
        if output is not None and os.path.exists(output) and os.path.samefile(source, output):
            raise ValueError(f"the output would replace the source {os.fspath(source)!r}; give it another name")
        self.detect, self.tracker, self.names, self.draw = detect, tracker or Tracker(), tuple(names), draw
        self.counters: dict[str, Counter] = dict(counters) if isinstance(counters, dict) else named(counters)
        self._stack = contextlib.ExitStack()
        self._video = self._stack.enter_context(read(source, every, start, stop))
        try:
            self._writer = None if output is None else self._stack.enter_context(Writer(output, self._video.rate / every, codec))
        except BaseException:
            self._video.close()
            raise
        self.report = Report(os.fspath(source), self._video.size, self._video.rate)
        if self._writer is not None:
            self.report.output, self.report.codec, self.report.plays = os.fspath(output or ""), self._writer.codec, self._writer.plays
        self.timeline = Timeline()
        self._stopped = False

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, kind, error, trace) -> None:
        with contextlib.suppress(_Left), self._stack:
            if error is not None:
                raise error
            if not self.report.complete and not self._stopped:
                raise _Left  # so that the writer leaves nothing

    def stop(self) -> None:
        """End after the current frame; the output so far is kept."""
        self._stopped = True

    def __iter__(self) -> Iterator[Step]:
        began = before = time.perf_counter()
        for frame in self._video:
            self._spent("decode", before)
            tracked, picture = self._looked(frame)
            if self._writer is not None:
                with self._timed("encode"):
                    self._writer.write(picture)
            self._noted(tracked)
            self._tell(began)
            yield Step(self._video.index, self._video.seconds, picture, tracked, self.report.frames, self._video.wanted)
            if self._stopped:
                break
            before = time.perf_counter()
        if not self.report.frames:
            raise ValueError(f"{self.report.source} has {self._video.decoded} frames, none of which was asked for; start earlier")
        self.report.complete = not self._stopped
        if self.report.complete and self._video.stop is None:
            self.report.missing = max(0, self._video.announced - self._video.decoded - self._video.broken)
        self.report.timeline = self.timeline.rows()
        self._tell(began)

    def _looked(self, frame: np.ndarray) -> tuple[Tracked, np.ndarray]:
        with self._timed("detect"):
            (found,) = self.detect([frame])
        with self._timed("track"):
            tracked = self.tracker.update(found)
            for counter in self.counters.values():
                counter.update(tracked)
        if not self.draw:
            return tracked, frame
        with self._timed("draw"):
            outlines = [counter.outline() for counter in self.counters.values()]
            return tracked, viz.tracks(frame, tracked.boxes, tracked.classes, self.names, tracked.scores, tracked.ids, outlines)

    def _noted(self, tracked: Tracked) -> None:
        self.report.frames += 1
        self.timeline.add(self._video.seconds, tracked.classes)
        for identity, kind in zip(tracked.ids.tolist(), tracked.classes.tolist(), strict=True):
            track = self.report.tracks.get(identity)
            if track is None:
                self.report.tracks[identity] = Track(kind, self._video.index, self._video.index)
            else:
                track.kind, track.last, track.frames = kind, self._video.index, track.frames + 1

    def _tell(self, began: float) -> None:
        """Bring the report up to date."""
        report = self.report
        report.decoded, report.broken = self._video.decoded, self._video.broken
        report.counts = {name: counter.counts() for name, counter in self.counters.items()}
        report.seconds = time.perf_counter() - began

    @contextlib.contextmanager
    def _timed(self, stage: str):
        before = time.perf_counter()
        yield
        self._spent(stage, before)

    def _spent(self, stage: str, before: float) -> None:
        self.report.stages[stage] += time.perf_counter() - before


def named(counters: Sequence[Counter]) -> dict[str, Counter]:
    """Counters by name: "line 1" for an outline of two points, "zone 2" for others."""
    return {f"{'line' if len(counter.outline()) == 2 else 'zone'} {number}": counter for number, counter in enumerate(counters, start=1)}
