"""Small models and images that the tests of this room share."""

import keras
import numpy as np
import pytest

from tests.explain import patches

SIZE = 16


@pytest.fixture
def images():
    return np.random.default_rng(7).integers(0, 256, (5, SIZE, SIZE, 3)).astype("uint8")


@pytest.fixture
def cnn():
    """Two convolutions, global average pooling, a Dense head: the network whose Grad-CAM is known in closed form."""
    keras.utils.set_random_seed(1)
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = keras.layers.Rescaling(1 / 127.5, -1)(image)
    x = keras.layers.Conv2D(6, 3, strides=2, padding="same", activation="relu", name="first")(x)
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu", name="last")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, keras.layers.Dense(4, name="logits")(x), name="cnn")


@pytest.fixture(scope="session")
def learned():
    """A network that has learned to tell the textures of `patches`."""
    return patches.trained()
