"""NASNet-A: let a search on small images find the cell, then stack it for large ones.

Idea: do not design the network, design two cells. A controller, rewarded by accuracy on CIFAR-10, chose the five blocks of each (two
inputs, two operations, a sum); one cell keeps the size of the map, the other halves it. Every cell sees the outputs of the two before.

Zoph, Vasudevan, Shlens & Le 2018, "Learning transferable architectures for scalable image recognition", arXiv:1707.07012, figure 4;
`NORMAL` and `REDUCTION` below are that figure. NASNet-A (N @ P): N normal cells per stage, P maps into the head; mobile 4 @ 1056,
large 6 @ 4032. Stages are numbered by their stride: two reduction cells (stem) lead to 8, N cells at 8, and a reduction cell before
the N at 16 and at 32.

`nasnet_mobile` and `nasnet_large` equal keras.applications, `nasnet_large_timm` equals timm's nasnetalarge. They differ at the borders of
a max pooling with stride 2: in keras.applications it sees zeros there, in timm only the map; and in how fast batch statistics move.
Average pooling counts the zeros at stride 2 in both, and nothing outside the map at stride 1. The weights must not be mixed.

Deviations: the auxiliary classifier and ScheduledDropPath (0.3 for the large row) are training aids and left out; the dropout of 0.5
before the logits, which the references leave out, is the paper's. Kernels start from He normal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from keras import initializers, layers

from zoo.backbones.variant import Top, Variant
from zoo.layers import SamePadding, SeparableConv2D

NORMAL = (
    (("separable5", "current"), ("separable3", "previous")),
    (("separable5", "previous"), ("separable3", "previous")),
    (("average", "current"), ("identity", "previous")),
    (("average", "previous"), ("average", "previous")),
    (("separable3", "current"), ("identity", "current")),
)
"""The five blocks of the cell that keeps the size: (operation, input) left and right."""
REDUCTION = (
    (("separable5", "current"), ("separable7", "previous")),
    (("max", "current"), ("separable7", "previous")),
    (("average", "current"), ("separable5", "previous")),
    (("average", "block1"), ("identity", "block2")),
    (("separable3", "block1"), ("max", "current")),
)
"""The five blocks of the cell that halves it: what reads the cell's inputs has stride 2."""


@dataclass(frozen=True, kw_only=True)
class NASNet(Variant):
    """depth: normal cells per stage; stem: maps of the first convolution; widths: maps of every operation in the two reduction cells of
    the stem and in the stages.

    skip_reduction: the cell after a reduction cell sees, as the one before, not the reduction's input but the cell before that.
    padded_max:     max pooling with stride 2 sees zeros outside the map; otherwise only the map.
    """

    depth: int
    stem: int
    widths: tuple[int, ...]
    skip_reduction: bool = False
    padded_max: bool = True
    momentum: float = 0.9997
    mean: tuple[float, ...] = (127.5, 127.5, 127.5)
    std: tuple[float, ...] = (127.5, 127.5, 127.5)
    top: Top = Top(dropout=0.5)


_LARGE = NASNet(
    parameters=88_753_150,
    source="keras.applications",
    input_shape=(331, 331, 3),
    depth=6,
    stem=96,
    widths=(42, 84, 168, 336, 672),
    skip_reduction=True,
)
_TIMM: dict[str, Any] = {"source": "timm", "padded_max": False, "momentum": 0.9}
_MICRO = NASNet(
    parameters=17_270,
    source="closed formula",
    classes=10,
    input_shape=(32, 32, 3),
    depth=1,
    stem=4,
    widths=(4, 4, 8, 12),
)

VARIANTS = {
    "nasnet_mobile": NASNet(parameters=5_289_978, source="keras.applications", depth=4, stem=32, widths=(11, 22, 44, 88, 176)),
    "nasnet_large": _LARGE,
    "nasnet_large_timm": replace(_LARGE, **_TIMM),
    "nasnet_micro": _MICRO,
    "nasnet_skip_micro": replace(_MICRO, parameters=16_886, skip_reduction=True),
    "nasnet_timm_micro": replace(_MICRO, parameters=16_886, skip_reduction=True, **{**_TIMM, "source": "closed formula"}),
}


def features(image, config: NASNet, output_stride: int | None = None) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": stem at stride 2, "c2": stride 4, ..., "c5": stride 32, rectified}."""
    x = layers.Conv2D(config.stem, 3, strides=2, use_bias=False, kernel_initializer="he_normal", name="stem_conv")(image)
    x = norm(x, config, "stem_norm")
    pyramid = {"c1": x}
    pyramid["c2"] = cell(x, None, config, config.widths[0], "stem_reduction1", reduce=True)
    x, previous = cell(pyramid["c2"], x, config, config.widths[1], "stem_reduction2", reduce=True, behind=True), pyramid["c2"]
    for level, width in enumerate(config.widths[2:], start=3):
        if level > 3:
            x, entered = cell(x, previous, config, width, f"stage{level}_reduction", reduce=True), x
            previous = previous if config.skip_reduction else entered
        for index in range(config.depth):
            # What came before a reduction is twice as large. Known here, so that sizes unknown until run time build the same network.
            x, previous = cell(x, previous, config, width, f"stage{level}_cell{index}", behind=index == 0), x
        pyramid[f"c{level}"] = x
    return {**pyramid, f"c{level}": layers.ReLU(name="last_relu")(x)}


def cell(x, previous, config: NASNet, width: int, name: str, *, reduce: bool = False, behind: bool = False):
    """Outputs of the last two cells -> output of this one; `behind`: `previous` has still to be halved."""
    known = {"current": squeeze(x, config, width, f"{name}_current"), "previous": x}
    if previous is not None:
        known["previous"] = (halve if behind else squeeze)(previous, config, width, f"{name}_previous")
    for index, pair in enumerate(REDUCTION if reduce else NORMAL, start=1):
        parts = [
            operate(
                known[source],
                config,
                width,
                operation,
                2 if reduce and source in ("current", "previous") else 1,
                f"{name}_block{index}_{side}",
            )
            for side, (operation, source) in zip(("left", "right"), pair, strict=True)
        ]
        known[f"block{index}"] = layers.Add(name=f"{name}_block{index}_add")(parts)
    first = ("block2",) if reduce else ("previous", "block1", "block2")
    return layers.Concatenate(name=f"{name}_concat")([known[key] for key in (*first, "block3", "block4", "block5")])


def operate(x, config: NASNet, width: int, operation: str, stride: int, name: str):
    """One of the operations that the search chose among."""
    if operation == "identity":
        return x
    if operation.startswith("separable"):
        return separable(x, config, width, int(operation.removeprefix("separable")), stride, name)
    pooling = layers.MaxPooling2D if operation == "max" else layers.AveragePooling2D
    if stride == 1 or (operation == "max" and not config.padded_max):
        return pooling(3, strides=stride, padding="same", name=name)(x)
    return pooling(3, strides=stride, name=name)(SamePadding(3, stride, name=f"{name}_pad")(x))


def separable(x, config: NASNet, width: int, kernel: int, stride: int, name: str):
    """Twice: ReLU, depthwise and pointwise convolution, normalisation (paper, appendix A.4)."""
    for index in (1, 2):
        x = layers.ReLU(name=f"{name}_relu{index}")(x)
        x = SeparableConv2D(
            width,
            kernel,
            strides=stride if index == 1 else 1,
            padding="same",
            use_bias=False,
            # Keras counts all maps as inputs of a depthwise kernel, so He's variance is written for its outputs.
            depthwise_initializer=initializers.VarianceScaling(2.0, "fan_out", "truncated_normal"),
            pointwise_initializer="he_normal",
            name=f"{name}_separable{index}",
        )(x)
        x = norm(x, config, f"{name}_norm{index}")
    return x


def squeeze(x, config: NASNet, width: int, name: str):
    """ReLU, 1x1 convolution, normalisation."""
    x = layers.ReLU(name=f"{name}_relu")(x)
    x = layers.Conv2D(width, 1, use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv")(x)
    return norm(x, config, f"{name}_norm")


def halve(x, config: NASNet, width: int, name: str):
    """ReLU, then every second pixel to half the maps and its lower right neighbour to the other half (zero where there is none)."""
    x = layers.ReLU(name=f"{name}_relu")(x)
    shifted = layers.Cropping2D(((1, 0), (1, 0)), name=f"{name}_crop")(layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"{name}_pad")(x))
    halves = [
        layers.Conv2D(width // 2, 1, strides=2, use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv{index}")(each)
        for index, each in enumerate((x, shifted), start=1)
    ]
    return norm(layers.Concatenate(name=f"{name}_concat")(halves), config, f"{name}_norm")


def norm(x, config: NASNet, name: str):
    return layers.BatchNormalization(momentum=config.momentum, epsilon=1e-3, name=name)(x)
