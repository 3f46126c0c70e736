"""Pyramid -> class logits: the published heads of the classification families, described by `variant.Top`."""

from __future__ import annotations

import keras
from keras import layers

from zoo.backbones.variant import Top
from zoo.layers import AdaptiveAveragePooling, RadialBasis, scaled_tanh

_ACTIVATIONS = {"scaled_tanh": scaled_tanh}


def deepest(pyramid: dict):
    """The deepest level of a pyramid (b, h, w, c)."""
    if not pyramid:
        raise ValueError("a classification head needs at least one pyramid level, got none: the family's features() returned {}")
    return pyramid[max((key for key in pyramid if key != "token"), key=lambda key: int(key[1:]))]


def pool(x, how: str | int):
    """Feature map (b, h, w, c) -> vector (b, d): global average, flatten, or adaptive average to n x n and flatten."""
    if how == "average":
        return layers.GlobalAveragePooling2D(name="pool")(x)
    if how == "max":
        return layers.GlobalMaxPooling2D(name="pool")(x)
    if how == "flatten":
        if None in x.shape[1:3]:
            raise ValueError(
                f"this head flattens its feature map, so it needs a fixed input size, got a map of shape {tuple(x.shape)}; "
                "pass input_shape=(height, width, channels)"
            )
        return layers.Flatten(name="flatten")(x)
    if isinstance(how, int):
        x = AdaptiveAveragePooling(how, name="pool")(x)
        return layers.Flatten(name="flatten")(x)
    raise ValueError(f"pool must be 'average', 'max', 'flatten' or an int, got {how!r}")


def classify(pyramid: dict, top: Top, classes: int, dropout: float | None = None):
    """Pyramid -> logits (b, classes), float32 under every precision policy (float64 where floatx is float64)."""
    rate = top.dropout if dropout is None else dropout
    start = "he_normal" if top.activation == "relu" else "glorot_uniform"
    if top.output == "convolution":
        return _convolved(deepest(pyramid), top, classes, rate)
    if top.pool == "token" and "token" not in pyramid:
        raise ValueError(f"this head reads the class token, got a pyramid of {', '.join(pyramid)}; features() must return 'token' too")
    x = pyramid["token"] if top.pool == "token" else pool(deepest(pyramid), top.pool)
    if top.norm is not None:
        x = layers.LayerNormalization(epsilon=top.norm, name="head_norm")(x)
    for index, width in enumerate(top.hidden, start=1):
        if rate and top.dropout_at == "before":
            x = layers.Dropout(rate, name=f"dropout{index}")(x)
        x = layers.Dense(width, activation=_ACTIVATIONS.get(top.activation, top.activation), kernel_initializer=start, name=f"fc{index}")(x)
        if top.hidden_norm:
            x = layers.BatchNormalization(momentum=0.9, name=f"fc{index}_norm")(x)
        if rate and top.dropout_at == "after":
            x = layers.Dropout(rate, name=f"dropout{index}")(x)
    if rate and not top.hidden:
        x = layers.Dropout(rate, name="dropout")(x)
    output = {"dense": layers.Dense, "radial_basis": RadialBasis}[top.output]
    return output(classes, dtype=keras.backend.floatx(), name="logits")(x)


def _convolved(x, top: Top, classes: int, rate: float):
    """A map of scores per class, rectified, then its mean: no fully connected layer at all."""
    if rate:
        x = layers.Dropout(rate, name="dropout")(x)
    x = layers.Conv2D(classes, 1, kernel_initializer="glorot_uniform", dtype=keras.backend.floatx(), name="logits")(x)
    x = layers.ReLU(dtype=keras.backend.floatx(), name="logits_relu")(x)
    return layers.GlobalAveragePooling2D(dtype=keras.backend.floatx(), name="pool")(x)
