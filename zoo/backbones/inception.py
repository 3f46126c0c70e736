"""Inception modules as tables: what GoogLeNet, BN-Inception, Inception v3 and v4 and the Inception-ResNets are written in."""

from __future__ import annotations

from dataclasses import dataclass

from keras import layers

from zoo.backbones.variant import Variant


@dataclass(frozen=True, kw_only=True)
class Inception(Variant):
    """What all networks made of Inception modules share.

    momentum: of the batch normalisation after every convolution; None: no normalisation, but biases.
    gamma:    that normalisation has a scale. ReLU and the next kernel make it redundant, so Google left it out.
    border:   average poolings count the zeros around the map.
    halving:  padding of everything with stride 2.
    depths:   modules of each stage.
    divide:   every width is divided by it (for `_micro` rows).
    """

    depths: tuple[int, ...]
    momentum: float | None = None
    gamma: bool = True
    border: bool = False
    halving: str = "valid"
    divide: int = 1
    epsilon: float = 1e-3


def branches(x, config: Inception, table: tuple, name: str):
    """An Inception module: every branch of the table on the same map, concatenated.

    A branch is a tuple of steps. A step is (width, kernel), (width, kernel, stride) or (width, kernel, stride, padding), each with
    its normalisation and ReLU; "max" or "average", a 3x3 pooling of stride 1; "max/2", one of stride 2; or a list of such
    convolutions of one and the same map, concatenated. Convolutions are numbered within their branch.
    """
    outputs = [branch(x, config, steps, f"{name}_branch{index}") for index, steps in enumerate(table, start=1)]
    return layers.Concatenate(name=f"{name}_concat")(outputs)


def branch(x, config: Inception, steps: tuple, name: str):
    index = 0
    for step in steps:
        if isinstance(step, str):
            x = _pooled(x, config, step, f"{name}_pool")
            continue
        index += 1
        if isinstance(step, list):
            parts = [_convolved(x, config, part, f"{name}_%s{index}{letter}") for letter, part in zip("ab", step, strict=True)]
            x = layers.Concatenate(name=f"{name}_concat")(parts)
        else:
            x = _convolved(x, config, step, f"{name}_%s{index}")
    return x


def _convolved(x, config: Inception, step: tuple, name: str):
    width, kernel, *how = step
    return unit(x, config, width, kernel, name, *how)


def _pooled(x, config: Inception, kind: str, name: str):
    if kind == "max/2":
        return layers.MaxPooling2D(3, strides=2, padding=config.halving, name=name)(x)
    if kind == "max":
        return layers.MaxPooling2D(3, strides=1, padding="same", name=name)(x)
    if config.border:
        x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
    return layers.AveragePooling2D(3, strides=1, padding="valid" if config.border else "same", name=name)(x)


def unit(x, config: Inception, width: int, kernel, name: str, stride: int = 1, padding: str | None = None):
    """Convolution, normalisation if the network has one, ReLU; `name` has a %s for the kind of layer."""
    normed = config.momentum is not None
    padding = padding or (config.halving if stride > 1 else "same")
    x = layers.Conv2D(
        -(-width // config.divide),
        kernel,
        strides=stride,
        padding=padding,
        use_bias=not normed,
        kernel_initializer="he_normal",
        name=name % "conv",
    )(x)
    if normed:
        x = layers.BatchNormalization(momentum=config.momentum, epsilon=config.epsilon, scale=config.gamma, name=name % "norm")(x)
    return layers.ReLU(name=name % "relu")(x)
