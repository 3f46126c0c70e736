"""What every row of the zoo says about itself. No framework is imported here.

A family adds its own fields (depths, widths, ...) by subclassing `Variant`; a row is an instance, never a function.
"""

from __future__ import annotations

from dataclasses import dataclass

IMAGENET_MEAN = (123.675, 116.28, 103.53)
"""Mean of the ImageNet training images per RGB channel, on the scale [0, 255] (torchvision's 0.485, 0.456, 0.406)."""
IMAGENET_STD = (58.395, 57.12, 57.375)
"""Standard deviation per RGB channel, on the scale [0, 255] (torchvision's 0.229, 0.224, 0.225)."""


@dataclass(frozen=True, kw_only=True)
class Top:
    """The published classification head of a family, as data for `zoo.heads.classify`.

    pool:       "average" (global), "flatten", "token" (the class token of a vision transformer, which its `features` returns as
                "token" beside the pyramid), or an int n: adaptive average pooling to n x n, then flatten.
    norm:       epsilon of a layer normalisation of the pooled features, or None without one (ConvNeXt).
    hidden:     widths of the fully connected layers before the logits.
    hidden_norm: whether a batch normalisation follows each of them (the course's CNN).
    activation: after each hidden layer: "scaled_tanh" (LeNet-5), or a name that Keras knows.
    dropout:    rate, applied as `dropout_at` says: "after" every hidden layer, or "before" every hidden layer.
                Without hidden layers it acts on the pooled features.
    output:     "dense" logits; "radial_basis": minus the squared distance to a fixed code per class (LeNet-5); or "convolution":
                dropout, a 1x1 convolution to a map per class, ReLU, and only then the pooling (SqueezeNet, all-convolutional net).
    """

    pool: str | int = "average"
    norm: float | None = None
    hidden: tuple[int, ...] = ()
    hidden_norm: bool = False
    activation: str = "relu"
    dropout: float = 0.0
    dropout_at: str = "after"
    output: str = "dense"


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One row: what was published and what is legal.

    parameters:     published number of *trainable* parameters with the top and `classes` outputs (asserted by a test).
    source:         where that number is published.
    classes:        outputs of the published model.
    input_shape:    (height, width, channels) of the published model.
    minimum:        smallest legal height and width in pixels.
    mean, std:      constants of the normalising first layer on the scale [0, 255], one per channel.
    top:            the classification head.
    output_strides: strides that `output_stride=` may ask for; empty when the family is not dilatable.
    """

    parameters: int
    source: str
    classes: int = 1000
    input_shape: tuple[int, int, int] = (224, 224, 3)
    minimum: int = 32
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    top: Top = Top()
    output_strides: tuple[int, ...] = ()


def rounded(width: float, divisor: int = 8, minimum: int | None = None) -> int:
    """A scaled number of channels, rounded to a multiple of `divisor` but never down by more than a tenth (MobileNetV2's and
    EfficientNet's published code)."""
    near = max(minimum or divisor, int(width + divisor / 2) // divisor * divisor)
    return near + divisor if near < 0.9 * width else near


def kept_channels(mean: tuple[float, ...], channels: int) -> tuple[int, ...]:
    """The published channels whose constants an image of another number of `channels` takes: channel i those of i mod len(mean), but
    two channels for three take those of the extreme means, between which `channel_shares` can place the third."""
    if channels >= len(mean):
        return tuple(i % len(mean) for i in range(channels))
    order = sorted(range(len(mean)), key=lambda i: mean[i])
    ends = sorted((order[0], order[-1]))
    return tuple(ends[i % 2] for i in range(channels))


def channel_shares(mean: tuple[float, ...], std: tuple[float, ...], channels: int) -> list[list[float]]:
    """shares[new][published]: how much of each published channel's kernel goes to a new channel, with the constants of `kept_channels`.

    An image whose channels are equal then answers as it did with len(mean) channels, to rounding. With more channels, those that
    stand for the same published one divide its kernel equally. With two, a gray value x normalised by a mean between theirs,
    m = a m0 + b m1 with a + b = 1, is (x - m) / s = (a s0 / s) (x - m0) / s0 + (b s1 / s) (x - m1) / s1.
    """
    kept = kept_channels(mean, channels)
    if channels >= len(mean):
        return [[float(own == i) / kept.count(own) for i in range(len(mean))] for own in kept]
    low, high = kept[0], kept[1]
    parts = [(m - mean[low]) / (mean[high] - mean[low]) if mean[high] != mean[low] else 0.5 for m in mean]
    return [
        [(part if own == high else 1 - part) * std[own] / s / kept.count(own) for part, s in zip(parts, std, strict=True)] for own in kept
    ]
