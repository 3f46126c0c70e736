"""MobileNet: filter and combine in two steps.

Idea: a convolution does two things at once, it filters every map and it mixes the maps. Done one after the other, by a 3x3 that sees
one map each (depthwise) and a 1x1 that sees one pixel each (pointwise), the same shape costs eight to nine times less. One number,
alpha, scales every width, another the size of the image: a family of networks for every budget.

Howard et al. 2017, "MobileNets: efficient convolutional neural networks for mobile vision applications", arXiv:1704.04861, table 1.
Stages here end where the map is about to be halved: 64; 128, 128; 256, 256; six times 512; 1024, 1024 maps.

`mobilenet`, `_075`, `_050` and `_025` (alpha) equal keras.applications, `mobilenet_timm` equals timm's mobilenetv1_100: there every
stride pads both sides, batch statistics move faster and epsilon is smaller, so its weights must never be mixed with the others'.

Deviations: the last depthwise convolution has stride 1 (table 1 says 2, and a map of 7x7 after it). ReLU6 instead of ReLU, as in the
published code. Keras counts all maps as inputs of a depthwise kernel; here He's initial weights are drawn for the nine that there are.

The layers below serve all three generations of MobileNet.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from keras import initializers, layers

from zoo.backbones.variant import Top, Variant
from zoo.layers import DepthwiseConv2D


@dataclass(frozen=True, kw_only=True)
class Mobile(Variant):
    """What the rows of all three generations say.

    alpha:    factor on the widths.
    padding:  where a strided convolution pads: "same" (as TensorFlow: an even side below and right only), "symmetric" (as torch), or
              "corner": depthwise ones below and right at every size, the stem as "same" (keras.applications' MobileNet).
    epsilon, momentum: of the batch normalisations.
    """

    alpha: float = 1.0
    padding: str = "same"
    epsilon: float = 1e-3
    momentum: float = 0.99
    mean: tuple[float, ...] = (127.5, 127.5, 127.5)
    std: tuple[float, ...] = (127.5, 127.5, 127.5)


@dataclass(frozen=True, kw_only=True)
class MobileNet(Mobile):
    """stem: maps of the first convolution; stages: maps of every block, stage by stage; all of them before the factor alpha."""

    stem: int = 32
    stages: tuple[tuple[int, ...], ...] = ((64,), (128, 128), (256, 256), (512,) * 6, (1024, 1024))
    padding: str = "corner"
    top: Top = Top(dropout=1e-3)


def _row(parameters: int, alpha: float) -> MobileNet:
    return MobileNet(parameters=parameters, source="keras.applications", alpha=alpha)


_TIMM = MobileNet(parameters=4_231_976, source="timm", padding="symmetric", epsilon=1e-5, momentum=0.9, top=Top())
_SMALL: dict = {"classes": 10, "input_shape": (32, 32, 3), "stem": 4, "stages": ((8,), (8, 8), (12,), (16,), (24, 24))}

VARIANTS = {
    "mobilenet": _row(4_231_976, 1.0),
    "mobilenet_075": _row(2_585_560, 0.75),
    "mobilenet_050": _row(1_331_592, 0.5),
    "mobilenet_025": _row(470_072, 0.25),
    "mobilenet_timm": _TIMM,
    "mobilenet_micro": MobileNet(parameters=2_854, source="closed formula", **_SMALL),
    "mobilenet_timm_micro": replace(_TIMM, parameters=2_854, source="closed formula", **_SMALL),
}


def features(image, config: MobileNet, output_stride: int | None = None) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": stride 2, ..., "c5": stride 32}: every stage's last map."""
    x = convolve(image, config, int(config.stem * config.alpha), 3, "stem", stride=2)
    pyramid = {}
    for level, widths in enumerate(config.stages, start=1):
        for index, width in enumerate(widths):
            stride = 2 if index == 0 and level > 1 else 1
            x = separable(x, config, int(width * config.alpha), stride, f"stage{level}_block{index}")
        pyramid[f"c{level}"] = x
    return pyramid


def separable(x, config: MobileNet, width: int, stride: int, name: str):
    """Filter every map, then mix them."""
    x = depthwise(x, config, 3, f"{name}_depthwise", stride=stride)
    return convolve(x, config, width, 1, f"{name}_pointwise")


def convolve(x, config: Mobile, width: int, kernel: int, name: str, stride: int = 1, activation: str | None = "relu6"):
    """Convolution over all maps, normalisation, activation."""
    x, padding = pad(x, "same" if config.padding == "corner" else config.padding, kernel, stride, name)
    start = "he_normal" if activation else "glorot_uniform"
    convolution = layers.Conv2D(
        width, kernel, strides=stride, padding=padding, use_bias=False, kernel_initializer=start, name=f"{name}_conv"
    )
    return settle(convolution(x), config, name, activation)


def depthwise(x, config: Mobile, kernel: int, name: str, stride: int = 1, activation: str | None = "relu6"):
    """Convolution of every map by itself, normalisation, activation."""
    x, padding = pad(x, config.padding, kernel, stride, name)
    start = initializers.VarianceScaling(2.0, mode="fan_out")  # the outputs of a kernel of shape (k, k, maps, 1) are its k * k
    convolution = DepthwiseConv2D(kernel, strides=stride, padding=padding, use_bias=False, depthwise_initializer=start, name=f"{name}_conv")
    return settle(convolution(x), config, name, activation)


def pad(x, how: str, kernel: int, stride: int, name: str):
    """(the map, padded where Keras' own rule is not the published one; the rule left for the convolution)."""
    if stride == 1 or how == "same":
        return x, "same"
    sides = ((0, 1), (0, 1)) if how == "corner" else kernel // 2
    return layers.ZeroPadding2D(sides, name=f"{name}_pad")(x), "valid"


def settle(x, config: Mobile, name: str, activation: str | None):
    """Normalisation and activation: "relu6", another that Keras knows, or None."""
    x = layers.BatchNormalization(momentum=config.momentum, epsilon=config.epsilon, name=f"{name}_norm")(x)
    if activation is None:
        return x
    act = {"relu": layers.ReLU, "relu6": lambda name: layers.ReLU(6.0, name=name)}.get(activation)
    return (act(name=f"{name}_relu") if act else layers.Activation(activation, name=f"{name}_{activation}"))(x)
