"""Images whose evidence is known: noise with one patch of the same contrast, whose texture is the class; and a network for them."""

import keras
import numpy as np
from keras import layers

SIDE, PATCH, CLASSES = 32, 12, 4


def draw(number: int, seed: int):
    """images float32 (n, 32, 32, 3) in [0, 255], classes (n,), boxes (n, 4) xyxy."""
    random = np.random.default_rng(seed)
    images = random.normal(128, 50, (number, SIDE, SIDE, 3)).clip(0, 255).astype("float32")
    y, x = np.mgrid[:PATCH, :PATCH]
    textures = [(y // 2 % 2) * 100 + 78, (x // 2 % 2) * 100 + 78, ((x + y) // 2 % 2) * 100 + 78, ((x // 3 + y // 3) % 2) * 100 + 78]
    classes = random.integers(0, CLASSES, number)
    corners = random.integers(0, SIDE - PATCH + 1, (number, 2))
    for image, which, (top, left) in zip(images, classes, corners, strict=True):
        image[top : top + PATCH, left : left + PATCH] = textures[which][..., None] + random.normal(0, 20, (PATCH, PATCH, 3))
    boxes = np.concatenate([corners[:, ::-1], corners[:, ::-1] + PATCH], axis=1).astype(float)
    return images, classes, boxes


def network():
    image = keras.Input((SIDE, SIDE, 3))
    x = layers.Rescaling(1 / 64, -2)(image)
    for width in (8, 16, 16):
        x = layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.Activation("relu")(x)
        x = layers.MaxPooling2D()(x) if width == 8 else x
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(CLASSES)(x), name="patches")


def trained(seed: int = 0):
    """The network after a few seconds of training."""
    keras.utils.set_random_seed(seed)
    model = network()
    images, classes, _ = draw(800, seed + 100)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    model.fit(images, classes, batch_size=40, epochs=4, verbose=0)
    return model
