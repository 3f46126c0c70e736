"""ConvNeXt V2: a ConvNeXt that can learn from masked images.

Idea: trained to fill in masked patches, ConvNeXt lets many channels die or say the same. Global response normalisation makes the
channels of a block compete over the whole image, which keeps them different; it also makes layer scale superfluous.

Woo, Debnath, Hu, Chen, Liu, Kweon & Xie 2023, "ConvNeXt V2: Co-designing and Scaling ConvNets with Masked Autoencoders",
arXiv:2301.00808, section 3 and appendix A.

Every row equals timm's `convnextv2_*`, whose smaller four write the dense layers as 1x1 convolutions. Only the network is here, not
the sparse pre-training. Stochastic depth as in the fine-tuning on ImageNet-1k: for atto, tiny and base the released commands say it;
for the others it is remembered from the paper's appendix. The published weights are licensed for non-commercial use only.

Deviation: the head starts as Glorot & Bengio do.
"""

from __future__ import annotations

from dataclasses import dataclass

from keras import layers

from zoo.backbones.convnext import EPSILON, depth_rates, downsample, norm, normal, patches, residual
from zoo.backbones.variant import Top, Variant
from zoo.layers import DepthwiseConv2D, GlobalResponseNormalisation, exact_gelu


@dataclass(frozen=True, kw_only=True)
class ConvNeXtV2(Variant):
    """depths: blocks of the four stages; widths: their channels.

    stochastic_depth: probability that the last block is left out for an image in training; earlier ones proportionally less.
    """

    depths: tuple[int, int, int, int]
    widths: tuple[int, int, int, int]
    stochastic_depth: float = 0.0
    top: Top = Top(norm=EPSILON)


def _row(parameters: int, depths: tuple[int, int, int, int], width: int, stochastic_depth: float) -> ConvNeXtV2:
    widths = (width, 2 * width, 4 * width, 8 * width)
    return ConvNeXtV2(parameters=parameters, source="timm", depths=depths, widths=widths, stochastic_depth=stochastic_depth)


_SIX, _TINY, _BASE = (2, 2, 6, 2), (3, 3, 9, 3), (3, 3, 27, 3)

VARIANTS = {
    "convnext_v2_atto": _row(3_708_400, _SIX, 40, 0.1),
    "convnext_v2_femto": _row(5_233_240, _SIX, 48, 0.1),
    "convnext_v2_pico": _row(9_066_280, _SIX, 64, 0.1),
    "convnext_v2_nano": _row(15_623_800, (2, 2, 8, 2), 80, 0.1),
    "convnext_v2_tiny": _row(28_635_496, _TINY, 96, 0.2),
    "convnext_v2_base": _row(88_717_800, _BASE, 128, 0.1),
    "convnext_v2_large": _row(197_956_840, _BASE, 192, 0.2),
    "convnext_v2_huge": _row(660_289_640, _BASE, 352, 0.3),
    "convnext_v2_micro": ConvNeXtV2(
        parameters=10_142,
        source="closed formula",
        classes=10,
        input_shape=(32, 32, 3),
        depths=(1, 1, 2, 1),
        widths=(4, 8, 12, 16),
        stochastic_depth=0.1,
    ),
}


def features(image, config: ConvNeXtV2, output_stride: int | None = None) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": stage 1 at stride 4, ..., "c4": stage 4 at stride 32}."""
    x, pyramid, rates = image, {}, depth_rates(config)
    for index, (depth, width) in enumerate(zip(config.depths, config.widths, strict=True), start=1):
        x = patches(x, width) if index == 1 else downsample(x, width, f"stage{index}_downsample")
        for number in range(depth):
            x = block(x, rates.pop(0), f"stage{index}_block{number}")
        pyramid[f"c{index}"] = x
    return pyramid


def block(x, rate: float, name: str):
    """As in the first version, with global response normalisation behind the GELU instead of layer scale (figure 5)."""
    width, shortcut = x.shape[-1], x
    x = DepthwiseConv2D(7, padding="same", depthwise_initializer=normal(), name=f"{name}_depthwise")(x)
    x = norm(x, f"{name}_norm")
    x = layers.Dense(4 * width, activation=exact_gelu, kernel_initializer=normal(), name=f"{name}_expand")(x)
    x = GlobalResponseNormalisation(EPSILON, name=f"{name}_response")(x)
    x = layers.Dense(width, kernel_initializer=normal(), name=f"{name}_project")(x)
    return residual(shortcut, x, rate, name)
