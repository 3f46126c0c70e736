"""MobileNetV3: a network that was searched, then trimmed by hand.

Idea: let a search choose the expansion, the kernel and the gates of every inverted residual, layer by layer, for the latency of a
phone. Then cut where people saw waste: a stem of half the width, and a last stage that averages *before* its widest layer. Where the
maps are small, ReLU gives way to hard swish, x relu6(x + 3) / 6, which costs no exponential.

Howard et al. 2019, "Searching for MobileNetV3", arXiv:1905.02244, tables 1 (large) and 2 (small); a stage here is what the tables
list with the same number of output maps. The minimalistic rows have neither gates, 5x5 kernels nor hard swish (their section 6.1).

`mobilenet_v3_large`, `_small`, `_075` and `_minimalistic` equal keras.applications and timm's tf_mobilenetv3_*; the rows
`_torchvision` pad both sides at a stride and have ImageNet's mean and std; timm's mobilenetv3_*_100 are these with epsilon 1e-5.

Deviations: the gates use relu6(x + 3) / 6, as published code does, not Keras 2's "hard_sigmoid" of that time (0.2 x + 0.5); stem and
head keep their widths below alpha 1; dropout 0.2 in front of the logits (the paper used 0.8 kept). Initial weights as in
`zoo.backbones.mobilenet`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from keras import layers

from zoo.backbones.mobilenet import Mobile, convolve, depthwise
from zoo.backbones.variant import IMAGENET_MEAN, IMAGENET_STD, Top, rounded
from zoo.layers import squeeze_excite

Block = tuple[int, int, int, bool, str, int]
"""One row of the paper's tables: (#out, k, exp size, SE, NL, s)."""


@dataclass(frozen=True, kw_only=True)
class MobileNetV3(Mobile):
    """blocks: (output maps, kernel, maps inside, gated, activation, stride) of every inverted residual; maps are before the factor alpha.

    minimalistic: every kernel 3x3, no gates, ReLU everywhere.
    """

    blocks: tuple[Block, ...]
    stem: int = 16
    minimalistic: bool = False
    momentum: float = 0.999
    top: Top = Top(hidden=(1280,), activation="hard_silu", dropout=0.2)


R, H = "relu", "hard_silu"
_LARGE: tuple[Block, ...] = (
    (16, 3, 16, False, R, 1),
    (24, 3, 64, False, R, 2),
    (24, 3, 72, False, R, 1),
    (40, 5, 72, True, R, 2),
    (40, 5, 120, True, R, 1),
    (40, 5, 120, True, R, 1),
    (80, 3, 240, False, H, 2),
    (80, 3, 200, False, H, 1),
    (80, 3, 184, False, H, 1),
    (80, 3, 184, False, H, 1),
    (112, 3, 480, True, H, 1),
    (112, 3, 672, True, H, 1),
    (160, 5, 672, True, H, 2),
    (160, 5, 960, True, H, 1),
    (160, 5, 960, True, H, 1),
)
_SMALL: tuple[Block, ...] = (
    (16, 3, 16, True, R, 2),
    (24, 3, 72, False, R, 2),
    (24, 3, 88, False, R, 1),
    (40, 5, 96, True, H, 2),
    (40, 5, 240, True, H, 1),
    (40, 5, 240, True, H, 1),
    (48, 5, 120, True, H, 1),
    (48, 5, 144, True, H, 1),
    (96, 5, 288, True, H, 2),
    (96, 5, 576, True, H, 1),
    (96, 5, 576, True, H, 1),
)
_MICRO_BLOCKS: tuple[Block, ...] = (
    (8, 3, 8, False, R, 1),
    (16, 3, 24, False, R, 2),
    (16, 5, 32, True, R, 2),
    (16, 5, 48, True, H, 1),
    (24, 3, 48, False, H, 2),
)

_large = MobileNetV3(parameters=5_483_032, source="keras.applications", blocks=_LARGE)
_small = replace(_large, parameters=2_542_856, blocks=_SMALL, top=replace(_large.top, hidden=(1024,)))
_micro = replace(
    _large,
    parameters=18_482,
    source="closed formula",
    blocks=_MICRO_BLOCKS,
    stem=8,
    classes=10,
    input_shape=(32, 32, 3),
    top=replace(_large.top, hidden=(24,)),
)


def _minimal(row: MobileNetV3, parameters: int) -> MobileNetV3:
    return replace(row, parameters=parameters, minimalistic=True, top=replace(row.top, activation="relu"))


def _torchvision(row: MobileNetV3, source: str = "torchvision") -> MobileNetV3:
    return replace(row, source=source, padding="symmetric", momentum=0.99, mean=IMAGENET_MEAN, std=IMAGENET_STD)


VARIANTS = {
    "mobilenet_v3_large": _large,
    "mobilenet_v3_large_075": replace(_large, parameters=3_993_528, alpha=0.75),
    "mobilenet_v3_large_minimalistic": _minimal(_large, 3_924_288),
    "mobilenet_v3_large_torchvision": _torchvision(_large),
    "mobilenet_v3_small": _small,
    "mobilenet_v3_small_075": replace(_small, parameters=2_041_872, alpha=0.75),
    "mobilenet_v3_small_minimalistic": _minimal(_small, 2_044_736),
    "mobilenet_v3_small_torchvision": _torchvision(_small),
    "mobilenet_v3_micro": _micro,
    "mobilenet_v3_minimalistic_micro": _minimal(_micro, 15_050),
    "mobilenet_v3_torchvision_micro": _torchvision(_micro, "closed formula"),
}


def stages(config: MobileNetV3) -> list[tuple[int, int, Block]]:
    """(stage from 1, index in the stage from 0, block) of every block: a stage has one number of output maps."""
    found: list[tuple[int, int, Block]] = []
    for block in config.blocks:
        stage, index, before = found[-1] if found else (0, 0, None)
        same = before is not None and before[0] == block[0]
        found.append((stage, index + 1, block) if same else (stage + 1, 0, block))
    return found


def features(image, config: MobileNetV3, output_stride: int | None = None) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": stride 2, ..., "c5": stride 32}: the last map before each halving, and the very last."""
    last = R if config.minimalistic else H
    x = convolve(image, config, config.stem, 3, "stem", stride=2, activation=last)
    pyramid: dict = {}
    before = config.stem
    for stage, index, (width, kernel, inner, gated, activation, stride) in stages(config):
        if stride == 2:
            pyramid[f"c{len(pyramid) + 1}"] = x
        if config.minimalistic:
            kernel, gated, activation = 3, False, R
        inner = rounded(x.shape[-1] * inner / before)  # the table's expansion of the width that alpha left
        before = width
        x = block(x, config, rounded(width * config.alpha), kernel, inner, gated, activation, stride, f"stage{stage}_block{index}")
    x = convolve(x, config, rounded(6 * x.shape[-1]), 1, "last", activation=last)
    return {**pyramid, f"c{len(pyramid) + 1}": x}


def block(x, config: MobileNetV3, width: int, kernel: int, inner: int, gated: bool, activation: str, stride: int, name: str):
    """Widen, filter, weigh the maps, narrow without an activation; plus the input where the shape is the same."""
    shortcut = x
    if inner != x.shape[-1]:
        x = convolve(x, config, inner, 1, f"{name}_expand", activation=activation)
    x = depthwise(x, config, kernel, f"{name}_depthwise", stride=stride, activation=activation)
    if gated:
        x = squeeze_excite(x, rounded(inner / 4), f"{name}_se", gate="hard_sigmoid")
    x = convolve(x, config, width, 1, f"{name}_project", activation=None)
    return layers.Add(name=f"{name}_add")([shortcut, x]) if stride == 1 and shortcut.shape[-1] == width else x
