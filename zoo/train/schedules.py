"""Learning rates as a function of the update number, for the three backends."""

from __future__ import annotations

import math

import keras
from keras import ops

KINDS = ("constant", "cosine", "one_cycle", "poly", "step")


@keras.saving.register_keras_serializable(package="zoo")
class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """The rate of update t = 0 ... steps - 1; it keeps its last value afterwards.

    constant:  `peak` after the warm-up.
    cosine:    `peak` falls to final * peak along half a cosine (Loshchilov & Hutter 2017, arXiv:1608.03983, equation 5, without restarts).
    one_cycle: peak / 25 rises to `peak` along half a cosine, then falls to peak / 250000 along another (Smith & Topin 2018,
               arXiv:1708.07120). Only the rate cycles, the momentum stays.
    poly:      (peak - final * peak) * (1 - progress) ** power + final * peak, progress from 0 to 1 after the warm-up (Chen et al. 2018,
               arXiv:1606.00915, section 4.1, with power 0.9).
    step:      `peak` times `factor` for each of the `milestones` that has passed. Milestones are fractions of all steps, warm-up
               included, such as (1/3, 2/3) (He et al. 2016, arXiv:1512.03385, section 3.4); one number instead of a tuple means
               every such fraction.

    warmup: fraction of all steps, in [0, 1). Besides one_cycle, the rate climbs linearly through peak / n, 2 peak / n, ..., peak
            over the n = round(warmup * steps) first updates (Goyal et al. 2017, arXiv:1706.02677, section 2.2), so no update is lost at
            rate 0. For one_cycle it is the rising part (0.3 in the usual setting; here at least two steps of each part are needed).
    every:  batches per update. Keras counts batches, so a schedule of accumulated gradients has to divide.
    """

    def __init__(
        self,
        kind: str,
        peak: float,
        steps: int,
        warmup: float = 0.0,
        *,
        final: float = 0.0,
        power: float = 0.9,
        milestones: tuple[float, ...] | float = (1 / 3, 2 / 3),
        factor: float = 0.1,
        every: int = 1,
    ):
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"schedule must be one of {', '.join(KINDS)}, got {kind!r}")
        if steps < 1:
            raise ValueError(f"a schedule needs at least one step, got {steps}")
        self.kind, self.peak, self.steps, self.warmup = kind, peak, steps, warmup
        self.final, self.power, self.factor, self.every = final, power, factor, every
        self.milestones = milestones if isinstance(milestones, int | float) else tuple(milestones)

    def __call__(self, step):
        if self.every > 1:
            step = ops.floor_divide(ops.cast(step, "int32"), self.every)
        step = ops.cast(step, "float32")
        if self.kind == "one_cycle":
            return self._one_cycle(step)
        climb = round(self.warmup * self.steps)
        progress = (step - climb) / max(self.steps - climb, 1)
        rate = self.peak * ops.ones_like(step)
        if self.kind == "cosine":
            rate = _half_cosine(self.peak, self.final * self.peak, progress)
        elif self.kind == "poly":
            last = self.final * self.peak
            rate = last + (self.peak - last) * ops.power(1.0 - ops.clip(progress, 0.0, 1.0), self.power)
        elif self.kind == "step":
            rate = self.peak * ops.power(ops.cast(self.factor, "float32"), self._passed(step))
        if climb:
            rate = ops.where(step < climb, self.peak * (step + 1.0) / climb, rate)
        return rate

    def _passed(self, step):
        """How many milestones lie at or before `step`."""
        if isinstance(self.milestones, int | float):
            half = 0.5  # the k-th milestone is round(k * milestones * steps), as below
            return ops.floor((ops.minimum(step, self.steps - 1.0) + half) / (self.milestones * self.steps))
        return sum((ops.cast(step >= round(part * self.steps), "float32") for part in self.milestones), ops.zeros_like(step))

    def _one_cycle(self, step):
        start, end = self.peak / 25, self.peak / 25 / 1e4
        top = max(self.warmup * self.steps - 1.0, 1.0)
        last = max(self.steps - 1.0, top + 1.0)
        return ops.where(step <= top, _half_cosine(start, self.peak, step / top), _half_cosine(self.peak, end, (step - top) / (last - top)))

    def get_config(self):
        names = ("kind", "peak", "steps", "warmup", "final", "power", "milestones", "factor", "every")
        return {name: getattr(self, name) for name in names}


def _half_cosine(first: float, last: float, progress):
    """From `first` to `last` while progress goes from 0 to 1."""
    progress = ops.clip(progress, 0.0, 1.0)
    return last + (first - last) * 0.5 * (1.0 + ops.cos(math.pi * progress))
