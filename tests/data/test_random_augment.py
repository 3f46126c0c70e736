"""Every random operation against PIL's, and the batch against its pictures one by one."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageOps

from zoo.data.random_augment import FACTOR, OPERATIONS, RandomAugment, moved, tones

PICTURE = (np.random.default_rng(0).uniform(0, 1, (24, 20, 3)) ** 2 * 200 + 20).astype("uint8")
STRENGTH = 0.7


def _ours(name, signed=STRENGTH):
    images = tf.constant(PICTURE[None], tf.float32)
    return tones(images, tf.constant([OPERATIONS.index(name)]), tf.constant([signed], tf.float32)).numpy()[0]


def _factor(signed):
    return 1 + FACTOR * signed


THEIRS = {
    "identity": lambda picture, signed: picture,
    "autocontrast": lambda picture, signed: ImageOps.autocontrast(picture),
    "equalize": lambda picture, signed: ImageOps.equalize(picture),
    "posterize": lambda picture, signed: ImageOps.posterize(picture, round(8 - 4 * abs(signed))),
    "solarize": lambda picture, signed: ImageOps.solarize(picture, round(256 * (1 - abs(signed)))),
    "contrast": lambda picture, signed: ImageEnhance.Contrast(picture).enhance(_factor(signed)),
    "brightness": lambda picture, signed: ImageEnhance.Brightness(picture).enhance(_factor(signed)),
    "saturation": lambda picture, signed: ImageEnhance.Color(picture).enhance(_factor(signed)),
    "sharpness": lambda picture, signed: ImageEnhance.Sharpness(picture).enhance(_factor(signed)),
}


@pytest.mark.parametrize("signed", [STRENGTH, -STRENGTH])
@pytest.mark.parametrize("name", list(THEIRS))
def test_tone_and_colour_equal_pil(name, signed):
    """PIL rounds its result down (less than 1) and, before it moves away from grey or from the smoothed picture, rounds that to whole
    levels (0.5 times the 0.63 that the factor differs from 1; the smoothed picture is rounded down, and then the sum)."""
    theirs = np.asarray(THEIRS[name](Image.fromarray(PICTURE), signed), np.float32)
    allowed = 2.0 if name == "sharpness" else 1.32
    assert np.abs(_ours(name, signed) - theirs).max() <= allowed
    if name != "identity":
        assert np.abs(theirs - PICTURE).mean() > 1, "the operation must do something for the comparison to mean anything"


@pytest.mark.parametrize(("name", "matrix"), [("shear_x", (1, 0.15, 0, 1)), ("shear_y", (1, 0, 0.15, 1))])
def test_shear_equals_pil(name, matrix):
    a, b, c, d = matrix
    x, y = (PICTURE.shape[1] - 1) / 2, (PICTURE.shape[0] - 1) / 2
    # PIL counts from the corner of a pixel, we from its centre.
    shift_x, shift_y = 0.5 - 0.5 * (a + b) - b * y + (1 - a) * x, 0.5 - 0.5 * (c + d) - c * x + (1 - d) * y
    theirs = Image.fromarray(PICTURE).transform((20, 24), Image.Transform.AFFINE, (a, b, shift_x, c, d, shift_y), Image.Resampling.BILINEAR)
    ours = moved(tf.constant(PICTURE[None], tf.float32), [tf.constant([OPERATIONS.index(name)])], [tf.constant([0.5])]).numpy()[0]
    inner = slice(5, -5)
    assert np.abs(ours - np.asarray(theirs, np.float32))[inner, inner].max() <= 1.01


def test_translation_and_rotation_of_two_layers_are_one_resampling():
    """Two shifts by the same amount are one of twice the amount, exactly on whole pixels away from the border."""
    images = tf.constant(PICTURE[None], tf.float32)
    which, way = [tf.constant([OPERATIONS.index("translate_x")])] * 2, [tf.constant([2 / 9])] * 2  # 0.45 * 20 * 2 / 9 = 2 pixels each
    shifted = moved(images, which, way).numpy()[0]
    np.testing.assert_allclose(shifted[:, :16], PICTURE[:, 4:].astype("float32"), atol=1e-3)  # grey levels of 255


def test_a_batch_is_its_pictures_one_by_one_and_follows_from_the_key():
    change = RandomAugment(0.9, layers=3)
    images = np.random.default_rng(1).integers(0, 256, (16, 12, 10, 3)).astype("uint8")
    draws = tf.stack([change.draws(tf.constant([5, index], tf.int64)) for index in range(16)])
    whole = change.apply(images, draws).numpy()
    assert whole.min() >= 0
    assert whole.max() <= 255
    for index in range(16):
        one = change.apply(images[index : index + 1], change.draws(tf.constant([5, index], tf.int64))[None]).numpy()[0]
        np.testing.assert_allclose(one, whole[index], atol=1e-3)
    assert len({round(float(np.abs(each - image).sum())) for each, image in zip(whole, images, strict=True)}) > 8


def test_no_strength_leaves_geometry_and_factors_alone():
    images = tf.constant(PICTURE[None], tf.float32)
    for name in ("rotate", "shear_x", "translate_y", "identity"):
        still = moved(images, [tf.constant([OPERATIONS.index(name)])], [tf.constant([0.0])])
        np.testing.assert_allclose(still.numpy()[0], PICTURE, atol=1e-3)


@pytest.mark.parametrize(("fields", "message"), [({"strength": 1.1}, "strength"), ({"strength": 0.5, "layers": 0}, "layers")])
def test_impossible_wishes_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        RandomAugment(**fields)
