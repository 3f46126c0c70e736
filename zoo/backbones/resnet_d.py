"""ResNet-B, C and D: the same depth, and no information thrown away when a map is halved.

Idea: a 1x1 convolution with stride 2 never looks at three quarters of its input. So give every strided layer of a ResNet a window that
covers the map, and replace the expensive first 7x7 by three 3x3. Together the three steps take ResNet-50 from 76.2 to 77.2 % for
4.3 instead of 3.8 billion multiplications.

He, Zhang, Zhang, Zhang, Xie & Li 2019, "Bag of tricks for image classification with convolutional neural networks",
arXiv:1812.01187, section 4 and figure 2, as three switches:

    late_stride        B: the main path halves the map in the 3x3 instead of the first 1x1
    deep_stem          C: three 3x3 convolutions instead of one 7x7
    average_shortcut   D: the shortcut halves the map by a 2x2 average before its 1x1, which then has stride 1

All three off is the original ResNet (A) with v1.5's settings; B alone is the row `resnet50` of `zoo.backbones.resnet`, so it has no row
here; `resnet50_c` is B and C; `_d` rows are all three. They equal timm's `resnet50c`, `resnet18d`, `resnet34d`, `resnet50d`,
`resnet101d` and `resnet152d`. The paper's further tricks are elsewhere: `zero_gamma` below, the others in `zoo.train`.

`small_image` keeps the stem from halving an image of about 32x32 twice, and `resnet_d_small` is a row on which the ladder from A to D
trains in minutes: `zoo.classifier("resnet_d_small", changes={"average_shortcut": False})`.

Deviations: those of `zoo.backbones.resnet`. At an odd size the average of the last row and column is over what is there. The average
cannot be dilated, so the maps stay at stride 16 at the finest: there they still hold the values of the undilated network.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from keras import layers

from zoo.backbones import resnet
from zoo.backbones.resnet import ResNet, add, convolve, norm, project, stages, stem_pool, unit


@dataclass(frozen=True, kw_only=True)
class ResNetD(ResNet):
    """late_stride, deep_stem, average_shortcut: the steps to B, C and D, see above. The first concerns bottlenecks only.

    small_image: the stem keeps the size of the image: stride 1 and no pooling.
    """

    bottleneck: bool = True
    late_stride: bool = True
    deep_stem: bool = True
    average_shortcut: bool = True
    small_image: bool = False


def _row(parameters: int, depths: tuple[int, ...], **fields) -> ResNetD:
    return ResNetD(parameters=parameters, source="timm", depths=depths, output_strides=(16, 32), **fields)


_MICRO = ResNetD(
    parameters=13_580,
    source="closed formula",
    classes=10,
    input_shape=(32, 32, 3),
    depths=(1, 1, 2),
    width=4,
    output_strides=(8, 16),
)

VARIANTS = {
    "resnet50_c": _row(25_576_264, (3, 4, 6, 3), average_shortcut=False),
    "resnet18_d": _row(11_708_744, (2, 2, 2, 2), bottleneck=False),
    "resnet34_d": _row(21_816_904, (3, 4, 6, 3), bottleneck=False),
    "resnet50_d": _row(25_576_264, (3, 4, 6, 3)),
    "resnet101_d": _row(44_568_392, (3, 4, 23, 3)),
    "resnet152_d": _row(60_212_040, (3, 8, 36, 3)),
    "resnet_d_small": replace(_MICRO, parameters=883_938, depths=(2, 2, 2, 2), width=16, small_image=True, output_strides=()),
    "resnet_c_micro": replace(_MICRO, average_shortcut=False),
    "resnet_d_micro": replace(_MICRO, parameters=9_948, bottleneck=False),
    "resnet_d_bottleneck_micro": _MICRO,
    "resnet_d_small_micro": replace(_MICRO, small_image=True, output_strides=()),
}


def features(image, config: ResNetD, output_stride: int | None = None) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": stem at stride 2, "c2": stride 4, ..., "c5": stride 32}; for small images from stride 1.

    output_stride: 16 keeps the last maps that fine, see `zoo.backbones.resnet`.
    """
    c1 = stem(image, config)
    block = bottleneck if config.bottleneck else basic
    if config.small_image:
        return {"c1": c1, **stages(c1, config, block, output_stride, stride=1)}
    return {"c1": c1, **stages(stem_pool(c1), config, block, output_stride)}


def stem(image, config: ResNetD):
    """One 7x7, or three 3x3 of which the first two have half the width."""
    if config.deep_stem:
        x = unit(image, config, config.width // 2, 3, "stem_%s1", 1 if config.small_image else 2)
        x = unit(x, config, config.width // 2, 3, "stem_%s2")
        return unit(x, config, config.width, 3, "stem_%s3")
    if config.small_image:
        x = convolve(image, config, config.width, 7, "stem_conv", padding="same")
        return layers.ReLU(name="stem_relu")(norm(x, config, "stem_norm"))
    return resnet.stem(image, config)


def basic(x, config: ResNetD, width: int, stride: int, dilations: tuple[int, int], name: str):
    """3x3, 3x3, plus the shortcut."""
    way = shortcut(x, config, width, stride, dilations, name)
    x = unit(x, config, width, 3, f"{name}_%s1", stride, dilations[0])
    x = unit(x, config, width, 3, f"{name}_%s2", dilation=dilations[1], last=True)
    return add(x, way, name)


def bottleneck(x, config: ResNetD, width: int, stride: int, dilations: tuple[int, int], name: str):
    """1x1, 3x3, 1x1 to four times the width, plus the shortcut."""
    way = shortcut(x, config, 4 * width, stride, dilations, name)
    # As in `resnet.bottleneck`: a 3x3 behind the stride already sees the wider spacing where that is dilated away.
    first, second, dilation = (1, stride, dilations[0]) if config.late_stride else (stride, 1, dilations[1])
    x = unit(x, config, width, 1, f"{name}_%s1", first)
    x = unit(x, config, width, 3, f"{name}_%s2", second, dilation)
    x = unit(x, config, 4 * width, 1, f"{name}_%s3", last=True)
    return add(x, way, name)


def shortcut(x, config: ResNetD, width: int, stride: int, dilations: tuple[int, int], name: str):
    """`resnet.project`, or in D the mean of every 2x2 before it; where the stride is dilated away, of the same 2x2 at every place."""
    if not config.average_shortcut:
        return project(x, config, width, stride, name)
    if stride > 1 or dilations[0] < dilations[1]:
        x = layers.AveragePooling2D(2, strides=stride, padding="same", name=f"{name}_shortcut_pool")(x)  # excludes what it pads
    return project(x, config, width, 1, name)
