"""Things with weights, randomness or state that Keras lacks. Every layer is registered for serialisation as `zoo>Name`.

Importing this package registers them all, which `keras.saving.load_model` needs for a saved model of the zoo.
"""

from zoo.layers.activation import scaled_tanh
from zoo.layers.convolution import GroupedConv2D, PartialConv2D
from zoo.layers.normalisation import LocalResponseNormalisation, Standardise
from zoo.layers.pooling import AdaptiveAveragePooling, TrainableSubsampling
from zoo.layers.radial_basis import RadialBasis
from zoo.layers.squeeze_excite import squeeze_excite

__all__ = [
    "AdaptiveAveragePooling",
    "GroupedConv2D",
    "LocalResponseNormalisation",
    "PartialConv2D",
    "RadialBasis",
    "Standardise",
    "TrainableSubsampling",
    "scaled_tanh",
    "squeeze_excite",
]
