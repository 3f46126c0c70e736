"""BN-Inception (Inception v2): normalise every layer's input over the batch, and learn many times faster.

Idea: each layer has to follow how the layers before it move the distribution of its input. Fix mean and variance of every map over
the batch instead, give the network a scale and a shift to undo it, and learning rates can be thirty times larger, without dropout
and without response normalisation. The network is GoogLeNet with two 3x3 in place of every 5x5.

Ioffe & Szegedy 2015, "Batch normalization: accelerating deep network training by reducing internal covariate shift",
arXiv:1502.03167, figure 5 and the text below it: also a separable first convolution with depth multiplier 8, averages instead of
maxima in most modules, and modules 3c and 4e that halve the map themselves. No other library has exactly this network.

Deviations: the widths of 4c and 4d in figure 5 sum to 608 maps where its output column says 576; the widths are taken, so 4e gives
1056 maps and not 1024. The auxiliary classifiers of training are not built; the 13.6 million parameters of section 4.2 may count them.
The paper leaves open the padding (here as much as keeps ceil(n / stride) positions, as in TensorFlow), what average pools do at the
border (here they ignore it), and epsilon and momentum (here 1e-3 and 0.99). Weights start from He normal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from keras import layers

from zoo.backbones.inception import Inception, branches, unit
from zoo.layers import SeparableConv2D


@dataclass(frozen=True, kw_only=True)
class BNInception(Inception):
    """multiplier: maps per colour of the first, depthwise convolution."""

    depths: tuple[int, ...] = (2, 4, 2)
    multiplier: int = 8


WIDTHS: tuple[Any, ...] = (
    (("3a", 64, 64, 64, 64, 96, "average", 32), ("3b", 64, 64, 96, 64, 96, "average", 64)),
    (
        ("4a", 224, 64, 96, 96, 128, "average", 128),
        ("4b", 192, 96, 128, 96, 128, "average", 128),
        ("4c", 160, 128, 160, 128, 160, "average", 128),
        ("4d", 96, 128, 192, 160, 192, "average", 128),
    ),
    (("5a", 352, 192, 320, 160, 224, "average", 128), ("5b", 352, 192, 320, 192, 224, "max", 128)),
)
"""Figure 5: module, #1x1, #3x3 reduce, #3x3, double #3x3 reduce, double #3x3, pool, its projection."""
HALVING: tuple[Any, ...] = (("3c", 128, 160, 64, 96), ("4e", 128, 192, 192, 256))
"""Figure 5, the modules with stride 2: #3x3 reduce, #3x3, double #3x3 reduce, double #3x3."""

_PAPER = BNInception(
    parameters=11_278_528,
    source="Ioffe & Szegedy 2015, figure 5 (its layers summed, with a scale and a shift per map)",
    momentum=0.99,
    halving="same",
)

VARIANTS = {
    "bn_inception": _PAPER,
    "bn_inception_micro": replace(
        _PAPER,
        parameters=8_045,
        source="closed formula",
        classes=10,
        input_shape=(32, 32, 3),
        depths=(1, 1, 2),
        multiplier=2,
        divide=32,
    ),
}


def features(image, config: BNInception, output_stride: int | None = None) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": first convolution, stride 2, "c2": stride 4, ..., "c5": last module, stride 32}."""
    pyramid = {"c1": separable(image, config, "stem_%s1")}
    x = layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool1")(pyramid["c1"])
    x = unit(x, config, 64, 1, "stem_%s2")
    pyramid["c2"] = unit(x, config, 192, 3, "stem_%s3")
    x = layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool2")(pyramid["c2"])
    for stage, (rows, depth) in enumerate(zip(WIDTHS, config.depths, strict=True), start=3):
        for module, *widths in rows[:depth]:
            x = branches(x, config, inception(*widths), f"inception_{module}")
        pyramid[f"c{stage}"] = x
        if stage < 5:
            module, *widths = HALVING[stage - 3]
            x = branches(x, config, reduction(*widths), f"inception_{module}")
    return pyramid


def separable(image, config: BNInception, name: str):
    """7x7 on every colour by itself, then 1x1, with one normalisation and ReLU."""
    x = SeparableConv2D(
        -(-64 // config.divide),
        7,
        strides=2,
        padding="same",
        depth_multiplier=config.multiplier,
        use_bias=False,
        depthwise_initializer="he_normal",
        pointwise_initializer="he_normal",
        name=name % "conv",
    )(image)
    x = layers.BatchNormalization(momentum=config.momentum, epsilon=config.epsilon, name=name % "norm")(x)
    return layers.ReLU(name=name % "relu")(x)


def inception(one: int, reduce3: int, three: int, reduce33: int, double: int, pooling: str, project: int) -> tuple:
    return (
        ((one, 1),),
        ((reduce3, 1), (three, 3)),
        ((reduce33, 1), (double, 3), (double, 3)),
        (pooling, (project, 1)),
    )


def reduction(reduce3: int, three: int, reduce33: int, double: int) -> tuple:
    """No 1x1 branch, and the pooled map itself passes through."""
    return (
        ((reduce3, 1), (three, 3, 2)),
        ((reduce33, 1), (double, 3), (double, 3, 2)),
        ("max/2",),
    )
