"""Losses of classification, on logits."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class SparseCrossentropy(keras.losses.Loss):
    """Softmax cross-entropy of integer labels (b,) and logits (b, classes), averaged over the batch.

    label_smoothing: in [0, 1). The target becomes (1 - s) * one_hot + s / classes (Szegedy et al. 2016, arXiv:1512.00567,
    section 7), which Keras offers for one-hot labels only.

    A label outside [0, classes) gives NaN on every backend. Keras' own loss raises on TensorFlow, but returns 0, which looks like
    a perfect answer, on JAX and under XLA; a NaN is seen by the guard of `zoo.train.fit` instead.
    """

    def __init__(self, label_smoothing: float = 0.0, name: str = "sparse_crossentropy", **keywords):
        super().__init__(name=name, **keywords)
        if not 0.0 <= label_smoothing < 1.0:
            raise ValueError(f"label_smoothing must lie in [0, 1), got {label_smoothing!r}")
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        labels = ops.cast(y_true, "int32")
        if len(labels.shape) == len(y_pred.shape):
            labels = ops.squeeze(labels, axis=-1)
        classes = y_pred.shape[-1]
        log_p = ops.log_softmax(y_pred, axis=-1)  # (b, classes)
        inside = ops.clip(labels, 0, classes - 1)  # torch refuses to encode others, with a message that names no label
        loss = -ops.sum(ops.one_hot(inside, classes, dtype=log_p.dtype) * log_p, axis=-1)
        if self.label_smoothing:
            loss = (1.0 - self.label_smoothing) * loss - self.label_smoothing * ops.mean(log_p, axis=-1)
        legal = ops.logical_and(labels >= 0, labels < classes)
        return ops.where(legal, loss, ops.full_like(loss, float("nan")))

    def get_config(self):
        return {**super().get_config(), "label_smoothing": self.label_smoothing}
