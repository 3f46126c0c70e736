"""The terms that losses of object detectors are made of: pure functions, element by element, float32, not yet summed or averaged.

What is summed, divided by what, and weighted how differs from paper to paper and stands in `zoo/detect/criteria`.
"""

from __future__ import annotations

from keras import ops


def sigmoid_crossentropy(targets, logits):
    """-t log s(x) - (1 - t) log(1 - s(x)) for targets t in [0, 1] and logits x, without overflow; one number per element."""
    targets, logits = ops.cast(targets, "float32"), ops.cast(logits, "float32")
    return ops.relu(logits) - logits * targets + ops.softplus(-ops.abs(logits))


def sigmoid_focal(targets, logits, alpha: float = 0.25, gamma: float = 2.0):
    """Focal loss of a yes or no: -alpha_t (1 - p_t)^gamma log p_t (Lin et al. 2017, arXiv:1708.02002, equation 5).

    targets: 0 or 1. alpha: in [0, 1], the weight of a yes, 1 - alpha that of a no; gamma: >= 0, how little the easy ones count.
    One number per element. Sum it over anchors *and* classes: a mean over 80 classes is an 80th of the paper's loss.
    """
    targets, logits = ops.cast(targets, "float32"), ops.cast(logits, "float32")
    missing = ops.sigmoid(logits * (1.0 - 2.0 * targets))  # 1 - p_t, exact where p_t rounds to 1
    weight = alpha * targets + (1.0 - alpha) * (1.0 - targets)
    # Below 1e-7 the slope of a power smaller than 1 would be infinite.
    return weight * ops.power(ops.maximum(missing, 1e-7), gamma) * sigmoid_crossentropy(targets, logits)


def smooth_l1(differences, beta: float = 1.0):
    """d^2 / (2 beta) where |d| < beta, else |d| - beta / 2 (Girshick 2015, arXiv:1504.08083, equation 3, with beta = 1); beta 0 is |d|."""
    if beta < 0:
        raise ValueError(f"beta must be >= 0, where the parabola meets the line, got {beta!r}")
    size = ops.abs(ops.cast(differences, "float32"))
    if beta == 0:
        return size
    return ops.where(size < beta, 0.5 * ops.square(size) / beta, size - 0.5 * beta)


def distribution_focal(distances, logits):
    """Cross-entropy of a distribution over the bins 0, 1, ... with the two whole numbers around the truth (Li et al. 2020,
    arXiv:2006.04388, equation 6).

    distances: (...) >= 0, in units of a bin; beyond the last bin they count as the last. logits: (..., bins). Returns (...).
    The distribution that minimises it has the truth as its mean.
    """
    logits = ops.cast(logits, "float32")
    bins = logits.shape[-1]
    distances = ops.clip(ops.cast(distances, "float32"), 0.0, bins - 1.0)[..., None]
    # A hat of height 1 over the truth: at the bin below it is (above - t), at the bin above (t - below), elsewhere 0.
    share = ops.relu(1.0 - ops.abs(distances - ops.arange(bins, dtype="float32")))  # (..., bins)
    return -ops.sum(share * ops.log_softmax(logits, axis=-1), axis=-1)
