"""Pruning: set the smallest weights of every kernel to zero, a few more with every update, so that the others can take over.

    pruned = prune(model, 0.8, updates=3 * steps_per_epoch)
    fit(pruned, data, recipe, run)
    small = strip(pruned)

Zhu & Gupta 2017, "To prune, or not to prune", arXiv:1710.01878, section 3. What is gained is size after compression by gzip, not speed:
the zeros lie scattered, and no common processor skips them.
"""

from __future__ import annotations

import math
from collections.abc import Collection

import keras
import numpy as np
from keras import ops

from zoo.export.compress.rewrite import Rewrite, rewrite

SCHEDULES = ("polynomial", "constant")


def sparsity_at(update: int, final: float, updates: int, begin: int = 0, schedule: str = "polynomial", initial: float = 0.0) -> float:
    """The fraction of zeros that is asked for after `update` updates: equation 1 of the paper, without its rounding to steps.

    It climbs from `initial` at `begin` to `final` at `begin + updates`, fast first, because there is much that nobody misses;
    `initial` before and `final` after. "constant" is `final` from `begin` on.
    """
    if schedule == "constant":
        return final if update >= begin else initial
    climbed = min(max((update - begin) / updates, 0.0), 1.0)
    return final + (initial - final) * (1.0 - climbed) ** 3


@keras.saving.register_keras_serializable(package="zoo")
class Mask(Rewrite):
    """Keeps the largest weights of a kernel (by magnitude) and sets the others to zero; see `prune` for the arguments.

    The weight `keep` says of every element: 2, it stays to the end; 1, it is zero at the final sparsity, but not yet now; 0, it is zero.
    Training computes with 1 and 2. Inference computes with 2 only, at every moment: what is validated is then the network that `strip`
    gives, and the best epoch is the one whose pruned network was best, also when it came before the schedule's end.

    Elements that are zero at the moment keep their stored value, and return if others become smaller.
    """

    def __init__(self, final=0.8, updates=1000, begin=0, every=100, schedule="polynomial", initial=0.0, **kwargs):
        super().__init__(**kwargs)
        self.final, self.initial, self.begin, self.updates = final, initial, begin, updates
        self.every, self.schedule = every, schedule

    def build(self, shape):
        self.zeros = round(self.final * math.prod(shape))
        self.keep = self.add_weight(name="keep", shape=shape, initializer="ones", trainable=False)
        self.seen = self.add_weight(name="seen", shape=(), initializer="zeros", dtype="int32", trainable=False)
        self.built = True

    def start(self, kernel):
        self.keep.assign(self._levels(ops.convert_to_tensor(kernel), ops.convert_to_tensor(0, "int32")))

    def call(self, kernel, training=None):
        if not training:
            return _where(self.keep > 1.5, kernel)
        update, end = self.seen // self.uses, self.begin + self.updates
        stop = ops.logical_or((update - self.begin) % self.every == 0, update == end)
        due = ops.logical_and(ops.logical_and(stop, update <= end), self.seen % self.uses == 0)
        keep = ops.cond(due, lambda: self._levels(kernel, update), lambda: ops.convert_to_tensor(self.keep))
        kept = _where(keep > 0.5, kernel)
        self.keep.assign(keep)
        self.seen.assign(self.seen + 1)
        return kept

    def _levels(self, kernel, update):
        """Rank all elements by magnitude: the first `now` get 0, up to `zeros` 1, the rest 2."""
        size = math.prod(kernel.shape)
        now = ops.cast(ops.floor(self._sparsity(update) * size + 0.5), "int32")
        order = ops.argsort(ops.reshape(ops.absolute(ops.stop_gradient(kernel)), (-1,)))
        rank = ops.arange(size, dtype="int32")
        level = ops.cast(rank >= ops.minimum(now, self.zeros), self.dtype) + ops.cast(rank >= self.zeros, self.dtype)
        return ops.reshape(ops.scatter(ops.expand_dims(order, 1), level, (size,)), kernel.shape)

    def _sparsity(self, update):
        """`sparsity_at` for a tensor."""
        if self.schedule == "constant":
            return ops.where(update >= self.begin, self.final, self.initial)
        climbed = ops.clip(ops.cast(update - self.begin, "float32") / self.updates, 0.0, 1.0)
        return self.final + (self.initial - self.final) * (1.0 - climbed) ** 3

    def get_config(self):
        own = {name: getattr(self, name) for name in ("final", "updates", "begin", "every", "schedule", "initial")}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="zoo")
class Zeros(Rewrite):
    """The zeros that a kernel has at the start stay zeros, however it is trained."""

    def build(self, shape):
        self.keep = self.add_weight(name="keep", shape=shape, initializer="ones", trainable=False)

    def start(self, kernel):
        self.keep.assign(kernel != 0)

    def call(self, kernel, training=None):
        return _where(self.keep > 0.5, kernel)


def prune(
    model: keras.Model,
    final: float = 0.8,
    *,
    updates: int,
    begin: int = 0,
    every: int | None = None,
    schedule: str = "polynomial",
    initial: float = 0.0,
    layers: Collection[str] | None = None,
) -> keras.Model:
    """A functional model with the layers and weights of `model`, whose kernels lose their smallest weights while it trains.

    final:    fraction of zeros in every kernel at the end, in [0, 1).
    updates:  training batches during which the sparsity climbs, >= 1. Take about three quarters of the training: the rest repairs.
    begin:    training batches before that, >= 0.
    every:    batches between two choices of what is zero, >= 1; default: a hundredth of `updates`, at most 100.
    schedule: "polynomial" (the paper's cubic one) or "constant" (`final` at once).
    initial:  fraction of zeros at the start, in [0, final].
    layers:   names of the layers to prune; default: all with a convolution or dense kernel. Biases and normalisations are never pruned.

    Batches are counted inside the layers, so any loop will do, also with several steps per execution, XLA and a resumed training; with
    gradient accumulation it is batches that count, not updates of the weights. Evaluation and prediction always compute with `final`.

    Raises ValueError for numbers out of range, unknown layers, and for a model that is not a built functional or Sequential one.
    """
    _check(final, initial, schedule, updates, begin, every)
    settings = {"final": final, "updates": updates, "begin": begin, "schedule": schedule, "initial": initial}
    settings["every"] = min(100, max(1, updates // 100)) if every is None else every
    return rewrite(model, lambda layer, name, kernel: [Mask(**settings, name=f"{name}_mask", dtype=layer.variable_dtype)], layers)


def _where(kept, kernel):
    """Not a product: that would leave -0.0, and on torch hold on to a mask that is about to change."""
    return ops.where(kept, kernel, ops.zeros_like(kernel))


def _check(final, initial, schedule, updates, begin, every) -> None:
    if not 0.0 <= final < 1.0:
        raise ValueError(f"final is the fraction of zeros at the end and must lie in [0, 1), got {final!r}")
    if not 0.0 <= initial <= final:
        raise ValueError(f"initial is the fraction of zeros at the start and must lie in [0, final={final}], got {initial!r}")
    if schedule not in SCHEDULES:
        raise ValueError(f"schedule must be one of {', '.join(SCHEDULES)}, got {schedule!r}")
    for name, value, low in (("updates", updates, 1), ("begin", begin, 0), ("every", 1 if every is None else every, 1)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low:
            raise ValueError(f"{name} is a number of training batches and must be whole and >= {low}, got {value!r}")
