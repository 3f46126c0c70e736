"""SE-ResNet: let the whole map decide which channels matter.

Idea: a convolution mixes channels with weights that are the same for every image. So squeeze each map of a block to its mean, let two
small fully connected layers turn these means into one number between 0 and 1 per channel, and multiply the block's output by them
before it is added to the shortcut. It costs a quarter of a percent of the arithmetic and a tenth more weights, and takes ResNet-50
nearly to ResNet-101.

Hu, Shen, Albanie, Sun & Wu 2018, "Squeeze-and-excitation networks", arXiv:1709.01507, section 3, figure 3 and table 1.

Rows equal timm's `seresnet50`, `seresnet101` and `seresnet152`: ResNet v1.5 with the gate after the last normalisation of every block.

Deviations: those of `zoo.backbones.resnet`; the paper's own networks halve the map in the first 1x1 of a stage.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from zoo.backbones.resnet import ResNet, add, project, stages, stem, stem_pool, unit
from zoo.layers import squeeze_excite


@dataclass(frozen=True, kw_only=True)
class SEResNet(ResNet):
    """reduction: a block's channels divided by those between the two fully connected layers of its gate."""

    bottleneck: bool = field(default=True, init=False)
    v1: bool = field(default=False, init=False)
    reduction: int = 16


def _row(parameters: int, *depths: int) -> SEResNet:
    return SEResNet(parameters=parameters, source="timm", depths=depths, output_strides=(8, 16, 32))


VARIANTS = {
    "se_resnet50": _row(28_088_024, 3, 4, 6, 3),
    "se_resnet101": _row(49_326_872, 3, 4, 23, 3),
    "se_resnet152": _row(66_821_848, 3, 8, 36, 3),
    "se_resnet_micro": SEResNet(
        parameters=18_954,
        source="closed formula",
        classes=10,
        input_shape=(32, 32, 3),
        depths=(1, 1, 2),
        width=4,
        reduction=4,
        output_strides=(8, 16),
    ),
}


def features(image, config: SEResNet, output_stride: int | None = None) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": stem at stride 2, "c2": stride 4, ..., "c5": stride 32}.

    output_stride: as in `zoo.backbones.resnet`.
    """
    c1 = stem(image, config)
    return {"c1": c1, **stages(stem_pool(c1), config, block, output_stride)}


def block(x, config: SEResNet, width: int, stride: int, dilations: tuple[int, int], name: str):
    """1x1, 3x3, 1x1 to four times the width, each channel weighed by the gate, plus the shortcut."""
    shortcut = project(x, config, 4 * width, stride, name)
    x = unit(x, config, width, 1, f"{name}_%s1")
    x = unit(x, config, width, 3, f"{name}_%s2", stride, dilations[0])
    x = unit(x, config, 4 * width, 1, f"{name}_%s3", last=True)
    x = squeeze_excite(x, 4 * width // config.reduction, f"{name}_se")
    return add(x, shortcut, name)
