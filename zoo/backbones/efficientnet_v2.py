"""EfficientNetV2: what is cheap on paper can be slow on the machine.

Idea: a convolution that sees one map at a time has few multiplications but keeps an accelerator idle. So the early stages, where
maps are large, fuse the widening 1x1 and the depthwise 3x3 into one ordinary 3x3 (Fused-MBConv), without a gate; kernels are 3x3
everywhere, expansions 4 rather than 6 at first, and late stages deeper. Trained with images that grow while training goes on.

Tan & Le 2021, "EfficientNetV2: smaller models and faster training", arXiv:2104.00298, table 4 (the row S); M, L and B0 to B3 are
from the published code. Their stages 1 to 7 are the same here (stage 0 is the stem).

`efficientnet_v2_b0` to `_b3`, `_s`, `_m`, `_l` equal keras.applications and timm's tf_efficientnetv2_*; the rows `_torchvision` equal
torchvision, and with epsilon 1e-5 timm's efficientnetv2_*: they pad both sides at a stride. S, M and L of keras.applications see
x / 128 - 1, which only they do: the same weights in timm see x / 127.5 - 1, so give that mean and std with a file of timm.

Deviations: blocks are dropped as in `zoo.backbones.efficientnet`, by 0.2 i / n. keras.applications counts n before it deepens B1, B2
and B3, so its last rates there are 0.248, 0.257 and 0.295; ours stay below 0.2. Dropout in front of the logits follows the published
training code, 0.2 to 0.4 by size, where keras.applications has 0.2 everywhere. Initial weights as in `zoo.backbones.efficientnet`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from zoo.backbones.efficientnet import body, convolve, mbconv
from zoo.backbones.variant import IMAGENET_MEAN, IMAGENET_STD, Top, Variant

Stage = tuple[bool, int, int, int, int]
"""One row of table 4: (fused, expansion, stride of the first block, maps, blocks)."""


@dataclass(frozen=True, kw_only=True)
class EfficientNetV2(Variant):
    """As `zoo.backbones.efficientnet.EfficientNet`, with another kind of stage and torch's momentum."""

    stages: tuple[Stage, ...]
    stem: int
    last: int = 1280
    symmetric: bool = False
    epsilon: float = 1e-3
    momentum: float = 0.9
    drop_path: float = 0.2


_BASE: tuple[Stage, ...] = (
    (True, 1, 1, 16, 1),
    (True, 4, 2, 32, 2),
    (True, 4, 2, 48, 2),
    (False, 4, 2, 96, 3),
    (False, 6, 1, 112, 5),
    (False, 6, 2, 192, 8),
)
_S: tuple[Stage, ...] = (
    (True, 1, 1, 24, 2),
    (True, 4, 2, 48, 4),
    (True, 4, 2, 64, 4),
    (False, 4, 2, 128, 6),
    (False, 6, 1, 160, 9),
    (False, 6, 2, 256, 15),
)
_M: tuple[Stage, ...] = (
    (True, 1, 1, 24, 3),
    (True, 4, 2, 48, 5),
    (True, 4, 2, 80, 5),
    (False, 4, 2, 160, 7),
    (False, 6, 1, 176, 14),
    (False, 6, 2, 304, 18),
    (False, 6, 1, 512, 5),
)
_L: tuple[Stage, ...] = (
    (True, 1, 1, 32, 4),
    (True, 4, 2, 64, 7),
    (True, 4, 2, 96, 7),
    (False, 4, 2, 192, 10),
    (False, 6, 1, 224, 19),
    (False, 6, 2, 384, 25),
    (False, 6, 1, 640, 7),
)


def _base(parameters: int, width: float, depth: float, size: int, dropout: float) -> EfficientNetV2:
    """B0 to B3: to the nearest multiple of 8, without the exception of the first version for more than a tenth less."""

    def nearest(maps: int) -> int:
        return max(8, int(maps * width + 4) // 8 * 8)

    return EfficientNetV2(
        parameters=parameters,
        source="keras.applications without its moving statistics",
        input_shape=(size, size, 3),
        stages=tuple((fused, e, s, nearest(maps), math.ceil(blocks * depth)) for fused, e, s, maps, blocks in _BASE),
        stem=nearest(32),
        last=nearest(1280),
        top=Top(dropout=dropout),
    )


def _large(parameters: int, stages: tuple[Stage, ...], size: int, dropout: float) -> EfficientNetV2:
    return EfficientNetV2(
        parameters=parameters,
        source="torchvision; keras.applications without its moving statistics",
        input_shape=(size, size, 3),
        stages=stages,
        stem=stages[0][3],
        mean=(128.0, 128.0, 128.0),
        std=(128.0, 128.0, 128.0),
        top=Top(dropout=dropout),
    )


_LARGE = {
    "s": _large(21_458_488, _S, 384, 0.2),
    "m": _large(54_139_356, _M, 480, 0.3),
    "l": _large(118_515_272, _L, 480, 0.4),
}
_MICRO = EfficientNetV2(
    parameters=16_698,
    source="closed formula",
    classes=10,
    input_shape=(32, 32, 3),
    stages=((True, 1, 1, 8, 2), (True, 4, 2, 8, 2), (True, 4, 2, 8, 1), (False, 4, 2, 8, 1), (False, 6, 1, 8, 2), (False, 6, 2, 16, 1)),
    stem=8,
    last=32,
    top=Top(dropout=0.2),
)


def _torchvision(row: EfficientNetV2, mean=IMAGENET_MEAN, std=IMAGENET_STD) -> EfficientNetV2:
    return replace(row, symmetric=True, mean=mean, std=std)


VARIANTS = {
    "efficientnet_v2_b0": _base(7_139_704, 1.0, 1.0, 224, 0.2),
    "efficientnet_v2_b1": _base(8_141_052, 1.0, 1.1, 240, 0.2),
    "efficientnet_v2_b2": _base(10_096_086, 1.1, 1.2, 260, 0.3),
    "efficientnet_v2_b3": _base(14_358_406, 1.2, 1.4, 300, 0.3),
    **{f"efficientnet_v2_{name}": row for name, row in _LARGE.items()},
    "efficientnet_v2_s_torchvision": _torchvision(_LARGE["s"]),
    "efficientnet_v2_m_torchvision": _torchvision(_LARGE["m"]),
    "efficientnet_v2_l_torchvision": _torchvision(_LARGE["l"], mean=(127.5, 127.5, 127.5), std=(127.5, 127.5, 127.5)),
    "efficientnet_v2_micro": _MICRO,
    "efficientnet_v2_torchvision_micro": _torchvision(_MICRO),
}


def features(image, config: EfficientNetV2, output_stride: int | None = None) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": stride 2, ..., "c5": stride 32}: the last map before each halving, and the very last."""
    blocks = [
        (f"stage{stage}_block{index}", fused if early else mbconv, (expansion, 3, stride if index == 0 else 1, width))
        for stage, (early, expansion, stride, width, depth) in enumerate(config.stages, start=1)
        for index in range(depth)
    ]
    return body(image, config, blocks)


def fused(x, config, expansion: int, kernel: int, stride: int, width: int, name: str):
    """Widen and filter in one convolution, then narrow without an activation; where nothing is widened, only filter."""
    if expansion == 1:
        return convolve(x, config, width, kernel, f"{name}_project", stride=stride)
    x = convolve(x, config, expansion * x.shape[-1], kernel, f"{name}_expand", stride=stride)
    return convolve(x, config, width, 1, f"{name}_project", activation=False)
