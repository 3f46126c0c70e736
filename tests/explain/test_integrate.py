"""Integrated Gradients: closed forms (B6), completeness (B4) and baselines."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from zoo import explain

pytestmark = pytest.mark.backend


def score(model, images, index):
    return ops.convert_to_numpy(model(np.asarray(images, "float32")))[:, index].astype("float64")


@pytest.fixture
def bent():
    """A network with bends and with the kinks of ReLU and max-pooling. Of its classes, class 1 differs most from black."""
    image = keras.Input((16, 16, 3))
    x = layers.Rescaling(1 / 128, -1)(image)
    x = layers.Conv2D(16, 3, activation="relu", padding="same")(x)
    x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(16, 3, activation="gelu", padding="same")(x)
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, layers.Dense(3)(layers.Dense(8, activation="gelu")(x)))
    random = np.random.default_rng(4)
    model.set_weights([random.normal(0, 1 / np.sqrt(max(np.prod(w.shape[:-1]), 9)), w.shape) for w in model.get_weights()])
    return model


def test_a_linear_model_gives_difference_times_weight(images):
    image = keras.Input((16, 16, 3))
    model = keras.Model(image, layers.Dense(2, name="d")(layers.Flatten()(image)))
    w = model.get_layer("d").get_weights()[0].reshape(16, 16, 3, 2)[..., 1]
    other = images[::-1].astype("float64")
    for baseline, values in (
        ("black", 0),
        ("grey", 127.5),
        ("white", 255),
        ([10, 20, 30], np.array([10, 20, 30])),
        (other, other),
    ):
        found = explain.integrated_gradients(model, images, 1, baseline=baseline, steps=1, channels="keep")
        expected = (images.astype("float64") - values) * w
        np.testing.assert_allclose(found.heat, expected, atol=1e-6 * np.abs(expected).max())
        assert found.completeness.max() < 1e-4


def test_a_cubic_is_integrated_exactly_by_two_points():
    """score = sum(x^3): the integral of its gradient from 0 is x^3 at each pixel; Gauss-Legendre with 2 points is exact to degree 3."""
    image = keras.Input((4, 4, 3))
    model = keras.Model(image, layers.Lambda(lambda x: ops.sum(x**3, axis=(1, 2)), output_shape=(3,))(image))
    images = np.random.default_rng(0).uniform(0, 9, (2, 4, 4, 3)).astype("float32")
    found = explain.integrated_gradients(model, images, 1, steps=2, channels="keep").heat
    np.testing.assert_allclose(found[..., 1], images[..., 1] ** 3, rtol=1e-5)
    np.testing.assert_array_equal(found[..., 0], np.zeros((2, 4, 4)))


@pytest.mark.parametrize(("steps", "bar"), [(50, 5e-3), (300, 5e-4)])
def test_completeness(steps, bar, bent, images):
    """Bar B4. The reported error is the one that sums show."""
    found = explain.integrated_gradients(bent, images, 1, steps=steps)
    gained = score(bent, images, 1) - score(bent, np.zeros_like(images), 1)
    error = np.abs(found.heat.sum((1, 2)) - gained) / np.abs(gained)
    assert error.max() <= bar
    np.testing.assert_allclose(found.completeness, error, atol=1e-4)
    assert found.completeness.max() <= bar


def test_a_left_sum_misses_the_bar(bent, images):
    """The bar bites: 50 evenly spaced points from the left, a common shortcut, are worse than it allows."""
    left = 0
    for k in range(50):
        left = left + explain.gradient(bent, images * np.float32(k / 50), 1, channels="keep").astype("float64") / 50
    gained = score(bent, images, 1) - score(bent, np.zeros_like(images), 1)
    assert (np.abs((left * images).sum((1, 2, 3)) - gained) / np.abs(gained)).max() > 5e-3


def test_an_image_that_is_its_baseline_has_no_attribution(cnn):
    with pytest.warns(UserWarning, match="the images equal their baseline"):
        found = explain.integrated_gradients(cnn, np.zeros((1, 16, 16, 3)), 1, steps=2)
    np.testing.assert_array_equal(found.heat, np.zeros((1, 16, 16)))
    np.testing.assert_array_equal(found.completeness, [0])


@pytest.mark.parametrize("name", ["mean", "blur"])
def test_baselines_made_from_the_image(name, cnn, images):
    from scipy.ndimage import gaussian_filter

    floats = images.astype("float32")
    made = {
        "mean": np.broadcast_to(floats.mean((1, 2), keepdims=True), floats.shape),
        "blur": np.stack([gaussian_filter(image, (1.6, 1.6, 0), truncate=4) for image in floats]),
    }[name]
    expected = explain.integrated_gradients(cnn, images, 1, baseline=made, steps=5).heat
    found = explain.integrated_gradients(cnn, images, 1, baseline=name, steps=5).heat
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"baseline": "pink"}, "baseline is 'black', 'grey', 'white', 'mean', 'blur' or numbers in .* got 'pink'"),
        ({"baseline": np.zeros((15, 16, 3))}, r"a colour \(c,\), \(h, w, c\) or \(b, h, w, c\), got \(15, 16, 3\)"),
        ({"baseline": np.nan}, "finite"),
        ({"steps": 0}, "steps must be an int of at least 1"),
    ],
    ids=str,
)
def test_wrong_arguments_are_named(options, message, cnn, images):
    with pytest.raises(ValueError, match=message):
        explain.integrated_gradients(cnn, images, 0, **options)
