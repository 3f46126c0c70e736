"""Pictures reach published weights as their publisher prepares them."""

from __future__ import annotations

import numpy as np
import pytest

from zoo import predict
from zoo.data.decode import resize


def _image(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_the_centre_of_a_picture_of_256_is_its_middle_224():
    """0.875: nothing is resampled, so it must be those very pixels."""
    image = _image(256, 256)
    np.testing.assert_array_equal(resize(image, 224, "crop", crop=0.875), image[16:240, 16:240])
    np.testing.assert_array_equal(resize(image, 256, "crop"), image)


def test_the_crop_is_measured_on_the_shorter_side():
    image = _image(256, 400)
    np.testing.assert_array_equal(resize(image, 224, "crop", crop=0.875), image[16:240, 88:312])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crop": 0.0}, "crop must be in"),
        ({"crop": 1.5}, "crop must be in"),
        ({"interpolation": "cubic"}, "interpolation must be one of .*bicubic"),
    ],
)
def test_impossible_preparations_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        resize(_image(8, 8), 4, "crop", **options)


def test_filters_differ():
    image = _image(64, 64)
    small = {name: resize(image, 16, interpolation=name) for name in ("nearest", "bilinear", "bicubic")}
    assert not np.array_equal(small["bilinear"], small["bicubic"])
    assert set(small["nearest"].ravel()) <= set(image.ravel())
    np.testing.assert_array_equal(small["bilinear"], resize(image, 16))


@pytest.mark.parametrize(
    ("row", "tag", "size", "crop"),
    [
        ("mobilenet_025", "imagenet_160", (160, 160), 0.875),
        ("mobilenet_v2_torchvision", "imagenet1k_v2", (224, 224), 224 / 232),
    ],
)
def test_a_published_tag_brings_its_size_crop_and_filter(monkeypatch, row, tag, size, crop):
    monkeypatch.setattr("zoo.weights.fill", lambda *_, **__: None)
    predictor = predict.from_registry(row, tag)
    assert (predictor.size, predictor.how, predictor.crop, predictor.interpolation) == (size, "crop", crop, "bilinear")
    assert predictor.classes[285] == "Egyptian cat"
    image = _image(300, 300)
    expected = resize(image, size, "crop", crop=crop).astype("float32")
    np.testing.assert_array_equal(predictor.prepare([image])[0], expected)


def test_random_weights_squash_as_before():
    predictor = predict.from_registry("small_cnn_micro")
    assert (predictor.how, predictor.crop) == ("squash", 1.0)
