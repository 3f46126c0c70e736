"""Inception-ResNet: Inception modules that learn the change.

Idea: replace the concatenation at the end of an Inception module by a shortcut: the branches are projected back to the width of the
input and added to it. The network trains several times faster; and if what is added is first scaled down to a tenth or a fifth,
even a thousand maps train without dying.

Szegedy, Ioffe, Vanhoucke & Alemi 2016, "Inception-v4, Inception-ResNet and the impact of residual connections on learning",
arXiv:1602.07261, figures 7 and 10 to 15 and table 1 for v1, section 3.3 for the scaling; the sums are not normalised.

`inception_resnet_v1` is the paper's, which no other library has. `inception_resnet_v2` is the network that its authors published,
and keras.applications has: with the stem of Inception v3 and an Inception module instead of figure 3, twice the modules of figure 15,
a last module that is neither scaled nor rectified, a last 1x1 convolution, and normalisations without scale.
`inception_resnet_v2_timm` has the same weights with scales, all of which are one in the file that timm publishes.

Deviations: of v1: the paper gives scales between 0.1 and 0.3, here those of the published v2: 0.17, 0.10, 0.20. The paper names no
constants of the batch normalisation; here those of keras.applications, and timm's in its row. Weights start from He normal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from keras import layers

from zoo.backbones.inception import Inception, branches, unit
from zoo.backbones.inception_v3 import stem
from zoo.backbones.variant import Top
from zoo.layers import ScaledSum


@dataclass(frozen=True, kw_only=True)
class InceptionResNet(Inception):
    """version: 1 or 2; depths: modules A, B and C."""

    version: int = 2
    depths: tuple[int, ...] = (10, 20, 10)
    input_shape: tuple[int, int, int] = (299, 299, 3)
    minimum: int = 75
    mean: tuple[float, ...] = (127.5, 127.5, 127.5)
    std: tuple[float, ...] = (127.5, 127.5, 127.5)
    momentum: float | None = 0.99
    gamma: bool = False
    top: Top = Top(dropout=0.2)


_V1 = InceptionResNet(
    parameters=22_742_808,
    source="Szegedy et al. 2016, figures 10 to 15 (the layers summed, with a shift per map)",
    version=1,
    depths=(5, 10, 5),
)
_V2 = InceptionResNet(parameters=55_813_192, source="keras.applications")
_TIMM = replace(_V2, parameters=55_843_464, source="timm", momentum=0.9, gamma=True)
_MICRO: dict[str, Any] = {"source": "closed formula", "classes": 10, "input_shape": (75, 75, 3), "divide": 32}

VARIANTS = {
    "inception_resnet_v1": _V1,
    "inception_resnet_v2": _V2,
    "inception_resnet_v2_timm": _TIMM,
    "inception_resnet_v1_micro": replace(_V1, parameters=8_714, depths=(1, 1, 1), **_MICRO),
    "inception_resnet_v2_micro": replace(_V2, parameters=16_145, depths=(1, 1, 2), **_MICRO),
    "inception_resnet_v2_timm_micro": replace(_TIMM, parameters=16_410, depths=(1, 1, 2), **_MICRO),
}

SCALES = (0.17, 0.10, 0.20)
"""What is added is multiplied by this, in modules A, B and C."""

MODULES = {
    1: (
        (((32, 1),), ((32, 1), (32, 3)), ((32, 1), (32, 3), (32, 3))),
        (((128, 1),), ((128, 1), (128, (1, 7)), (128, (7, 1)))),
        (((192, 1),), ((192, 1), (192, (1, 3)), (192, (3, 1)))),
    ),
    2: (
        (((32, 1),), ((32, 1), (32, 3)), ((32, 1), (48, 3), (64, 3))),
        (((192, 1),), ((128, 1), (160, (1, 7)), (192, (7, 1)))),
        (((192, 1),), ((192, 1), (224, (1, 3)), (256, (3, 1)))),
    ),
}
"""Figures 10, 11 and 13, and the published code: the branches of modules A, B and C; kernels are (height, width)."""

REDUCTIONS = {
    1: (
        (((384, 3, 2),), ((192, 1), (192, 3), (256, 3, 2)), ("max/2",)),
        (((256, 1), (384, 3, 2)), ((256, 1), (256, 3, 2)), ((256, 1), (256, 3), (256, 3, 2)), ("max/2",)),
    ),
    2: (
        (((384, 3, 2),), ((256, 1), (256, 3), (384, 3, 2)), ("max/2",)),
        (((256, 1), (384, 3, 2)), ((256, 1), (288, 3, 2)), ((256, 1), (288, 3), (320, 3, 2)), ("max/2",)),
    ),
}
"""Figure 7 with table 1, and figure 12."""

MIXED = (((96, 1),), ((48, 1), (64, 5)), ((64, 1), (96, 3), (96, 3)), ("average", (64, 1)))
"""The one module of v2 without a shortcut, after its stem."""


def features(image, config: InceptionResNet, output_stride: int | None = None) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": stem at stride 2, "c2": stride 4, "c3": modules A, "c4": B, "c5": C, stride 32}."""
    pyramid = stem(image, config)
    if config.version == 1:
        x = unit(pyramid["c2"], config, 256, 3, "stem_%s6", 2)
    else:
        x = layers.MaxPooling2D(3, strides=2, name="stem_pool2")(pyramid["c2"])
        x = branches(x, config, MIXED, "mixed")
    for stage, letter in enumerate("abc"):
        if stage:
            x = branches(x, config, REDUCTIONS[config.version][stage - 1], f"reduction_{'ab'[stage - 1]}")
        for index in range(config.depths[stage]):
            plain = config.version == 2 and letter == "c" and index == config.depths[stage] - 1
            table, scale = MODULES[config.version][stage], 1.0 if plain else SCALES[stage]
            x = module(x, config, table, scale, f"inception_resnet_{letter}{index}", rectify=not plain)
        pyramid[f"c{stage + 3}"] = x
    if config.version == 2:
        pyramid["c5"] = unit(x, config, 1536, 1, "last_%s")
    return pyramid


def module(x, config: InceptionResNet, table: tuple, scale: float, name: str, rectify: bool):
    """The branches, projected to the width of x by a convolution with biases and without normalisation, scaled and added."""
    change = branches(x, config, table, name)
    change = layers.Conv2D(x.shape[-1], 1, kernel_initializer="he_normal", name=f"{name}_project")(change)
    x = ScaledSum(scale, name=f"{name}_add")([x, change])
    return layers.ReLU(name=f"{name}_relu")(x) if rectify else x
