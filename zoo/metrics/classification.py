"""How good a classifier is, and how sure one may be of it. Numpy only.

Labels are integers in [0, classes); anything else raises. What is not defined (a mean over no images, the recall of a class
that does not occur) is NaN, never 0: an absent class is no failure.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np


@dataclass(frozen=True)
class PerClass:
    """One number per class, each array (classes,). NaN where a denominator is 0.

    precision: of what was predicted as the class, the share that is of it; NaN when it was never predicted.
    recall:    of what is of the class, the share that was predicted as it; NaN when it does not occur.
    f1:        their harmonic mean, 2 hits / (predicted + support); NaN when the class neither occurs nor was predicted.
    support:   int64, how often the class occurs.
    """

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray


@dataclass(frozen=True)
class Calibration:
    """Confidence against accuracy in bins of equal width (Guo et al. 2017, arXiv:1706.04599, section 2).

    edges:      (bins + 1,) from 0 to 1; bin i holds edges[i] < confidence <= edges[i + 1], the first also 0.
    confidence: (bins,) mean confidence of the images in the bin, NaN when it is empty.
    accuracy:   (bins,) share of them that is right, NaN when it is empty.
    count:      (bins,) int64.
    ece:        expected calibration error: the mean of |accuracy - confidence| weighted by count; NaN without images.
    """

    edges: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    count: np.ndarray
    ece: float


def confusion_matrix(truth, predicted, classes: int) -> np.ndarray:
    """Counts int64 (classes, classes): rows are the truth, columns the prediction. truth, predicted: (n,) labels."""
    truth, predicted = _labels(truth, "truth", classes), _labels(predicted, "predicted", classes)
    _same_length(truth, predicted)
    return np.bincount(truth * classes + predicted, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


def per_class(confusion: np.ndarray) -> PerClass:
    """Precision, recall, F1 and support of each class from a confusion matrix (n, n) with the truth in rows."""
    confusion = np.asarray(confusion)
    if confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1]:
        raise ValueError(f"a confusion matrix is square (classes, classes), got shape {confusion.shape}")
    hits, support, guesses = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return PerClass(_ratio(hits, guesses), _ratio(hits, support), _ratio(2 * hits, guesses + support), support.astype(np.int64))


def accuracy(truth, predicted) -> float:
    """Share of predictions that are right; NaN without images. truth, predicted: (n,) labels."""
    truth, predicted = _labels(truth, "truth"), _labels(predicted, "predicted")
    _same_length(truth, predicted)
    return float((truth == predicted).mean()) if len(truth) else float("nan")


def balanced_accuracy(truth, predicted, classes: int) -> float:
    """Mean recall over the classes that occur in `truth`; NaN without images."""
    recall = per_class(confusion_matrix(truth, predicted, classes)).recall
    present = recall[~np.isnan(recall)]
    return float(present.mean()) if len(present) else float("nan")


def top_k(truth, scores, k: int = 5) -> float:
    """Share of images whose class is among the k highest of `scores` (n, classes); NaN without images.

    Among equal scores the lower index comes first. k larger than the number of classes raises.
    """
    scores = _scores(scores, "scores")
    truth = _labels(truth, "truth", scores.shape[1])
    _same_length(truth, scores)
    if not 1 <= k <= scores.shape[1]:
        raise ValueError(f"k must be between 1 and the number of classes {scores.shape[1]}, got {k}")
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return float((best == truth[:, None]).any(axis=1).mean()) if len(truth) else float("nan")


def log_loss(truth, probabilities) -> float:
    """Mean negative logarithm of the probability given to the true class; NaN without images.

    probabilities: (n, classes), rows sum to 1. A probability below the machine epsilon of its type counts as that
    epsilon, as scikit-learn does, so that one sure mistake does not make the mean infinite.
    """
    probabilities = _probabilities(probabilities)
    truth = _labels(truth, "truth", probabilities.shape[1])
    _same_length(truth, probabilities)
    if not len(truth):
        return float("nan")
    given = probabilities[np.arange(len(truth)), truth]
    return float(-np.log(np.clip(given, np.finfo(probabilities.dtype).eps, None).astype(np.float64)).mean())


def calibration(truth, probabilities, bins: int = 15) -> Calibration:
    """Confidence (the highest probability) against accuracy. truth: (n,) labels; probabilities: (n, classes), rows sum to 1."""
    if bins < 1:
        raise ValueError(f"a calibration needs at least one bin, got {bins}")
    probabilities = _probabilities(probabilities)
    truth = _labels(truth, "truth", probabilities.shape[1])
    _same_length(truth, probabilities)
    edges = np.linspace(0, 1, bins + 1)
    sure = probabilities.max(axis=1).astype(np.float64)
    right = (probabilities.argmax(axis=1) == truth).astype(np.float64)
    index = np.clip(np.searchsorted(edges, sure, side="left") - 1, 0, bins - 1)
    count = np.bincount(index, minlength=bins).astype(np.int64)
    confidence = _ratio(np.bincount(index, sure, minlength=bins), count)
    hits = _ratio(np.bincount(index, right, minlength=bins), count)
    used = count > 0
    ece = float((np.abs(hits - confidence)[used] * count[used]).sum() / len(truth)) if len(truth) else float("nan")
    return Calibration(edges, confidence, hits, count, ece)


def wilson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval (low, high) for a share of `successes` in `n` trials (Wilson 1927, without continuity correction).

    n = 0 gives (0, 1): nothing is known. Raises ValueError for successes outside [0, n] or a confidence outside (0, 1).
    """
    if not 0 <= successes <= n:
        raise ValueError(f"successes must be between 0 and n, got {successes} of {n}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, for example 0.95, got {confidence}")
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = successes / n
    centre = share + z * z / (2 * n)
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if successes == 0 else max(0.0, float((centre - half) / scale))
    high = 1.0 if successes == n else min(1.0, float((centre + half) / scale))
    return low, high


def softmax(logits) -> np.ndarray:
    """Logits (..., classes) -> probabilities that sum to 1 along the last axis, stable for any finite logits.

    Float types are kept, integers become float64. Raises ValueError for no classes, or NaN or infinite logits.
    """
    logits = np.asarray(logits)
    logits = logits if np.issubdtype(logits.dtype, np.floating) else logits.astype(np.float64)
    if logits.ndim < 1 or logits.shape[-1] == 0:
        raise ValueError(f"logits must be (..., classes) with at least one class, got shape {logits.shape}")
    if not np.isfinite(logits).all():
        raise ValueError("the logits hold NaN or infinite values; the network is broken")
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) > 0)


def _labels(labels, what: str, classes: int | None = None) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.ndim != 1:
        raise ValueError(f"{what} must be labels (n,), got shape {labels.shape}")
    if not len(labels):
        return labels.astype(np.int64)
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"{what} must be integer labels, got {labels.dtype}; take the argmax of scores first")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or (classes is not None and high >= classes):
        wrong = low if low < 0 else high
        where = int(np.flatnonzero(labels == wrong)[0])
        raise ValueError(f"{what} must be in [0, {'classes' if classes is None else classes}), got {wrong} at index {where}")
    return labels.astype(np.int64)


def _scores(scores, what: str) -> np.ndarray:
    scores = np.asarray(scores)
    scores = scores if np.issubdtype(scores.dtype, np.floating) else scores.astype(np.float64)
    if scores.ndim != 2 or scores.shape[1] == 0:
        raise ValueError(f"{what} must be (n, classes) with at least one class, got shape {scores.shape}")
    if np.isnan(scores).any():
        raise ValueError(f"{what} hold NaN in row {int(np.flatnonzero(np.isnan(scores).any(axis=1))[0])}; the network is broken")
    return scores


def _probabilities(probabilities) -> np.ndarray:
    probabilities = _scores(probabilities, "probabilities")
    if len(probabilities):
        sums = probabilities.sum(axis=1, dtype=np.float64)
        if probabilities.min() < 0 or not np.allclose(sums, 1, atol=1e-3):
            raise ValueError("probabilities must not be negative and each row must sum to 1; pass softmax(logits), not logits")
    return probabilities


def _same_length(truth: np.ndarray, other: np.ndarray) -> None:
    if len(truth) != len(other):
        raise ValueError(f"{len(truth)} labels need as many predictions, got {len(other)}")
