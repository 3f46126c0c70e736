"""Augmentation against PIL and scipy, identities, and its own statistics."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance

from zoo.data import augment
from zoo.data.augment import Augment

OFF = {"flip": False, "shift": 0.0, "zoom": 0.0}
STRENGTHS = {
    "flip": True,
    "flip_vertical": True,
    "shift": 0.3,
    "zoom": 0.5,
    "rotate": 45.0,
    "crop": 0.6,
    "brightness": 0.5,
    "contrast": 0.5,
    "saturation": 0.8,
    "hue": 0.3,
    "erase": 1.0,
}


@pytest.fixture(scope="module")
def photo():
    """A smooth coloured picture, 40 x 56, with room to either end of the range."""
    y, x = np.mgrid[:40, :56]
    channels = [120 + 80 * np.sin(x / 9 + k) * np.cos(y / (7 + k)) for k in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).integers(0, 256, (4, 24, 32, 3), dtype=np.uint8)


def batch(image):
    return tf.cast(image, tf.float32)[None]


@pytest.mark.parametrize("name", STRENGTHS)
def test_each_change_changes_keeps_the_range_and_repeats(name, photo):
    change = Augment(**{**OFF, name: STRENGTHS[name]})
    results = np.stack([change(photo, (7, i)).numpy() for i in range(12)])
    assert results.dtype == np.float32
    assert results.shape == (12, *photo.shape)
    assert results.min() >= 0
    assert results.max() <= 255
    assert any(np.abs(result - photo).max() > 5 for result in results)
    assert any(np.abs(results[0] - result).max() > 5 for result in results[1:])
    np.testing.assert_array_equal(results[5], change(photo, (7, 5)).numpy())


def test_all_changes_at_once_keep_the_range(noise):
    change = Augment(**STRENGTHS)
    result = change.apply(noise, tf.stack([change.draws((0, i)) for i in range(len(noise))])).numpy()
    assert np.isfinite(result).all()
    assert result.min() >= 0
    assert result.max() <= 255


def test_all_off_is_the_identity(photo):
    np.testing.assert_array_equal(Augment(**OFF)(photo, (1, 2)).numpy(), photo)


@pytest.mark.parametrize("name", [name for name in STRENGTHS if name not in ("flip", "flip_vertical")])
def test_a_vanishing_strength_is_nearly_the_identity(name, photo):
    result = Augment(**{**OFF, name: 1e-9})(photo, (1, 2)).numpy()
    np.testing.assert_allclose(result, photo, atol=1e-2)


def test_an_image_of_one_pixel(photo):
    result = Augment(**STRENGTHS)(photo[:1, :1], (1, 2)).numpy()
    assert result.shape == (1, 1, 3)
    assert np.isfinite(result).all()


@pytest.mark.parametrize(("scale", "axis"), [("scale_x", 1), ("scale_y", 0)])
def test_flip_is_exact_and_twice_the_identity(photo, scale, axis):
    mirror = augment.affine(photo.shape, **{scale: -1.0})
    once = augment.warp(batch(photo), mirror)
    np.testing.assert_array_equal(once[0].numpy(), np.flip(photo, axis))
    np.testing.assert_array_equal(augment.warp(once, mirror)[0].numpy(), photo)


def test_shift_by_whole_pixels_moves_them_and_reflects_the_border(photo):
    moved = augment.warp(batch(photo), augment.affine(photo.shape, shift_x=5.0, shift_y=-3.0))[0].numpy()
    padded = np.pad(photo, ((8, 8), (8, 8), (0, 0)), mode="symmetric")
    np.testing.assert_allclose(moved, padded[5:45, 13:69], atol=1e-3)


def test_a_quarter_turn_is_numpys_rot90(photo):
    square = photo[:, :40]
    turned = augment.warp(batch(square), augment.affine(square.shape, degrees=90.0))[0].numpy()
    np.testing.assert_allclose(turned, np.rot90(square), atol=1e-2)


@pytest.mark.parametrize(
    ("numbers"), [{"degrees": 20.0}, {"scale_x": 0.7, "scale_y": 1.3}, {"degrees": -35.0, "scale_x": 0.8, "shift_x": 2.5, "shift_y": 1.0}]
)
def test_warp_equals_scipys_affine_transform(photo, numbers):
    ndimage = pytest.importorskip("scipy.ndimage", reason="the oracle; install the projects extra")
    values = {"degrees": 0.0, "scale_x": 1.0, "scale_y": 1.0, "shift_x": 0.0, "shift_y": 0.0, **numbers}
    turn = math.radians(values["degrees"])
    # On (row, column) coordinates: scale first, then turn, then shift, all about the centre.
    rotation = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    matrix = rotation @ np.diag([values["scale_y"], values["scale_x"]])
    centre = (np.array(photo.shape[:2]) - 1) / 2
    offset = centre + [values["shift_y"], values["shift_x"]] - matrix @ centre
    wanted = np.stack(
        [ndimage.affine_transform(photo[..., k].astype(float), matrix, offset, order=1, mode="reflect") for k in range(3)], axis=-1
    )
    result = augment.warp(batch(photo), augment.affine(photo.shape, **numbers))[0].numpy()
    np.testing.assert_allclose(result[4:-4, 4:-4], wanted[4:-4, 4:-4], atol=0.05)


def test_constant_fill_is_grey_and_reflect_fill_is_not(photo):
    away = augment.affine(photo.shape, shift_x=200.0)
    assert (augment.warp(batch(photo), away, "constant").numpy() == 127.5).all()
    assert augment.warp(batch(photo), away, "reflect").numpy().std() > 10


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0, 1.4])
@pytest.mark.parametrize(
    ("enhance", "change"),
    [
        (ImageEnhance.Brightness, lambda images, factor: augment.recolour(images, augment.colour_matrix(brightness=factor))),
        (ImageEnhance.Color, lambda images, factor: augment.recolour(images, augment.colour_matrix(saturation=factor))),
        (ImageEnhance.Contrast, lambda images, factor: augment.stretch(images, [factor])),
    ],
    ids=["brightness", "saturation", "contrast"],
)
def test_colour_equals_pil(photo, enhance, change, factor):
    wanted = np.asarray(enhance(Image.fromarray(photo)).enhance(factor), np.float32)
    # PIL rounds its grey and its result to whole numbers.
    np.testing.assert_allclose(change(batch(photo), factor)[0].numpy(), wanted, atol=2.0)


@pytest.mark.parametrize("turn", [0.3, 2 * math.pi / 3, math.pi])
def test_hue_turns_keep_perceived_brightness_and_come_back(turn):
    pale = np.random.default_rng(1).uniform(110, 140, (1, 8, 8, 3)).astype(np.float32)
    turned = augment.recolour(pale, augment.colour_matrix(turn=turn))
    assert np.abs(turned.numpy() - pale).max() > 3
    np.testing.assert_allclose(turned.numpy() @ augment.LUMA, pale @ augment.LUMA, atol=0.05)
    np.testing.assert_allclose(augment.recolour(turned, augment.colour_matrix(turn=-turn)).numpy(), pale, atol=0.05)
    np.testing.assert_allclose(augment.recolour(pale, augment.colour_matrix(turn=2 * math.pi)).numpy(), pale, atol=0.05)


def test_grey_has_no_hue_and_no_saturation():
    grey = np.full((1, 2, 2, 3), 90, np.float32)
    matrix = augment.colour_matrix(turn=1.0, saturation=1.7)
    np.testing.assert_allclose(augment.recolour(grey, matrix).numpy(), grey, atol=0.05)


def test_erased_rectangle_is_where_it_was_asked_for(photo):
    result = augment.paint_out(batch(photo), [[0.25, 0.5, 0.75, 1.0]])[0].numpy()
    wanted = photo.astype(np.float32)
    wanted[20:, 14:42] = 127.5
    np.testing.assert_array_equal(result, wanted)


def test_the_draws_are_spread_as_the_fields_promise():
    """Means over 400 keys: half are flipped, shifts go both ways, brightness is fair, erased areas lie in their bounds."""
    ramp = np.tile(np.linspace(60, 160, 33, dtype=np.float32)[None, :, None], (33, 1, 3))
    keys = range(400)

    def results(**fields):
        change = Augment(**{**OFF, **fields})
        draws = tf.stack([change.draws((11, i)) for i in keys])
        return change.apply(np.repeat(ramp[None], 400, 0), draws).numpy()

    flipped = results(flip=True)
    assert 0.42 < (flipped[:, 0, 0, 0] > 100).mean() < 0.58
    centres = results(shift=0.2)[:, 16, 16, 0]
    assert abs(centres.mean() - 110) < 2
    # The ramp rises 100 over 32 pixels, and the centre is read from up to 0.2 * 33 pixels away.
    assert 0.9 < np.ptp(centres) / (2 * 0.2 * 33 * 100 / 32) <= 1.001
    bright = results(brightness=0.3).mean(axis=(1, 2, 3)) / ramp.mean()
    assert abs(bright.mean() - 1) < 0.03
    assert 0.7 <= bright.min() < 0.75
    assert 1.25 < bright.max() <= 1.3001
    zoomed = results(zoom=0.5)
    slopes = (zoomed[:, 16, 20, 0] - zoomed[:, 16, 12, 0]) / (ramp[16, 20, 0] - ramp[16, 12, 0])
    assert 1 / 1.5 - 1e-3 <= slopes.min() < 0.72
    assert 1.4 < slopes.max() <= 1.5 + 1e-3
    erased = (results(erase=0.5) == 127.5).all(axis=-1).mean(axis=(1, 2))
    assert 0.4 < (erased > 0).mean() < 0.6
    assert erased.max() < 0.24


def test_crop_shows_only_the_inside_of_the_image():
    """A crop never reads beyond the border: coordinates written as colours stay within the image and cover less than all."""
    y, x = np.mgrid[:64, :64].astype(np.float32)
    image = np.stack([x, y, x * 0], axis=-1)
    change = Augment(**{**OFF, "crop": 0.75})
    for i in range(40):
        result = change(image, (3, i)).numpy()
        spans = [result[..., axis].max() - result[..., axis].min() for axis in (0, 1)]
        assert (np.diff(result[..., 0], axis=1) > 0).all(), "the crop reflected the border"
        assert spans[0] * spans[1] / 63**2 >= 0.25 - 0.02


def test_a_change_switched_off_leaves_the_others_where_they_were(photo):
    both = Augment(**{**OFF, "shift": 0.3, "brightness": 0.2})(photo, (5, 6)).numpy()
    one = Augment(**{**OFF, "shift": 0.3})(photo, (5, 6)).numpy()
    ratio = both / one
    assert np.ptp(ratio[both < 254]) < 1e-3


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"shift": 1.5}, "shift"),
        ({"zoom": -0.1}, "zoom"),
        ({"hue": 0.6}, "hue"),
        ({"erase": 2}, "erase"),
        ({"rotate": float("nan")}, "rotate"),
        ({"fill": "wrap"}, "'reflect' or 'constant'"),
    ],
)
def test_impossible_strengths_are_refused_by_name(fields, message):
    with pytest.raises(ValueError, match=message):
        Augment(**fields)


def test_promises_and_perils_are_pictures_of_the_same_size(photo):
    good, bad = augment.promises(photo), augment.perils(photo)
    assert not set(good) & set(bad)
    for picture in (*good.values(), *bad.values()):
        assert picture.dtype == np.uint8
        assert picture.shape == photo.shape
        assert np.abs(picture.astype(int) - photo).max() > 5
    np.testing.assert_array_equal(bad["upside down"], photo[::-1])
    with pytest.raises(ValueError, match=r"\(height, width, 3\)"):
        augment.perils(photo[..., 0])
