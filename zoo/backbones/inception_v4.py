"""Inception v4: Inception v3 without the scars of its history.

Idea: Inception v3 still carried sizes that once had to fit several machines. With that gone, every grid gets one uniform module,
repeated, and the stem itself halves the map by pooling and convolution side by side.

Szegedy, Ioffe, Vanhoucke & Alemi 2016, "Inception-v4, Inception-ResNet and the impact of residual connections on learning",
arXiv:1602.07261, figures 3 to 9 and table 1. The networks of the same paper with shortcuts are in `zoo.backbones.inception_resnet`.

Equal to timm's network, whose weights are those that the paper's authors published; where 1x7 and 7x1 follow each other, their order
is that of the published code. Average poolings ignore the border.

Deviations: weights start from He normal. The paper names no constants of the batch normalisation; these are timm's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from zoo.backbones.inception import Inception, branches, unit
from zoo.backbones.variant import Top


@dataclass(frozen=True, kw_only=True)
class InceptionV4(Inception):
    """depths: modules A, B and C."""

    depths: tuple[int, ...] = (4, 7, 3)
    input_shape: tuple[int, int, int] = (299, 299, 3)
    minimum: int = 75
    mean: tuple[float, ...] = (127.5, 127.5, 127.5)
    std: tuple[float, ...] = (127.5, 127.5, 127.5)
    momentum: float | None = 0.9
    top: Top = Top(dropout=0.2)


_PAPER = InceptionV4(parameters=42_679_816, source="timm")

VARIANTS = {
    "inception_v4": _PAPER,
    "inception_v4_micro": replace(
        _PAPER, parameters=14_248, source="closed formula", classes=10, input_shape=(75, 75, 3), depths=(1, 1, 1), divide=32
    ),
}

STEM_3A = (("max/2",), ((96, 3, 2),))
STEM_4A = (
    ((64, 1), (96, 3, 1, "valid")),
    ((64, 1), (64, (1, 7)), (64, (7, 1)), (96, 3, 1, "valid")),
)
STEM_5A = (((192, 3, 2),), ("max/2",))
"""Figure 3, after its first three convolutions."""

INCEPTION_A = (
    ((96, 1),),
    ((64, 1), (96, 3)),
    ((64, 1), (96, 3), (96, 3)),
    ("average", (96, 1)),
)
"""Figure 4."""

REDUCTION_A = (
    ((384, 3, 2),),
    ((192, 1), (224, 3), (256, 3, 2)),
    ("max/2",),
)
"""Figure 7 with k, l, m, n of table 1."""

INCEPTION_B = (
    ((384, 1),),
    ((192, 1), (224, (1, 7)), (256, (7, 1))),
    ((192, 1), (192, (7, 1)), (224, (1, 7)), (224, (7, 1)), (256, (1, 7))),
    ("average", (128, 1)),
)
"""Figure 5; kernels are (height, width)."""

REDUCTION_B = (
    ((192, 1), (192, 3, 2)),
    ((256, 1), (256, (1, 7)), (320, (7, 1)), (320, 3, 2)),
    ("max/2",),
)
"""Figure 8."""

INCEPTION_C = (
    ((256, 1),),
    ((384, 1), [(256, (1, 3)), (256, (3, 1))]),
    ((384, 1), (448, (3, 1)), (512, (1, 3)), [(256, (1, 3)), (256, (3, 1))]),
    ("average", (256, 1)),
)
"""Figure 6."""


def features(image, config: InceptionV4, output_stride: int | None = None) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": stem at stride 2, "c2": its end, stride 4, "c3": modules A, "c4": B, "c5": C, stride 32}."""
    x = unit(image, config, 32, 3, "stem_%s1", 2)
    x = unit(x, config, 32, 3, "stem_%s2", padding="valid")
    pyramid = {"c1": unit(x, config, 64, 3, "stem_%s3")}
    x = branches(pyramid["c1"], config, STEM_3A, "stem_3a")
    pyramid["c2"] = branches(x, config, STEM_4A, "stem_4a")
    x = branches(pyramid["c2"], config, STEM_5A, "stem_5a")
    pyramid["c3"] = repeat(x, config, INCEPTION_A, config.depths[0], "inception_a")
    x = branches(pyramid["c3"], config, REDUCTION_A, "reduction_a")
    pyramid["c4"] = repeat(x, config, INCEPTION_B, config.depths[1], "inception_b")
    x = branches(pyramid["c4"], config, REDUCTION_B, "reduction_b")
    pyramid["c5"] = repeat(x, config, INCEPTION_C, config.depths[2], "inception_c")
    return pyramid


def repeat(x, config: InceptionV4, table: tuple, depth: int, name: str):
    for index in range(depth):
        x = branches(x, config, table, f"{name}{index}")
    return x
