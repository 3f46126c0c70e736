"""GoogLeNet (Inception v1): look at several scales at once, and pay for it with 1x1 convolutions.

Idea: one layer cannot know whether it needs 1x1, 3x3 or 5x5, so it gets all of them and a pooling, side by side, concatenated.
A 1x1 convolution in front of each large one first squeezes the channels, so that 22 layers have a ninth of AlexNet's weights.

Szegedy et al. 2014, "Going deeper with convolutions", arXiv:1409.4842, table 1 and figure 3.

Two networks share the name. `googlenet` is the paper's: biases, response normalisation, 5x5 convolutions, no batch normalisation.
`googlenet_torchvision` is the one with published weights: batch normalisation, 3x3 where the paper has 5x5, symmetric zeros around
the first convolution, poolings that round up, and a last pooling of 2x2. It takes images scaled to [-1, 1].

Deviations of both: the two auxiliary classifiers of training are not built, and weights start from He normal. Of `googlenet`: table 1
counts 2.7K weights in the first convolution, those of a separable one that only arXiv:1502.03167 mentions, while figure 3 draws the
plain 7x7 that is used here. The paper gives no constants for the response normalisation, so AlexNet's are taken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from keras import layers

from zoo.backbones.inception import Inception, branches, unit
from zoo.backbones.variant import IMAGENET_MEAN, Top
from zoo.layers import LocalResponseNormalisation


@dataclass(frozen=True, kw_only=True)
class GoogLeNet(Inception):
    """large: side of the largest convolutions, 5 in the paper; torchvision: its paddings instead of the paper's normalisation."""

    depths: tuple[int, ...] = (2, 5, 2)
    large: int = 5
    torchvision: bool = False


WIDTHS = (
    (("3a", 64, 96, 128, 16, 32, 32), ("3b", 128, 128, 192, 32, 96, 64)),
    (
        ("4a", 192, 96, 208, 16, 48, 64),
        ("4b", 160, 112, 224, 24, 64, 64),
        ("4c", 128, 128, 256, 24, 64, 64),
        ("4d", 112, 144, 288, 32, 64, 64),
        ("4e", 256, 160, 320, 32, 128, 128),
    ),
    (("5a", 256, 160, 320, 32, 128, 128), ("5b", 384, 192, 384, 48, 128, 128)),
)
"""Table 1: module, #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj."""

_PAPER = GoogLeNet(
    parameters=6_998_552,
    source="Szegedy et al. 2014, table 1 (its layers summed, with biases and a plain first convolution)",
    mean=IMAGENET_MEAN,
    std=(1.0, 1.0, 1.0),
    halving="same",
    top=Top(dropout=0.4),
)
_TORCHVISION = GoogLeNet(
    parameters=6_624_904,
    source="torchvision",
    mean=(127.5,) * 3,
    std=(127.5,) * 3,
    momentum=0.9,
    large=3,
    torchvision=True,
    top=Top(dropout=0.2),
)
_MICRO: dict[str, Any] = {"source": "closed formula", "classes": 10, "input_shape": (32, 32, 3), "depths": (1, 1, 1), "divide": 10}

VARIANTS = {
    "googlenet": _PAPER,
    "googlenet_torchvision": _TORCHVISION,
    "googlenet_micro": replace(_PAPER, parameters=17_528, **_MICRO),
    "googlenet_torchvision_micro": replace(_TORCHVISION, parameters=16_651, **_MICRO),
}


def features(image, config: GoogLeNet, output_stride: int | None = None) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": first convolution, stride 2, "c2": stride 4, ..., "c5": last module, stride 32}."""
    x = layers.ZeroPadding2D(3, name="stem_pad")(image) if config.torchvision else image
    c1 = unit(x, config, 64, 7, "stem_%s1", 2)
    x = normalise(pool(c1, config, 3, "stem_pool1"), config, "stem_lrn1")
    x = unit(x, config, 64, 1, "stem_%s2")
    x = unit(x, config, 192, 3, "stem_%s3")
    pyramid = {"c1": c1, "c2": normalise(x, config, "stem_lrn2")}
    x = pool(pyramid["c2"], config, 3, "stem_pool2")
    for stage, (rows, depth) in enumerate(zip(WIDTHS, config.depths, strict=True), start=3):
        for module, *widths in rows[:depth]:
            x = branches(x, config, inception(config, *widths), f"inception_{module}")
        pyramid[f"c{stage}"] = x
        if stage < 5:
            x = pool(x, config, 2 if stage == 4 and config.torchvision else 3, f"stage{stage}_pool")
    return pyramid


def inception(config: GoogLeNet, one: int, reduce3: int, three: int, reduce5: int, five: int, project: int) -> tuple:
    """Figure 2(b)."""
    return (
        ((one, 1),),
        ((reduce3, 1), (three, 3)),
        ((reduce5, 1), (five, config.large)),
        ("max", (project, 1)),
    )


def pool(x, config: GoogLeNet, size: int, name: str):
    """Maxima of every second window. torchvision counts windows by rounding up: one more row and column of zeros, which are never
    more than what a ReLU left, and which no window enters where the size fits."""
    if not config.torchvision:
        return layers.MaxPooling2D(size, strides=2, padding="same", name=name)(x)
    x = layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"{name}_pad")(x)
    return layers.MaxPooling2D(size, strides=2, name=name)(x)


def normalise(x, config: GoogLeNet, name: str):
    return x if config.torchvision else LocalResponseNormalisation(name=name)(x)
