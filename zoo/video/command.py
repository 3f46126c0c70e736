"""`zoo watch VIDEO --run RUN | --model ROW -o out.mp4`: find, follow and count the objects of a video, and draw them."""

from __future__ import annotations

import json
import sys

from zoo import atomic
from zoo.video.count import Counter, LineCounter, ZoneCounter
from zoo.video.track import Tracker
from zoo.video.watch import watch


def run(options) -> int:
    """Raises ValueError, OSError and ImportError as `zoo.video.watch` and `zoo.locate` do."""
    counters: dict[str, Counter] = {}
    for number, text in enumerate(options.line, start=1):
        start, end = points(text, 2)
        counters[f"line {number}"] = LineCounter(start, end)
    for number, text in enumerate(options.zone, start=1):
        counters[f"zone {number}"] = ZoneCounter(points(text, None))
    if not 0 < options.threshold <= 1:
        raise ValueError(f"--threshold must be in (0, 1], got {options.threshold}")
    tracker = Tracker.around(options.threshold)
    if not options.video.is_file():  # before a model is opened
        raise FileNotFoundError(f"there is no video file {options.video}")
    from zoo import locate, predict

    predict.check_asked(options)
    locator = locate.from_run(options.run_folder) if options.run_folder else locate.from_registry(options.model, options.weights)
    print(locator.note, file=sys.stderr)
    locator.warm()
    report = watch(
        lambda images: locator.locate(images, tracker.low),
        options.video,
        options.out,
        tracker=tracker,
        counters=counters,
        names=locator.classes,
        every=options.every,
        start=options.start,
        stop=options.stop,
        codec=options.codec,
        progress=_progress if sys.stderr.isatty() else None,
    )
    print(report.table(locator.classes))
    if options.json:
        atomic.write(options.json, json.dumps(report.as_dict(locator.classes), indent=2))
    return 0


def points(text: str, count: int | None) -> list[tuple[float, float]]:
    """ "0,300,640,300" -> [(0, 300), (640, 300)]. Raises ValueError for something else, or for another `count` of points."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or len(numbers) % 2 or (count is not None and len(numbers) != 2 * count) or len(numbers) < 4:
        wanted = "four numbers X1,Y1,X2,Y2" if count == 2 else "numbers X1,Y1,X2,Y2,X3,Y3,... of at least three points"
        raise ValueError(f"wanted {wanted} in pixels, got {text!r}")
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _progress(done: int, total: int | None) -> None:
    end = "\n" if done == total else ""
    print(f"\r{done}{'' if total is None else f' of {total}'} frames", end=end, file=sys.stderr, flush=True)
