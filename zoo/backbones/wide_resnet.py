"""Wide ResNet: not deeper but wider.

Idea: in a very deep residual network many blocks may learn next to nothing, since the shortcut lets them. Sixteen layers with more maps
are as accurate as a thousand thin ones, and train several times faster: a wide convolution keeps a processor busy, a chain does not.

Zagoruyko & Komodakis 2016, "Wide residual networks", arXiv:1605.07146.

Two kinds of rows, as in the paper:
`wide_resnetN_k` for images of 32x32 (table 1, section 3): N convolutions in three stages of 16 k, 32 k and 64 k maps, pre-activation
(normalise, rectify, then convolve: arXiv:1603.05027), with dropout between the two convolutions of a block (section 2.4, 3.3): 28_10 for
CIFAR with rate 0.3, 16_4 for SVHN with rate 0.4, 40_4 for CIFAR without. Where the shape changes, the 1x1 shortcut too sees the
normalised map.
`wide_resnet50_2` and `101_2` for ImageNet (section 3.4) are torchvision's: ResNet v1.5 with twice the maps in the 3x3 of every bottleneck.

N = 6 n + 4 for n blocks per stage. Normalising constants are those of the authors' code for CIFAR, and [0, 1] for SVHN.

Deviations: those of `zoo.backbones.resnet`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from keras import layers

from zoo.backbones.resnet import ResNet, add, project, stages, stem, stem_pool, unit
from zoo.backbones.variant import Variant


@dataclass(frozen=True, kw_only=True)
class WideResNet(ResNet):
    """The networks for ImageNet. widening: maps of the 3x3 in units of ResNet's."""

    bottleneck: bool = field(default=True, init=False)
    v1: bool = field(default=False, init=False)
    widening: int = 2


@dataclass(frozen=True, kw_only=True)
class WideCifarResNet(Variant):
    """The networks for 32x32. depth: blocks per stage; width: maps of the stem; widening: of stage 1 in units of that; rate: dropout."""

    depth: int
    width: int = 16
    widening: int
    rate: float = 0.0


_CIFAR_MEAN, _CIFAR_STD = (125.3, 123.0, 113.9), (63.0, 62.1, 66.7)


def _row(parameters: int, *depths: int) -> WideResNet:
    return WideResNet(parameters=parameters, source="torchvision", depths=depths, output_strides=(8, 16, 32))


def _cifar(parameters: int, count: int, widening: int, rate: float = 0.0, source: str = "", **fields) -> WideCifarResNet:
    """count: all convolutions, the three of the shortcuts too, as the paper counts them."""
    fields = {"mean": _CIFAR_MEAN, "std": _CIFAR_STD, **fields}
    return WideCifarResNet(
        parameters=parameters,
        source=source or "arXiv:1605.07146, table 4",
        classes=10,
        input_shape=(32, 32, 3),
        minimum=8,
        depth=(count - 4) // 6,
        widening=widening,
        rate=rate,
        **fields,
    )


VARIANTS = {
    "wide_resnet50_2": _row(68_883_240, 3, 4, 6, 3),
    "wide_resnet101_2": _row(126_886_696, 3, 4, 23, 3),
    "wide_resnet16_4": _cifar(2_748_890, 16, 4, 0.4, source="closed formula", mean=(0.0,) * 3, std=(255.0,) * 3),
    "wide_resnet28_10": _cifar(36_479_194, 28, 10, 0.3),
    "wide_resnet40_4": _cifar(8_949_210, 40, 4),
    "wide_resnet_micro": WideResNet(
        parameters=9_100,
        source="closed formula",
        classes=10,
        input_shape=(32, 32, 3),
        depths=(1, 1, 2),
        width=2,
        output_strides=(8, 16),
    ),
    "wide_resnet_cifar_micro": _cifar(11_204, 16, 2, 0.3, source="closed formula", width=2),
}


def features(image, config: WideResNet | WideCifarResNet, output_stride: int | None = None) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": stem at stride 2, "c2": stride 4, ..., "c5": stride 32}, dilated as in
    `zoo.backbones.resnet`; for 32x32 {"c1": stride 1, "c2": stride 2, "c3": stride 4}.
    """
    if isinstance(config, WideCifarResNet):
        return cifar(image, config)
    c1 = stem(image, config)
    return {"c1": c1, **stages(stem_pool(c1), config, bottleneck, output_stride)}


def bottleneck(x, config: WideResNet, width: int, stride: int, dilations: tuple[int, int], name: str):
    """1x1, 3x3, both widened, and 1x1 to four times the width, plus the shortcut."""
    shortcut = project(x, config, 4 * width, stride, name)
    x = unit(x, config, config.widening * width, 1, f"{name}_%s1")
    x = unit(x, config, config.widening * width, 3, f"{name}_%s2", stride, dilations[0])
    x = unit(x, config, 4 * width, 1, f"{name}_%s3", last=True)
    return add(x, shortcut, name)


def cifar(image, config: WideCifarResNet) -> dict:
    """The sums between the blocks are neither normalised nor rectified; only the last level is both, for the head."""
    x, pyramid = convolve(image, config.width, 3, "stem_conv"), {}
    for level in (1, 2, 3):
        width = config.width * config.widening * 2 ** (level - 1)
        for index in range(config.depth):
            x = block(x, config, width, 2 if level > 1 and index == 0 else 1, f"stage{level}_block{index}")
        pyramid[f"c{level}"] = x
    return {**pyramid, "c3": activate(x, "head_%s")}


def block(x, config: WideCifarResNet, width: int, stride: int, name: str):
    """Normalise, ReLU, 3x3, normalise, ReLU, dropout, 3x3, plus the shortcut."""
    active = activate(x, f"{name}_%s1")
    if x.shape[-1] != width:
        x = convolve(active, width, 1, f"{name}_shortcut_conv", stride)
    y = convolve(active, width, 3, f"{name}_conv1", stride)
    y = activate(y, f"{name}_%s2")
    if config.rate:
        y = layers.Dropout(config.rate, name=f"{name}_dropout")(y)
    y = convolve(y, width, 3, f"{name}_conv2")
    return layers.Add(name=f"{name}_add")([y, x])


def activate(x, name: str):
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name % "norm")(x)
    return layers.ReLU(name=name % "relu")(x)


def convolve(x, width: int, kernel: int, name: str, stride: int = 1):
    """Padded by the same on every side, which a strided "same" is not."""
    if kernel > 1 and stride > 1:
        x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    padding = "same" if stride == 1 else "valid"
    return layers.Conv2D(width, kernel, stride, padding, use_bias=False, kernel_initializer="he_normal", name=name)(x)
