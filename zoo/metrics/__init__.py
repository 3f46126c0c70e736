"""(truth, prediction) -> number to report. Numpy only."""

from zoo.metrics.classification import (
    Calibration,
    PerClass,
    accuracy,
    balanced_accuracy,
    calibration,
    confusion_matrix,
    log_loss,
    per_class,
    softmax,
    top_k,
    wilson,
)
from zoo.metrics.threshold import choose_threshold, decide, mean_cost, probability_threshold

__all__ = [
    "Calibration",
    "PerClass",
    "accuracy",
    "balanced_accuracy",
    "calibration",
    "choose_threshold",
    "confusion_matrix",
    "decide",
    "log_loss",
    "mean_cost",
    "per_class",
    "probability_threshold",
    "softmax",
    "top_k",
    "wilson",
]
