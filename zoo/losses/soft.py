"""Losses whose truth may be a row of probabilities instead of one class: what mixup, CutMix and distillation teach with."""

from __future__ import annotations

import keras
from keras import ops


def rows(truth, classes: int, label_smoothing: float = 0.0, dtype: str = "float32"):
    """Integer labels (b,) or rows of probabilities (b, classes) -> rows (1 - s) * row + s / classes.

    A label outside [0, classes) gives a row of NaN, which the guard of `zoo.train.fit` sees.
    """
    truth = ops.convert_to_tensor(truth)
    if len(truth.shape) == 2 and truth.shape[-1] == classes and classes > 1:
        found = ops.cast(truth, dtype)
    else:
        labels = ops.reshape(ops.cast(truth, "int32"), (-1,))
        legal = ops.logical_and(labels >= 0, labels < classes)[:, None]
        found = ops.one_hot(ops.clip(labels, 0, classes - 1), classes, dtype=dtype)
        found = ops.where(legal, found, ops.full_like(found, float("nan")))
    return (1.0 - label_smoothing) * found + label_smoothing / classes if label_smoothing else found


class _Soft(keras.losses.Loss):
    def __init__(self, label_smoothing: float = 0.0, name: str | None = None, **keywords):
        super().__init__(name=name, **keywords)
        if not 0.0 <= label_smoothing < 1.0:
            raise ValueError(f"label_smoothing must lie in [0, 1), got {label_smoothing!r}")
        self.label_smoothing = label_smoothing

    def get_config(self):
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


@keras.saving.register_keras_serializable(package="zoo")
class Crossentropy(_Soft):
    """Softmax cross-entropy of labels (b,) or rows of probabilities (b, classes) and logits (b, classes), averaged over the batch.

    label_smoothing: in [0, 1); see `rows` (Szegedy et al. 2016, arXiv:1512.00567, section 7).
    """

    def call(self, y_true, y_pred):
        return -ops.sum(rows(y_true, y_pred.shape[-1], self.label_smoothing) * ops.log_softmax(y_pred, axis=-1), axis=-1)


@keras.saving.register_keras_serializable(package="zoo")
class BinaryCrossentropy(_Soft):
    """One yes or no per class: sigmoid cross-entropy of labels (b,) or rows (b, classes) and logits (b, classes).

    Averaged over batch and classes. Two mixed classes may both be fully present, instead of sharing one probability (Wightman, Touvron
    & Jegou 2021, arXiv:2110.00476, section 2.1). label_smoothing: in [0, 1); see `rows`.
    """

    def call(self, y_true, y_pred):
        truth = rows(y_true, y_pred.shape[-1], self.label_smoothing)
        # max(x, 0) - x * t + log(1 + exp(-|x|)) is -t log s(x) - (1 - t) log(1 - s(x)) without overflow.
        each = ops.relu(y_pred) - y_pred * truth + ops.softplus(-ops.abs(y_pred))
        return ops.mean(each, axis=-1)


def accurate(y_true, y_pred):
    """1 where the largest logit is the label, or the largest entry of the row of probabilities; float32 (b,)."""
    if len(y_true.shape) == 2 and y_true.shape[-1] == y_pred.shape[-1] and y_pred.shape[-1] > 1:
        label = ops.argmax(y_true, axis=-1)
    else:
        label = ops.reshape(ops.cast(y_true, "int32"), (-1,))
    return ops.cast(ops.equal(ops.cast(label, "int32"), ops.cast(ops.argmax(y_pred, axis=-1), "int32")), "float32")
