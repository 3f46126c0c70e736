"""Clustering: all weights of a kernel share a few values, so that a file stores short numbers which gzip finds again and again.

    shared = cluster(model, clusters=16)
    fit(shared, data, recipe.constant(), run)      # a few epochs at a low rate
    small = strip(shared)

Han, Mao & Dally 2016, "Deep compression", arXiv:1510.00149, section 3. What is gained is size after compression, not speed.
"""

from __future__ import annotations

from collections.abc import Collection

import keras
import numpy as np
from keras import ops

from zoo.export.compress.rewrite import Rewrite, rewrite

STARTS = ("linear", "density", "kmeans++")


@keras.saving.register_keras_serializable(package="zoo")
class Codebook(Rewrite):
    """A kernel in which element i is the centroid number `assignment[i]`: figure 3 of the paper.

    clusters: number of values; with `zero` one of them, number 0, is zero and stays it.

    The centroids are trained. By the chain rule each gets the sum of the gradients of its elements; which element belongs to which
    centroid was settled by k-means at the start and does not change.
    """

    replaces = True

    def __init__(self, clusters: int, zero: bool = False, start: str = "linear", seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.clusters, self.zero, self.start_from, self.seed = clusters, zero, start, seed

    def build(self, shape):
        self.assignment = self.add_weight(name="assignment", shape=shape, initializer="zeros", dtype="int32", trainable=False)
        self.centroids = self.add_weight(name="centroids", shape=(self.clusters - self.zero,), initializer="zeros")
        self.built = True

    def start(self, kernel):
        centroids, assignment = settle(kernel, self.clusters, self.zero, self.start_from, self.seed)
        self.centroids.assign(centroids[int(self.zero) :])
        self.assignment.assign(assignment)

    def call(self, kernel, training=None):
        table = ops.convert_to_tensor(self.centroids)
        if self.zero:
            table = ops.concatenate([ops.zeros((1,), table.dtype), table], axis=0)
        table = ops.reshape(table, (self.clusters,))  # behind it TensorFlow sums the gradients; `take` alone gives it a list of rows
        return ops.take(table, self.assignment, axis=0)

    def get_config(self):
        own = {"clusters": self.clusters, "zero": self.zero, "start": self.start_from, "seed": self.seed}
        return {**super().get_config(), **own}


def cluster(
    model: keras.Model,
    clusters: int = 16,
    *,
    start: str = "linear",
    zeros: bool = True,
    layers: Collection[str] | None = None,
    seed: int = 0,
) -> keras.Model:
    """A functional model with the layers of `model`, each kernel holding at most `clusters` values, which training moves.

    clusters: values per kernel, 2 to 256; kernels with fewer different values keep those. 16 take 4 bits each.
    start:    where k-means begins: "linear" (evenly between the extremes: best in the paper, because large weights matter most),
              "density" (evenly among the sorted weights) or "kmeans++" (Arthur & Vassilvitskii 2007; drawn with `seed`).
    zeros:    where a kernel has zeros, as after pruning, they stay: zero is one of its values.
    layers:   names of the layers to cluster; default: all with a convolution or dense kernel. Biases and normalisations never are.

    Raises ValueError for numbers out of range, unknown layers, and for a model that is not a built functional or Sequential one.
    """
    if isinstance(clusters, bool) or not isinstance(clusters, int | np.integer) or not 2 <= clusters <= 256:
        raise ValueError(f"clusters is the number of values per kernel and must be whole, from 2 to 256, got {clusters!r}")
    if start not in STARTS:
        raise ValueError(f"start must be one of {', '.join(STARTS)}, got {start!r}")

    def chain(layer, name, kernel):
        zero = bool(zeros and (kernel == 0).any())
        number = min(int(clusters), len(np.unique(kernel)))
        return [Codebook(number, zero, start, seed, name=f"{name}_codebook", dtype=layer.variable_dtype)] if number > zero else []

    return rewrite(model, chain, layers)


def settle(kernel: np.ndarray, clusters: int, zero: bool = False, start: str = "linear", seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """k-means of the elements of `kernel`: (centroids (clusters,), number of its centroid for each element, of the kernel's shape).

    With `zero`, centroid 0 is zero and holds exactly the elements that are zero; the others share the remaining centroids.
    """
    values = kernel.astype("float64").ravel()
    assignment = np.zeros(values.size, "int32")
    rest = values != 0 if zero else np.ones(values.size, bool)
    centroids = np.unique(values[rest])
    if len(centroids) > clusters - zero:  # otherwise it is shared already, and is kept to the bit
        centroids = k_means(values[rest], first_centroids(values[rest], clusters - zero, start, seed))
    assignment[rest] = np.searchsorted(_borders(centroids), values[rest]) + zero
    return np.concatenate([[0.0] * zero, centroids]), assignment.reshape(kernel.shape)


def first_centroids(values: np.ndarray, number: int, start: str, seed: int = 0) -> np.ndarray:
    """Where k-means begins, (number,) ascending."""
    if start == "linear":
        return np.linspace(values.min(), values.max(), number)
    if start == "density":
        return np.quantile(values, (np.arange(number) + 0.5) / number)
    rng = np.random.default_rng(seed)
    chosen = [rng.choice(values)]
    distance = (values - chosen[0]) ** 2
    while len(chosen) < number and distance.sum() > 0:
        chosen.append(rng.choice(values, p=distance / distance.sum()))
        distance = np.minimum(distance, (values - chosen[-1]) ** 2)
    return np.sort(np.concatenate([chosen, [chosen[-1]] * (number - len(chosen))]))


def k_means(values: np.ndarray, centroids: np.ndarray, most: int = 300) -> np.ndarray:
    """Lloyd's iteration in one dimension, until no centroid moves or `most` times; an empty cluster stays where it is.

    On a line every cluster is a stretch of the sorted values, so that its mean is a difference of two running sums.
    """
    ordered = np.sort(values)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    for _ in range(most):
        edges = np.concatenate([[0], np.searchsorted(ordered, _borders(centroids), side="right"), [len(ordered)]])
        count = np.diff(edges)
        moved = np.where(count > 0, np.diff(sums[edges]) / np.maximum(count, 1), centroids)
        if np.array_equal(moved, centroids):
            break
        centroids = np.sort(moved)
    return centroids


def _borders(centroids: np.ndarray) -> np.ndarray:
    """Between two neighbours lies the point that is as near to one as to the other."""
    return (centroids[1:] + centroids[:-1]) / 2
