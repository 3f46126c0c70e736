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
from keras import layers

from zoo.backbones.variant import Variant, kept_channels
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
    "mlp": Family("zoo.backbones.mlp", "Rumelhart, Hinton & Williams: Learning representations by back-propagating errors", 1986),
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
    "googlenet": Family("zoo.backbones.googlenet", "Szegedy et al.: Going deeper with convolutions", 2014, "1409.4842"),
    "all_convolutional": Family(
        "zoo.backbones.all_convolutional",
        "Springenberg, Dosovitskiy, Brox & Riedmiller: Striving for simplicity: the all convolutional net",
        2014,
        "1412.6806",
    ),
    "bn_inception": Family(
        "zoo.backbones.bn_inception",
        "Ioffe & Szegedy: Batch normalization: accelerating deep network training by reducing internal covariate shift",
        2015,
        "1502.03167",
    ),
    "inception_v3": Family(
        "zoo.backbones.inception_v3",
        "Szegedy, Vanhoucke, Ioffe, Shlens & Wojna: Rethinking the Inception architecture for computer vision",
        2015,
        "1512.00567",
    ),
    "resnet": Family("zoo.backbones.resnet", "He, Zhang, Ren & Sun: Deep residual learning for image recognition", 2015, "1512.03385"),
    "cifar_resnet": Family(
        "zoo.backbones.cifar_resnet", "He, Zhang, Ren & Sun: Deep residual learning for image recognition", 2015, "1512.03385"
    ),
    "inception_v4": Family(
        "zoo.backbones.inception_v4",
        "Szegedy, Ioffe, Vanhoucke & Alemi: Inception-v4, Inception-ResNet and the impact of residual connections on learning",
        2016,
        "1602.07261",
    ),
    "inception_resnet": Family(
        "zoo.backbones.inception_resnet",
        "Szegedy, Ioffe, Vanhoucke & Alemi: Inception-v4, Inception-ResNet and the impact of residual connections on learning",
        2016,
        "1602.07261",
    ),
    "squeezenet": Family(
        "zoo.backbones.squeezenet",
        "Iandola et al.: SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model size",
        2016,
        "1602.07360",
    ),
    "resnet_v2": Family("zoo.backbones.resnet_v2", "He, Zhang, Ren & Sun: Identity mappings in deep residual networks", 2016, "1603.05027"),
    "wide_resnet": Family("zoo.backbones.wide_resnet", "Zagoruyko & Komodakis: Wide residual networks", 2016, "1605.07146"),
    "densenet": Family(
        "zoo.backbones.densenet", "Huang, Liu, van der Maaten & Weinberger: Densely connected convolutional networks", 2016, "1608.06993"
    ),
    "xception": Family(
        "zoo.backbones.xception", "Chollet: Xception: deep learning with depthwise separable convolutions", 2016, "1610.02357"
    ),
    "resnext": Family(
        "zoo.backbones.resnext",
        "Xie, Girshick, Dollár, Tu & He: Aggregated residual transformations for deep neural networks",
        2016,
        "1611.05431",
    ),
    "mobilenet": Family(
        "zoo.backbones.mobilenet",
        "Howard et al.: MobileNets: efficient convolutional neural networks for mobile vision applications",
        2017,
        "1704.04861",
    ),
    "nasnet": Family(
        "zoo.backbones.nasnet",
        "Zoph, Vasudevan, Shlens & Le: Learning transferable architectures for scalable image recognition",
        2017,
        "1707.07012",
    ),
    "se_resnet": Family("zoo.backbones.se_resnet", "Hu, Shen, Albanie, Sun & Wu: Squeeze-and-excitation networks", 2017, "1709.01507"),
    "mobilenet_v2": Family(
        "zoo.backbones.mobilenet_v2",
        "Sandler, Howard, Zhu, Zhmoginov & Chen: MobileNetV2: inverted residuals and linear bottlenecks",
        2018,
        "1801.04381",
    ),
    "resnet_d": Family(
        "zoo.backbones.resnet_d",
        "He, Zhang, Zhang, Zhang, Xie & Li: Bag of tricks for image classification with convolutional neural networks",
        2018,
        "1812.01187",
    ),
    "mobilenet_v3": Family("zoo.backbones.mobilenet_v3", "Howard et al.: Searching for MobileNetV3", 2019, "1905.02244"),
    "efficientnet": Family(
        "zoo.backbones.efficientnet",
        "Tan & Le: EfficientNet: rethinking model scaling for convolutional neural networks",
        2019,
        "1905.11946",
    ),
    "bit": Family("zoo.backbones.bit", "Kolesnikov et al.: Big Transfer (BiT): general visual representation learning", 2019, "1912.11370"),
    "vit": Family(
        "zoo.backbones.vit",
        "Dosovitskiy et al.: An image is worth 16x16 words: transformers for image recognition at scale",
        2020,
        "2010.11929",
    ),
    "darknet": Family("zoo.backbones.darknet", "Redmon & Farhadi: YOLOv3: an incremental improvement", 2018, "1804.02767"),
    "efficientnet_v2": Family(
        "zoo.backbones.efficientnet_v2", "Tan & Le: EfficientNetV2: smaller models and faster training", 2021, "2104.00298"
    ),
    "convnext": Family("zoo.backbones.convnext", "Liu, Mao, Wu, Feichtenhofer, Darrell & Xie: A ConvNet for the 2020s", 2022, "2201.03545"),
    "convnext_v2": Family(
        "zoo.backbones.convnext_v2",
        "Woo et al.: ConvNeXt V2: co-designing and scaling ConvNets with masked autoencoders",
        2023,
        "2301.00808",
    ),
    "small_cnn": Family("zoo.backbones.small_cnn", "", 2026),
    "course_cnn": Family("zoo.backbones.course_cnn", "", 2026),
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


def family(name: str) -> str:
    """The key in `FAMILIES` of the row called `name`: the name of its file."""
    return row(name)[0].__name__.rpartition(".")[2]


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
    levels = {key: level for key, level in pyramid.items() if key != "token"}
    outputs = levels if pooling is None else pool(deepest(levels), pooling)
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


def build_pyramid(name: str, *, input_shape=None, mean=None, std=None) -> tuple:
    """The graph of a backbone without a model around it: (image (b, h, w, c) in [0, 255], {"c1": ..., ...}), for a head to continue."""
    module, variant = row(name)
    image, pyramid = _pyramid(name, module, variant, input_shape, None, mean, std)
    return image, {key: level for key, level in pyramid.items() if key != "token"}


def normalise(image, mean, std):
    """The first layer of every model: (image - mean) / std per channel, computed in float32 under every precision policy.

    A one-channel image given to an RGB model is repeated three times, so that it scores exactly as the same picture
    stored as RGB. For other channel counts every channel takes the constants of one published channel (`kept_channels`).
    """
    channels = image.shape[-1]
    if channels not in (1, len(mean)):
        kept = kept_channels(tuple(mean), channels)
        mean, std = [mean[i] for i in kept], [std[i] for i in kept]
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
