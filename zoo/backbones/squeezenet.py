"""SqueezeNet: AlexNet's accuracy with a fiftieth of its weights.

Idea: a 3x3 filter costs nine times a 1x1 filter, and every one of them pays for each map it sees. So let most filters be 1x1, squeeze
the maps to a few before the 3x3 look at them, and halve the maps late. The head has no dense layer, which held most of AlexNet's weights.

Iandola, Han, Moskewicz, Ashraf, Dally & Keutzer 2016, "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model
size", arXiv:1602.07360, table 1. Version 1.1 is the authors' later release: a smaller first convolution and earlier poolings need 2.4
times less arithmetic.

Rows: `squeezenet1_0` and `squeezenet1_1` equal torchvision's. `squeezenet1_1_keras` has the same layers, but a window that would reach
over the border of a pooling is left out: where a pooled map is even the next one is a pixel smaller. That is the network of the Keras
weights, which were trained on 227x227; at 224x224 all pooled maps are odd and both rows compute the same.

Deviations: the paper states a 224x224 image and 111x111 maps after conv1, which need a border that neither the authors' release nor
torchvision has: without one, table 1's 111, 55, 27 and 13 pixels are those of a 227x227 image. Fire modules are without the bypass of
section 6. Weights start from He normal, the last layer from Glorot uniform.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from keras import layers

from zoo.backbones.variant import Top, Variant


@dataclass(frozen=True, kw_only=True)
class SqueezeNet(Variant):
    """conv1: (maps, kernel) of the first convolution; fires: maps of every fire module by stages: (squeezed, expanded by each half).

    ceil: a pooling's last window may reach over the border.
    """

    conv1: tuple[int, int]
    fires: tuple[tuple[tuple[int, int], ...], ...]
    ceil: bool = True


_TOP = Top(output="convolution", dropout=0.5)
_SMALL, _LARGE = ((16, 64), (16, 64)), ((48, 192), (48, 192), (64, 256))
_FIRST = SqueezeNet(
    parameters=1_248_424,
    source="torchvision",
    minimum=21,
    conv1=(96, 7),
    fires=((*_SMALL, (32, 128)), ((32, 128), *_LARGE), ((64, 256),)),
    top=_TOP,
)
_SECOND = SqueezeNet(
    parameters=1_235_496,
    source="torchvision",
    minimum=17,
    conv1=(64, 3),
    fires=(_SMALL, ((32, 128), (32, 128)), (*_LARGE, (64, 256))),
    top=_TOP,
)
_KERAS = replace(
    _SECOND,
    source="torchvision; the release for Keras has the same layers",
    input_shape=(227, 227, 3),
    minimum=31,
    mean=(123.68, 116.779, 103.939),
    std=(1.0, 1.0, 1.0),
    ceil=False,
)
_MICRO: dict[str, Any] = {
    "source": "closed formula",
    "classes": 10,
    "input_shape": (48, 48, 3),
    "fires": (((2, 4), (2, 4)), ((4, 8), (4, 8)), ((6, 12), (8, 16))),
}

VARIANTS = {
    "squeezenet1_0": _FIRST,
    "squeezenet1_1": _SECOND,
    "squeezenet1_1_keras": _KERAS,
    "squeezenet1_0_micro": replace(_FIRST, parameters=4_860, conv1=(8, 7), **_MICRO),
    "squeezenet1_1_micro": replace(_SECOND, parameters=3_900, conv1=(8, 3), **_MICRO),
    "squeezenet1_1_keras_micro": replace(_KERAS, parameters=3_900, conv1=(8, 3), **_MICRO),
}


def features(image, config: SqueezeNet, output_stride: int | None = None) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": conv1 at stride 2, "c2", "c3", "c4": the fire modules at strides 4, 8 and 16}."""
    width, kernel = config.conv1
    x = convolve(image, width, kernel, "conv1", strides=2)
    pyramid, number = {"c1": x}, 2
    for level, modules in enumerate(config.fires, start=2):
        x = pool(x, config, f"pool{number - 1}")
        for squeezed, expanded in modules:
            x = fire(x, squeezed, expanded, f"fire{number}")
            number += 1
        pyramid[f"c{level}"] = x
    return pyramid


def fire(x, squeezed: int, expanded: int, name: str):
    """Squeeze to a few maps, then expand them by 1x1 and by 3x3 filters side by side: section 3.2."""
    x = convolve(x, squeezed, 1, f"{name}_squeeze")
    pointwise = convolve(x, expanded, 1, f"{name}_expand1")
    spatial = convolve(x, expanded, 3, f"{name}_expand3", padding="same")
    return layers.Concatenate(name=f"{name}_concat")([pointwise, spatial])


def pool(x, config: SqueezeNet, name: str):
    """The largest of 3x3 every 2. The map is rectified, so a row of zeros behind it is what minus infinity would be; it adds a window
    where the map is even, and none where it is odd."""
    if config.ceil:
        x = layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"{name}_pad")(x)
    return layers.MaxPooling2D(3, strides=2, name=name)(x)


def convolve(x, width: int, kernel: int, name: str, **fields):
    return layers.Conv2D(width, kernel, activation="relu", kernel_initializer="he_normal", name=name, **fields)(x)
