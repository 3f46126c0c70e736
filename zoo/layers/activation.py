"""Activations that Keras lacks, as functions that `activation=` accepts and a saved model remembers."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
def scaled_tanh(x):
    """1.7159 tanh(2x/3), any shape: LeCun et al. 1998, appendix A. It maps -1 and 1 to themselves, where its curvature peaks."""
    return 1.7159 * ops.tanh(x * (2.0 / 3.0))
