"""RISE against its expectation, which a linear model has in closed form, and its masks against another interpolation."""

import importlib
import itertools

import keras
import numpy as np
import pytest
from keras import layers, ops

from zoo import explain

pytestmark = pytest.mark.backend

MODULE = importlib.import_module("zoo.explain.rise")  # the package's attribute of that name is the function
CELL = (4, 5)
SIZE = (8, 9)  # with two cells a side: cells of 4 x 5 pixels, grids enlarged to 12 x 15
PICTURES = np.random.default_rng(5).uniform(0, 255, (3, *SIZE, 2))


def weights_of_cells(cell, size, shift):
    """(size, 2): what two cells give to each pixel, with half-pixel centres; np.interp holds the end values."""
    pixels = (np.arange(size) + shift + 0.5) / (3 * cell) * 2 - 0.5
    return np.stack([np.interp(pixels, [0, 1], unit) for unit in ([1, 0], [0, 1])], axis=-1)


class EveryMask(MODULE.Masks):
    """Each of the 16 grids at each of the 20 shifts once, instead of a random choice."""

    def __init__(self, count, cells, keep, seed, size):
        super().__init__(count, cells, keep, seed, size)
        every = list(itertools.product(itertools.product([0, 1], repeat=4), range(CELL[0]), range(CELL[1])))
        assert count == len(every)
        self.grids = np.array([grid for grid, _, _ in every], "float32").reshape(-1, 2, 2)
        self.shifts = np.array([(y, x) for _, y, x in every])


def linear(bias):
    keras.utils.set_random_seed(4)
    image = keras.Input((*SIZE, 2))
    model = keras.Model(image, layers.Dense(1, name="d")(layers.Flatten()(image)))
    kernel = ops.convert_to_numpy(model.get_layer("d").kernel)
    model.get_layer("d").set_weights([kernel, np.array([bias])])
    return model, kernel.reshape(*SIZE, 2)


@pytest.mark.parametrize("fill", [0, "grey"])
def test_expectation_on_a_linear_model(fill, monkeypatch):
    """With independent cells, E[mask_i mask_j] = p^2 + p (1 - p) K_ij, K_ij the shared weight of the cells, averaged over shifts.

    Equation 6 becomes sum_i of contribution_i * (p + (1 - p) K_ij), plus the score of the background; centred, the p goes.
    """
    model, kernel = linear(bias=7.0)
    monkeypatch.setattr(MODULE, "Masks", EveryMask)
    shared = np.zeros((*SIZE, *SIZE))
    for y, x in np.ndindex(CELL):
        rows, columns = weights_of_cells(CELL[0], SIZE[0], y), weights_of_cells(CELL[1], SIZE[1], x)
        shared += np.einsum("ac,ec,bd,fd->abef", rows, rows, columns, columns) / 20
    cover = 127.5 if fill == "grey" else 0
    contribution = (kernel * (PICTURES - cover)).sum(-1)
    centred = 0.5 * np.einsum("nab,abef->nef", contribution, shared)
    offset = 7 + (kernel * cover).sum() + 0.5 * contribution.sum((1, 2))
    options = {"masks": 320, "cells": 2, "fill": fill, "batch_size": 50}
    found = explain.rise(model, PICTURES, 0, centre=False, **options)
    expected = centred + offset[:, None, None]
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
    np.testing.assert_allclose(explain.rise(model, PICTURES, 0, **options), centred, atol=1e-5 * np.abs(expected).max())


def test_many_random_masks_approach_the_expectation(monkeypatch):
    """The error of a mean halves with four times as many masks; here sixteen times as many, so a quarter, within a factor of two."""
    model, _ = linear(bias=0)
    options = {"cells": 2, "fill": 0, "batch_size": 256}
    many = {count: [explain.rise(model, PICTURES, 0, masks=count, seed=seed, **options) for seed in range(8)] for count in (128, 2048)}
    with monkeypatch.context() as patch:
        patch.setattr(MODULE, "Masks", EveryMask)
        exact = explain.rise(model, PICTURES, 0, masks=320, **options)
    error = {count: np.sqrt(np.mean((np.array(found) - exact) ** 2)) for count, found in many.items()}
    assert 0.125 < error[2048] / error[128] < 0.5


def test_centring_is_blind_to_a_constant_in_the_score():
    """Equation 6 is not: with few masks, the constant times the masks' own unevenness covers the evidence."""
    maps = {
        (bias, centre): explain.rise(linear(bias)[0], PICTURES, 0, masks=100, cells=2, fill=0, centre=centre)
        for bias in (0, 256)
        for centre in (True, False)
    }
    scale = np.abs(maps[0, True]).max()
    np.testing.assert_allclose(maps[256, True], maps[0, True], atol=1e-4 * scale)
    assert np.abs(maps[256, False] - maps[0, False] - 256).max() > 0.1 * scale


@pytest.mark.parametrize("keep", [0.5, 0.2])
def test_masks_are_shifted_bilinear_grids(keep):
    draw = MODULE.Masks(3000, 2, keep, 1, SIZE)
    masks = draw(np.arange(3000))
    assert masks.shape == (3000, *SIZE)
    for number in (0, 17, 2999):
        y, x = draw.shifts[number]
        expected = weights_of_cells(CELL[0], SIZE[0], y) @ draw.grids[number] @ weights_of_cells(CELL[1], SIZE[1], x).T
        np.testing.assert_allclose(masks[number], expected, atol=1e-6)
    assert np.unique(draw.shifts, axis=0).tolist() == [list(shift) for shift in np.ndindex(CELL)]
    error = np.sqrt(keep * (1 - keep) / 3000)  # a pixel that one cell decides varies most
    assert np.abs(masks.mean(0) - keep).max() < 5 * error


def test_the_seed_is_all_that_varies(cnn, images):
    first, again, other = (explain.rise(cnn, images, 1, masks=30, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1 * np.abs(first).max()


def test_everything_seen_is_no_evidence(cnn, images):
    with pytest.warns(UserWarning, match="no mask changes the score"):
        np.testing.assert_array_equal(explain.rise(cnn, images, 1, masks=8, keep=1, batch_size=1), np.zeros((5, 16, 16)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"masks": 0}, "masks must be an int of at least 1, got 0"),
        ({"cells": 2.5}, "cells must be an int"),
        ({"keep": 0}, r"in \(0, 1\], got 0"),
        ({"keep": 1.5}, "got 1.5"),
        ({"batch_size": 0}, "batch_size must be a positive int"),
    ],
    ids=str,
)
def test_wrong_options_are_named(options, message, cnn, images):
    with pytest.raises(ValueError, match=message):
        explain.rise(cnn, images, 0, **{"masks": 10, **options})
