"""AlexNet: the network that won ImageNet 2012 by ten points and ended the age of hand-made features.

Idea: LeNet, but a thousand times larger: ReLU so that it trains in days, dropout and augmentation so that it does not
memorise, two GPUs so that it fits. Half of the maps live on each GPU; conv2, conv4 and conv5 see only their own half.

Krizhevsky, Sutskever & Hinton 2012, "ImageNet classification with deep convolutional neural networks", NIPS 25.
Krizhevsky 2014, arXiv:1404.5997: the one-column network that torchvision publishes weights for.

Deviations of `alexnet`: the image is 227x227, because the paper's 224 does not give its own 55x55 maps; the mean of the
training images is one colour, not a picture; weights start from He normal and zero biases, not from N(0, 0.01) and biases of
one; both rows average the last maps to 6x6, which at the published size changes nothing and lets other sizes in.
Paddings are explicit, so every size gives the same answer on every backend.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from keras import layers

from zoo.backbones.variant import IMAGENET_MEAN, Top, Variant
from zoo.layers import GroupedConv2D, LocalResponseNormalisation


@dataclass(frozen=True, kw_only=True)
class AlexNet(Variant):
    """widths: maps of conv1 to conv5; paper: two groups and response normalisation; border: zeros around the image."""

    widths: tuple[int, int, int, int, int]
    paper: bool = False
    border: int = 0


_PAPER = AlexNet(
    parameters=60_965_224,
    source="Krizhevsky et al. 2012, section 3.5 (its layers summed; the abstract says 60 million)",
    input_shape=(227, 227, 3),
    minimum=67,
    mean=IMAGENET_MEAN,
    std=(1.0, 1.0, 1.0),
    widths=(96, 256, 384, 384, 256),
    paper=True,
    top=Top(pool=6, hidden=(4096, 4096), dropout=0.5),
)
_TORCHVISION = AlexNet(
    parameters=61_100_840,
    source="torchvision",
    minimum=63,
    widths=(64, 192, 384, 256, 256),
    border=2,
    top=Top(pool=6, hidden=(4096, 4096), dropout=0.5, dropout_at="before"),
)

VARIANTS = {
    "alexnet": _PAPER,
    "alexnet_torchvision": _TORCHVISION,
    "alexnet_micro": replace(
        _PAPER,
        parameters=4_010,
        source="closed formula",
        classes=10,
        input_shape=(67, 67, 3),
        widths=(4, 8, 8, 8, 8),
        top=Top(pool=2, hidden=(16, 16), dropout=0.5),
    ),
    "alexnet_torchvision_micro": replace(
        _TORCHVISION,
        parameters=4_986,
        source="closed formula",
        classes=10,
        input_shape=(64, 64, 3),
        widths=(4, 8, 8, 8, 8),
        top=Top(pool=2, hidden=(16, 16), dropout=0.5, dropout_at="before"),
    ),
}


def features(image, config: AlexNet, output_stride: int | None = None) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": conv1 with its pooling, ..., "c5": conv5 with its pooling}."""
    groups = 2 if config.paper else 1
    x = layers.ZeroPadding2D(config.border, name="border")(image) if config.border else image
    x = layers.Conv2D(config.widths[0], 11, strides=4, activation="relu", kernel_initializer="he_normal", name="conv1")(x)
    c1 = pool(normalise(x, config, "norm1"), "pool1")
    x = convolve(c1, config.widths[1], 5, groups, "conv2")
    c2 = pool(normalise(x, config, "norm2"), "pool2")
    c3 = convolve(c2, config.widths[2], 3, 1, "conv3")
    c4 = convolve(c3, config.widths[3], 3, groups, "conv4")
    c5 = pool(convolve(c4, config.widths[4], 3, groups, "conv5"), "pool5")
    return {"c1": c1, "c2": c2, "c3": c3, "c4": c4, "c5": c5}


def convolve(x, width: int, kernel: int, groups: int, name: str):
    """Convolution of stride 1 that keeps the size, and ReLU."""
    convolution = layers.Conv2D if groups == 1 else GroupedConv2D
    return convolution(width, kernel, padding="same", groups=groups, activation="relu", kernel_initializer="he_normal", name=name)(x)


def normalise(x, config: AlexNet, name: str):
    """Section 3.3, k = 2, n = 5, alpha = 1e-4, beta = 0.75; absent from the network of 2014."""
    return LocalResponseNormalisation(name=name)(x) if config.paper else x


def pool(x, name: str):
    """Overlapping pooling, section 3.4: windows of 3 every 2."""
    return layers.MaxPooling2D(3, strides=2, name=name)(x)
