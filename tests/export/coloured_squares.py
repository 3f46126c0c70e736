"""A detector that anybody can check by hand: every cell of 16 pixels that is red, green or blue is an object of that class."""

from __future__ import annotations

import keras
import numpy as np

from zoo.metrics.objects import Truth

SIZE, CELL = 192, 16
COLOURS = np.eye(3)


def detector() -> keras.Model:
    """image -> {"boxes": the cell moved by up to two pixels, "scores": logits, 6 for a pure colour, -6 for grey}."""
    cells = SIZE // CELL
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = keras.layers.Rescaling(1 / 255)(image)
    mean = keras.layers.Conv2D(3, CELL, strides=CELL, use_bias=False, name="mean")(x)
    scores = keras.layers.Reshape((cells * cells, 3), name="scores")(keras.layers.Conv2D(3, 1, name="logits")(mean))
    offsets = keras.layers.Reshape((cells * cells, 4))(keras.layers.Conv2D(4, 1, name="offsets")(mean))
    boxes = keras.layers.Rescaling(1.0, offset=places(), name="boxes")(offsets)
    model = keras.Model(image, {"boxes": boxes, "scores": scores}, name="coloured_squares")
    model.get_layer("mean").set_weights([np.tile(np.eye(3) / CELL**2, (CELL, CELL, 1, 1)).astype("float32")])
    model.get_layer("logits").set_weights([(18 * np.eye(3) - 6)[None, None], np.full(3, -6.0)])
    slopes = np.random.default_rng(0).uniform(-2, 2, (1, 1, 3, 4))
    model.get_layer("offsets").set_weights([slopes, np.zeros(4)])
    return model


def places() -> np.ndarray:
    """(cells, 4): the cells as boxes, row by row."""
    corner = np.stack(np.meshgrid(np.arange(0, SIZE, CELL), np.arange(0, SIZE, CELL)), -1).reshape(-1, 2)
    return np.concatenate([corner, corner + CELL], 1).astype("float32")


def pictures(count: int, seed: int = 0) -> tuple[np.ndarray, list[Truth]]:
    """Grey noise with five coloured cells each: float32 (n, 192, 192, 3) in [0, 255], and where they are."""
    random = np.random.default_rng(seed)
    images = random.normal(110, 25, (count, SIZE, SIZE, 3))
    truths = []
    for image in images:
        chosen, classes = random.choice(len(places()), 5, replace=False), random.integers(0, 3, 5)
        for place, kind in zip(chosen, classes, strict=True):
            left, top = places()[place, :2].astype(int)
            image[top : top + CELL, left : left + CELL] = 255 * COLOURS[kind] * random.uniform(0.75, 1) + random.normal(
                0, 10, (CELL, CELL, 3)
            )
        truths.append(Truth(places()[chosen], classes))
    return np.clip(images, 0, 255).astype("float32"), truths
