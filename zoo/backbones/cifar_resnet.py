"""The ResNets of the paper's CIFAR-10 section: 6n + 2 layers of 3x3 convolutions on 32x32 pixels, a study of depth alone.

Idea: same blocks, same widths (16, 32, 64), only n grows. Plain networks get worse from 20 to 56 layers, these get better up to 110.

He, Zhang, Ren & Sun 2016, "Deep residual learning for image recognition", arXiv:1512.03385, section 4.2 and table 6.
Where the map halves and the width doubles, the paper's CIFAR networks take every second pixel and fill up with empty maps (option A, no
parameters); the rows `_b` have the 1x1 projection of its ImageNet networks instead (option B).

The rows without suffix equal Idelbayev's reproduction (github.com/akamaster/pytorch_resnet_cifar10), whose weights of 20 and 56 layers
are published: a quarter of the new maps is put in front, a quarter behind. Normalisation of the image is his, that of ImageNet.
`resnet8` is the image classifier of MLPerf Tiny (Banbury et al. 2021, arXiv:2106.07597): n = 1, with
biases, a projection without normalisation, "same" paddings as TensorFlow does them, and images as they are, in [0, 255].

Deviations: Keras moves the variance by the biased estimate, torch by the unbiased one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from keras import layers

from zoo.backbones.variant import Variant
from zoo.layers import PadChannels


@dataclass(frozen=True, kw_only=True)
class CifarResNet(Variant):
    """depth: blocks per stage (n); widths: maps of the stages.

    option: shortcut where the shape changes: "A" subsampling and empty maps, "B" 1x1 convolution and normalisation.
    tiny:   as MLPerf Tiny has it: biases, no normalisation in a projection, asymmetric padding, momentum 0.99 and epsilon 0.001.
    """

    depth: int
    widths: tuple[int, int, int] = (16, 32, 64)
    option: str = "A"
    tiny: bool = False
    classes: int = 10
    input_shape: tuple[int, int, int] = (32, 32, 3)
    minimum: int = 8
    source: str = "He et al. 2016, table 6"


_A = {20: 269_722, 32: 464_154, 44: 658_586, 56: 853_018, 110: 1_727_962}
_MICRO = CifarResNet(parameters=5_006, source="closed formula", depth=1, widths=(4, 8, 16))

VARIANTS = {
    **{f"cifar_resnet{layer}": CifarResNet(parameters=count, depth=layer // 6) for layer, count in _A.items()},
    **{
        f"cifar_resnet{layer}_b": CifarResNet(parameters=count + 2752, depth=layer // 6, option="B", source="closed formula")
        for layer, count in _A.items()
    },
    "resnet8": CifarResNet(
        parameters=78_186, source="MLPerf Tiny", depth=1, option="B", tiny=True, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)
    ),
    "cifar_resnet_micro": _MICRO,
    "cifar_resnet_b_micro": replace(_MICRO, parameters=5_214, option="B"),
    "cifar_resnet_tiny_micro": replace(_MICRO, parameters=5_250, option="B", tiny=True, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
}


def features(image, config: CifarResNet, output_stride: int | None = None) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": stage 1 at stride 1, "c2": stride 2, "c3": stride 4}."""
    x = unit(image, config, config.widths[0], 1, "stem_%s")
    x = layers.ReLU(name="stem_relu")(x)
    pyramid = {}
    for stage, width in enumerate(config.widths, start=1):
        for index in range(config.depth):
            x = block(x, config, width, 2 if stage > 1 and index == 0 else 1, f"stage{stage}_block{index}")
        pyramid[f"c{stage}"] = x
    return pyramid


def block(x, config: CifarResNet, width: int, stride: int, name: str):
    """3x3, 3x3, plus the shortcut."""
    fresh = unit(x, config, width, stride, f"{name}_%s1")
    fresh = layers.ReLU(name=f"{name}_relu1")(fresh)
    fresh = unit(fresh, config, width, 1, f"{name}_%s2")
    x = shortcut(x, config, width, stride, name) if stride > 1 else x
    return layers.ReLU(name=f"{name}_relu2")(layers.Add(name=f"{name}_add")([x, fresh]))


def shortcut(x, config: CifarResNet, width: int, stride: int, name: str):
    """(b, h, w, c) -> (b, ceil(h / stride), ceil(w / stride), width)"""
    if config.option == "A":
        x = layers.MaxPooling2D(1, strides=stride, name=f"{name}_shortcut_pool")(x)  # every second pixel as it is
        before = (width - x.shape[-1]) // 2
        return PadChannels(before, width - x.shape[-1] - before, name=f"{name}_shortcut_pad")(x)
    x = layers.Conv2D(width, 1, strides=stride, use_bias=config.tiny, kernel_initializer="he_normal", name=f"{name}_shortcut_conv")(x)
    return x if config.tiny else norm(x, config, f"{name}_shortcut_norm")


def unit(x, config: CifarResNet, width: int, stride: int, name: str):
    """3x3 convolution and normalisation; `name` has a %s for the kind of layer."""
    padding = "same"
    if stride > 1 and not config.tiny:  # "same" would pad even and odd sizes differently
        x, padding = layers.ZeroPadding2D(1, name=name % "pad")(x), "valid"
    x = layers.Conv2D(width, 3, strides=stride, padding=padding, use_bias=config.tiny, kernel_initializer="he_normal", name=name % "conv")(
        x
    )
    return norm(x, config, name % "norm")


def norm(x, config: CifarResNet, name: str):
    momentum, epsilon = (0.99, 1e-3) if config.tiny else (0.9, 1e-5)
    return layers.BatchNormalization(momentum=momentum, epsilon=epsilon, name=name)(x)
