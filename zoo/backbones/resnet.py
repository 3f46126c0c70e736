"""ResNet: learn the change, not the value.

Idea: a deeper plain network trains worse than a shallow one, though it could copy it. So let every block compute what to *add*
to its input: copying becomes the default, gradients pass by the addition, and a hundred layers train.

He, Zhang, Ren & Sun 2016, "Deep residual learning for image recognition", arXiv:1512.03385, table 1;
stages 2 to 5 here are its conv2_x to conv5_x.

Two rows for one depth, because two networks share the name and their weights must never be mixed:
`resnet50_v1` halves the map in the first 1x1 convolution of a stage, as the paper and keras.applications do;
`resnet50` ("v1.5") halves it in the 3x3, as torchvision, timm and NVIDIA do: half a point better, 5 % slower.
The two-convolution blocks of 18 and 34 layers have only one place for it.

Deviations: batch statistics move by 0.1 per step in v1.5 (torch's momentum 0.1 is Keras' 0.9), by 0.01 in v1, each as published.
Keras moves the variance by the biased estimate, torch by the unbiased one. Paddings are explicit and symmetric.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from keras import layers

from zoo.backbones.variant import Variant
from zoo.layers import GroupedConv2D


@dataclass(frozen=True, kw_only=True)
class ResNet(Variant):
    """depths: blocks of stages 2 to 5; width: maps of the stem, doubled from stage to stage.

    bottleneck: blocks of 1x1, 3x3, 1x1 (to four times the width) instead of two 3x3.
    v1:         stride on the first 1x1, biases, epsilon 1.001e-5, momentum 0.99, as keras.applications publishes.
    zero_gamma: the last normalisation of every block starts at 0, so that a block starts as the identity
                (Goyal et al. 2017, arXiv:1706.02677, section 5.1). Such a block's other weights get no gradient in the first step.
    """

    depths: tuple[int, ...]
    width: int = 64
    bottleneck: bool = False
    v1: bool = False
    zero_gamma: bool = False


def _row(parameters: int, depths: tuple[int, ...], *, bottleneck: bool = True, v1: bool = False) -> ResNet:
    source = "keras.applications" if v1 else "torchvision"
    return ResNet(parameters=parameters, source=source, depths=depths, bottleneck=bottleneck, v1=v1, output_strides=(8, 16, 32))


_MICRO = ResNet(
    parameters=10_092,
    source="closed formula",
    classes=10,
    input_shape=(32, 32, 3),
    depths=(1, 1, 1, 2),
    width=2,
    output_strides=(8, 16, 32),
)

VARIANTS = {
    "resnet18": _row(11_689_512, (2, 2, 2, 2), bottleneck=False),
    "resnet34": _row(21_797_672, (3, 4, 6, 3), bottleneck=False),
    "resnet50": _row(25_557_032, (3, 4, 6, 3)),
    "resnet101": _row(44_549_160, (3, 4, 23, 3)),
    "resnet152": _row(60_192_808, (3, 8, 36, 3)),
    "resnet50_v1": _row(25_583_592, (3, 4, 6, 3), v1=True),
    "resnet101_v1": _row(44_601_832, (3, 4, 23, 3), v1=True),
    "resnet152_v1": _row(60_268_520, (3, 8, 36, 3), v1=True),
    "resnet_micro": _MICRO,
    "resnet_bottleneck_micro": replace(_MICRO, parameters=13_892, bottleneck=True),
    "resnet_v1_micro": replace(_MICRO, parameters=14_290, bottleneck=True, v1=True),
}


def features(image, config: ResNet, output_stride: int | None = None) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": stem at stride 2, "c2": stride 4, ..., "c5": stride 32}.

    output_stride: 8 or 16 keeps the last maps that fine: a stage that would go beyond it dilates its convolutions instead
    (Chen et al. 2017, arXiv:1706.05587, section 3.1), so every weight still sees the same neighbours.
    """
    c1 = stem(image, config)
    return {"c1": c1, **stages(stem_pool(c1), config, bottleneck if config.bottleneck else basic, output_stride)}


def stem(image, config: ResNet):
    x = layers.ZeroPadding2D(3, name="stem_pad")(image)
    x = convolve(x, config, config.width, 7, "stem_conv", strides=2, padding="valid")
    return layers.ReLU(name="stem_relu")(norm(x, config, "stem_norm"))


def stem_pool(x):
    x = layers.ZeroPadding2D(1, name="stem_pool_pad")(x)  # after a ReLU, zeros around the map are what -inf would be
    return layers.MaxPooling2D(3, strides=2, name="stem_pool")(x)


def stages(x, config: ResNet, block, output_stride: int | None = None, stride: int = 4) -> dict:
    """The map behind the stem, at `stride`, -> {"c2": ..., "c5": ...}. `block` is called as `basic` and `bottleneck` are."""
    pyramid, dilation = {}, 1
    for level, depth in enumerate(config.depths, start=2):
        width, wanted = config.width * 2 ** (level - 2), 1 if level == 2 else 2
        dilate = wanted if output_stride and stride * wanted > output_stride else 1
        x = stage(x, config, block, width, depth, wanted // dilate, (dilation, dilation * dilate), f"stage{level}")
        stride, dilation = stride * wanted // dilate, dilation * dilate
        pyramid[f"c{level}"] = x
    return pyramid


def stage(x, config: ResNet, block, width: int, depth: int, stride: int, dilations: tuple[int, int], name: str):
    """The first block halves the map, or, where that is dilated away, still sees the spacing of the stage before."""
    for index in range(depth):
        first = index == 0
        x = block(x, config, width, stride if first else 1, (dilations[0] if first else dilations[1], dilations[1]), f"{name}_block{index}")
    return x


def basic(x, config: ResNet, width: int, stride: int, dilations: tuple[int, int], name: str):
    """3x3, 3x3, plus the shortcut."""
    shortcut = project(x, config, width, stride, name)
    x = unit(x, config, width, 3, f"{name}_%s1", stride, dilations[0])
    x = unit(x, config, width, 3, f"{name}_%s2", dilation=dilations[1], last=True)
    return add(x, shortcut, name)


def bottleneck(x, config: ResNet, width: int, stride: int, dilations: tuple[int, int], name: str):
    """1x1, 3x3, 1x1 to four times the width, plus the shortcut."""
    shortcut = project(x, config, 4 * width, stride, name)
    # In v1 the 3x3 comes after the stride, so where that is dilated away it already sees the wider spacing.
    first, second, dilation = (stride, 1, dilations[1]) if config.v1 else (1, stride, dilations[0])
    x = unit(x, config, width, 1, f"{name}_%s1", first)
    x = unit(x, config, width, 3, f"{name}_%s2", second, dilation)
    x = unit(x, config, 4 * width, 1, f"{name}_%s3", last=True)
    return add(x, shortcut, name)


def unit(x, config: ResNet, width: int, kernel: int, name: str, stride: int = 1, dilation: int = 1, last: bool = False, groups: int = 1):
    """Convolution, normalisation and, but for the last of a block, ReLU; `name` has a %s for the kind of layer."""
    padding = "same"
    if stride > 1:  # "same" would pad even and odd sizes differently
        padding = "valid"
        if kernel > 1:
            x = layers.ZeroPadding2D(dilation * (kernel // 2), name=name % "pad")(x)
    x = convolve(x, config, width, kernel, name % "conv", strides=stride, padding=padding, dilation_rate=dilation, groups=groups)
    x = norm(x, config, name % "norm", zero=last and config.zero_gamma)
    return x if last else layers.ReLU(name=name % "relu")(x)


def project(x, config: ResNet, width: int, stride: int, name: str):
    """The shortcut: the input itself, or a 1x1 convolution where its shape must change (the paper's option B)."""
    if stride == 1 and x.shape[-1] == width:
        return x
    x = convolve(x, config, width, 1, f"{name}_shortcut_conv", strides=stride)
    return norm(x, config, f"{name}_shortcut_norm")


def add(x, shortcut, name: str):
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, shortcut]))


def convolve(x, config: ResNet, width: int, kernel: int, name: str, groups: int = 1, **fields):
    convolution = layers.Conv2D if groups == 1 else partial(GroupedConv2D, groups=groups)
    return convolution(width, kernel, use_bias=config.v1, kernel_initializer="he_normal", name=name, **fields)(x)


def norm(x, config: ResNet, name: str, zero: bool = False):
    momentum, epsilon = (0.99, 1.001e-5) if config.v1 else (0.9, 1e-5)
    gamma = "zeros" if zero else "ones"
    return layers.BatchNormalization(momentum=momentum, epsilon=epsilon, gamma_initializer=gamma, name=name)(x)
