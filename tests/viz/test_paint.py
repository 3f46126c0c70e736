"""Heat over image, pixel by pixel: opacity, place, scale of the colours, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib", reason="colours need matplotlib; install with the extra 'plots'")

from zoo import viz  # noqa: E402
from zoo.viz.paint import resized  # noqa: E402

RANDOM = np.random.default_rng(0)
IMAGE = RANDOM.integers(0, 256, (20, 30, 3), np.uint8)
HEAT = RANDOM.random((20, 30))


def colours(values, name="inferno"):
    return np.rint(matplotlib.colormaps[name](np.asarray([values]))[0, ..., :3] * 255).astype(np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (20, 30), (50, 40)])
def test_alpha_0_is_the_image_exactly(size):
    np.testing.assert_array_equal(viz.overlay(IMAGE, RANDOM.normal(size=size), alpha=0), IMAGE)


@pytest.mark.parametrize("name", ["inferno", "viridis"])
def test_alpha_1_is_the_colormap_exactly(name):
    heat = (HEAT / HEAT.max()).astype(np.float32)
    ours = viz.overlay(IMAGE, heat, alpha=1, colormap=name)
    np.testing.assert_array_equal(ours, colours(heat, name))
    np.testing.assert_array_equal(viz.heat(IMAGE, heat, colormap=name), ours)


def test_half_lies_between():
    image, full = IMAGE.astype(float), viz.heat(IMAGE, HEAT).astype(float)
    np.testing.assert_allclose(viz.overlay(IMAGE, HEAT, alpha=0.5), (image + full) / 2, atol=1.01)


@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 6), (6, 0), (6, 6), (2, 5)])
def test_a_hot_cell_paints_its_own_place(row, column):
    """The brightest pixels lie in the cell of the heat, for any size: a swapped axis or a shift by a cell would fail."""
    heat = np.zeros((7, 7))
    heat[row, column] = 1
    painted = viz.heat(np.zeros((70, 140, 3), np.uint8), heat).sum(axis=2)
    hottest = np.argwhere(painted == painted.max())
    assert (hottest // (10, 20) == (row, column)).all()
    assert painted[-1 - row * 10, -1 - column * 20] == painted.min()


def test_resizing_is_bilinear_with_pixel_centres_at_halves():
    small = RANDOM.normal(size=(4, 3)).astype(np.float32)
    places = [(np.arange(size * 5) + 0.5) / 5 - 0.5 for size in small.shape]
    rows = [np.interp(places[0], np.arange(4), small[:, column]) for column in range(3)]
    expected = [np.interp(places[1], np.arange(3), row) for row in np.stack(rows, axis=1)]
    np.testing.assert_allclose(resized(small, 20, 15), expected, atol=1e-6)


@pytest.mark.parametrize("value", [0.0, -3.0])
def test_a_constant_heat_that_is_not_positive_is_dark_everywhere(value):
    np.testing.assert_array_equal(viz.heat(IMAGE, np.full((2, 2), value)), np.broadcast_to(colours(0.0), IMAGE.shape))


def test_the_zero_of_a_heat_without_negative_values_stays_dark():
    heat = np.array([[0.0, 5.0]])
    painted = viz.heat(np.zeros((1, 2, 3), np.uint8), heat)
    np.testing.assert_array_equal(painted[0], [colours(0.0), colours(1.0)])
    np.testing.assert_array_equal(viz.heat(np.zeros((1, 2, 3), np.uint8), heat * 1e-9), painted)
    lifted = viz.heat(np.zeros((1, 2, 3), np.uint8), heat + 5)
    np.testing.assert_array_equal(lifted[0], [colours(0.5), colours(1.0)])


def test_gray_and_float_images_are_accepted():
    gray = IMAGE[..., 0]
    np.testing.assert_array_equal(viz.overlay(gray, HEAT, alpha=0), np.repeat(gray[..., None], 3, axis=2))
    np.testing.assert_array_equal(viz.overlay(IMAGE.astype(np.float32) + 0.2, HEAT, alpha=0), IMAGE)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: viz.overlay(IMAGE, HEAT, alpha=1.5), "alpha must be between 0 .* got 1.5"),
        (lambda: viz.overlay(IMAGE, HEAT[None]), r"a heat is an array \(h, w\), got shape \(1, 20, 30\)"),
        (lambda: viz.overlay(IMAGE, np.zeros((0, 3))), "a heat is an array"),
        (lambda: viz.overlay(IMAGE, np.array([[0.0, np.nan]])), "the heat holds 1 values that are NaN"),
        (lambda: viz.overlay(np.zeros((2, 2, 4)), HEAT), r"image\[0\] must be an image"),
    ],
)
def test_bad_input_is_told_what_is_wrong(call, message):
    with pytest.raises(ValueError, match=message):
        call()
