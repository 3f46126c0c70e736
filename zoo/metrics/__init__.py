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

__all__ = [
    "Calibration",
    "PerClass",
    "accuracy",
    "balanced_accuracy",
    "calibration",
    "confusion_matrix",
    "log_loss",
    "per_class",
    "softmax",
    "top_k",
    "wilson",
]
