"""A whole video: what is found, counted, drawn and written, and that a longer one needs no more memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.video import bed
from zoo import video
from zoo.video.timeline import Timeline

av = pytest.importorskip("av", reason="PyAV is not installed; pip install av")
ROOT = Path(__file__).resolve().parents[2]
PATHS = (bed.Path((60, 20), (0, 6)), bed.Path((160, 10), (0, 5)), bed.Path((260, 230), (0, -6), kind=1))
NAMES = ("car", "bus")
COLOURS = ((250, 250, 0), (0, 250, 250))
FRAMES = 36


@pytest.fixture
def street(tmp_path) -> Path:
    """Two yellow objects go down and a blue one up, 36 frames of 320x240 at 12 frames per second."""
    with video.Writer(tmp_path / "street.mp4", 12) as writer:
        for present in bed.truth(PATHS, FRAMES):
            image = np.full((240, 320, 3), 90, np.uint8)
            for number, box in present.items():
                left, top, right, bottom = (int(max(0, edge)) for edge in box)
                image[top:bottom, left:right] = COLOURS[PATHS[number].kind]
            writer.write(image)
    return tmp_path / "street.mp4"


def by_colour(images):
    """A detector of this street: the pixels of a colour, column by column."""
    out = []
    for image in images:
        boxes, kinds = [], []
        for kind, colour in enumerate(COLOURS):
            mask = np.abs(image.astype(int) - colour).max(axis=-1) < 60
            columns = np.flatnonzero(mask.any(axis=0))
            for part in np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1):
                rows = np.flatnonzero(mask[:, part].any(axis=1)) if len(part) else []
                if len(part) > 10 and len(rows) > 10:
                    boxes.append([part[0], rows[0], part[-1] + 1, rows[-1] + 1])
                    kinds.append(kind)
        out.append(bed.Found(np.array(boxes, float).reshape(-1, 4), np.full(len(kinds), 0.9), np.array(kinds, int)))
    return out


def counters():
    return {"road": video.LineCounter((0, 120), (320, 120)), "field": video.ZoneCounter([(220, 0), (320, 0), (320, 240), (220, 240)])}


def test_a_street(street, tmp_path):
    calls = []
    report = video.watch(
        by_colour, street, tmp_path / "seen.mp4", names=NAMES, counters=counters(), progress=lambda *done: calls.append(done)
    )
    assert calls == [(number, FRAMES) for number in range(1, FRAMES + 1)]
    assert report.counts == {"road": {"forward": {0: 2}, "backward": {1: 1}}, "field": {"entered": {1: 1}, "inside": {1: 1}}}
    assert report.objects() == {0: 2, 1: 1}
    assert (report.frames, report.decoded, report.complete, report.codec, report.plays) == (FRAMES, FRAMES, True, "h264", True)
    assert set(report.fps) == {"decode", "detect", "track", "draw", "encode", "all"}
    assert sum(report.stages.values()) <= report.seconds
    assert report.timeline[-1] == {"seconds": pytest.approx(35 / 12), "0": 2, "1": 1}
    seen, before = (np.stack(list(video.read(path))) for path in (tmp_path / "seen.mp4", street))
    assert seen.shape == before.shape
    assert np.abs(seen[20].astype(int) - before[20]).max() > 100  # boxes and line are on it
    assert video.facts(tmp_path / "seen.mp4").rate == 12
    facts = json.loads(json.dumps(report.as_dict(NAMES)))
    assert facts["counts"]["road"] == {"forward": {"car": 2}, "backward": {"bus": 1}}
    assert {track["kind"] for track in facts["tracks"].values()} == {"car", "bus"}
    assert "road: forward car 2; backward bus 1" in report.table(NAMES)


def test_every_third_frame_plays_at_the_true_speed(street, tmp_path):
    report = video.watch(by_colour, street, tmp_path / "seen.mp4", every=3, draw=False)
    found = video.facts(tmp_path / "seen.mp4")
    assert (report.frames, report.decoded, found.frames, found.rate) == (12, FRAMES, 12, 4)
    assert "draw" not in report.fps
    seen, before = (np.stack(list(video.read(path, every))) for path, every in ((tmp_path / "seen.mp4", 1), (street, 3)))
    assert np.abs(seen.astype(int) - before).mean(axis=(1, 2, 3)).max() < 2  # as they are, but for the loss at edges


def test_without_an_output_nothing_is_written(street, tmp_path):
    before = sorted(tmp_path.iterdir())
    report = video.watch(by_colour, street)
    assert report.output is None
    assert "encode" not in report.fps
    assert sorted(tmp_path.iterdir()) == before


def test_what_progress_raises_cancels_and_leaves_nothing(street, tmp_path):
    def enough(done, total):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        video.watch(by_colour, street, tmp_path / "seen.mp4", progress=enough)
    assert [path.name for path in tmp_path.iterdir()] == ["street.mp4"]


def test_stopping_keeps_what_there_is_and_leaving_does_not(street, tmp_path):
    with video.Watch(by_colour, street, tmp_path / "seen.mp4") as watching:
        for step in watching:
            if step.done == 7:
                watching.stop()
    assert (watching.report.frames, watching.report.complete) == (7, False)
    assert video.facts(tmp_path / "seen.mp4").frames == 7
    (tmp_path / "seen.mp4").unlink()
    with video.Watch(by_colour, street, tmp_path / "seen.mp4") as watching:
        next(iter(watching))
    assert [path.name for path in tmp_path.iterdir()] == ["street.mp4"]


def test_a_detector_that_fails_leaves_nothing(street, tmp_path):
    def broken(images):
        raise RuntimeError("no memory")

    with pytest.raises(RuntimeError, match="no memory"):
        video.watch(broken, street, tmp_path / "seen.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["street.mp4"]


def test_impossible_wishes_are_refused(street):
    with pytest.raises(ValueError, match="the output would replace the source"):
        video.watch(by_colour, street, street)
    with pytest.raises(ValueError, match="36 frames, none of which was asked for"):
        video.watch(by_colour, street, start=100)


def test_a_timeline_has_a_fixed_size_and_true_means():
    random = np.random.default_rng(0)
    line, counts = Timeline(bins=8), random.integers(0, 5, (100, 2))
    for frame, (cars, buses) in enumerate(counts):
        line.add(frame / 10, [0] * cars + [1] * buses)
    rows = line.rows()
    assert line.width == 16
    assert len(rows) == 7
    for number, row in enumerate(rows):
        part = counts[number * 16 : number * 16 + 16]
        assert row == {"seconds": (min(100, number * 16 + 16) - 1) / 10, "0": part[:, 0].mean(), "1": part[:, 1].mean()}


MEASURE = """
import resource, sys, numpy as np
from zoo import video

class Found:
    boxes, scores, classes = np.array([[20.0, 20, 90, 120]]), np.array([0.9]), np.array([0])

def peak(frames):
    path, out = f"{sys.argv[1]}/{frames}.mp4", f"{sys.argv[1]}/{frames}_seen.mp4"
    with video.Writer(path, 25) as writer:
        for number in range(frames):
            image = np.full((240, 320, 3), 60, np.uint8)
            image[:, number % 300 : number % 300 + 9] = 200
            writer.write(image)
    assert video.watch(lambda images: [Found() for _ in images], path, out).frames == frames
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10

print(peak(50), peak(400))
"""


def test_a_longer_video_needs_no_more_memory(tmp_path):
    """350 frames more are 77 MiB; the peak of the process, FFmpeg included, grows by a fraction of that."""
    ran = subprocess.run([sys.executable, "-c", MEASURE, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True)
    fifty, four_hundred = map(float, ran.stdout.split())
    assert four_hundred - fifty < 10


@pytest.fixture(scope="session")
def detector_run(tmp_path_factory) -> Path:
    """A run folder with an untrained detector, as a project leaves it."""
    import keras

    import zoo
    from zoo import predict

    keras.utils.set_random_seed(0)
    folder = tmp_path_factory.mktemp("detector")
    zoo.detector("yolov8_style_micro", classes=2, input_shape=(64, 64, 3)).save(folder / "model.keras")
    predict.save_labels(folder, NAMES, (64, 64), trained_on="nothing, for a test", how="letterbox")
    return folder


def test_the_command(street, tmp_path, detector_run, capsys):
    from zoo.__main__ import main

    words = ["watch", str(street), "--run", str(detector_run), "-o", str(tmp_path / "seen.mp4"), "--every", "6", "--line", "0,120,320,120"]
    assert main([*words, "--zone", "0,0,99,0,99,99", "--json", str(tmp_path / "report.json")]) == 0
    told = capsys.readouterr()
    assert "320x240, 12 frames per second, 6 of 36 frames looked at" in told.out
    assert "line 1: forward" in told.out
    assert "zone 1: entered" in told.out
    assert "trained on nothing, for a test" in told.err
    assert video.facts(tmp_path / "seen.mp4").frames == 6
    assert json.loads((tmp_path / "report.json").read_text())["frames"] == 6


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--line", "1,2,3"], "four numbers X1,Y1,X2,Y2 in pixels, got '1,2,3'"),
        (["--zone", "a,b"], "at least three points"),
        (["--zone", "1,2,3,4"], "at least 3 points"),
        (["--threshold", "0"], r"--threshold must be in \(0, 1\]"),
    ],
)
def test_the_command_says_what_it_wanted(street, capsys, more, words):
    import re

    from zoo.__main__ import main

    assert main(["watch", str(street), "--model", "yolov8_style_micro", *more]) == 2
    assert re.search(words, capsys.readouterr().err)


def test_the_command_without_its_video(tmp_path, capsys):
    from zoo.__main__ import main

    assert main(["watch", str(tmp_path / "gone.mp4"), "--model", "yolov8_style_micro"]) == 2
    assert "there is no video file" in capsys.readouterr().err
