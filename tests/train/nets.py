"""Tiny networks and data for the training tests: random layers in the model, so that a lost seed state is seen."""

import keras
import numpy as np
from keras import layers


def net(classes=3, dropout=0.5, flip=True, size=8):
    """Image (b, size, size, 3) in [0, 255] -> logits; random flip and dropout draw from two seed generators."""
    image = keras.Input((size, size, 3), name="image")
    x = layers.Rescaling(1 / 127.5, -1.0, name="rescale")(image)
    if flip:
        x = layers.RandomFlip("horizontal", name="flip")(x)
    x = layers.Conv2D(8, 3, padding="same", name="conv")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.ReLU(name="relu")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(image, layers.Dense(classes, name="logits")(x), name="net")


def colours(n=30, classes=3, size=8, seed=0):
    """Noise images (n, size, size, 3) uint8 whose brightest channel is the label."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    images = rng.integers(0, 160, (n, size, size, 3))
    images[np.arange(n), :, :, labels % 3] += 90
    return images.astype("uint8"), labels.astype("int64")
