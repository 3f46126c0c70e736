"""Learning rates as a function of the update number, for the three backends."""

from __future__ import annotations

import math

import keras
from keras import ops

KINDS = ("constant", "cosine", "one_cycle")


@keras.saving.register_keras_serializable(package="zoo")
class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """The rate of update t = 0 ... steps - 1; it keeps its last value afterwards.

    constant:  `peak` after the warm-up.
    cosine:    `peak` falls to 0 along half a cosine (Loshchilov & Hutter 2017, arXiv:1608.03983, equation 5, without restarts).
    one_cycle: peak / 25 rises to `peak` along half a cosine, then falls to peak / 250000 along another (Smith & Topin 2018,
               arXiv:1708.07120). Only the rate cycles, the momentum stays.

    warmup: fraction of all steps, in [0, 1). For constant and cosine the rate climbs linearly through peak / n, 2 peak / n, ..., peak
            over the n = round(warmup * steps) first updates (Goyal et al. 2017, arXiv:1706.02677, section 2.2), so no update is lost at
            rate 0. For one_cycle it is the rising part (0.3 in the usual setting; here at least two steps of each part are needed).
    """

    def __init__(self, kind: str, peak: float, steps: int, warmup: float = 0.0):
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"schedule must be one of {', '.join(KINDS)}, got {kind!r}")
        if steps < 1:
            raise ValueError(f"a schedule needs at least one step, got {steps}")
        self.kind, self.peak, self.steps, self.warmup = kind, peak, steps, warmup

    def __call__(self, step):
        step = ops.cast(step, "float32")
        if self.kind == "one_cycle":
            return self._one_cycle(step)
        climb = round(self.warmup * self.steps)
        rate = self.peak * ops.ones_like(step)
        if self.kind == "cosine":
            rate = _half_cosine(self.peak, 0.0, (step - climb) / max(self.steps - climb, 1))
        if climb:
            rate = ops.where(step < climb, self.peak * (step + 1.0) / climb, rate)
        return rate

    def _one_cycle(self, step):
        start, end = self.peak / 25, self.peak / 25 / 1e4
        top = max(self.warmup * self.steps - 1.0, 1.0)
        last = max(self.steps - 1.0, top + 1.0)
        return ops.where(step <= top, _half_cosine(start, self.peak, step / top), _half_cosine(self.peak, end, (step - top) / (last - top)))

    def get_config(self):
        return {"kind": self.kind, "peak": self.peak, "steps": self.steps, "warmup": self.warmup}


def _half_cosine(first: float, last: float, progress):
    """From `first` to `last` while progress goes from 0 to 1."""
    progress = ops.clip(progress, 0.0, 1.0)
    return last + (first - last) * 0.5 * (1.0 + ops.cos(math.pi * progress))
