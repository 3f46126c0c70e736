"""VGG: depth from one brick.

Idea: nothing but 3x3 convolutions. Two of them see 5x5 and three see 7x7, with fewer weights and more non-linearities than one
large filter; so stack them, halve the map, double the width, and grow deeper than anyone before.

Simonyan & Zisserman 2015, "Very deep convolutional networks for large-scale image recognition", arXiv:1409.1556, table 1.
Rows 11, 13, 16, 19 are its columns A, B, D, E; `_bn` adds batch normalisation (arXiv:1502.03167) as torchvision does.

Deviations: weights start from He normal, where the paper grew the deep networks from the shallow ones; the last maps are
averaged to 7x7 as in torchvision, which at 224x224 changes nothing and lets every size in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from keras import layers

from zoo.backbones.variant import Top, Variant


@dataclass(frozen=True, kw_only=True)
class VGG(Variant):
    """depths: convolutions of each stage; widths: their maps; batch_norm: normalise after every convolution."""

    depths: tuple[int, ...]
    widths: tuple[int, ...] = (64, 128, 256, 512, 512)
    batch_norm: bool = False


_TOP = Top(pool=7, hidden=(4096, 4096), dropout=0.5)
_MICRO = VGG(
    parameters=3_974,
    source="closed formula",
    classes=10,
    input_shape=(32, 32, 3),
    depths=(1, 1, 2, 2, 2),
    widths=(4, 4, 6, 8, 8),
    top=Top(pool=2, hidden=(16, 16), dropout=0.5),
)


def _row(parameters: int, *depths: int, batch_norm: bool = False) -> VGG:
    return VGG(parameters=parameters, source="torchvision", depths=depths, batch_norm=batch_norm, top=_TOP)


VARIANTS = {
    "vgg11": _row(132_863_336, 1, 1, 2, 2, 2),
    "vgg13": _row(133_047_848, 2, 2, 2, 2, 2),
    "vgg16": _row(138_357_544, 2, 2, 3, 3, 3),
    "vgg19": _row(143_667_240, 2, 2, 4, 4, 4),
    "vgg11_bn": _row(132_868_840, 1, 1, 2, 2, 2, batch_norm=True),
    "vgg13_bn": _row(133_053_736, 2, 2, 2, 2, 2, batch_norm=True),
    "vgg16_bn": _row(138_365_992, 2, 2, 3, 3, 3, batch_norm=True),
    "vgg19_bn": _row(143_678_248, 2, 2, 4, 4, 4, batch_norm=True),
    "vgg_micro": _MICRO,
    "vgg_bn_micro": replace(_MICRO, parameters=4_078, batch_norm=True),
}


def features(image, config: VGG, output_stride: int | None = None) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": stride 2, ..., "c5": stride 32}: every stage after its pooling."""
    pyramid, x = {}, image
    for index, (depth, width) in enumerate(zip(config.depths, config.widths, strict=True), start=1):
        x = stage(x, width, depth, config.batch_norm, f"stage{index}")
        pyramid[f"c{index}"] = x
    return pyramid


def stage(x, width: int, depth: int, batch_norm: bool, name: str):
    for index in range(1, depth + 1):
        x = layers.Conv2D(width, 3, padding="same", kernel_initializer="he_normal", name=f"{name}_conv{index}")(x)
        if batch_norm:
            x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_norm{index}")(x)
        x = layers.ReLU(name=f"{name}_relu{index}")(x)
    return layers.MaxPooling2D(name=f"{name}_pool")(x)
