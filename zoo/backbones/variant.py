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
    activation: after each hidden layer: "scaled_tanh" (LeNet-5), or a name that Keras knows.
    dropout:    rate, applied as `dropout_at` says: "after" every hidden layer, or "before" every hidden layer.
                Without hidden layers it acts on the pooled features.
    output:     "dense" logits; "radial_basis": minus the squared distance to a fixed code per class (LeNet-5); or "convolution":
                dropout, a 1x1 convolution to a map per class, ReLU, and only then the pooling (SqueezeNet, all-convolutional net).
    """

    pool: str | int = "average"
    norm: float | None = None
    hidden: tuple[int, ...] = ()
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
