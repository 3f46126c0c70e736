"""Classes that are rare: weights for the loss, or an order in which every class comes equally often."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np

from zoo.train.arrays import Arrays

SCHEMES = ("inverse", "sqrt", "effective")


def class_counts(labels, classes: int | None = None) -> np.ndarray:
    """How often each class occurs: float64 (classes,). labels: integers (n,), or rows of probabilities (n, classes), whose shares count."""
    labels = np.asarray(labels)
    if labels.ndim == 2 and labels.shape[1] > 1:
        rows = labels.astype("float64")
        if not np.isfinite(rows).all() or (rows < 0).any() or not np.allclose(rows.sum(axis=1), 1, atol=1e-3):
            raise ValueError("rows of labels must be probabilities: not negative, each row with the sum 1")
        counts = rows.sum(axis=0)
    elif labels.ndim == 1 and labels.dtype.kind in "iu" and len(labels) and labels.min() >= 0:
        counts = np.bincount(labels, minlength=classes or 0).astype("float64")
    else:
        raise ValueError(f"wanted integer labels (n,) >= 0 or rows (n, classes), at least one, got {labels.dtype} of shape {labels.shape}")
    if classes is not None and len(counts) != classes:
        raise ValueError(f"wanted labels of {classes} classes, got label {len(counts) - 1} or rows of {len(counts)}")
    return counts


def class_weights(labels, scheme: str = "inverse", beta: float = 0.999, classes: int | None = None) -> np.ndarray:
    """One weight per class, float64 (classes,), such that the mean weight of the training images is 1: the loss keeps its size.

    labels:  integers (n,) or rows of probabilities (n, classes); of mixed labels each class counts with its share.
    scheme:  "inverse": n / (classes * n_k), scikit-learn's "balanced"; "sqrt": the square root of it, a milder choice; "effective":
             1 / E_k with the effective number E_k = (1 - beta^n_k) / (1 - beta) (Cui et al. 2019, arXiv:1901.05555, equation 10),
             which stops counting where images repeat each other. (The paper scales to a sum of `classes` instead.)
    beta:    in [0, 1): 0 weighs all classes alike, towards 1 it becomes "inverse". The paper tries 0.9 to 0.9999.
    classes: how many there are; default: the highest label + 1.

    Give them to `zoo.losses.WeightedCrossentropy`, which also weighs mixed labels rightly; Keras' `class_weight` takes their argmax in
    silence, and gives 1 to a class that is missing. Raises ValueError for a class without images: no weight can balance it.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"scheme must be one of {', '.join(SCHEMES)}, got {scheme!r}")
    if not 0 <= beta < 1:
        raise ValueError(f"beta must lie in [0, 1), for example 0.999, got {beta!r}")
    counts = class_counts(labels, classes)
    absent = np.flatnonzero(counts == 0)
    if len(absent):
        named = ", ".join(map(str, absent[:10]))
        raise ValueError(f"no weight can balance a class without images: {named}; leave it out of the model, or find images")
    if scheme == "effective" and beta > 0:
        weights = (1 - beta) / -np.expm1(counts * math.log(beta))
    else:
        weights = {"inverse": 1 / counts, "sqrt": 1 / np.sqrt(counts), "effective": np.ones_like(counts)}[scheme]
    return weights * counts.sum() / (weights * counts).sum()


class BalancedArrays(Arrays):
    """Arrays whose training order draws every class equally often: each position draws a class, and then one of its images.

    An epoch keeps its length; images of rare classes come several times, and some of the others not at all. Epoch e is a function of
    (seed, e), so a resumed run sees what it would have seen. Evaluation is unchanged.
    """

    def __init__(self, images, labels):
        super().__init__(images, labels)
        if isinstance(self.labels, dict):
            raise ValueError(f"balanced sampling needs integer labels (n,), got columns {', '.join(self.labels)}")
        counts = class_counts(self.labels)
        if self.labels.ndim != 1:
            raise ValueError(f"balanced sampling needs integer labels (n,), got shape {self.labels.shape}; mix pictures afterwards")
        self.chances = 1.0 / (counts[self.labels] * (counts > 0).sum())

    def order(self, seed: int, epoch: int) -> np.ndarray:
        return np.random.default_rng([seed, epoch, 1]).choice(len(self.labels), len(self.labels), p=self.chances)


def balanced(data: Any) -> Any:
    """The data of `zoo.train.fit` with balanced training batches; validation stays as it is, for it must show the real shares.

    data: ((images, labels), (images, labels)), or an object with `.train` and `.validation` whose `.train` has `balanced()`, as
    `zoo.data.balanced.BalancedPipeline` gives it. Do not weigh the loss too: that would count rare classes twice.
    """
    if isinstance(data, tuple | list) and len(data) == 2:
        return SimpleNamespace(train=BalancedArrays(*data[0]), validation=Arrays(*data[1]))
    train = getattr(data, "train", None)
    if train is None or not hasattr(train, "balanced"):
        raise ValueError(
            f"wanted ((images, labels), (images, labels)) or data whose .train can be balanced, got {type(data).__name__} with "
            f"{type(train).__name__}; for a pipeline give zoo.data.balanced.BalancedPipeline(pipeline) as .train"
        )
    return SimpleNamespace(train=train.balanced(), validation=data.validation)
