"""A video file -> RGB frames, one at a time: the memory does not depend on its length.

    with read("road.mp4", every=5) as video:
        for frame in video:                       # uint8 (h, w, 3), upright
            print(video.index, video.seconds, frame.shape)
    print(video.decoded, video.broken)            # what the file really held

What a header says about the number of frames is a claim (`announced`): files are cut short, and some formats do not say. Frames are
therefore counted as they are decoded, from the first one on: that makes frame numbers exact in every format, which seeking is not.
FFmpeg does the decoding, by PyAV (https://pyav.basswood-io.com). It is told to read a plain file of a known kind and nothing else,
because some kinds of "video" are lists of other files or addresses.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from zoo.cores import cores

FORMATS = "mov,matroska,avi,mpegts,mpeg,ogg,flv,asf,gif"
"""FFmpeg's readers that may be used; mov reads mp4, m4v and 3gp, matroska reads webm."""
MOST_PIXELS = 8192 * 8192
"""Of a frame; a file that claims more is refused before anything is decoded."""


class VideoError(ValueError):
    """A video that cannot be used; the sentence names the file and the reason."""


@dataclass(frozen=True)
class Facts:
    """What a whole file held. size: (height, width) upright; rate: frames per second; announced: frames by its header, 0 if it does not
    say; frames: decoded; broken: packets of data that gave an error."""

    size: tuple[int, int]
    rate: float
    codec: str
    announced: int
    frames: int
    broken: int

    def as_dict(self) -> dict:
        return asdict(self)


def read(path: str | os.PathLike, every: int = 1, start: int = 0, stop: int | None = None) -> Video:
    """Open a video for one pass over the frames `start`, `start + every`, ... before `stop` (None: to the end).

    Raises FileNotFoundError; VideoError for a file that is no video; ValueError for numbers that name no frame; ImportError without PyAV.
    """
    return Video(path, every, start, stop)


def facts(path: str | os.PathLike) -> Facts:
    """Read all of a file and say what it held. Takes as long as decoding it."""
    with Video(path) as video:
        for _ in video.pictures():
            pass
    return Facts(video.size, video.rate, video.codec, video.announced, video.decoded, video.broken)


def load_av():
    """PyAV, or an ImportError that says how to get it."""
    try:
        import av
    except ImportError as error:
        raise ImportError("video needs PyAV, which is not installed; run: pip install 'vision-zoo-keras[video]'") from error
    return av


class Video:
    """An open video; iterating gives uint8 (h, w, 3) frames, once. Close it, or use it in a `with`.

    size:      (height, width) in pixels, after the rotation that the file asks for.
    rate:      frames per second of the file, on average.
    announced: number of frames by the header, 0 where it does not say.
    decoded:   frames decoded so far, `broken`: packets of data so far that could not be decoded.
    index:     number of the current frame, counted from 0 in the file; seconds: its time.
    """

    def __init__(self, path: str | os.PathLike, every: int = 1, start: int = 0, stop: int | None = None):
        if every < 1 or start < 0 or (stop is not None and stop <= start):
            raise ValueError(f"wanted every >= 1, start >= 0 and stop after start, got every={every}, start={start}, stop={stop}")
        self.path, self.every, self.start, self.stop = Path(path), every, start, stop
        self.decoded = self.broken = 0
        self.index, self.seconds = -1, 0.0
        self._av = load_av()
        self._decoding: Iterator | None = None
        self._container = self._opened()
        try:
            self._stream = self._video_stream()
            self._first = self._held_back()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Video:
        return self

    def __exit__(self, *error) -> None:
        self.close()

    def close(self) -> None:
        self._first = self._decoding = None
        self._container.close()

    @property
    def wanted(self) -> int | None:
        """How many frames iterating will give if the header is right; None where it does not say."""
        end = self.announced if self.stop is None else min(self.stop, self.announced or self.stop)
        return max(0, -(-(end - self.start) // self.every)) if end else None

    def __iter__(self) -> Iterator[np.ndarray]:
        for frame in self.pictures():
            if self.index >= self.start and (self.index - self.start) % self.every == 0:
                yield upright(frame.to_ndarray(format="rgb24"), self._turn)

    def pictures(self) -> Iterator:
        """Every frame before `stop` as FFmpeg decodes it, without its colours converted."""
        if self._first is None:
            raise ValueError(f"{self.path} has been read already, or is closed; open it again with read()")
        held, self._first = self._first, None
        for frame in self._chained(held):
            if self.stop is not None and self.decoded >= self.stop:
                return
            self.index = self.decoded
            self.decoded += 1
            self.seconds = self.index / self.rate if frame.time is None else float(frame.time)
            yield frame

    def _chained(self, held):
        yield held
        if self._decoding is not None:
            yield from self._decoding

    def _opened(self):
        if not self.path.is_file():
            raise FileNotFoundError(f"there is no video file {self.path}")
        try:
            return self._av.open(f"file:{self.path}", options={"format_whitelist": FORMATS}, metadata_errors="replace")
        except (self._av.error.FFmpegError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise VideoError(
                f"{self.path} cannot be opened as a video ({reason}): it is empty, cut short, or of another kind; wanted mp4, mov, mkv, "
                "webm, avi, mpeg, ogg, flv, wmv or gif"
            ) from error

    def _video_stream(self):
        streams = self._container.streams.video
        if not streams:
            raise VideoError(f"{self.path} holds no pictures, only {', '.join(s.type for s in self._container.streams) or 'nothing'}")
        stream = streams[0]
        if stream.codec_context is None:
            raise VideoError(f"{self.path} is packed in a way that this FFmpeg cannot decode")
        if stream.width * stream.height > MOST_PIXELS:
            raise VideoError(f"{self.path} claims frames of {stream.width}x{stream.height} pixels; at most {MOST_PIXELS:,} are read")
        stream.thread_type, stream.codec_context.thread_count = "AUTO", min(cores(), 16)
        self.rate = float(stream.average_rate or stream.guessed_rate or 25)
        self.announced, self.codec = int(stream.frames), stream.codec_context.name
        return stream

    def _held_back(self):
        """The first frame, which alone says how large an upright frame is. Raises VideoError when there is none."""
        self._decoding = self._decode()
        frame = next(self._decoding, None)
        if frame is None:
            raise VideoError(f"{self.path} holds no frame that can be decoded ({self.broken} broken, {self.announced} announced)")
        self._turn = turn(
            frame
        )  # of the first frame for all: PyAV's list of side data holds on to its frame until the garbage is collected
        sides = (frame.height, frame.width)
        self.size = sides[::-1] if self._turn[0] else sides
        return frame

    def _decode(self) -> Iterator:
        """All frames; a packet that gives an error is counted and passed over, as players do."""
        try:
            for packet in self._container.demux(self._stream):
                try:
                    yield from packet.decode()
                except self._av.error.FFmpegError:
                    self.broken += 1
        except self._av.error.FFmpegError:  # the file ends in the middle: what the decoder holds back is still good
            self.broken += 1
            with contextlib.suppress(self._av.error.FFmpegError):
                yield from self._stream.decode(None)


def turn(frame) -> tuple[bool, bool, bool]:
    """How the file asks a frame to be shown: (swap rows and columns, then flip rows, flip columns).

    The display matrix (ISO/IEC 14496-12, 8.3.2) maps a stored point x, y to x' = a x + c y, y' = b x + d y; cameras write quarter turns
    and mirrored ones, for which two of the four numbers are zero.
    """
    matrix = next((side for side in frame.side_data if side.type.name == "DISPLAYMATRIX"), None)
    if matrix is None:
        return False, False, False
    a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5].tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return False, d < 0, a < 0
    return True, b < 0, c < 0


def upright(image: np.ndarray, how: tuple[bool, bool, bool]) -> np.ndarray:
    """The image (h, w, 3) as `turn` says."""
    swap, rows, columns = how
    image = image.swapaxes(0, 1) if swap else image
    image = image[::-1] if rows else image
    return np.ascontiguousarray(image[:, ::-1] if columns else image)
