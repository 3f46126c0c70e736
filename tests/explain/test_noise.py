"""SmoothGrad and VarGrad: no noise is the gradient, and a quadratic network has known moments."""

import keras
import numpy as np
import pytest
from keras import layers

from zoo import explain

pytestmark = pytest.mark.backend


def quadratic(size=8):
    """score = sum(a x^2) with a known a: the gradient at x + z is 2 a (x + z)."""
    image = keras.Input((size, size, 3))
    squared = layers.Lambda(lambda x: x * x)(image)
    model = keras.Model(image, layers.Dense(1, use_bias=False)(layers.Flatten()(squared)))
    a = np.random.default_rng(1).uniform(0.5, 1, (size, size, 3))
    model.set_weights([a.reshape(-1, 1)])
    return model, a


def test_without_noise_it_is_the_gradient(cnn, images):
    expected = explain.gradient(cnn, images, 2)
    np.testing.assert_allclose(explain.smoothgrad(cnn, images, 2, noise=0, samples=4), expected, atol=1e-6 * np.abs(expected).max())
    with pytest.warns(UserWarning, match="every noisy copy has the same gradient"):
        explain.vargrad(cnn, images, 2, noise=0, samples=4)


def test_moments_of_a_quadratic_network():
    """With the documented draws z: mean 2 a (x + s mean(z)), variance 4 a^2 s^2 var(z); s is a share of each image's own range."""
    model, a = quadratic()
    images = np.random.default_rng(2).uniform(50, 60, (2, 8, 8, 3)).astype("float32")
    images[1, 0, 0] = 200  # a wider range, so more noise
    draws = np.stack([np.random.default_rng([9, k]).standard_normal((8, 8, 3)) for k in range(6)])
    deviation = 0.2 * (images.max((1, 2, 3)) - images.min((1, 2, 3)))[:, None, None, None]
    options = {"samples": 6, "noise": 0.2, "seed": 9, "channels": "keep"}
    mean = 2 * a * (images + deviation * draws.mean(0))
    np.testing.assert_allclose(explain.smoothgrad(model, images, 0, **options), mean, rtol=1e-5)
    variance = (2 * a * deviation) ** 2 * draws.var(0)
    np.testing.assert_allclose(explain.vargrad(model, images, 0, **options), variance, rtol=1e-4, atol=1e-4)


def test_the_mean_of_many_copies_comes_near_the_expectation():
    """E[2 a (x + z)] = 2 a x and Var = 4 a^2 s^2, whatever the draws: within five standard errors."""
    model, a = quadratic(4)
    images = np.random.default_rng(3).uniform(0, 255, (1, 4, 4, 3)).astype("float32")
    s = 0.1 * np.ptp(images)
    options = {"samples": 400, "noise": 0.1, "channels": "keep", "batch_size": 100}
    smooth, variance = explain.smoothgrad(model, images, 0, **options), explain.vargrad(model, images, 0, **options)
    assert (np.abs(smooth - 2 * a * images) < 5 * 2 * a * s / 20).all()
    assert (np.abs(variance / (2 * a * s) ** 2 - 1) < 5 * np.sqrt(2 / 400)).all()


def test_the_seed_decides(cnn, images):
    first = explain.smoothgrad(cnn, images, 1, samples=3, seed=4)
    state = np.random.get_state()[1].copy()  # noqa: NPY002 - the global generator is the one that must not move
    np.testing.assert_array_equal(explain.smoothgrad(cnn, images, 1, samples=3, seed=4), first)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    assert np.abs(explain.smoothgrad(cnn, images, 1, samples=3, seed=5) - first).max() > 1e-3 * np.abs(first).max()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 0}, "samples must be an int of at least 1, got 0"),
        ({"samples": 2.0}, "samples must be an int"),
        ({"noise": -0.1}, "noise is a share"),
        ({"noise": np.nan}, "noise is a share"),
    ],
)
def test_wrong_numbers_are_named(options, message, cnn, images):
    with pytest.raises(ValueError, match=message):
        explain.smoothgrad(cnn, images, 0, **options)
    if "samples" in options:
        with pytest.raises(ValueError, match="samples must be an int of at least 2"):
            explain.vargrad(cnn, images, 0, samples=1)


def test_a_plain_image_gets_no_noise(cnn):
    plain = np.full((1, 16, 16, 3), 90, "uint8")
    expected = explain.gradient(cnn, plain, 0)
    np.testing.assert_allclose(explain.smoothgrad(cnn, plain, 0, samples=2), expected, atol=1e-6 * np.abs(expected).max())
