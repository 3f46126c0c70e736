"""MobileNetV2: carry little, think wide.

Idea: let the thin ends of a block be what is passed on and added up, and widen only inside it: a 1x1 to six times the width, a 3x3
that sees one map each, a 1x1 back. ResNet's bottleneck is turned inside out, so the tensors that must be kept are small. And the thin
end has no ReLU: in few maps a rectifier destroys what it cuts off.

Sandler, Howard, Zhu, Zhmoginov & Chen 2018, "MobileNetV2: inverted residuals and linear bottlenecks", arXiv:1801.04381, table 2;
stages 1 to 7 here are its seven rows of bottlenecks.

`mobilenet_v2` and the rows with another alpha (0.35 to 1.4) equal keras.applications; `mobilenet_v2_torchvision` equals torchvision
and timm's mobilenetv2_100, which pad both sides at a stride, with another epsilon and momentum. The last convolution keeps its 1280
maps below alpha 1, as the paper says.

Deviations: no dropout in front of the logits in the rows of keras.applications, as there; 0.2 in torchvision's.
Initial weights as in `zoo.backbones.mobilenet`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from keras import layers

from zoo.backbones.mobilenet import Mobile, convolve, depthwise
from zoo.backbones.variant import IMAGENET_MEAN, IMAGENET_STD, Top, rounded


@dataclass(frozen=True, kw_only=True)
class MobileNetV2(Mobile):
    """stem, last: maps of the first and of the last convolution; all widths are before the factor alpha.

    stages: (expansion, maps, blocks, stride of the first block), the columns t, c, n, s of table 2.
    """

    stem: int = 32
    stages: tuple[tuple[int, int, int, int], ...] = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
    last: int = 1280
    momentum: float = 0.999


def _row(parameters: int, alpha: float) -> MobileNetV2:
    return MobileNetV2(parameters=parameters, source="keras.applications", alpha=alpha)


_TORCHVISION = MobileNetV2(
    parameters=3_504_872,
    source="torchvision",
    padding="symmetric",
    epsilon=1e-5,
    momentum=0.9,
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
    top=Top(dropout=0.2),
)
_SMALL: dict = {
    "classes": 10,
    "input_shape": (64, 64, 3),  # so that more than one pixel is left to average
    "stem": 8,
    "stages": ((1, 8, 1, 1), (2, 8, 2, 2), (2, 8, 1, 2), (2, 16, 1, 2), (2, 16, 2, 1), (2, 16, 1, 2), (2, 24, 1, 1)),
    "last": 48,
}

VARIANTS = {
    "mobilenet_v2_035": _row(1_677_128, 0.35),
    "mobilenet_v2_050": _row(1_968_680, 0.5),
    "mobilenet_v2_075": _row(2_636_424, 0.75),
    "mobilenet_v2": _row(3_504_872, 1.0),
    "mobilenet_v2_130": _row(5_386_792, 1.3),
    "mobilenet_v2_140": _row(6_108_776, 1.4),
    "mobilenet_v2_torchvision": _TORCHVISION,
    "mobilenet_v2_micro": MobileNetV2(parameters=10_362, source="closed formula", **_SMALL),
    "mobilenet_v2_torchvision_micro": replace(_TORCHVISION, parameters=10_362, source="closed formula", **_SMALL),
}


def features(image, config: MobileNetV2, output_stride: int | None = None) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": stride 2, ..., "c5": stride 32}: the last map before each halving, and the very last."""
    x = convolve(image, config, rounded(config.stem * config.alpha), 3, "stem", stride=2)
    pyramid: dict = {}
    for stage, (expansion, width, depth, stride) in enumerate(config.stages, start=1):
        if stride == 2:
            pyramid[f"c{len(pyramid) + 1}"] = x
        for index in range(depth):
            name = f"stage{stage}_block{index}"
            x = inverted(x, config, expansion, rounded(width * config.alpha), stride if index == 0 else 1, name)
    x = convolve(x, config, rounded(config.last * max(1.0, config.alpha)), 1, "last")
    return {**pyramid, f"c{len(pyramid) + 1}": x}


def inverted(x, config: MobileNetV2, expansion: int, width: int, stride: int, name: str):
    """Widen, filter, narrow without an activation; plus the input where the shape is the same."""
    shortcut = x
    if expansion > 1:
        x = convolve(x, config, expansion * x.shape[-1], 1, f"{name}_expand")
    x = depthwise(x, config, 3, f"{name}_depthwise", stride=stride)
    x = convolve(x, config, width, 1, f"{name}_project", activation=None)
    return layers.Add(name=f"{name}_add")([shortcut, x]) if stride == 1 and shortcut.shape[-1] == width else x
