"""ConvNeXt: a ResNet, modernised step by step until it does what a vision transformer does.

Idea: take from transformers what is not attention. Patches instead of a stem with pooling; a depthwise 7x7 that mixes space and a
wide perceptron that mixes channels, each once per block; one layer normalisation and one GELU instead of three of each; separate
normalised downsampling. What remains is a plain convolutional network that scales as transformers do.

Liu, Mao, Wu, Feichtenhofer, Darrell & Xie 2022, "A ConvNet for the 2020s", arXiv:2201.03545, section 2 and table 9.

Every row equals keras.applications' ConvNeXt of its size, timm's `convnext_*` and, but for xlarge, torchvision's. The two 1x1
convolutions of a block are dense layers over the last axis, as in the published code: the same numbers.

Stochastic depth rises linearly over the blocks to the rate of the paper's ImageNet-1k training (table 5; xlarge was only trained
on ImageNet-22k, at 0.2). torchvision trains with the same rates, timm and keras.applications start with 0, fine-tuning uses others.

Deviations: the head starts as Glorot & Bengio do, not at a standard deviation of 0.02. keras.applications normalises its pooled
features even without the head; here that normalisation belongs to the head.
"""

from __future__ import annotations

from dataclasses import dataclass

from keras import initializers, layers

from zoo.backbones.variant import Top, Variant
from zoo.layers import DepthwiseConv2D, LayerScale, exact_gelu

EPSILON = 1e-6


@dataclass(frozen=True, kw_only=True)
class ConvNeXt(Variant):
    """depths: blocks of the four stages; widths: their channels.

    scale:            what the layer scale of every block starts at, so that a block starts almost as the identity.
    stochastic_depth: probability that the last block is left out for an image in training; earlier ones proportionally less.
    """

    depths: tuple[int, int, int, int]
    widths: tuple[int, int, int, int]
    scale: float = 1e-6
    stochastic_depth: float = 0.0
    top: Top = Top(norm=EPSILON)


def _row(parameters: int, depth: int, width: int, stochastic_depth: float, source: str = "torchvision") -> ConvNeXt:
    depths, widths = (3, 3, depth, 3), (width, 2 * width, 4 * width, 8 * width)
    return ConvNeXt(parameters=parameters, source=source, depths=depths, widths=widths, stochastic_depth=stochastic_depth)


VARIANTS = {
    "convnext_tiny": _row(28_589_128, 9, 96, 0.1),
    "convnext_small": _row(50_223_688, 27, 96, 0.4),
    "convnext_base": _row(88_591_464, 27, 128, 0.5),
    "convnext_large": _row(197_767_336, 27, 192, 0.5),
    "convnext_xlarge": _row(350_196_968, 27, 256, 0.2, "timm"),
    "convnext_micro": ConvNeXt(
        parameters=9_778,
        source="closed formula",
        classes=10,
        input_shape=(32, 32, 3),
        depths=(1, 1, 2, 1),
        widths=(4, 8, 12, 16),
        scale=0.1,
        stochastic_depth=0.1,
    ),
}


def features(image, config: ConvNeXt, output_stride: int | None = None) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": stage 1 at stride 4, ..., "c4": stage 4 at stride 32}."""
    x, pyramid, rates = image, {}, depth_rates(config)
    for index, (depth, width) in enumerate(zip(config.depths, config.widths, strict=True), start=1):
        x = patches(x, width) if index == 1 else downsample(x, width, f"stage{index}_downsample")
        for number in range(depth):
            x = block(x, config, rates.pop(0), f"stage{index}_block{number}")
        pyramid[f"c{index}"] = x
    return pyramid


def patches(image, width: int):
    """The stem: every 4x4 pixels become one position."""
    x = layers.Conv2D(width, 4, strides=4, kernel_initializer=normal(), name="stem_conv")(image)
    return norm(x, "stem_norm")


def downsample(x, width: int, name: str):
    """Between two stages: every 2x2 positions become one."""
    x = norm(x, f"{name}_norm")
    return layers.Conv2D(width, 2, strides=2, kernel_initializer=normal(), name=f"{name}_conv")(x)


def block(x, config: ConvNeXt, rate: float, name: str):
    """Depthwise 7x7, normalisation, 1x1 to four times the width, GELU, 1x1 back, layer scale, plus the input (figure 4)."""
    width, shortcut = x.shape[-1], x
    x = DepthwiseConv2D(7, padding="same", depthwise_initializer=normal(), name=f"{name}_depthwise")(x)
    x = norm(x, f"{name}_norm")
    x = layers.Dense(4 * width, activation=exact_gelu, kernel_initializer=normal(), name=f"{name}_expand")(x)
    x = layers.Dense(width, kernel_initializer=normal(), name=f"{name}_project")(x)
    x = LayerScale(config.scale, name=f"{name}_scale")(x)
    return residual(shortcut, x, rate, name)


def residual(shortcut, x, rate: float, name: str):
    """The sum; in training the branch is left out for a share `rate` of the images (Huang et al. 2016, arXiv:1603.09382)."""
    if rate:
        x = layers.Dropout(rate, noise_shape=(None, 1, 1, 1), name=f"{name}_drop")(x)
    return layers.Add(name=f"{name}_add")([shortcut, x])


def depth_rates(config) -> list[float]:
    """Rates of stochastic depth of all blocks in order, from 0 to the row's."""
    count = sum(config.depths)
    return [config.stochastic_depth * index / (count - 1) for index in range(count)]


def norm(x, name: str):
    return layers.LayerNormalization(epsilon=EPSILON, name=name)(x)


def normal():
    return initializers.TruncatedNormal(stddev=0.02)
