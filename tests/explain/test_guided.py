"""Guided backpropagation by hand, in every form that Keras has for a ReLU, and where it does not belong."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from zoo import explain

pytestmark = [pytest.mark.backend, pytest.mark.filterwarnings("ignore:guided backpropagation fails")]


def dense_relu(x):
    return layers.Dense(6, activation="relu", name="hidden")(x)


def then(rectify):
    return lambda x: rectify(layers.Dense(6, name="hidden")(x))


def inside(x):
    """The ReLU in a model in a model."""
    inner, middle = keras.Input((48,)), keras.Input((48,))
    nested = keras.Model(inner, layers.ReLU()(layers.Dense(6, name="hidden")(inner)))
    return keras.Model(middle, nested(middle))(x)


class OwnBlock(layers.Layer):
    def __init__(self):
        super().__init__()
        self.dense, self.rectify = layers.Dense(6, name="hidden"), layers.ReLU()

    def call(self, x):
        return self.rectify(self.dense(x))


FORMS = {
    "activation": dense_relu,
    "Activation": then(layers.Activation("relu")),
    "ReLU": then(layers.ReLU()),
    "ops.relu": then(ops.relu),
    "activations.relu": then(keras.activations.relu),
    "activation is a layer": lambda x: layers.Dense(6, activation=layers.ReLU(), name="hidden")(x),
    "nested": inside,
    "in a layer": lambda x: OwnBlock()(x),
}
SLOPES = {  # what passes where the input lies below 0, between, above 0.5
    "max_value": (layers.ReLU(max_value=0.5), (0, 1, 0)),
    "negative_slope": (layers.ReLU(negative_slope=0.25), (0.25, 1, 1)),
    "LeakyReLU": (layers.LeakyReLU(negative_slope=0.25), (0.25, 1, 1)),
    "threshold": (layers.ReLU(threshold=0.5), (0, 0, 1)),
}


def built(form):
    """images (4, 4, 3) -> flatten -> 6 rectified units -> 2 scores; and its weights as float64."""
    image = keras.Input((4, 4, 3))
    model = keras.Model(image, layers.Dense(2, use_bias=False)(form(layers.Flatten()(image))))
    random = np.random.default_rng(6)
    values = [random.normal(0, 0.3, weight.shape) for weight in model.get_weights()]
    model.set_weights(values)
    return model, values


def by_hand(values, images, index, slopes=(0, 1, 1)):
    """first' (slope(input) * max(second, 0)): what comes back to a unit is its weight in the score, and only a positive one passes."""
    first, bias, second = values
    entering = images.reshape(len(images), -1) @ first + bias
    slope = np.where(entering < 0, slopes[0], np.where(entering < 0.5, slopes[1], slopes[2]))
    return ((slope * np.maximum(second[:, index], 0)) @ first.T).reshape(images.shape)


PICTURES = np.random.default_rng(8).uniform(-1, 1, (3, 4, 4, 3))


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_one_layer_by_hand(form):
    model, values = built(form)
    expected = by_hand(values, PICTURES, 1)
    found = explain.guided_backprop(model, PICTURES, 1, channels="keep")
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())
    assert np.abs(explain.gradient(model, PICTURES, 1, channels="keep") - found).max() > 0.1 * np.abs(expected).max()


@pytest.mark.parametrize(("layer", "slopes"), SLOPES.values(), ids=SLOPES)
def test_options_of_a_relu_by_hand(layer, slopes):
    model, values = built(then(layer))
    expected = by_hand(values, PICTURES, 1, slopes)
    np.testing.assert_allclose(explain.guided_backprop(model, PICTURES, 1, channels="keep"), expected, atol=1e-6 * np.abs(expected).max())


def test_it_warns_at_every_call(cnn, images):
    for _ in range(2):
        with pytest.warns(UserWarning, match="fails the weight randomisation check"):
            explain.guided_backprop(cnn, images, 1)


def test_a_model_without_relu_is_refused(images):
    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, activation="gelu")(image)
    model = keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)), name="smooth")
    with pytest.raises(ValueError, match="'smooth' has no ReLU that can be seen.*use gradient or saliency"):
        explain.guided_backprop(model, images, 1)


def test_other_methods_are_not_guided_meanwhile(cnn, images):
    """The compiled functions are kept apart."""
    before = explain.gradient(cnn, images, 1)
    guided = explain.guided_backprop(cnn, images, 1)
    np.testing.assert_array_equal(explain.gradient(cnn, images, 1), before)
    np.testing.assert_array_equal(explain.guided_backprop(cnn, images, 1), guided)
    assert np.abs(before - guided).max() > 0.01 * np.abs(before).max()
