"""EfficientNet: grow in every direction at once.

Idea: a network can be made deeper, wider, or be given larger images, and each alone soon stops paying. So search one small network,
B0, and scale all three together: depth by 1.2^k, width by 1.1^k, the image by 1.15^k. Its block is MobileNetV2's inverted residual
with a gate per map (squeeze and excitation) and swish, x sigmoid(x).

Tan & Le 2019, "EfficientNet: rethinking model scaling for convolutional neural networks", arXiv:1905.11946, table 1;
stages 1 to 7 here are its stages 2 to 8.

`efficientnet_b0` to `_b7` equal keras.applications and timm's tf_efficientnet_b0 to _b7. The rows `_torchvision` equal torchvision,
and with epsilon 1e-5 timm's efficientnet_b0 to _b7: they pad both sides at a stride, so the weights of one are wrong in the other.
The networks that keras.applications publishes see (x / 255 - mean) / std: its file holds std where its layer expects a variance,
and a second scaling by 1 / sqrt(std) makes up for that. Ours is computed once, from mean and std of the row.

Deviations: a block is dropped whole with a rate that rises linearly from 0 over the blocks, 0.2 i / n for block i of n as in the
published code (the paper says only 0.8 survival; Huang et al. 2016, arXiv:1603.09382, reach the end rate in the last block).
Convolutions start from a normal distribution of variance 2 / fan_out as there, the gates and the logits as everywhere in the zoo.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import keras
from keras import layers

from zoo.backbones.variant import Top, Variant, rounded
from zoo.layers import DepthwiseConv2D, squeeze_excite

Stage = tuple[int, int, int, int, int]
"""One row of table 1: (expansion, kernel, stride of the first block, maps, blocks)."""


@dataclass(frozen=True, kw_only=True)
class EfficientNet(Variant):
    """stages: see `Stage`; stem, last: maps of the first and of the last convolution. All widths and depths are as built.

    symmetric: pad both sides where a convolution strides, as torch does; else as TensorFlow's "same", which pads even maps at the end.
    drop_path: rate at which a whole block is left out while training, reached linearly from 0 over the blocks.
    """

    stages: tuple[Stage, ...]
    stem: int = 32
    last: int = 1280
    symmetric: bool = False
    epsilon: float = 1e-3
    momentum: float = 0.99
    drop_path: float = 0.2


_TABLE_1: tuple[Stage, ...] = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)


def _row(parameters: int, width: float, depth: float, size: int, dropout: float) -> EfficientNet:
    return EfficientNet(
        parameters=parameters,
        source="torchvision; keras.applications without its moving statistics",
        input_shape=(size, size, 3),
        stages=tuple((e, k, s, rounded(maps * width), math.ceil(blocks * depth)) for e, k, s, maps, blocks in _TABLE_1),
        stem=rounded(32 * width),
        last=rounded(1280 * width),
        top=Top(dropout=dropout),
    )


_PUBLISHED = {
    "b0": _row(5_288_548, 1.0, 1.0, 224, 0.2),
    "b1": _row(7_794_184, 1.0, 1.1, 240, 0.2),
    "b2": _row(9_109_994, 1.1, 1.2, 260, 0.3),
    "b3": _row(12_233_232, 1.2, 1.4, 300, 0.3),
    "b4": _row(19_341_616, 1.4, 1.8, 380, 0.4),
    "b5": _row(30_389_784, 1.6, 2.2, 456, 0.4),
    "b6": _row(43_040_704, 1.8, 2.6, 528, 0.5),
    "b7": _row(66_347_960, 2.0, 3.1, 600, 0.5),
}
_MICRO = EfficientNet(
    parameters=13_116,
    source="closed formula",
    classes=10,
    input_shape=(32, 32, 3),
    stages=((1, 3, 1, 8, 1), (2, 3, 2, 8, 2), (2, 5, 2, 8, 1), (2, 3, 2, 16, 1), (2, 5, 1, 16, 2), (2, 5, 2, 16, 1), (2, 3, 1, 24, 1)),
    stem=8,
    last=32,
    top=Top(dropout=0.2),
)


def _torchvision(row: EfficientNet, fine: bool) -> EfficientNet:
    """`fine`: torchvision gives its five smaller networks torch's usual normalisation, the others TensorFlow's."""
    changed: dict[str, Any] = {"epsilon": 1e-5, "momentum": 0.9} if fine else {}
    return replace(row, symmetric=True, **changed)


VARIANTS = {
    **{f"efficientnet_{name}": row for name, row in _PUBLISHED.items()},
    **{f"efficientnet_{name}_torchvision": _torchvision(row, fine=name < "b5") for name, row in _PUBLISHED.items()},
    "efficientnet_micro": _MICRO,
    "efficientnet_torchvision_micro": _torchvision(_MICRO, fine=True),
}


def features(image, config: EfficientNet, output_stride: int | None = None) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": stride 2, ..., "c5": stride 32}: the last map before each halving, and the very last."""
    blocks = [
        (f"stage{stage}_block{index}", mbconv, (expansion, kernel, stride if index == 0 else 1, width))
        for stage, (expansion, kernel, stride, width, depth) in enumerate(config.stages, start=1)
        for index in range(depth)
    ]
    return body(image, config, blocks)


def body(image, config, blocks: list[tuple[str, Callable, tuple[int, int, int, int]]]) -> dict:
    """Stem, blocks of (name, function, (expansion, kernel, stride, maps)), last convolution -> the pyramid."""
    x = convolve(image, config, config.stem, 3, "stem", stride=2)
    pyramid: dict = {}
    for number, (name, block, (expansion, kernel, stride, width)) in enumerate(blocks):
        if stride == 2:
            pyramid[f"c{len(pyramid) + 1}"] = x
        shortcut = x
        x = block(x, config, expansion, kernel, stride, width, name)
        if stride == 1 and shortcut.shape[-1] == width:
            x = add(x, shortcut, config.drop_path * number / len(blocks), name)
    return {**pyramid, f"c{len(pyramid) + 1}": convolve(x, config, config.last, 1, "last")}


def mbconv(x, config, expansion: int, kernel: int, stride: int, width: int, name: str):
    """Widen, filter every map by itself, weigh the maps, narrow without an activation."""
    squeezed = max(1, x.shape[-1] // 4)  # a quarter of the block's input, not of the widened map
    if expansion > 1:
        x = convolve(x, config, expansion * x.shape[-1], 1, f"{name}_expand")
    x = convolve(x, config, None, kernel, f"{name}_depthwise", stride=stride)
    x = squeeze_excite(x, squeezed, f"{name}_se", activation="silu")
    return convolve(x, config, width, 1, f"{name}_project", activation=False)


def add(x, shortcut, rate: float, name: str):
    """The input of a block plus what it adds, which training leaves out for some images."""
    if rate:
        x = layers.Dropout(rate, noise_shape=(None, 1, 1, 1), name=f"{name}_drop")(x)
    return layers.Add(name=f"{name}_add")([x, shortcut])


def convolve(x, config, width: int | None, kernel: int, name: str, stride: int = 1, activation: bool = True):
    """Convolution, normalisation, swish; `width` None filters every map by itself."""
    padding = "same"
    if config.symmetric and stride > 1:
        x, padding = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x), "valid"
    start = keras.initializers.VarianceScaling(2.0, "fan_out", "truncated_normal")
    fields = {"strides": stride, "padding": padding, "use_bias": False, "name": f"{name}_conv"}
    if width is None:
        x = DepthwiseConv2D(kernel, depthwise_initializer=start, **fields)(x)
    else:
        x = layers.Conv2D(width, kernel, kernel_initializer=start, **fields)(x)
    x = layers.BatchNormalization(momentum=config.momentum, epsilon=config.epsilon, name=f"{name}_norm")(x)
    return layers.Activation("silu", name=f"{name}_swish")(x) if activation else x
