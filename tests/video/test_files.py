"""Frames out of a file and into one: every frame, upright, in its colours; damage is told and counted. OpenCV reads the same files."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from tests.video.conftest import frame, written
from zoo import video
from zoo.video.read import turn, upright

av = pytest.importorskip("av", reason="PyAV is not installed; pip install av")


def bar(image: np.ndarray) -> int:
    """Where the white bar of `frame` begins."""
    return int(np.flatnonzero(image.min(axis=(0, 2)) > 200)[0])


@pytest.mark.parametrize("codec", ["h264", "vp9", "mpeg4"])
def test_frames_come_back(tmp_path, codec):
    path = written(tmp_path / "clip.mp4", codec=codec)
    with video.read(path) as clip:
        assert (clip.size, clip.rate, clip.announced, clip.wanted) == ((48, 64), 10, 20, 20)
        frames = list(clip)
        assert (clip.decoded, clip.broken) == (20, 0)
    assert [abs(bar(image) - bar(frame(number))) <= 1 for number, image in enumerate(frames)] == [True] * 20
    np.testing.assert_allclose(frames[9][24, [1, 62]], [(200, 30, 30), (30, 160, 60)], atol=12)  # lossy, but no other colour matrix


def test_opencv_sees_the_same(clip):
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed; pip install opencv-python-headless")
    other = cv2.VideoCapture(str(clip))
    assert other.get(cv2.CAP_PROP_FPS) == 10
    with video.read(clip) as ours:
        for image in ours:
            good, theirs = other.read()
            assert good
            np.testing.assert_allclose(image.astype(int), theirs[..., ::-1], atol=3)
    assert not other.read()[0]


@pytest.mark.parametrize(("every", "start", "stop"), [(1, 0, None), (3, 0, None), (1, 5, 9), (4, 2, 19), (7, 19, None), (1, 0, 100)])
def test_the_frames_asked_for(clip, every, start, stop):
    with video.read(clip, every, start, stop) as open_clip:
        wanted = list(range(20))[start:stop:every]
        assert open_clip.wanted == len(wanted)
        seen = [(open_clip.index, round(open_clip.seconds * 10), abs(bar(image) - bar(frame(open_clip.index))) <= 1) for image in open_clip]
    assert seen == [(number, number, True) for number in wanted]


@pytest.mark.parametrize("numbers", [{"every": 0}, {"start": -1}, {"start": 5, "stop": 5}])
def test_numbers_that_name_no_frame_are_refused(clip, numbers):
    with pytest.raises(ValueError, match="wanted every >= 1"):
        video.read(clip, **numbers)


def test_a_video_is_read_once(clip):
    with video.read(clip) as open_clip:
        assert len(list(open_clip)) == 20
        with pytest.raises(ValueError, match="read already"):
            next(iter(open_clip))


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_turned_camera(tmp_path, degrees):
    """OpenCV turns frames as the file asks; it is the witness."""
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed; pip install opencv-python-headless")
    path = tmp_path / "turned.mp4"
    stored = np.zeros((64, 96, 3), np.uint8)
    stored[:32, :48], stored[32:, :48], stored[:32, 48:] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.set_display_rotation(degrees)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(stored, format="rgb24")))
        container.mux(stream.encode(None))
    with video.read(path) as clip:
        image = next(iter(clip))
        assert clip.size == image.shape[:2] == ((64, 96) if degrees % 180 == 0 else (96, 64))
    np.testing.assert_allclose(image.astype(int), cv2.VideoCapture(str(path)).read()[1][..., ::-1], atol=3)


def test_all_eight_matrices_by_the_definition():
    """x' = a x + c y, y' = b x + d y for every pixel, moved so that the picture begins at 0."""
    from types import SimpleNamespace

    image = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    for a, b, c, d in [(x, 0, 0, y) for x in (1, -1) for y in (1, -1)] + [(0, x, y, 0) for x in (1, -1) for y in (1, -1)]:
        matrix = np.array([a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30], np.int32).tobytes()

        class Side(bytes):
            type = SimpleNamespace(name="DISPLAYMATRIX")

        shown = {(a * x + c * y, b * x + d * y): image[y, x] for y in range(2) for x in range(3)}
        left, top = min(x for x, _ in shown), min(y for _, y in shown)
        found = upright(image, turn(SimpleNamespace(side_data=[Side(matrix)])))
        for (x, y), colour in shown.items():
            np.testing.assert_array_equal(found[y - top, x - left], colour)
    assert turn(SimpleNamespace(side_data=[])) == (False, False, False)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty, cut short"),
        (b"no video at all" * 100, "cannot be opened as a video"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n", "of another kind"),
        (b"ffconcat version 1.0\nfile 'clip.mp4'\n", "of another kind"),
    ],
    ids=["empty", "garbage", "a list of addresses", "a list of files"],
)
def test_what_is_no_video(clip, tmp_path, content, words):
    """Also a list of other files, which FFmpeg would follow."""
    path = tmp_path / "wrong.mp4"
    path.write_bytes(content)
    with pytest.raises(video.VideoError, match=words) as caught:
        video.read(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="no video file .*gone.mp4"):
        video.read(tmp_path / "gone.mp4")


def test_sound_alone_is_no_video(tmp_path):
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        stream.layout = "mono"
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 48000
        container.mux([*stream.encode(sound), *stream.encode(None)])
    with pytest.raises(video.VideoError, match="sound.mp4 holds no pictures, only audio"):
        video.read(path)


def test_a_file_cut_short_gives_what_it_holds(tmp_path):
    path = written(tmp_path / "whole.mp4", 60)
    content = path.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(content[: int(len(content) * 0.8)])
    found = video.facts(tmp_path / "cut.mp4")
    assert found.announced == 60  # the header's claim
    assert 0 < found.frames < 60
    assert found.broken == 1
    (tmp_path / "header.mp4").write_bytes(content[: content.find(b"mdat") + 8])
    with pytest.raises(video.VideoError, match=r"header.mp4 holds no frame that can be decoded \(. broken, 60 announced\)"):
        video.facts(tmp_path / "header.mp4")


def test_a_hole_in_the_file_is_passed_over(tmp_path):
    path = written(tmp_path / "clip.mp4", 60, codec="mpeg4")
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        holes = [(packets[number].pos, packets[number].size) for number in (20, 21)]
    content = bytearray(path.read_bytes())
    for place, size in holes:
        content[place : place + size] = b"\xff" * size
    path.write_bytes(content)
    found = video.facts(path)
    assert found.broken == 2
    assert found.frames == 58


def test_an_odd_size_is_made_even(tmp_path):
    path = written(tmp_path / "odd.mp4", 3, size=(47, 63))
    assert video.facts(path).size == (48, 64)


def test_a_rate_that_is_no_whole_number(tmp_path):
    assert video.facts(written(tmp_path / "ntsc.mp4", 5, rate=30000 / 1001)).rate == pytest.approx(30000 / 1001, rel=1e-9)


@pytest.mark.parametrize("old", [None, b"an old file"])
def test_whole_or_not_at_all(tmp_path, old):
    path = tmp_path / "out.mp4"
    if old is not None:
        path.write_bytes(old)

    def fail(*frames, error: Exception | None = None):
        with video.Writer(path, 10) as writer:
            for image in frames:
                writer.write(image)
            if error is not None:
                raise error

    with pytest.raises(RuntimeError, match="in the middle"):
        fail(frame(0), error=RuntimeError("in the middle"))
    with pytest.raises(video.VideoError, match="there was no frame"):
        fail()
    with pytest.raises(ValueError, match="all frames"):
        fail(frame(0), frame(0, 96, 64))
    assert [each.name for each in tmp_path.iterdir()] == ([] if old is None else ["out.mp4"])
    assert old is None or path.read_bytes() == old


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: video.Writer(path / "out.avi", 10), r"ends in \.mp4"),
        (lambda path: video.Writer(path / "out.mp4", 0), "rate must be in"),
        (lambda path: video.Writer(path / "out.mp4", 10, "h265"), "codec must be one of h264, vp9, mpeg4"),
    ],
)
def test_impossible_writers_are_refused(tmp_path, make, words):
    with pytest.raises(ValueError, match=words):
        make(tmp_path)


def test_a_frame_of_another_type_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"uint8 \(h, w, 3\), got float64"), video.Writer(tmp_path / "out.mp4", 10) as writer:
        writer.write(np.zeros((4, 4, 3)))


def test_without_an_h264_encoder_mpeg4_is_written_and_said(tmp_path, monkeypatch):
    from zoo.video import write

    monkeypatch.setitem(write.ENCODERS, "h264", ("an encoder that is not there",))
    with video.Writer(tmp_path / "out.mp4", 10) as writer:
        writer.write(frame(0))
    assert (writer.codec, writer.plays) == ("mpeg4", False)
    assert video.facts(tmp_path / "out.mp4").codec == "mpeg4"
    with pytest.raises(video.VideoError, match="no encoder for h264"):
        video.Writer(tmp_path / "out.mp4", 10, "h264")


def test_without_pyav_the_cure_is_told(clip, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ImportError, match=r"vision-zoo-keras\[video\]"):
        video.read(clip)
