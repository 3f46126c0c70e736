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
from zoo.metrics.detection import average_precision
from zoo.metrics.detection_confusion import detection_confusion
from zoo.metrics.detection_curves import detection_curves
from zoo.metrics.detection_errors import detection_errors
from zoo.metrics.objects import Truth
from zoo.metrics.threshold import choose_threshold, decide, mean_cost, probability_threshold

__all__ = [
    "Calibration",
    "PerClass",
    "Truth",
    "accuracy",
    "average_precision",
    "balanced_accuracy",
    "calibration",
    "choose_threshold",
    "confusion_matrix",
    "decide",
    "detection_confusion",
    "detection_curves",
    "detection_errors",
    "log_loss",
    "mean_cost",
    "per_class",
    "probability_threshold",
    "softmax",
    "top_k",
    "wilson",
]
