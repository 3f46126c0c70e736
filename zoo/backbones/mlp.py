"""The multilayer perceptron: what a network without convolutions can do with an image.

Idea: take the pixels as one long list of numbers and learn everything from it. Nothing tells the network which pixels are
neighbours: shuffle them all in one fixed way and it learns as well as before. What a convolution knows in advance about images is
the difference between this row and a convolutional one of the same size.

Rumelhart, Hinton & Williams 1986, "Learning representations by back-propagating errors", Nature 323.

`mlp` takes 32x32 RGB images and has, within a thousandth, as many parameters as `small_cnn`, so that a comparison is one of structure.
`mlp_mnist` has the layers of the 28x28-300-100-10 network of LeCun et al. 1998, "Gradient-based learning applied to document
recognition", section III.C, which reached an error of 3.05 % on MNIST.

Deviations: ReLU and softmax where 1998 had a scaled tanh and a squared error; dropout in `mlp`. The first dense layer needs a fixed
number of pixels, so an image of another size is averaged to the published side first (bins of `AdaptiveAveragePooling`), which at
that side changes nothing; detail beyond it is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zoo.backbones.variant import Top, Variant
from zoo.layers import AdaptiveAveragePooling


@dataclass(frozen=True, kw_only=True)
class MLP(Variant):
    """side: height and width to which an image is averaged before it is flattened; the layers behind are those of `top`."""

    side: int


def _top(*hidden: int, dropout: float = 0.0) -> Top:
    return Top(pool="flatten", hidden=hidden, dropout=dropout)


_COLOUR: dict[str, Any] = {"mean": (127.5,) * 3, "std": (127.5,) * 3}

VARIANTS = {
    "mlp": MLP(
        parameters=1_174_634,
        source="closed formula",
        classes=10,
        input_shape=(32, 32, 3),
        minimum=8,
        side=32,
        top=_top(352, 256, dropout=0.3),
        **_COLOUR,
    ),
    "mlp_mnist": MLP(
        parameters=266_610,
        source="LeCun et al. 1998, section III.C (its layers summed)",
        classes=10,
        input_shape=(28, 28, 1),
        minimum=8,
        mean=(33.3184,),  # 0.1307 and 0.3081 of 255: mean and deviation of the training images of MNIST
        std=(78.5675,),
        side=28,
        top=_top(300, 100),
    ),
    "mlp_micro": MLP(
        parameters=3_368,
        source="closed formula",
        classes=10,
        input_shape=(8, 8, 3),
        minimum=4,
        side=8,
        top=_top(16, 10, dropout=0.3),
        **_COLOUR,
    ),
    "mlp_mnist_micro": MLP(
        parameters=1_320,
        source="closed formula",
        classes=10,
        input_shape=(8, 8, 1),
        minimum=4,
        mean=(33.3184,),
        std=(78.5675,),
        side=8,
        top=_top(16, 10),
    ),
}


def features(image, config: MLP, output_stride: int | None = None) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": the pixels that the first dense layer sees (b, side, side, c)}: nothing is learned here."""
    return {"c1": AdaptiveAveragePooling(config.side, name="pixels")(image)}
