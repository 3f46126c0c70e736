"""Shares of heat that can be counted by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from zoo.explain import mass_inside, pointing, similarity

HEAT = np.array([[[1.0, 2.0], [3.0, 4.0]], [[0.0, -5.0], [1.0, 0.0]]])


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        (np.ones((2, 2, 2), bool), [1, 1]),
        (np.zeros((2, 2, 2), bool), [0, 0]),
        (np.array([[0, 1], [0, 1]]), [0.6, 0]),  # one mask for all; negative heat is none
        ([0, 0, 1, 2], [0.4, 1]),  # one box: the left column
        ([[0, 0, 2, 1], [0, 1, 1, 2]], [0.3, 1]),
        ([[[0, 0, 1, 1], [0, 0, 1, 2]], [[0, 0, 0, 0], [-1, -1, -1, -1]]], [0.4, 0]),  # overlap counts once, padding nothing
        ([-9, -9, 9, 9], [1, 1]),
        ([0.6, 0, 2, 2], [0.6, 0]),  # the left centres, at x = 0.5, are outside
    ],
)
def test_counted_by_hand(region, expected):
    np.testing.assert_allclose(mass_inside(HEAT, region), expected)


def test_no_heat_is_neither_inside_nor_outside():
    np.testing.assert_array_equal(mass_inside(np.zeros((1, 1)), np.ones((1, 1))), [np.nan])


def test_uniform_heat_gives_the_area():
    np.testing.assert_allclose(mass_inside(np.full((10, 20), 0.1), [0, 0, 5, 10]), [0.25])


@given(st.integers(0, 2**31), st.integers(1, 9), st.integers(1, 9))
def test_inside_and_outside_add_up_to_one(seed, height, width):
    random = np.random.default_rng(seed)
    heat, mask = random.uniform(0.1, 1, (3, height, width)), random.integers(0, 2, (3, height, width)).astype(bool)
    np.testing.assert_allclose(mass_inside(heat, mask) + mass_inside(heat, ~mask), np.ones(3))


@pytest.mark.parametrize(
    ("heat", "region"), [(np.ones(3), np.ones(3)), (np.ones((2, 3, 3)), np.ones((3, 3, 3))), (np.ones((2, 3, 3)), np.ones((5, 4)))]
)
def test_shapes_that_do_not_match(heat, region):
    with pytest.raises(ValueError, match="got shape"):
        mass_inside(heat, region)


@pytest.mark.parametrize(
    ("region", "tolerance", "expected"),
    [
        ([0, 0, 1, 1], 0, 1),  # the maximum is in the upper left pixel
        ([1, 0, 2, 1], 0, 0),
        ([1, 0, 2, 1], 1, 1),  # one pixel away
        ([1, 1, 2, 2], 1, 0),  # a diagonal is 1.41 away
        ([1, 1, 2, 2], 1.5, 1),
        ([0, 0, 0, 0], 9, 0),  # no area, no hit
        (np.array([[0, 0, 0], [0, 0, 0], [0, 0, 1]]), 2, 0),
        (np.array([[0, 0, 0], [0, 0, 0], [0, 0, 1]]), 3, 1),
    ],
)
def test_pointing_by_hand(region, tolerance, expected):
    heat = np.array([[5.0, 1, 0], [4, -9, 0], [0, 0, 0]])
    np.testing.assert_array_equal(pointing(heat, region, tolerance), [expected])


def test_pointing_without_heat_and_by_chance():
    np.testing.assert_array_equal(pointing(np.zeros((1, 3, 3)), [0, 0, 3, 3]), [np.nan])
    heat = np.random.default_rng(0).random((4000, 8, 8))
    assert pointing(heat, np.tile([0.0, 0, 4, 2], (4000, 1))).mean() == pytest.approx(8 / 64, abs=0.02)
    with pytest.raises(ValueError, match="distance in pixels"):
        pointing(heat, [0, 0, 4, 2], -1)


@given(st.integers(0, 2**31), st.integers(2, 7))
def test_similarity_is_scipys_spearman(seed, side):
    """With ties, which a coarse map is full of."""
    one, other = np.random.default_rng(seed).integers(0, 4, (2, 3, side, side)).astype(float)
    for found, a, b in zip(similarity(one, other), one, other, strict=True):
        if np.ptp(a) and np.ptp(b):
            assert found == pytest.approx(abs(stats.spearmanr(a.ravel(), b.ravel()).statistic), abs=1e-9)
        else:
            assert np.isnan(found)


def test_order_alone_is_compared():
    heat = np.random.default_rng(1).random((2, 6, 6))
    np.testing.assert_allclose(similarity(heat, np.exp(9 * heat)), 1)
    np.testing.assert_allclose(similarity(heat, -heat), 1)
    with pytest.raises(ValueError, match="equal shape"):
        similarity(heat, heat[:1])
