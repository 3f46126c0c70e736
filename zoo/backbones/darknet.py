"""Darknet-53: the trunk of YOLOv3, residual blocks of a 1x1 and a 3x3 convolution.

Idea: ResNet's shortcuts without its bottlenecks: a 1x1 convolution halves the maps, a 3x3 doubles them again, and every halving of the
image is a convolution, never a pooling. As accurate as ResNet-101 on ImageNet at two thirds of the work, says the paper.

Redmon & Farhadi 2018, "YOLOv3: an incremental improvement", arXiv:1804.02767, section 2.4, table 1; stage n here halves for the nth time.

`tiny` is the trunk of YOLOv3-tiny: seven 3x3 convolutions with poolings between them, a fact of darknet's public yolov3-tiny.cfg. No
classifier of it was published, so it has no row in the registry: `zoo/detect/rows.py` uses it.

Deviations: epsilon 1e-5 is added to the variance; darknet adds 1e-6 to the standard deviation.
"""

from __future__ import annotations

from dataclasses import dataclass

from keras import layers

from zoo.backbones.variant import Variant


@dataclass(frozen=True, kw_only=True)
class Darknet(Variant):
    """depths: blocks of stages 1 to 5; widths: maps of the stem and of the five stages."""

    depths: tuple[int, ...] = (1, 2, 8, 8, 4)
    widths: tuple[int, ...] = (32, 64, 128, 256, 512, 1024)
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (255.0, 255.0, 255.0)


@dataclass(frozen=True)
class Tiny:
    """widths: maps of the seven convolutions of the tiny trunk."""

    widths: tuple[int, ...] = (16, 32, 64, 128, 256, 512, 1024)


VARIANTS = {
    "darknet53": Darknet(parameters=41_609_928, source="timm", input_shape=(256, 256, 3)),
    "darknet_micro": Darknet(
        parameters=14_466,
        source="closed formula",
        classes=10,
        input_shape=(64, 64, 3),
        depths=(1, 1, 1, 2, 1),
        widths=(4, 8, 8, 12, 16, 24),
    ),
}


def features(image, config: Darknet, output_stride: int | None = None) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": stride 2, ..., "c5": stride 32}."""
    x, pyramid = unit(image, config.widths[0], 3, "stem_%s"), {}
    for stage, (depth, width) in enumerate(zip(config.depths, config.widths[1:], strict=True), start=1):
        x = unit(x, width, 3, f"stage{stage}_down_%s", stride=2)
        for index in range(depth):
            x = block(x, f"stage{stage}_block{index}")
        pyramid[f"c{stage}"] = x
    return pyramid


def tiny(image, config: Tiny) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": the first map at stride 2, ..., "c4": stride 16, "c5": stride 32}.

    Each convolution but the last two is followed by a halving of the map; the sixth by a pooling that keeps it. A level is the last map of
    its stride, which for the first four is the one before the halving: what YOLOv3-tiny reads at stride 16.
    """
    x, pyramid = image, {}
    for index, width in enumerate(config.widths):
        x = unit(x, width, 3, f"conv{index}_%s")
        if index < 5:
            pyramid[f"c{index}"] = x
            x = layers.MaxPooling2D(2, strides=2, padding="same", name=f"pool{index}")(x)
        elif index == 5:
            x = layers.MaxPooling2D(2, strides=1, padding="same", name=f"pool{index}")(x)
    return {**{key: level for key, level in pyramid.items() if key != "c0"}, "c5": x}


def block(x, name: str):
    """1x1 to half the maps, 3x3 back to all of them, plus the input; nothing rectifies the sum."""
    width, shortcut = x.shape[-1], x
    x = unit(x, width // 2, 1, f"{name}_%s1")
    x = unit(x, width, 3, f"{name}_%s2")
    return layers.Add(name=f"{name}_add")([shortcut, x])


def unit(x, width: int, kernel: int, name: str, stride: int = 1):
    """Convolution, normalisation, leaky ReLU of slope 0.1; `name` has a %s for the kind of layer."""
    padding = "same"
    if stride > 1:  # "same" would pad even and odd sizes differently
        x, padding = layers.ZeroPadding2D(kernel // 2, name=name % "pad")(x), "valid"
    x = layers.Conv2D(width, kernel, strides=stride, padding=padding, use_bias=False, kernel_initializer="he_normal", name=name % "conv")(x)
    x = layers.BatchNormalization(momentum=0.99, epsilon=1e-5, name=name % "norm")(x)
    return layers.LeakyReLU(negative_slope=0.1, name=name % "leaky")(x)
