"""File -> uint8 RGB: the one decode and the one resize of the zoo, for training, prediction and apps alike.

A picture that training and serving decode differently is answered wrongly without an error, so nobody else opens one.
The true format is read from the first bytes, never from the name; size limits are checked on the header, before any
pixel is decoded. Colour profiles (ICC) are not applied. No global state of Pillow or of `warnings` is touched, so any
number of threads may decode at once.
"""

from __future__ import annotations

import io
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import BmpImagePlugin, GifImagePlugin, Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

RULES = 1
"""Number of this set of decoding rules; anything cached from decoded pixels is keyed by it. Raise it with every change of a pixel."""


class ImageError(ValueError):
    """A picture that cannot be used. `reason` is one clause for people, `name` the file if known; `str()` is "name: reason"."""

    def __init__(self, reason: str, name: str = ""):
        super().__init__(f"{name}: {reason}" if name else reason)
        self.reason, self.name = reason, name

    def __reduce__(self):
        return type(self), (self.reason, self.name)


class TooLarge(ImageError):
    """More bytes or pixels than the limits allow: a smaller copy of the same picture would do."""


@dataclass(frozen=True)
class Limits:
    """What is accepted, checked before any pixel is decoded.

    bytes:    largest file.
    pixels:   largest width x height.
    side:     longest side in pixels.
    smallest: shortest side in pixels.
    formats:  accepted formats.
    """

    bytes: int
    pixels: int
    side: int
    smallest: int
    formats: tuple[str, ...]


OWN_FILE = Limits(200_000_000, 100_000_000, 30_000, 1, ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP"))
"""For a path: the user's own file."""
UPLOAD = Limits(10_000_000, 25_000_000, 8_192, 8, ("BMP", "GIF", "JPEG", "PNG", "WEBP"))
"""For bytes and file objects: they come from somewhere else, so the parsers open to them are few and the sizes small."""


@dataclass(frozen=True)
class Facts:
    """What the file said before its pixels became uint8 RGB.

    format:      "BMP", "GIF", "JPEG", "PNG", "TIFF" or "WEBP", by content.
    mode:        Pillow's name of the stored pixel type, such as "RGB", "P", "I;16".
    orientation: EXIF value 1 to 8; anything but 1 was turned upright.
    """

    format: str
    mode: str
    orientation: int


def decode(
    source: str | os.PathLike | bytes | BinaryIO,
    *,
    limits: Limits | None = None,
    max_bytes: int | None = None,
    max_pixels: int | None = None,
    max_side: int | None = None,
) -> np.ndarray:
    """A picture as uint8 (h, w, 3), RGB, upright.

    EXIF orientation is applied; 16-bit gray is scaled by 255 / 65535; floats in [0, 1] by 255; transparency is laid over white;
    of an animation or a multi-page file the first frame is taken; palette, gray and CMYK become RGB.

    source: a path, or bytes or a binary file object.
    limits: default `OWN_FILE` for a path, `UPLOAD` (smaller, no TIFF) for the rest.
    max_bytes, max_pixels, max_side: replace the limit on the file size, on width x height, and on the longer side.

    Raises ImageError, and nothing else, with one reason for whatever is not a whole, harmless picture.
    """
    return examine(source, limits=limits, max_bytes=max_bytes, max_pixels=max_pixels, max_side=max_side)[0]


def examine(
    source: str | os.PathLike | bytes | BinaryIO,
    *,
    limits: Limits | None = None,
    max_bytes: int | None = None,
    max_pixels: int | None = None,
    max_side: int | None = None,
) -> tuple[np.ndarray, Facts]:
    """As `decode`, with what the file said about itself."""
    chosen = limits or (OWN_FILE if isinstance(source, str | os.PathLike) else UPLOAD)
    limits = Limits(max_bytes or chosen.bytes, max_pixels or chosen.pixels, max_side or chosen.side, chosen.smallest, chosen.formats)
    name, data = _read(source, limits)
    kind, plugin = _recognise(data, limits, name)
    try:
        with plugin(io.BytesIO(data)) as image:
            _check_size(image.size, limits, name)
            mode = image.mode
            image.load()
            _check_size(image.size, limits, name)
            orientation = _orientation(image)  # 1 after Pillow has loaded a TIFF: it turns those upright itself
            pixels = _turn(_rgb(image, name), orientation)
    except ImageError:
        raise
    except Exception as error:  # parsers meet hostile bytes with every kind of exception; each of them means the same
        raise ImageError(f"truncated or damaged {kind} ({_one_line(error)})", name) from error
    return np.ascontiguousarray(pixels), Facts(kind, mode, orientation)


def resize(
    image: np.ndarray, size: int | tuple[int, int], how: str = "squash", *, crop: float = 1.0, interpolation: str = "bilinear"
) -> np.ndarray:
    """uint8 (h, w, 3) -> uint8 (height, width, 3), with antialiasing (a filter as wide as the reduction).

    size: (height, width) in pixels, or one int for a square.
    how:  "squash" stretches; "crop" keeps the centre and the aspect ratio; "letterbox" keeps everything and the aspect ratio
          and fills the rest with gray 114.
    crop: with "crop", how much of that centre is kept, from just above 0 to 1: most published networks are tested on the middle
          224 pixels of a picture whose shorter side has 256, which is 0.875.
    interpolation: "bilinear", or another filter of Pillow ("bicubic", "lanczos", "nearest" ...).
    """
    if not (isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and image.size):
        got = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise ValueError(f"resize wants a uint8 image (h, w, 3), got {got}; decode() makes one")
    height, width = (size, size) if isinstance(size, int) else size
    if height < 1 or width < 1:
        raise ValueError(f"resize wants a size of at least 1x1 pixels, got {height}x{width}")
    if not 0 < crop <= 1:
        raise ValueError(f"crop must be in (0, 1], got {crop!r}")
    if how == "squash":
        return _resample(image, height, width, interpolation)
    if how == "crop":
        scale = max(height / image.shape[0], width / image.shape[1])
        h, w = crop * height / scale, crop * width / scale
        top, left = max((image.shape[0] - h) / 2, 0.0), max((image.shape[1] - w) / 2, 0.0)  # never below by a rounding
        box = (left, top, min(left + w, image.shape[1]), min(top + h, image.shape[0]))
        return _resample(image, height, width, interpolation, box)
    if how == "letterbox":
        scale = min(height / image.shape[0], width / image.shape[1])
        h, w = (max(1, min(round(side * scale), limit)) for side, limit in zip(image.shape[:2], (height, width), strict=True))
        canvas = np.full((height, width, 3), 114, np.uint8)
        top, left = (height - h) // 2, (width - w) // 2
        canvas[top : top + h, left : left + w] = _resample(image, h, w, interpolation)
        return canvas
    raise ValueError(f'how must be "squash", "crop" or "letterbox", got {how!r}')


def sniff(start: bytes) -> str | None:
    """The picture format that the first 16 bytes of a file announce, or None."""
    return next((kind for kind, match, _ in _FORMATS if match(start)), None)


def _read(source, limits: Limits) -> tuple[str, bytes]:
    if isinstance(source, bytes | bytearray | memoryview):
        name, data = "image", bytes(source[: limits.bytes + 1])
    elif isinstance(source, str | os.PathLike):
        name = os.fspath(source)
        try:
            found = os.stat(name)
            if not stat.S_ISREG(found.st_mode):
                raise ImageError("a folder or device, not a file", name)
            if found.st_size > limits.bytes:
                raise TooLarge(f"{found.st_size / 1e6:.1f} MB, more than the limit of {limits.bytes / 1e6:g} MB", name)
            data = Path(name).read_bytes()
        except FileNotFoundError:
            raise ImageError("no such file", name) from None
        except OSError as error:
            raise ImageError(f"cannot be read ({error.strerror or _one_line(error)})", name) from error
    else:
        name = str(getattr(source, "name", "image"))
        data = source.read(limits.bytes + 1)
    if len(data) > limits.bytes:
        raise TooLarge(f"more than the limit of {limits.bytes / 1e6:g} MB", name)
    return name, data


def _recognise(data: bytes, limits: Limits, name: str):
    if not data:
        raise ImageError("empty file", name)
    start = data[:16]
    for kind, match, plugin in _FORMATS:
        if match(start):
            if kind not in limits.formats:
                raise ImageError(f"{kind} is not accepted here; save it as PNG or JPEG", name)
            return kind, plugin
    reason = next((reason for match, reason in _STRANGERS if match(data[:512].lstrip())), None)
    accepted = ", ".join(limits.formats)
    raise ImageError(reason or f"not a picture (its first bytes are those of none of {accepted})", name)


def _check_size(size: tuple[int, int], limits: Limits, name: str) -> None:
    width, height = size
    if width * height > limits.pixels:
        raise TooLarge(f"{width}x{height} pixels, more than the limit of {limits.pixels / 1e6:g} million", name)
    if max(size) > limits.side:
        raise TooLarge(f"{width}x{height} pixels, longer than the limit of {limits.side} on a side", name)
    if min(size) < limits.smallest:
        raise ImageError(f"{width}x{height} pixels, less than {limits.smallest} on a side", name)


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(0x0112, 1)
    except Exception:  # EXIF that cannot be parsed says nothing; the pixels are whole
        return 1
    return value if value in _TURNS else 1


def _rgb(image: Image.Image, name: str) -> np.ndarray:
    if image.mode.startswith("I") or image.mode == "F":
        return _from_numbers(image, name)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return np.asarray(Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB"))
    return np.asarray(image.convert("RGB"))


def _from_numbers(image: Image.Image, name: str) -> np.ndarray:
    """16-bit, 32-bit and float gray -> uint8 RGB. Pillow's own conversion clips at 255: nearly every pixel would turn white."""
    values = np.asarray(image).astype(np.float64)
    low, high = values.min(), values.max()
    if not np.isfinite(low + high):
        raise ImageError("holds NaN or infinite values; replace them before saving", name)
    if image.mode == "F" and low >= 0 and high <= 1:
        gray = values * 255
    elif image.mode == "F" and low >= 0 and high <= 255:
        gray = values
    elif image.mode != "F" and low >= 0 and high <= 65535:
        gray = values / 257  # 65535 / 255
    else:
        wanted = "[0, 1] or [0, 255]" if image.mode == "F" else "[0, 65535]"
        raise ImageError(f"values from {low:g} to {high:g}; gray numbers must lie in {wanted}", name)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        gray = np.where(values == transparent, 255, gray)
    return np.repeat(np.rint(gray).astype(np.uint8)[..., None], 3, axis=2)


def _turn(pixels: np.ndarray, orientation: int) -> np.ndarray:
    return _TURNS[orientation](pixels)


def _resample(image: np.ndarray, height: int, width: int, interpolation: str, box=None) -> np.ndarray:
    known = {each.name.lower(): each for each in Image.Resampling}
    if interpolation not in known:
        raise ValueError(f"interpolation must be one of {', '.join(known)}, got {interpolation!r}")
    if box is None and image.shape[:2] == (height, width):
        return image.copy()
    return np.array(Image.fromarray(image).resize((width, height), known[interpolation], box=box))


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text[:120] or type(error).__name__


def _starts(*prefixes: bytes):
    return lambda start: start.startswith(prefixes)


# The plugins are called directly, not through Image.open: it would first ask the process-wide warning filters and pixel limit.
_FORMATS = (
    ("JPEG", _starts(b"\xff\xd8\xff"), JpegImagePlugin.JpegImageFile),
    ("PNG", _starts(b"\x89PNG\r\n\x1a\n"), PngImagePlugin.PngImageFile),
    ("WEBP", lambda start: start[:4] == b"RIFF" and start[8:12] == b"WEBP", WebPImagePlugin.WebPImageFile),
    ("GIF", _starts(b"GIF87a", b"GIF89a"), GifImagePlugin.GifImageFile),
    ("BMP", _starts(b"BM"), BmpImagePlugin.BmpImageFile),
    ("TIFF", _starts(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), TiffImagePlugin.TiffImageFile),
)

_STRANGERS = (
    (_starts(b"\0\5\x16\7"), "a macOS side file (AppleDouble), not a picture; delete it"),
    (lambda start: start[:9].lower().startswith((b"<!doctype", b"<html")), "an HTML page, probably a failed download"),
    (lambda start: start[4:8] == b"ftyp" and start[8:12] in (b"heic", b"heix", b"mif1", b"msf1"), "HEIC; save it as JPEG first"),
    (lambda start: start[4:12] in (b"ftypavif", b"ftypavis"), "AVIF; save it as PNG or JPEG first"),
    (_starts(b"%PDF"), "a PDF; save the page as PNG first"),
    (_starts(b"<svg", b"<?xml"), "SVG or XML; save it as PNG first"),
    (_starts(b"PK\3\4", b"\x1f\x8b"), "an archive, not a picture; unpack it first"),
    (_starts(b"version https://git-lfs"), "a Git LFS pointer; run `git lfs pull`"),
)

_TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}
