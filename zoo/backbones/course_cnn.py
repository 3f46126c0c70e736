"""The course's optimisation ladder: one plain CNN, and what it costs to flatten, to pool, and to split its convolutions.

Idea: five times "two 3x3 convolutions with ReLU, batch normalisation, halve the map", then a decision. Its three rows differ in one thing
each, so that the price of every habit can be measured:

    course_cnn_flatten    the map is flattened into a dense layer of 64: a fifth of all weights sits there, and the image size is fixed
    course_cnn            global average pooling instead (Lin et al. 2013, arXiv:1312.4400, section 3.2)
    course_cnn_separable  each convolution is a depthwise one and a 1x1 (Chollet 2017, arXiv:1610.02357): about an eighth of the work

No paper describes this network. The course states only totals for six classes: 7,476,742, 5,873,478 and 679,137 weights, moving statistics
of the normalisations included. Widths of 64, 128, 256, 256 and 512, a normalisation per stage and behind the dense layer, and images of
224 pixels give exactly these three; whether its ReLU stands before or behind the normalisation cannot be told from them: here before.
The rows' `parameters` count trainable weights, as everywhere in the zoo.
"""

from __future__ import annotations

from dataclasses import dataclass

from keras import layers

from zoo.backbones.variant import Top, Variant
from zoo.layers import SeparableConv2D


@dataclass(frozen=True, kw_only=True)
class CourseCNN(Variant):
    """widths: channels of each stage; separable: split every convolution into a depthwise and a 1x1 one."""

    widths: tuple[int, ...] = (64, 128, 256, 256, 512)
    separable: bool = False


def _row(parameters: int, **fields) -> CourseCNN:
    common = {"source": "the course's totals, less the moving statistics", "classes": 6}
    return CourseCNN(**{**common, **fields, "parameters": parameters})


_DENSE = Top(pool="flatten", hidden=(64,), hidden_norm=True)
_SMALL = {"widths": (4, 6, 6, 6, 8), "classes": 10, "input_shape": (32, 32, 3), "source": "closed formula"}

VARIANTS = {
    "course_cnn_flatten": _row(7_474_182, top=_DENSE),
    "course_cnn": _row(5_871_046),
    "course_cnn_separable": _row(676_705, separable=True),
    "course_cnn_micro": _row(3_306, **_SMALL),
    "course_cnn_flatten_micro": _row(4_570, top=_DENSE, **_SMALL),
    "course_cnn_separable_micro": _row(1_049, separable=True, **_SMALL),
}


def features(image, config: CourseCNN, output_stride: int | None = None) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": stride 2, ..., "c5": stride 32}, one level per stage."""
    pyramid, x = {}, image
    for index, width in enumerate(config.widths, start=1):
        x = pyramid[f"c{index}"] = stage(x, width, config.separable, f"stage{index}")
    return pyramid


def stage(x, width: int, separable: bool, name: str):
    for index in (1, 2):
        fields = {"padding": "same", "activation": "relu", "name": f"{name}_conv{index}"}
        if separable:
            fields |= {"depthwise_initializer": "he_normal", "pointwise_initializer": "he_normal"}
            x = SeparableConv2D(width, 3, **fields)(x)
        else:
            x = layers.Conv2D(width, 3, kernel_initializer="he_normal", **fields)(x)
    # Keras' momentum of 0.99 needs hundreds of steps to settle; a small data set has few, and validation would look broken.
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return layers.MaxPooling2D(name=f"{name}_pool")(x)
