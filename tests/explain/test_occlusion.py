"""Occlusion against the sums that a linear model makes known."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from zoo import explain

pytestmark = pytest.mark.backend


@pytest.fixture
def linear():
    """A linear model on (10, 11, 2) and its weights of class 1."""
    keras.utils.set_random_seed(4)
    image = keras.Input((10, 11, 2))
    model = keras.Model(image, layers.Dense(2, name="d")(layers.Flatten()(image)))
    return model, ops.convert_to_numpy(model.get_layer("d").kernel).reshape(10, 11, 2, 2)[..., 1]


PICTURES = np.random.default_rng(5).uniform(0, 255, (3, 10, 11, 2))


@pytest.mark.parametrize(("window", "stride"), [(5, 5), ((2, 4), (2, 3)), (4, 3), (1, 1), ((10, 11), 1)])
@pytest.mark.parametrize("fill", ["grey", "mean", 0, [10, 200]])
def test_linear_model_loses_the_sum_of_the_patch(window, stride, fill, linear):
    """Each pixel: the mean, over the windows that hold it, of their sums of weight * (pixel - fill); the last one is cut off."""
    model, weights = linear
    rows, columns = window if isinstance(window, tuple) else (window, window)
    down, right = stride if isinstance(stride, tuple) else (stride, stride)
    cover = {"grey": 127.5, "mean": PICTURES.mean((1, 2), keepdims=True)}.get(fill, fill) if isinstance(fill, str) else np.array(fill)
    loss = (weights * (PICTURES - cover)).sum(-1)
    sums = {}
    for y in range(0, 10 - rows + down, down):
        for x in range(0, 11 - columns + right, right):
            sums[y, x] = loss[:, y : y + rows, x : x + columns].sum((1, 2))
    expected = np.empty((3, 10, 11))
    for y, x in np.ndindex(10, 11):
        holding = [total for (top, left), total in sums.items() if top <= y < top + rows and left <= x < left + columns]
        expected[:, y, x] = np.mean(holding, axis=0)
    found = explain.occlusion(model, PICTURES, 1, window=window, stride=stride, fill=fill, batch_size=7)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_default_window_is_a_seventh_and_moves_by_half(cnn, images):
    """16 pixels: windows of 3 every pixel."""
    counts = []
    found = explain.occlusion(cnn, images[:2], 1, progress=lambda done, total: counts.append(total))
    np.testing.assert_array_equal(found, explain.occlusion(cnn, images[:2], 1, window=3, stride=1))
    assert set(counts) == {2 * 14 * 14}


def test_evidence_lies_where_it_is():
    """A model that looks at one pixel only, through a relu: the heat is there and nowhere else."""
    image = keras.Input((12, 12, 3))
    model = keras.Model(image, layers.Dense(1, use_bias=False)(ops.relu(image[:, 5, 7, :] - 20)))
    model.layers[-1].set_weights([np.ones((3, 1))])
    found = explain.occlusion(model, np.full((1, 12, 12, 3), 250), window=1, stride=1, fill=0)
    assert np.argwhere(found[0]).tolist() == [[5, 7]]
    assert found[0, 5, 7] == 3 * 230


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 17}, "rows of the window must be an int of at least 1 and at most 16, got 17"),
        ({"window": (4, 0)}, "columns of the window must be an int of at least 1"),
        ({"window": 4, "stride": 5}, "rows of the stride must be an int of at least 1 and at most 4, got 5"),
        ({"window": 4, "stride": (4, 1.5)}, "columns of the stride"),
        ({"window": (4, 4, 3)}, r"window is one number of pixels or \(rows, columns\), got \(4, 4, 3\)"),
        ({"fill": "noise"}, "fill is 'black', 'grey'"),
        ({"batch_size": 0}, "batch_size must be a positive int"),
    ],
    ids=str,
)
def test_wrong_options_are_named(options, message, cnn, images):
    with pytest.raises(ValueError, match=message):
        explain.occlusion(cnn, images, 0, **options)
