"""Squeeze and excitation: weigh every channel by what the whole map says (Hu et al. 2017, arXiv:1709.01507, section 3)."""

from __future__ import annotations

from keras import layers


def squeeze_excite(x, width: int, name: str, *, activation: str = "relu", gate: str = "sigmoid"):
    """Map (b, h, w, c) -> the same map, each channel multiplied by a number in [0, 1] computed from all channel means.

    width:      channels of the bottleneck between the two fully connected layers (1x1 convolutions of a 1x1 map, with biases).
    activation: after the first; gate: after the second ("sigmoid", or "hard_sigmoid" in MobileNetV3), as Keras names them.
    """
    weights = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(x)
    weights = layers.Conv2D(width, 1, activation=activation, kernel_initializer="he_normal", name=f"{name}_reduce")(weights)
    weights = layers.Conv2D(x.shape[-1], 1, activation=gate, name=f"{name}_expand")(weights)
    return layers.Multiply(name=f"{name}_excite")([x, weights])
