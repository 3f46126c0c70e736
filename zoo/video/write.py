"""RGB frames -> an mp4 file that browsers and phones play, written whole or not at all.

The wheels of PyAV bring several encoders. H.264 plays everywhere; x264, which they encode it with, is under the GPL and its format is
patented in places, which matters to those who hand out programs with it, not to those who watch. `codec="vp9"` is free of both and plays
in today's browsers. Where no H.264 encoder is built in, MPEG-4 part 2 is written: desktop players show it, browsers do not.
"""

from __future__ import annotations

import contextlib
import os
from fractions import Fraction
from pathlib import Path

import numpy as np

from zoo import atomic
from zoo.cores import cores
from zoo.video.read import VideoError, load_av

ENCODERS = {"h264": ("libx264", "libopenh264"), "vp9": ("libvpx-vp9",), "mpeg4": ("mpeg4",)}
"""Codec -> encoders that make it, the preferred first."""
OPTIONS = {
    "libx264": {"crf": "23", "preset": "veryfast"},
    "libvpx-vp9": {"crf": "33", "b": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"},
    "mpeg4": {"qscale": "4"},
}
PLAYED = ("h264", "vp9")
"""Codecs that browsers play in an mp4 file."""
BT709 = 1
"""The number of the colours of HD video (ITU-R BT.709) in FFmpeg's tables; players assume them for large frames that do not say."""


class Writer:
    """Writes frames to `path`, an .mp4 file, at `rate` frames per second, inside a `with`.

        with Writer("out.mp4", rate=25) as writer:
            writer.write(frame)                   # uint8 (h, w, 3), all of one size

    The file appears when the `with` ends well; after an error, or without a frame, there is none and an old one stays as it was.
    codec:  "h264", "vp9" or "mpeg4"; None takes the first of h264 and mpeg4 that is there. Afterwards it says what is written.
    plays:  whether browsers play it.

    An odd side is made even by repeating the last row or column, because these codecs store colour for pairs of pixels.
    """

    def __init__(self, path: str | os.PathLike, rate: float, codec: str | None = None):
        if Path(path).suffix.lower() != ".mp4":
            raise ValueError(f"wanted a name that ends in .mp4, got {os.fspath(path)!r}")
        if not 0 < rate <= 1000:
            raise ValueError(f"the rate must be in (0, 1000] frames per second, got {rate}")
        self.path, self.rate, self.frames = Path(path), rate, 0
        self._av = load_av()
        self.codec, self._encoder = self._chosen(codec)
        self._size: tuple[int, ...] | None = None
        self._stack = contextlib.ExitStack()

    @property
    def plays(self) -> bool:
        return self.codec in PLAYED

    def __enter__(self) -> Writer:
        self._part = self._stack.enter_context(atomic.replacing(self.path))
        return self

    def __exit__(self, kind, error, trace) -> None:
        with self._stack:  # an error in here, also the one that came in, takes the unfinished file away
            if self.frames:
                try:
                    if error is None:
                        self._container.mux(self._stream.encode(None))
                finally:
                    self._container.close()
            if error is not None:
                raise error
            if not self.frames:
                raise VideoError(f"nothing was written to {self.path}: there was no frame")

    def write(self, frame: np.ndarray) -> None:
        """Append one frame, uint8 (h, w, 3). Raises ValueError for another type, or another size than the first."""
        frame = np.asarray(frame)
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or not frame.size:
            raise ValueError(f"a frame is uint8 (h, w, 3), got {frame.dtype} {frame.shape}")
        if self._size is None:
            self._begin(frame.shape[:2])
        if frame.shape[:2] != self._size:
            raise ValueError(f"all frames of {self.path} must be {self._size}, as the first; got {frame.shape[:2]}")
        odd = [(0, side % 2) for side in frame.shape[:2]]
        frame = np.pad(frame, (*odd, (0, 0)), mode="edge") if any(pad for _, pad in odd) else frame
        picture = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        picture = picture.reformat(format="yuv420p", dst_colorspace="ITU709")
        picture.pts = self.frames
        self._container.mux(self._stream.encode(picture))
        self.frames += 1

    def _begin(self, size: tuple[int, ...]) -> None:
        rate = Fraction(self.rate).limit_denominator(1001)  # rates such as 30000/1001 exactly
        self._container = self._av.open(str(self._part), "w", format="mp4", options={"movflags": "+faststart"})
        self._stream = self._container.add_stream(self._encoder, rate=rate, options=OPTIONS.get(self._encoder, {}))
        self._stream.width, self._stream.height = size[1] + size[1] % 2, size[0] + size[0] % 2
        self._stream.pix_fmt, self._stream.time_base = "yuv420p", 1 / rate
        context = self._stream.codec_context
        context.thread_count = min(cores(), 16)
        context.colorspace = context.color_primaries = context.color_trc = context.color_range = BT709  # 1 is the range of video as well
        self._size = size

    def _chosen(self, codec: str | None) -> tuple[str, str]:
        wanted = ("h264", "mpeg4") if codec is None else (codec,)
        for name in wanted:
            if name not in ENCODERS:
                raise ValueError(f"codec must be one of {', '.join(ENCODERS)}, got {codec!r}")
            for encoder in ENCODERS[name]:
                with contextlib.suppress(self._av.error.FFmpegError, ValueError):
                    self._av.Codec(encoder, "w")
                    return name, encoder
        raise VideoError(f"this PyAV has no encoder for {' or '.join(wanted)}; choose another codec, or install the wheel from PyPI")
