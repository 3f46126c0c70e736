"""ResNeXt: many narrow paths instead of a few wide ones.

Idea: besides depth and width a block has a third size, its cardinality: the number of equal paths whose outputs are added. All paths
of one block together are one grouped convolution, whose output maps each see only the maps of their own group. At equal cost, 32 paths
of width 4 beat one path of width 64.

Xie, Girshick, Dollár, Tu & He 2017, "Aggregated residual transformations for deep neural networks", arXiv:1611.05431, table 1 and
figure 3(c). A row's name says paths x width of a path in stage 2; that width doubles from stage to stage, the number of paths stays.

`resnext50_32x4d`, `resnext101_32x8d` and `resnext101_64x4d` equal torchvision's, `resnext101_32x4d` equals timm's. Like ResNet v1.5 they
halve the map in the 3x3, as the paper does.

Deviations: those of `zoo.backbones.resnet`. The groups are computed by `zoo.layers.GroupedConv2D`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from zoo.backbones.resnet import ResNet, add, project, stages, stem, stem_pool, unit


@dataclass(frozen=True, kw_only=True)
class ResNeXt(ResNet):
    """groups: the cardinality, paths of a block; group_width: maps of a path in stage 2."""

    bottleneck: bool = field(default=True, init=False)
    v1: bool = field(default=False, init=False)
    groups: int = 32
    group_width: int = 4


def _row(parameters: int, depths: tuple[int, ...], groups: int, group_width: int, source: str = "torchvision") -> ResNeXt:
    return ResNeXt(parameters=parameters, source=source, depths=depths, groups=groups, group_width=group_width, output_strides=(8, 16, 32))


VARIANTS = {
    "resnext50_32x4d": _row(25_028_904, (3, 4, 6, 3), 32, 4),
    "resnext101_32x4d": _row(44_177_704, (3, 4, 23, 3), 32, 4, "timm"),
    "resnext101_32x8d": _row(88_791_336, (3, 4, 23, 3), 32, 8),
    "resnext101_64x4d": _row(83_455_272, (3, 4, 23, 3), 64, 4),
    "resnext_micro": ResNeXt(
        parameters=19_940,
        source="closed formula",
        classes=10,
        input_shape=(32, 32, 3),
        depths=(1, 2, 1),  # a fourth stage would have 256 maps: 32 groups need at least one each
        width=2,
        group_width=1,
        output_strides=(8, 16),
    ),
}


def features(image, config: ResNeXt, output_stride: int | None = None) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": stem at stride 2, "c2": stride 4, ..., "c5": stride 32}.

    output_stride: as in `zoo.backbones.resnet`.
    """
    c1 = stem(image, config)
    return {"c1": c1, **stages(stem_pool(c1), config, block, output_stride)}


def block(x, config: ResNeXt, width: int, stride: int, dilations: tuple[int, int], name: str):
    """1x1, grouped 3x3, 1x1 to four times the width, plus the shortcut."""
    shortcut = project(x, config, 4 * width, stride, name)
    inner = config.groups * config.group_width * width // config.width
    x = unit(x, config, inner, 1, f"{name}_%s1")
    x = unit(x, config, inner, 3, f"{name}_%s2", stride, dilations[0], groups=config.groups)
    x = unit(x, config, 4 * width, 1, f"{name}_%s3", last=True)
    return add(x, shortcut, name)
