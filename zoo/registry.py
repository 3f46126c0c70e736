"""The hand-written table of families, and the only place where a zoo `keras.Model` is assembled.

A new model is one file in `zoo/backbones/` with `VARIANTS` and `features`, and one line in `FAMILIES`.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import importlib
import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

import keras
import numpy as np
from keras import layers

from zoo.backbones.variant import Variant
from zoo.heads.classify import classify, deepest, pool
from zoo.layers import Standardise


@dataclass(frozen=True)
class Family:
    """One file of `zoo/backbones/` and the paper it implements.

    module: import path with `VARIANTS` and `features`.
    paper:  authors and title; empty when no paper describes the network.
    year:   of the first public version.
    arxiv:  identifier on arxiv.org, or None.
    """

    module: str
    paper: str
    year: int
    arxiv: str | None = None


FAMILIES = {
    "lenet": Family(
        "zoo.backbones.lenet", "LeCun, Bottou, Bengio & Haffner: Gradient-based learning applied to document recognition", 1998
    ),
    "alexnet": Family(
        "zoo.backbones.alexnet",
        "Krizhevsky, Sutskever & Hinton: ImageNet classification with deep convolutional neural networks",
        2012,
    ),
    "vgg": Family(
        "zoo.backbones.vgg", "Simonyan & Zisserman: Very deep convolutional networks for large-scale image recognition", 2014, "1409.1556"
    ),
    "resnet": Family("zoo.backbones.resnet", "He, Zhang, Ren & Sun: Deep residual learning for image recognition", 2015, "1512.03385"),
    "small_cnn": Family("zoo.backbones.small_cnn", "", 2026),
}


@functools.cache
def rows() -> dict[str, tuple[ModuleType, Variant]]:
    """Every row of every family: name -> (family module, variant). Names are unique across the zoo."""
    table: dict[str, tuple[ModuleType, Variant]] = {}
    for family in FAMILIES.values():
        module = importlib.import_module(family.module)
        for name, variant in module.VARIANTS.items():
            if name in table:
                raise ValueError(f"two rows are called {name!r}: in {table[name][0].__name__} and in {family.module}; rename one")
            table[name] = (module, variant)
    return table


def row(name: str) -> tuple[ModuleType, Variant]:
    """The row called `name`; an unknown name raises with the closest matches."""
    table = rows()
    if name not in table:
        close = difflib.get_close_matches(name, table, n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(close)}?" if close else "see zoo.list_models()"
        raise ValueError(f"there is no model called {name!r}; {hint}")
    return table[name]


def build_backbone(
    name: str,
    *,
    input_shape=None,
    output_stride: int | None = None,
    pooling: str | None = None,
    mean=None,
    std=None,
    model_name: str | None = None,
    changes: Mapping | None = None,
) -> keras.Model:
    """Image (b, h, w, c) in [0, 255] -> {"c1": ..., ...}, or with `pooling` ("average" or "max") a vector (b, d).

    changes: fields of the row that differ, for example {"zero_gamma": True} for a ResNet; published weights may then not fit.
    """
    module, variant = _changed(name, changes)
    image, pyramid = _pyramid(name, module, variant, input_shape, output_stride, mean, std)
    outputs = pyramid if pooling is None else pool(deepest(pyramid), pooling)
    return keras.Model(image, outputs, name=model_name or name)


def build_classifier(
    name: str,
    *,
    classes: int | None = None,
    input_shape=None,
    activation: str | None = None,
    dropout: float | None = None,
    output_stride: int | None = None,
    mean=None,
    std=None,
    model_name: str | None = None,
    changes: Mapping | None = None,
) -> keras.Model:
    """Image (b, h, w, c) in [0, 255] -> logits (b, classes), or probabilities with `activation` ("softmax", "sigmoid").

    changes: as in `build_backbone`.
    """
    module, variant = _changed(name, changes)
    classes = variant.classes if classes is None else classes
    if not isinstance(classes, numbers.Integral) or isinstance(classes, bool) or classes < 1:
        raise ValueError(f"classes must be a positive int, got {classes!r}; for features without a head use zoo.backbone({name!r})")
    image, pyramid = _pyramid(name, module, variant, input_shape, output_stride, mean, std)
    outputs = classify(pyramid, variant.top, int(classes), dropout)
    if activation is not None:
        outputs = layers.Activation(activation, dtype=keras.backend.floatx(), name="probabilities")(outputs)
    return keras.Model(image, outputs, name=model_name or name)


def normalise(image, mean, std):
    """The first layer of every model: (image - mean) / std per channel, computed in float32 under every precision policy.

    A one-channel image given to an RGB model is repeated three times, so that it scores exactly as the same picture
    stored as RGB. For other channel counts the constants are averaged over the published channels.
    """
    channels = image.shape[-1]
    if channels not in (1, len(mean)):
        mean, std = (float(np.mean(mean)),) * channels, (float(np.mean(std)),) * channels
    return Standardise(mean, std, dtype=keras.backend.floatx(), name="normalise")(image)


def _changed(name: str, changes: Mapping | None) -> tuple[ModuleType, Variant]:
    module, variant = row(name)
    unknown = set(changes or ()) - {field.name for field in dataclasses.fields(variant)}
    if unknown:
        legal = ", ".join(field.name for field in dataclasses.fields(variant))
        raise ValueError(f"{name} has no field {', '.join(sorted(unknown))}; its fields are {legal}")
    return module, dataclasses.replace(variant, **(changes or {}))


def _pyramid(name, module, variant, input_shape, output_stride, mean, std):
    image = keras.Input(_checked_shape(name, variant, input_shape), name="image")
    if output_stride is not None and output_stride not in variant.output_strides:
        legal = ", ".join(map(str, variant.output_strides)) or "none: this family cannot be dilated"
        raise ValueError(f"{name} has no output_stride={output_stride!r}; legal: {legal}")
    x = normalise(image, variant.mean if mean is None else mean, variant.std if std is None else std)
    return image, module.features(x, variant, output_stride=output_stride)


def _checked_shape(name: str, variant: Variant, input_shape):
    shape = variant.input_shape if input_shape is None else tuple(input_shape)
    if len(shape) != 3 or shape[2] is None or shape[2] < 1:
        raise ValueError(
            f"input_shape must be (height, width, channels), channels last and known, got {input_shape!r}; "
            f"for example {variant.input_shape}"
        )
    small = [side for side in shape[:2] if side is not None and side < variant.minimum]
    if small:
        raise ValueError(f"{name} cannot take an image of {shape[0]}x{shape[1]} pixels: the smallest legal side is {variant.minimum}")
    return shape
