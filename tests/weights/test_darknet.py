"""Darknet's files: the published counts of its networks, real weights against OpenCV's own reader, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.weights import opencv_darknet as opencv
from zoo.weights import darknet

MIRROR = os.environ.get("ZOO_MIRROR", "")
HEAD = "[net]\nwidth=64\nheight=64\nchannels=3\n"


def _conv(filters: int, size: int, stride: int = 1, activation: str = "leaky", **options) -> str:
    norm = "" if activation == "linear" else "batch_normalize=1\n"
    more = "".join(f"{key}={value}\n" for key, value in options.items())
    return f"[convolutional]\n{norm}filters={filters}\nsize={size}\nstride={stride}\npad=1\nactivation={activation}\n{more}"


def _part(kind: str, **options) -> str:
    return f"[{kind}]\n" + "".join(f"{key.rstrip('_')} = {value}\n" for key, value in options.items())


def _yolo(mask: str, anchors: str, classes: int) -> str:
    return _conv(3 * (5 + classes), 1, activation="linear") + _part("yolo", mask=mask, anchors=anchors, classes=classes, num=9)


def yolov3_text(classes: int = 80, spp: bool = False) -> str:
    """The paper's table 1 and section 2.3 in darknet's language, without the classifier: 107 layers, 114 with pyramid pooling."""
    text, anchors = HEAD + _conv(32, 3), "10,13, 16,30, 33,23, 30,61, 62,45, 59,119, 116,90, 156,198, 373,326"
    for width, depth in ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4)):
        text += _conv(width, 3, 2)
        text += depth * (_conv(width // 2, 1) + _conv(width, 3) + _part("shortcut", from_="-3", activation="linear"))
    for number, (width, mask, tap) in enumerate(((512, "6,7,8", None), (256, "3,4,5", 61), (128, "0,1,2", 36))):
        if tap is not None:
            text += _part("route", layers="-4") + _conv(width, 1) + _part("upsample", stride=2) + _part("route", layers=f"-1, {tap}")
        pair = _conv(width, 1) + _conv(2 * width, 3)
        text += pair + _conv(width, 1)
        if spp and number == 0:
            pools = "".join(_part("maxpool", stride=1, size=side) + _part("route", layers="-2" if side == 5 else "-4") for side in (5, 9))
            text += pools + _part("maxpool", stride=1, size=13) + _part("route", layers="-1,-3,-5,-6") + _conv(width, 1)
        text += _conv(2 * width, 3) + _conv(width, 1) + _conv(2 * width, 3) + _yolo(mask, anchors, classes)
    return text


def _counted(text: str) -> int:
    with keras.StatelessScope(initialize_variables=False):
        count = sum(int(np.prod(weight.shape)) for weight in darknet.build(text).trainable_weights)
    keras.utils.clear_session()
    return count


@pytest.mark.parametrize(("classes", "spp", "count"), [(80, False, 61_949_149), (20, False, 61_626_049), (80, True, 62_998_749)])
def test_yolov3_has_its_published_number_of_parameters(classes, spp, count):
    assert _counted(yolov3_text(classes, spp)) == count


# --- real weights


def _xl() -> Path:
    path = Path(MIRROR, opencv.CFG)
    if not MIRROR or not path.is_file() or "ZOO_DATA" not in os.environ:
        pytest.skip("ZOO_MIRROR and ZOO_DATA do not hold YOLO-Fastest and its pictures")
    return path


def test_the_real_network_says_what_opencv_says():
    """Every row that either of the two thinks to be an object, before any suppression."""
    cfg = _xl()
    pytest.importorskip("cv2", reason="the frames of the road video are read with OpenCV")
    model = darknet.load(cfg, cfg.with_suffix(".weights"))
    assert model.count_params() == 923_486
    answers, pictures = np.load(opencv.ANSWERS), opencv.pictures()
    out = model.predict(np.stack(list(pictures.values())), verbose=0)
    rows = 0
    for name, boxes, logits in zip(pictures, out["boxes"], out["scores"], strict=True):
        index, scores = answers[f"{name}:index"], 1 / (1 + np.exp(-logits.astype("float64")))
        assert set(np.flatnonzero(scores.max(1) >= opencv.LEAST + 1e-3)) <= set(index), name
        np.testing.assert_allclose(boxes[index], answers[f"{name}:boxes"], rtol=0, atol=1, err_msg=name)
        theirs = answers[f"{name}:scores"]
        np.testing.assert_allclose(np.where(scores[index] > 0.002, scores[index], 0), np.where(scores[index] > 0.002, theirs, 0), atol=1e-3)
        rows += len(index)
    assert rows > 100
    cat = dict(zip(pictures, out["scores"], strict=True))["cat.bmp"]
    assert cat.max(0).argmax() == 15, "COCO's class 15 is the cat"


# --- what a small network computes, by hand


def _filled(text: str, values: np.ndarray, tmp_path, header: bytes | None = None):
    path = tmp_path / "net.weights"
    path.write_bytes((header or np.array([0, 2, 5, 0, 0], "<i4").tobytes()) + values.astype("<f4").tobytes())
    model = darknet.build(text)
    darknet.fill(model, path)
    return model


def _convolved(x, kernel, stride: int):
    """(h, w, c) and (out, in, k, k) -> (h', w', out) with k // 2 zeros on every side: a loop over places."""
    border = kernel.shape[-1] // 2
    x = np.pad(x, ((border, border), (border, border), (0, 0)))
    k = kernel.shape[-1]
    places = [range(0, side - k + 1, stride) for side in x.shape[:2]]
    return np.array([[np.einsum("hwc,ochw->o", x[i : i + k, j : j + k], kernel) for j in places[1]] for i in places[0]])


@pytest.mark.backend
def test_a_small_network_by_hand(tmp_path):
    """Order and layout of the file, padding at stride 2, the normalisation, the leak, a group, a pooling of 2 at step 1, a shortcut."""
    text = "[net]\nwidth=6\nheight=5\nchannels=3\n" + _conv(4, 3, 2) + _conv(4, 3, activation="linear", groups=2)
    text += _part("maxpool", size=2, stride=1) + _part("shortcut", from_="-3", activation="linear")
    random = np.random.default_rng(0)
    beta, gamma, mean, variance = random.normal(size=4), random.uniform(0.5, 2, 4), random.normal(size=4), random.uniform(0.5, 2, 4)
    first, bias, second = random.normal(size=(4, 3, 3, 3)), random.normal(size=4), random.normal(size=(4, 2, 3, 3))
    model = _filled(text, np.concatenate([part.ravel() for part in (beta, gamma, mean, variance, first, bias, second)]), tmp_path)
    image = random.uniform(0, 255, (5, 6, 3))
    a = (_convolved(image / 255, first, 2) - mean) / np.sqrt(variance) * gamma + beta
    a = np.where(a > 0, a, 0.1 * a)
    b = np.concatenate([_convolved(a[..., :2], second[:2], 1), _convolved(a[..., 2:], second[2:], 1)], -1) + bias
    c = np.array([[b[i : i + 2, j : j + 2].max((0, 1)) for j in range(b.shape[1])] for i in range(b.shape[0])])
    out = keras.ops.convert_to_numpy(model(image[None].astype("float32")))[0]
    np.testing.assert_allclose(out, c + a, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[convolutional]\nfilters=1", r"begins with the section \[net\]"),
        (HEAD + "[gru]\n", r"\[gru\] at line 5 \(layer 0\) is not known here; known are convolutional"),
        (HEAD + _conv(4, 3, antialiasing=1), "has options that are not known here: antialiasing"),
        (HEAD + _conv(4, 3, activation="elu"), "has the activation 'elu', known are linear, leaky"),
        (HEAD + _conv(4, 3, groups=2), "2 groups, which do not divide its 3 input"),
        (HEAD + _part("maxpool", size=3, stride=2), "pools windows of 3 at steps of 2"),
        (HEAD + _conv(4, 3) + _part("route", layers="-2"), r"points to layer -1, and only 0 to 0"),
        (HEAD + _conv(4, 3) + _conv(4, 3, 2) + _part("route", layers="-1,0"), r"joins maps of sizes \[\(32, 32\), \(64, 64\)\]"),
        (HEAD + _conv(4, 3) + _conv(5, 3) + _part("shortcut", from_="-2"), "only equal ones can be added"),
        (HEAD + _conv(7, 1) + _part("yolo", mask="0", anchors="1,1", classes=3), r"1 anchors of 5 \+ 3 numbers from a map of 7"),
        (HEAD + _part("maxpool", size=3, stride=3), "pools windows of 3 at steps of 3"),
        (HEAD + _conv(4, 3, groups=0), "wants at least 1 for groups, got 0"),
        (HEAD + "[convolutional]\nfilters=2.7\n", r"wants whole numbers for filters, got 2\.7"),
        (HEAD + "[convolutional]\nfilters=inf\n", "wants a finite number for filters, got 'inf'"),
        (HEAD + _conv(8, 1) + _part("yolo", mask="1", anchors="1,1", classes=3), r"has the mask \[1\], and only anchors 0 to 0"),
        (HEAD + _conv(8, 1) + _part("yolo", mask="-1", anchors="1,1", classes=3), r"has the mask \[-1\]"),
        (HEAD + _conv(8, 1) + _part("yolo", mask="0", anchors="1,1,2", classes=3), "wants anchors as pairs"),
        (HEAD + "[convolutional]\nsize=x\n", "wants a number for size, got 'x'"),
        ("[net]\nfilters 3\n", "neither a .section. nor name=value"),
    ],
)
def test_what_is_not_known_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        darknet.build(text)


def test_anchors_keep_their_fractions():
    model = darknet.build(HEAD + _conv(8, 1, 8) + _part("yolo", mask="0", anchors="10.75, 13.5", classes=3))
    assert model.get_layer("boxes").anchors == [[[10.75, 13.5]]]


def test_files_that_do_not_fit_are_refused_and_change_nothing(tmp_path):
    text = HEAD + _conv(2, 1)
    model = _filled(text, np.arange(14), tmp_path)
    before = model.get_weights()
    for values in (np.zeros(13), np.zeros(15)):
        with pytest.raises(ValueError, match=r"holds 1[35] numbers, the cfg asks for 14"):
            _filled(text, values, tmp_path)
    (tmp_path / "net.weights").write_bytes(b"<!DOCTYPE html>      not found")
    with pytest.raises(ValueError, match="is no weights file of darknet"):
        darknet.fill(model, tmp_path / "net.weights")
    for mine, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, old)


def test_the_old_header_is_shorter(tmp_path):
    model = _filled(HEAD + _conv(2, 1), np.arange(14), tmp_path, np.array([0, 1, 0, 0], "<i4").tobytes())
    np.testing.assert_array_equal(model.get_layer("layer0_norm").beta, [0, 1])
