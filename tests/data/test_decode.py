"""Decoding against what was drawn, TensorFlow's decoders, tifffile and Pillow's own EXIF turn; refusals by their reason."""

from __future__ import annotations

import io
import struct
import threading
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageFile, ImageOps

from zoo.data.decode import OWN_FILE, UPLOAD, ImageError, decode, examine, resize, sniff


def pattern(height=12, width=17) -> np.ndarray:
    """Every pixel differs from its mirror images, so no turn goes unnoticed."""
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def encoded(image, format="PNG", **options) -> bytes:
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, format, **options)
    return file.getvalue()


def png(width: int, height: int, bits: int = 8, colour: int = 0) -> bytes:
    """The header of a PNG of any size, with next to no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


def reason(source, **options) -> str:
    with pytest.raises(ImageError) as caught:
        decode(source, **options)
    assert str(caught.value).endswith(caught.value.reason)
    assert "\n" not in caught.value.reason
    return caught.value.reason


REFUSED = {
    "empty": (b"", "empty file"),
    "html": (b"\n<!DOCTYPE html><html>404</html>", "an HTML page"),
    "html without doctype": (b"<HTML><body>", "an HTML page"),
    "macos side file": (b"\0\5\x16\7\0\2\0\0" + b"\0" * 100, "macOS"),
    "heic": (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC; save it as JPEG"),
    "avif": (b"\0\0\0\x18ftypavif\0\0\0\0", "AVIF; save it as PNG"),
    "pdf": (b"%PDF-1.7", "a PDF"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
    "zip": (b"PK\3\4" + b"\0" * 50, "an archive"),
    "lfs pointer": (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    "postscript, which Pillow alone would run": (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not a picture"),
    "text": (b"hello", "not a picture"),
    "header only": (b"\x89PNG\r\n\x1a\n", "truncated or damaged PNG"),
    "jpeg magic only": (b"\xff\xd8\xff", "truncated or damaged JPEG"),
    "too many pixels": (png(5001, 5000), "5001x5000 pixels, more than the limit of 25 million"),
    "beyond Pillow's warning": (png(12_000, 12_000, bits=1), "12000x12000 pixels, more than"),
    "beyond Pillow's error": (png(60_000, 60_000, bits=1), "60000x60000 pixels, more than"),
    "too long": (png(8193, 9), "8193x9 pixels, longer than the limit of 8192"),
    "too small": (png(7, 8), "7x8 pixels, less than 8 on a side"),
    "tiff from outside": (encoded(pattern(), "TIFF"), "TIFF is not accepted here"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_gives_one_reason(case):
    data, expected = REFUSED[case]
    assert expected in reason(data)


def test_a_path_is_named_and_a_missing_one_too(tmp_path):
    for name, data in {"._1.jpg": b"\0\5\x16\7", "page.jpg": b"<html>", "empty.png": b""}.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ImageError, match=name.replace(".", r"\.")):
            decode(tmp_path / name)
    assert reason(tmp_path / "gone.jpg") == "no such file"
    assert "folder" in reason(tmp_path)


def test_the_limit_on_bytes_holds_for_paths_bytes_and_streams(tmp_path):
    data = encoded(pattern())
    (tmp_path / "a.png").write_bytes(data)
    for source in (tmp_path / "a.png", data, io.BytesIO(data)):
        assert "more than the limit" in reason(source, max_bytes=len(data) - 1)
    for source in (tmp_path / "a.png", data, io.BytesIO(data)):
        np.testing.assert_array_equal(decode(source, max_bytes=len(data)), pattern())


def test_limits_can_be_replaced_one_by_one():
    data = encoded(pattern(20, 30))
    assert "more than the limit of 0.000599 million" in reason(data, max_pixels=599)
    assert "longer than the limit of 29" in reason(data, max_side=29)
    assert decode(data, max_pixels=600, max_side=30).shape == (20, 30, 3)
    assert decode(encoded(pattern(1, 1)), limits=OWN_FILE).shape == (1, 1, 3)
    assert "TIFF" not in UPLOAD.formats
    assert decode(encoded(pattern(), "TIFF"), limits=OWN_FILE).shape == (12, 17, 3)


@pytest.mark.parametrize("fraction", [0.02, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_truncated_files_are_refused(format, fraction):
    data = encoded(pattern(64, 64), format)
    cut = data[: int(len(data) * fraction)]
    assert "truncated or damaged" in reason(cut) or "not a picture" in reason(cut)


def test_a_jpeg_without_its_end_is_refused():
    assert "truncated" in reason(encoded(pattern(), "JPEG")[:-2])


@pytest.mark.parametrize(
    ("format", "options"), [("PNG", {}), ("BMP", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("WEBP", {"lossless": True})]
)
def test_lossless_formats_give_back_what_was_drawn(format, options, tmp_path):
    (tmp_path / "a.wrong").write_bytes(encoded(pattern(), format, **options))
    image, facts = examine(tmp_path / "a.wrong")
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert facts.format == format
    np.testing.assert_array_equal(image, pattern())


def test_pixels_equal_tensorflow_decoders():
    tf = pytest.importorskip("tensorflow")
    smooth = np.array(Image.fromarray(pattern()).resize((61, 47), Image.Resampling.BICUBIC))
    for subsampling in (0, 2):
        data = encoded(smooth, "JPEG", quality=90, subsampling=subsampling)
        expected = tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE", fancy_upscaling=True).numpy()
        np.testing.assert_array_equal(decode(data), expected)
    for data in (encoded(smooth), encoded(Image.fromarray(smooth).convert("L")), encoded(Image.fromarray(smooth).convert("P"))):
        np.testing.assert_array_equal(decode(data), tf.io.decode_png(data, channels=3).numpy())
    np.testing.assert_array_equal(decode(encoded(smooth, "BMP")), tf.io.decode_bmp(encoded(smooth, "BMP"), channels=3).numpy())
    deep = np.random.default_rng(1).integers(0, 65536, (20, 30)).astype(np.uint16)
    stored = tf.io.encode_png(deep[..., None]).numpy()
    np.testing.assert_array_equal(decode(stored)[..., 0], np.rint(deep / 65535 * 255))


def test_sixteen_bit_gray_keeps_its_contrast():
    ramp = np.tile(np.arange(0, 65536, 257, dtype=np.uint16), (9, 1))
    np.testing.assert_array_equal(decode(encoded(Image.fromarray(ramp))), np.tile(np.arange(256)[None, :, None], (9, 1, 3)))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 0.5], [0.25, 1]], np.float32), [[0, 128], [64, 255]]),
        (np.array([[0, 127.6], [3, 255]], np.float32), [[0, 128], [3, 255]]),
        (np.array([[0, 65535], [257, 514]], np.int32), [[0, 255], [1, 2]]),
        (np.array([[0, 65535], [257, 514]], np.uint16), [[0, 255], [1, 2]]),
        (np.array([[0, 65535], [257, 514]], ">u2"), [[0, 255], [1, 2]]),
    ],
)
def test_numbers_in_a_tiff_are_scaled(values, expected, tmp_path):
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "a.tif", values, byteorder=values.dtype.byteorder if values.dtype.byteorder == ">" else "<")
    np.testing.assert_array_equal(decode(tmp_path / "a.tif")[..., 0], expected)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, np.nan]], np.float32), "NaN or infinite"),
        (np.array([[0, np.inf]], np.float32), "NaN or infinite"),
        (np.array([[-1, 1]], np.float32), r"values from -1 to 1; gray numbers must lie in [0, 1] or [0, 255]"),
        (np.array([[0, 65536]], np.int32), "values from 0 to 65536; gray numbers must lie in [0, 65535]"),
    ],
)
def test_numbers_without_a_meaning_as_gray_are_refused(values, expected, tmp_path):
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "a.tif", values)
    assert expected in reason(tmp_path / "a.tif")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_applied_once(format, orientation, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}}.get(format, {})
    path = tmp_path / "a"
    path.write_bytes(encoded(pattern(), format, exif=exif, **options))
    with Image.open(path) as opened:
        expected = np.asarray(ImageOps.exif_transpose(opened))
    np.testing.assert_array_equal(decode(path), expected)
    if format != "JPEG" and orientation in (1, 3, 6, 8):  # and Pillow's answer is the one that was meant
        np.testing.assert_array_equal(np.rot90(decode(path), {1: 0, 3: 2, 6: 1, 8: -1}[orientation]), pattern())


def test_broken_exif_does_not_cost_the_picture():
    data = encoded(pattern(), "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    np.testing.assert_array_equal(decode(data), pattern())


def test_transparency_lies_on_white():
    alpha = np.zeros((8, 8, 4), np.uint8)
    alpha[..., 0] = 255  # hidden red
    alpha[:4, :, 3], alpha[4, :, 3] = 255, 51
    image = decode(encoded(alpha))
    np.testing.assert_array_equal(image[0, 0], (255, 0, 0))
    np.testing.assert_array_equal(image[4, 0], (255, 204, 204))  # a fifth of red over white
    np.testing.assert_array_equal(image[7, 7], (255, 255, 255))
    gray = np.full((8, 8, 2), 100, np.uint8)
    gray[..., 1] = 0
    assert (decode(encoded(Image.fromarray(gray, "LA"))) == 255).all()


@pytest.mark.parametrize("mode", ["P", "L", "RGB", "1"])
def test_a_transparent_colour_lies_on_white(mode):
    image = Image.new(mode, (8, 8), 0)
    image.paste(Image.new(mode, (4, 8), 1 if mode == "1" else "red" if mode == "RGB" else 7))
    if mode == "P":
        image.putpalette([9, 9, 9] * 256)
    key = {"RGB": (0, 0, 0)}.get(mode, 0)
    found = decode(encoded(image, transparency=key))
    assert (found[:, 4:] == 255).all()
    assert (found[:, :4] != 255).any() or mode == "1"


def test_a_transparent_sixteen_bit_value_lies_on_white():
    deep = np.full((8, 8), 5140, np.uint16)
    deep[0] = 257
    found = decode(encoded(Image.fromarray(deep), transparency=257))
    assert (found[0] == 255).all()
    assert (found[1:] == 20).all()


def test_palette_gray_bilevel_and_cmyk_become_rgb():
    rgb = Image.fromarray(np.repeat(np.repeat(pattern(2, 2), 8, 0), 8, 1))
    np.testing.assert_array_equal(decode(encoded(rgb.quantize(8))), np.asarray(rgb))
    np.testing.assert_array_equal(decode(encoded(rgb.convert("1")))[..., 1], np.asarray(rgb.convert("1").convert("L")))
    cmyk = decode(encoded(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "JPEG", quality=100))
    assert np.abs(cmyk.astype(int) - (0, 255, 255)).max() <= 3  # full cyan ink, no other


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_of_many(format, tmp_path):
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if format == "WEBP" else {}
    (tmp_path / "a").write_bytes(encoded(frames[0], format, save_all=True, append_images=frames[1:], **options))
    np.testing.assert_array_equal(decode(tmp_path / "a"), np.asarray(frames[0]))


def test_a_gif_frame_larger_than_its_canvas_is_measured():
    data = bytearray(encoded(Image.new("P", (16, 16)), "GIF"))
    at = data.index(b",\0\0\0\0\x10\0\x10\0")
    data[at + 5 : at + 9] = struct.pack("<HH", 60_000, 60_000)
    assert "60000x60000 pixels" in reason(bytes(data)) or "exceeds limit" in reason(bytes(data))


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_mutated_files_give_a_picture_or_an_image_error(format, tmp_path, capfd):
    """80 seeded mutations of each format: bytes changed, cut out, doubled. Limits keep what a forged header asks for small."""
    rng, path = np.random.default_rng(7), tmp_path / "a"
    exif = Image.Exif()
    exif[0x0112] = 6
    original = encoded(pattern(40, 40), format, **({"exif": exif} if format not in ("GIF", "BMP") else {}))
    outcomes = {"picture": 0, "error": 0}
    for _ in range(80):
        data = bytearray(original)
        for _ in range(rng.integers(1, 6)):
            at = int(rng.integers(len(data)))
            choice = rng.integers(3)
            if choice == 0:
                data[at] = int(rng.integers(256))
            elif choice == 1:
                del data[at : at + int(rng.integers(1, 30))]
            else:
                data[at:at] = data[at : at + 20]
            data = data or bytearray(b"\0")
        path.write_bytes(data)
        try:
            image = decode(path, max_pixels=1_000_000)
        except ImageError:
            outcomes["error"] += 1
        else:
            outcomes["picture"] += 1
            assert image.dtype == np.uint8
            assert image.ndim == 3
            assert image.shape[2] == 3
            assert image.size <= 3_000_000
    assert outcomes["error"] > 5


def test_threads_agree_and_leave_no_trace():
    settings = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters), warnings.showwarning)
    files = [encoded(pattern(40 + i, 60), "JPEG") for i in range(16)] + [b"", png(12_000, 12_000)]
    alone = [_outcome(data) for data in files]
    start = threading.Barrier(4)

    def work(_):
        start.wait()
        return [_outcome(data) for data in files]

    with ThreadPoolExecutor(4) as executor:
        for result in executor.map(work, range(4)):
            assert result == alone
    assert settings == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters), warnings.showwarning)


def test_the_error_travels_between_processes():
    import pickle

    error = pickle.loads(pickle.dumps(ImageError("empty file", "a.jpg")))
    assert (error.reason, error.name, str(error)) == ("empty file", "a.jpg", "a.jpg: empty file")
    assert str(ImageError("empty file")) == "empty file"


def test_sniff():
    assert sniff(encoded(pattern(), "WEBP")[:16]) == "WEBP"
    assert sniff(b"RIFF\0\0\0\0WAVE") is None
    assert sniff(b"") is None


@pytest.mark.parametrize("how", ["squash", "crop", "letterbox"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 1), (33, 20), (20, 33), (64, 64)])
def test_resize_keeps_a_plain_colour_and_the_asked_size(how, shape):
    plain = np.full((*shape, 3), (10, 200, 90), np.uint8)
    found = resize(plain, (24, 16), how)
    assert found.shape == (24, 16, 3)
    filled = (found == (10, 200, 90)).all(axis=2)
    assert (filled | (found == 114).all(axis=2)).all()
    assert filled.all() or how == "letterbox"


def test_resize_by_a_whole_factor_is_the_triangle_filter():
    """Reducing 4 times: each output pixel is the mean under a triangle 8 pixels wide, written out by hand away from the border."""
    image = pattern(32, 40)
    weights = 1 - np.abs(np.arange(8) - 3.5) / 4
    weights /= weights.sum()
    found = resize(image, (8, 10))
    for row, column in ((3, 4), (5, 2)):
        patch = image[row * 4 - 2 : row * 4 + 6, column * 4 - 2 : column * 4 + 6].astype(float)
        expected = np.einsum("ijc,i,j->c", patch, weights, weights)
        assert np.abs(found[row, column] - expected).max() <= 1


@pytest.mark.parametrize("side", range(40, 140))
def test_a_square_is_cropped_whole_whatever_its_side(side):
    """47 / (48 / 47) is a little more than 47 in binary, and no box may begin before the picture."""
    image = np.random.default_rng(side).integers(0, 256, (side, side, 3)).astype("uint8")
    np.testing.assert_array_equal(resize(image, 48, "crop"), resize(image, 48, "squash"))


def test_crop_takes_the_centre_and_letterbox_everything():
    image = np.zeros((10, 30, 3), np.uint8)
    image[:, 10:20] = 255
    assert (resize(image, 10, "crop") == 255).all()
    boxed = resize(image, (30, 30), "letterbox")
    np.testing.assert_array_equal(boxed[10:20], image)
    assert (boxed[:10] == 114).all()
    assert (boxed[20:] == 114).all()


def test_resize_to_the_same_size_is_a_copy():
    image = pattern()
    found = resize(image, image.shape[:2])
    np.testing.assert_array_equal(found, image)
    assert not np.shares_memory(found, image)


@pytest.mark.parametrize("image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8), [1]])
def test_resize_refuses_what_decode_does_not_make(image):
    with pytest.raises(ValueError, match="uint8 image"):
        resize(image, 4)


def test_resize_refuses_unknown_ways_and_sizes():
    with pytest.raises(ValueError, match='"squash", "crop" or "letterbox", got \'stretch\''):
        resize(pattern(), 4, "stretch")
    with pytest.raises(ValueError, match="at least 1x1 pixels, got 0x4"):
        resize(pattern(), (0, 4))


def _outcome(data: bytes):
    try:
        return decode(data).tobytes()
    except ImageError as error:
        return error.reason
