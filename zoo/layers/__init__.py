"""Things with weights, randomness or state that Keras lacks. Every layer is registered for serialisation as `zoo>Name`.

Importing this package registers them all, which `keras.saving.load_model` needs for a saved model of the zoo.
"""

from zoo.layers.activation import exact_gelu, scaled_tanh
from zoo.layers.attention import Attention
from zoo.layers.bias import Repeated
from zoo.layers.boxes import AnchorBoxes, CellBoxes, CellScores, DistanceBoxes
from zoo.layers.channels import PadChannels, ZeroBorder
from zoo.layers.convolution import GroupedConv2D, PartialConv2D
from zoo.layers.depthwise import DepthwiseConv2D, SeparableConv2D
from zoo.layers.global_response import GlobalResponseNormalisation
from zoo.layers.layer_scale import LayerScale
from zoo.layers.normalisation import LocalResponseNormalisation, Standardise
from zoo.layers.padding import SamePadding
from zoo.layers.pooling import AdaptiveAveragePooling, TrainableSubsampling
from zoo.layers.radial_basis import RadialBasis
from zoo.layers.scaled_sum import ScaledSum
from zoo.layers.squeeze_excite import squeeze_excite
from zoo.layers.standardised import StandardisedConv2D
from zoo.layers.suppression import Suppress
from zoo.layers.tokens import SplitTokens, Tokens

__all__ = [
    "AdaptiveAveragePooling",
    "AnchorBoxes",
    "Attention",
    "CellBoxes",
    "CellScores",
    "DepthwiseConv2D",
    "DistanceBoxes",
    "GlobalResponseNormalisation",
    "GroupedConv2D",
    "LayerScale",
    "LocalResponseNormalisation",
    "PadChannels",
    "PartialConv2D",
    "RadialBasis",
    "SamePadding",
    "Repeated",
    "ScaledSum",
    "SeparableConv2D",
    "SplitTokens",
    "Standardise",
    "StandardisedConv2D",
    "Suppress",
    "Tokens",
    "TrainableSubsampling",
    "ZeroBorder",
    "exact_gelu",
    "scaled_tanh",
    "squeeze_excite",
]
