"""Which learning rate: train for a hundred updates while the rate grows, and look where the loss falls fastest.

Smith 2015 (arXiv:1506.01186, section 3.3), with the exponential growth, the smoothing and the stop rule that fast.ai made usual.
The sweep trains a *copy* of the model, so nothing about the model itself has to be put back: weights, optimiser, seed states and
compiled state are never touched.
"""

from __future__ import annotations

import contextlib
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.gradients import global_generator_kept
from zoo.train.check import check_batch
from zoo.train.checkpoint import value_of
from zoo.train.fit import feeds, pictures
from zoo.train.guard import first_nonfinite
from zoo.train.recipe import Recipe

SMOOTHING = 0.9
DIVERGED = 4.0


@dataclass(frozen=True)
class Sweep:
    """rates, losses, smoothed: float64 (n,), n <= steps: losses[i] is the loss of batch i *before* the update with rates[i].

    suggestion: a rate, or None when the loss never fell. diverged: whether the sweep was stopped because the loss exploded.
    """

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    suggestion: float | None
    diverged: bool

    @property
    def peak(self) -> float | None:
        """A tenth of the rate where the smoothed loss was least (fastai's rule): for the peak of a schedule that warms up and decays,
        which spends most of its time below. None when there is no suggestion either."""
        return None if self.suggestion is None else float(self.rates[int(np.argmin(self.smoothed))] / 10)


def find_learning_rate(
    model: keras.Model, data: Any, recipe: Recipe, *, low: float = 1e-6, high: float = 1.0, steps: int = 100, loss=None
) -> Sweep:
    """Sweep the rate from `low` to `high` in `steps` equal factors, with the recipe's optimiser, loss, batches and augmentation.

    data, loss: as `fit`. Runs one update at a time whatever `steps_per_execution` says, without a schedule and without ema.
    The model and Python's, numpy's and Keras' random states are, to the bit, as before. Raises ValueError for an illegal range, for
    a model that cannot be copied, and for data `check_batch` refuses.
    """
    if not 0.0 < low < high or not np.isfinite(high):
        raise ValueError(f"wanted 0 < low < high, got low={low!r}, high={high!r}")
    if steps < 10:
        raise ValueError(f"a sweep needs at least 10 steps to be smoothed, got {steps}")
    train, _ = feeds(data)
    rates = low * (high / low) ** (np.arange(steps) / (steps - 1))
    with recipe.policy(), _same_luck_afterwards():
        if keras.backend.backend() == "torch":
            keras.utils.set_random_seed(recipe.seed)  # dropout draws from torch's global generator there
        losses, diverged = _sweep(model, train, recipe, rates, loss)
    rates, smoothed = rates[: len(losses)], smooth(losses)
    return Sweep(rates, losses, smoothed, suggest(rates, smoothed), diverged)


def smooth(losses) -> np.ndarray:
    """Exponential moving average whose start is corrected for its zero initial value (Kingma & Ba 2015, section 3)."""
    losses = np.asarray(losses, dtype=np.float64)
    mean, out = 0.0, np.empty_like(losses)
    for index, value in enumerate(losses):
        mean = SMOOTHING * mean + (1 - SMOOTHING) * value
        out[index] = mean / (1 - SMOOTHING ** (index + 1))
    return out


def suggest(rates: np.ndarray, smoothed: np.ndarray) -> float | None:
    """The rate where the smoothed loss falls fastest per factor of the rate, but at most a quarter of the rate of its minimum.

    Only the fall before the minimum is looked at: rates behind it are on the way to divergence, and so is, because smoothing
    lags behind, the minimum itself. The first ten points are left out where there are enough: they are hardly smoothed.
    None when the loss falls by less than 1 % of its start.
    """
    bottom = int(np.argmin(smoothed))
    if bottom < 2 or smoothed[bottom] > smoothed[0] - 0.01 * abs(smoothed[0]):
        return None
    # The first averages are of few losses and jump about; a slope over several points does not follow what noise is left.
    start = min(round(1 / (1 - SMOOTHING)), bottom // 2)
    reach = max(1, (bottom - start) // 10)
    points = np.arange(start, bottom + 1)
    left, right = np.maximum(points - reach, start), np.minimum(points + reach, bottom)
    slope = (smoothed[right] - smoothed[left]) / np.log(rates[right] / rates[left])
    return float(min(rates[points[int(np.argmin(slope))]], rates[bottom] / 4))


def _sweep(model, train, recipe: Recipe, rates, loss) -> tuple[np.ndarray, bool]:
    batches = iter(train.training(recipe.batch_size, recipe.seed, 0))
    first = next(batches)
    if loss is None:
        check_batch(model, *first)
    if recipe.pictures():
        batches = iter(pictures(train, recipe, model).training(recipe.batch_size, recipe.seed, 0))
        first = next(batches)
    copy = _copy(model, np.asarray(first[0])[:2])
    plain = recipe.constant()
    copy.compile(optimizer=plain.optimizer_for(1, copy), loss=loss or recipe.loss(), jit_compile=recipe.jit)
    losses: list[float] = []
    for rate, (images, labels) in zip(rates, itertools.chain([first], batches), strict=False):
        copy.optimizer.learning_rate.assign(rate)
        copy.reset_metrics()  # otherwise the loss is a running mean
        losses.append(float(copy.train_on_batch(np.asarray(images), np.asarray(labels), return_dict=True)["loss"]))
        smoothed = smooth(losses)
        # The weights are asked too, because a fused ReLU can hide NaN from the loss (see guard.py).
        if not np.isfinite(losses[-1]):
            return np.asarray(losses[:-1]), True
        if smoothed[-1] > DIVERGED * smoothed.min() or first_nonfinite(copy) is not None:
            return np.asarray(losses), True
    return np.asarray(losses), False


@contextlib.contextmanager
def _same_luck_afterwards() -> Iterator[None]:
    """Copying a model draws seeds from Python's generator; on torch, training draws from torch's."""
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002
    with global_generator_kept():
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(legacy)  # noqa: NPY002


def _copy(model, images) -> keras.Model:
    try:
        copy = keras.models.clone_model(model)
        if not copy.built:
            copy.build(model.input_shape)
        for ours, theirs in zip(copy.variables, model.variables, strict=True):
            ours.assign(value_of(theirs))  # a copy: JAX donates the array it trains on, and would take the model's with it
    except (ValueError, TypeError, NotImplementedError, AttributeError) as error:
        raise ValueError(
            f"the sweep trains a copy, but this model cannot be copied: {error}; "
            "use a functional or Sequential model, or give its layers get_config()"
        ) from error
    wanted, got = (ops.convert_to_numpy(each(ops.convert_to_tensor(images), training=False)) for each in (model, copy))
    if not np.array_equal(wanted, got):
        raise ValueError("the copy of this model computes something else than the model; a layer's get_config() leaves out what it needs")
    return copy
