"""Video: frames from a file and back into one, the same object followed from frame to frame, and how many passed. Never the model side.

    report = zoo.video.watch(detect, "road.mp4", "seen.mp4", counters=[zoo.video.LineCounter((0, 300), (640, 300))])

A detector is any function from a list of images, uint8 (h, w, 3), to as many objects with `boxes` (n, 4) xyxy in pixels, `scores` (n,)
and `classes` (n,).
"""

from zoo.video.count import Counter, LineCounter, ZoneCounter
from zoo.video.read import Video, VideoError, facts, read
from zoo.video.report import Report
from zoo.video.track import Tracked, Tracker
from zoo.video.watch import Step, Watch, watch
from zoo.video.write import Writer

__all__ = [
    "Counter",
    "LineCounter",
    "Report",
    "Step",
    "Tracked",
    "Tracker",
    "Video",
    "VideoError",
    "Watch",
    "Writer",
    "ZoneCounter",
    "facts",
    "read",
    "watch",
]
