"""Pyramid -> class logits: the published heads of the classification families, described by `variant.Top`."""

from __future__ import annotations

import keras
from keras import layers

from zoo.backbones.variant import Top


def deepest(pyramid: dict):
    """The deepest level of a pyramid (b, h, w, c)."""
    if not pyramid:
        raise ValueError("a classification head needs at least one pyramid level, got none: the family's features() returned {}")
    return pyramid[max(pyramid, key=lambda key: int(key[1:]))]


def pool(x, how: str | int):
    """Feature map (b, h, w, c) -> vector (b, d): global average, flatten, or adaptive average to n x n and flatten."""
    if how == "average":
        return layers.GlobalAveragePooling2D(name="pool")(x)
    if how == "max":
        return layers.GlobalMaxPooling2D(name="pool")(x)
    if how == "flatten":
        if None in x.shape[1:3]:
            raise ValueError(f"this head flattens its feature map, so it needs a fixed input size, got a map of shape {tuple(x.shape)}; pass input_shape=(height, width, channels)")
        return layers.Flatten(name="flatten")(x)
    if isinstance(how, int):
        x = layers.AdaptiveAveragePooling2D(how, name="pool")(x)
        return layers.Flatten(name="flatten")(x)
    raise ValueError(f"pool must be 'average', 'max', 'flatten' or an int, got {how!r}")


def classify(pyramid: dict, top: Top, classes: int, dropout: float | None = None):
    """Pyramid -> logits (b, classes), float32 under every precision policy (float64 where floatx is float64)."""
    rate = top.dropout if dropout is None else dropout
    x = pool(deepest(pyramid), top.pool)
    for index, width in enumerate(top.hidden, start=1):
        if rate and top.dropout_at == "before":
            x = layers.Dropout(rate, name=f"dropout{index}")(x)
        x = layers.Dense(width, activation=top.activation, name=f"fc{index}")(x)
        if rate and top.dropout_at == "after":
            x = layers.Dropout(rate, name=f"dropout{index}")(x)
    if rate and not top.hidden:
        x = layers.Dropout(rate, name="dropout")(x)
    return layers.Dense(classes, dtype=keras.backend.floatx(), name="logits")(x)
