"""Activations that Keras lacks, as functions that `activation=` accepts and a saved model remembers."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
def scaled_tanh(x):
    """1.7159 tanh(2x/3), any shape: LeCun et al. 1998, appendix A. It maps -1 and 1 to themselves, where its curvature peaks."""
    return 1.7159 * ops.tanh(x * (2.0 / 3.0))


@keras.saving.register_keras_serializable(package="zoo")
def exact_gelu(x):
    """x times the share of the standard normal distribution below x, any shape: Hendrycks & Gimpel 2016, arXiv:1606.08415.

    Keras' own function takes the square root of 2 in float32 on TensorFlow, even of float64 numbers.
    """
    return 0.5 * x * (1.0 + ops.erf(x * 0.7071067811865476))
