"""Losses for classes that are rare, hard, or dear to get wrong. All take labels (b,) or rows of probabilities (b, classes), and logits."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from zoo.losses.soft import rows


@keras.saving.register_keras_serializable(package="zoo")
class WeightedCrossentropy(keras.losses.Loss):
    """Softmax cross-entropy with a weight per class: -sum_k w_k t_k log p_k, averaged over the batch.

    weights: one number >= 0 per class, for example from `zoo.train.imbalance.class_weights`. With its scheme "effective" this is the
             class-balanced loss of Cui et al. 2019 (arXiv:1901.05555, equation 10).
    label_smoothing: in [0, 1).

    Every class of a mixed label keeps its own weight. Keras' `class_weight` takes the argmax of a mixed label in silence.
    The mean is over the images, as in Keras; torch's divides by the sum of the weights.
    """

    def __init__(self, weights: Sequence[float], label_smoothing: float = 0.0, name: str = "weighted_crossentropy", **keywords):
        super().__init__(name=name, **keywords)
        self.weights = _per_class(weights, "weights")
        self.label_smoothing = _fraction(label_smoothing)

    def call(self, y_true, y_pred):
        _same_classes(self.weights, y_pred, "weights")
        log_p = ops.log_softmax(y_pred, axis=-1)  # (b, classes)
        return -ops.sum(
            rows(y_true, log_p.shape[-1], self.label_smoothing, log_p.dtype) * ops.convert_to_tensor(self.weights, log_p.dtype) * log_p,
            axis=-1,
        )

    def get_config(self):
        return {**super().get_config(), "weights": self.weights, "label_smoothing": self.label_smoothing}


@keras.saving.register_keras_serializable(package="zoo")
class FocalCrossentropy(keras.losses.Loss):
    """Focal loss of a softmax: -sum_k a_k t_k (1 - p_k)^gamma log p_k (Lin et al. 2017, arXiv:1708.02002, equation 5).

    gamma: >= 0, how strongly what is easy already is left alone; the paper's choice is 2, and 0 is cross-entropy.
    alpha: None, one number for all classes, or one per class, >= 0. The paper's alpha = 0.25 is (0.75, 0.25).
    label_smoothing: in [0, 1).

    Keras has it for one-hot labels only, computed from probabilities that are cut off at 1e-7; here from logits without a cut.
    """

    def __init__(
        self,
        gamma: float = 2.0,
        alpha: float | Sequence[float] | None = None,
        label_smoothing: float = 0.0,
        name: str = "focal_crossentropy",
        **keywords,
    ):
        super().__init__(name=name, **keywords)
        if not 0 <= gamma < float("inf"):
            raise ValueError(f"gamma must be a finite number >= 0, for example 2, got {gamma!r}")
        self.gamma = float(gamma)
        self.alpha = _per_class([alpha], "alpha")[0] if isinstance(alpha, int | float) else alpha and _per_class(alpha, "alpha")
        self.label_smoothing = _fraction(label_smoothing)

    def call(self, y_true, y_pred):
        log_p = ops.log_softmax(y_pred, axis=-1)  # (b, classes)
        loss = -rows(y_true, log_p.shape[-1], self.label_smoothing, log_p.dtype) * log_p
        if self.gamma:
            # Where p rounds to 1 the slope of (1 - p)^gamma would be infinite for gamma < 1.
            loss = loss * ops.power(ops.maximum(-ops.expm1(log_p), 1e-7), self.gamma)
        if self.alpha is not None:
            if isinstance(self.alpha, list):
                _same_classes(self.alpha, y_pred, "alpha")
            loss = loss * ops.convert_to_tensor(self.alpha, log_p.dtype)
        return ops.sum(loss, axis=-1)

    def get_config(self):
        return {**super().get_config(), "gamma": self.gamma, "alpha": self.alpha, "label_smoothing": self.label_smoothing}


@keras.saving.register_keras_serializable(package="zoo")
class ExpectedCost(keras.losses.Loss):
    """What the prediction is expected to cost: sum_tk t_t C[t, k] p_k, averaged over the batch.

    costs: (classes, classes) finite; row is the truth, column the decision, as in `zoo.metrics.threshold`. With 1 - identity it is the
           expected rate of errors.

    It hardly moves a network that is surely wrong (the gradient carries p), so train with cross-entropy first, or decide by cost
    afterwards (`zoo.metrics.threshold.decide`), which needs no training at all.
    """

    def __init__(self, costs, name: str = "expected_cost", **keywords):
        super().__init__(name=name, **keywords)
        table = np.asarray(costs, "float64")
        if table.ndim != 2 or table.shape[0] != table.shape[1] or not np.isfinite(table).all():
            raise ValueError(f"costs must be finite numbers (classes, classes) with the truth in rows, got shape {table.shape}: {costs!r}")
        self.costs = table.tolist()

    def call(self, y_true, y_pred):
        _same_classes(self.costs, y_pred, "costs")
        p = ops.softmax(y_pred, axis=-1)  # (b, classes)
        return ops.sum(ops.matmul(rows(y_true, p.shape[-1], dtype=p.dtype), ops.convert_to_tensor(self.costs, p.dtype)) * p, axis=-1)

    def get_config(self):
        return {**super().get_config(), "costs": self.costs}


def _per_class(numbers: Sequence[float], what: str) -> list[float]:
    found = np.asarray(numbers, "float64")
    if found.ndim != 1 or not len(found) or not np.isfinite(found).all() or (found < 0).any():
        raise ValueError(f"{what} must be finite numbers >= 0, one per class, got {numbers!r}")
    return found.tolist()


def _fraction(label_smoothing: float) -> float:
    if not 0.0 <= label_smoothing < 1.0:
        raise ValueError(f"label_smoothing must lie in [0, 1), got {label_smoothing!r}")
    return label_smoothing


def _same_classes(numbers: list, y_pred, what: str) -> None:
    if len(numbers) != y_pred.shape[-1]:
        raise ValueError(f"{what} are given for {len(numbers)} classes, but the model has {y_pred.shape[-1]} outputs")
