"""Inception v3: the same view for less, by taking large convolutions apart.

Idea: two 3x3 see what a 5x5 sees; a 1x7 and a 7x1 see what a 7x7 sees, for less than a third of the price. So every module is rebuilt from
factors, the map is halved by convolutions and pooling side by side so that no step is a bottleneck, and the savings buy width.

Szegedy, Vanhoucke, Ioffe, Shlens & Wojna 2015, "Rethinking the Inception architecture for computer vision", arXiv:1512.00567,
figures 5 to 7 and 10, section 6; the exact widths are those of the code that its authors published, which its table 1 only outlines.

Two rows, whose weights must not be mixed: `inception_v3` is torchvision's and timm's: a scale in every normalisation, averages that
count the zeros around the map. `inception_v3_keras` is keras.applications': no scale, averages over the map alone, as the
published weights were trained. Both take images scaled to [-1, 1].

Deviations: modules are called by the letters of Inception v4, A (35x35), B (17x17) and C (8x8), with reductions between them; A has
5x5 where figure 5 has two 3x3, as the published code. The auxiliary classifier of training is not built. Weights start from He normal,
not from N(0, 0.1) cut at two standard deviations. Dropout is 0.5 in torchvision and 0.2 in the published training code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from keras import layers

from zoo.backbones.inception import Inception, branches, unit
from zoo.backbones.variant import Top


@dataclass(frozen=True, kw_only=True)
class InceptionV3(Inception):
    """depths: modules A, B and C."""

    depths: tuple[int, ...] = (3, 4, 2)
    input_shape: tuple[int, int, int] = (299, 299, 3)
    minimum: int = 75
    mean: tuple[float, ...] = (127.5, 127.5, 127.5)
    std: tuple[float, ...] = (127.5, 127.5, 127.5)


_TORCHVISION = InceptionV3(parameters=23_834_568, source="torchvision", momentum=0.9, border=True, top=Top(dropout=0.5))
_KERAS = InceptionV3(parameters=23_817_352, source="keras.applications", momentum=0.99, gamma=False, top=Top(dropout=0.2))
_MICRO: dict[str, Any] = {"source": "closed formula", "classes": 10, "input_shape": (75, 75, 3), "depths": (1, 1, 1), "divide": 32}

VARIANTS = {
    "inception_v3": _TORCHVISION,
    "inception_v3_keras": _KERAS,
    "inception_v3_micro": replace(_TORCHVISION, parameters=10_460, **_MICRO),
    "inception_v3_keras_micro": replace(_KERAS, parameters=10_222, **_MICRO),
}

POOLED = (32, 64, 64)
"""Width of the pooling's projection in each module A."""
SEVEN = (128, 160, 160, 192)
"""Width between the 1x7 and 7x1 of each module B."""


def features(image, config: InceptionV3, output_stride: int | None = None) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": stem at stride 2, "c2": its end, stride 4, "c3": modules A, "c4": B, "c5": C, stride 32}."""
    pyramid = stem(image, config)
    x = layers.MaxPooling2D(3, strides=2, name="stem_pool2")(pyramid["c2"])
    for index, width in enumerate(POOLED[: config.depths[0]]):
        x = branches(x, config, inception_a(width), f"inception_a{index}")
    pyramid["c3"] = x
    x = branches(x, config, REDUCTION_A, "reduction_a")
    for index, width in enumerate(SEVEN[: config.depths[1]]):
        x = branches(x, config, inception_b(width), f"inception_b{index}")
    pyramid["c4"] = x
    x = branches(x, config, REDUCTION_B, "reduction_b")
    for index in range(config.depths[2]):
        x = branches(x, config, INCEPTION_C, f"inception_c{index}")
    pyramid["c5"] = x
    return pyramid


def stem(image, config: Inception) -> dict:
    """Five convolutions, all but one without padding, and a pooling: 299 pixels become 147 (c1) and 71 (c2)."""
    x = unit(image, config, 32, 3, "stem_%s1", 2)
    x = unit(x, config, 32, 3, "stem_%s2", padding="valid")
    c1 = unit(x, config, 64, 3, "stem_%s3")
    x = layers.MaxPooling2D(3, strides=2, name="stem_pool1")(c1)
    x = unit(x, config, 80, 1, "stem_%s4")
    return {"c1": c1, "c2": unit(x, config, 192, 3, "stem_%s5", padding="valid")}


def inception_a(pooled: int) -> tuple:
    """Figure 5, with a 5x5."""
    return (
        ((64, 1),),
        ((48, 1), (64, 5)),
        ((64, 1), (96, 3), (96, 3)),
        ("average", (pooled, 1)),
    )


REDUCTION_A = (
    ((384, 3, 2),),
    ((64, 1), (96, 3), (96, 3, 2)),
    ("max/2",),
)
"""Figure 10."""


def inception_b(seven: int) -> tuple:
    """Figure 6 with n = 7; kernels are (height, width)."""
    return (
        ((192, 1),),
        ((seven, 1), (seven, (1, 7)), (192, (7, 1))),
        ((seven, 1), (seven, (7, 1)), (seven, (1, 7)), (seven, (7, 1)), (192, (1, 7))),
        ("average", (192, 1)),
    )


REDUCTION_B = (
    ((192, 1), (320, 3, 2)),
    ((192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3, 2)),
    ("max/2",),
)

INCEPTION_C = (
    ((320, 1),),
    ((384, 1), [(384, (1, 3)), (384, (3, 1))]),
    ((448, 1), (384, 3), [(384, (1, 3)), (384, (3, 1))]),
    ("average", (192, 1)),
)
"""Figure 7: the last factors side by side, not one after the other, to make the coarsest maps wide."""
