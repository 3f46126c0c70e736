"""LeNet-5: the first convolutional network in daily use, reading bank cheques.

Idea: learn the features too. Convolutions with shared weights find local patterns wherever they are, sub-sampling gives up
their exact position, and three rounds of it leave a code of the character that a last layer compares with drawn codes.

LeCun, Bottou, Bengio & Haffner 1998, "Gradient-based learning applied to document recognition", Proc. IEEE 86(11), section II.B.

`lenet5` is the paper's: trainable sub-sampling, the partial connections of table I, scaled tanh, radial basis outputs.
`lenet5_modern` is what is taught under this name today: ReLU, max pooling, full connections, a dense layer of logits.

Deviations: outputs are minus the paper's penalties, so that the highest wins; weights start from Keras' Glorot uniform, not
from U(-2.4/n, 2.4/n); on images beyond 32x32, where C5 has more than one place, its maps are averaged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from keras import layers

from zoo.backbones.variant import Top, Variant
from zoo.layers import PartialConv2D, TrainableSubsampling, scaled_tanh


@dataclass(frozen=True, kw_only=True)
class LeNet(Variant):
    """widths: maps of C1, C3 and C5; table: the maps of S2 that each map of C3 sees, None for all, in ReLU and max pooling."""

    widths: tuple[int, int, int] = (6, 16, 120)
    table: tuple[tuple[int, ...], ...] | None = None


TABLE_I = (
    *((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5)),
    *((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5)),
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)),
    (0, 1, 2, 3, 4, 5),
)
"""Table I of the paper by its columns: six triples, six and three quadruples, and one map that sees all six."""


def _row(**fields) -> LeNet:
    common = {
        "classes": 10,
        "input_shape": (32, 32, 1),
        "mean": (20.0,),  # 0 becomes -0.1 (ground) and 255 becomes 1.175 (ink), section II.B
        "std": (200.0,),
    }
    return LeNet(**{**common, **fields})


_RADIAL = Top(hidden=(84,), activation="scaled_tanh", output="radial_basis")

VARIANTS = {
    "lenet5": _row(parameters=60_000, source="LeCun et al. 1998, section II.B", table=TABLE_I, top=_RADIAL),
    "lenet5_modern": _row(parameters=61_706, source="closed formula", top=Top(hidden=(84,))),
    "lenet_micro": _row(
        parameters=1_793,
        source="closed formula",
        widths=(3, 4, 12),
        table=((0, 1), (1, 2), (0, 2), (0, 1, 2)),
        top=replace(_RADIAL, hidden=(20,)),
    ),
    "lenet_modern_micro": _row(parameters=2_064, source="closed formula", widths=(3, 4, 12), top=Top(hidden=(20,))),
}


def features(image, config: LeNet, output_stride: int | None = None) -> dict:
    """Normalised image (b, h, w, 1) -> {"c1": S2 at stride 2, "c2": S4 at stride 4, "c3": C5, one place at 32x32}."""
    activation = "relu" if config.table is None else scaled_tanh
    x = layers.Conv2D(config.widths[0], 5, activation=activation, name="c1_conv")(image)
    c1 = subsample(x, config, "s2_subsampling")
    if config.table is None:
        x = layers.Conv2D(config.widths[1], 5, activation=activation, name="c3_conv")(c1)
    else:
        x = PartialConv2D(config.table, 5, activation=activation, name="c3_conv")(c1)
    c2 = subsample(x, config, "s4_subsampling")
    c3 = layers.Conv2D(config.widths[2], 5, activation=activation, name="c5_conv")(c2)
    return {"c1": c1, "c2": c2, "c3": c3}


def subsample(x, config: LeNet, name: str):
    """Halve height and width."""
    if config.table is None:
        return layers.MaxPooling2D(name=name)(x)
    return TrainableSubsampling(activation=scaled_tanh, name=name)(x)
