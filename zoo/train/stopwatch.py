"""How long a training step takes: Keras' own `fit` on one batch that stays in memory, timed from call to call."""

from __future__ import annotations

import dataclasses
import math
import time
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np

from zoo.train.fit import compile_for, feeds, precision_of
from zoo.train.recipe import Recipe
from zoo.train.switches import Switches


class Stopwatch:
    """A model of its own in training.

    build:    makes the model; it is called here, in the precision of the switches.
    feed:     makes endless batches (images, labels), as `one_batch` does.

    Raises ValueError when `build` ignores the precision that is asked for.
    """

    def __init__(self, build: Callable[[], keras.Model], feed: Callable[[], Iterable], switches: Switches, recipe: Recipe):
        self.recipe = switches.into(_with_labels_of_one_class(recipe))
        self.feed = feed
        with self.recipe.building():
            self.model = build()
            if precision_of(self.model) != switches.precision:
                raise ValueError(
                    f"wanted a model in {switches.precision}, got one in {precision_of(self.model)}; build() must build it anew on each "
                    "call and leave the precision to Keras' policy"
                )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # what the recipe may do badly is for `fit` to say, once
                compile_for(self.model, self.recipe, 1000 * switches.steps_per_execution)

    def first(self) -> float:
        """Seconds of the first call: tracing, compiling and its steps."""
        start = time.perf_counter()
        self._run(1)
        return time.perf_counter() - start

    def measure(self, steps: int) -> float:
        """Seconds per step over at least `steps` steps. The call before them, which fetches the first batch, is not timed."""
        each = self.recipe.steps_per_execution
        calls = math.ceil(steps / each)
        marks = self._run(1 + calls)
        return (marks[-1] - marks[0]) / (calls * each)

    def _run(self, calls: int) -> list[float]:
        marks = _Marks(calls)
        with self.recipe.policy():
            steps = calls * self.recipe.steps_per_execution
            self.model.fit(self.feed(), steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=[marks])
        return marks.times


class _Marks(keras.callbacks.Callback):
    """The time after the first and after the last call of `fit`'s compiled function."""

    def __init__(self, calls: int):
        super().__init__()
        self.calls, self.seen = calls, 0
        self.times: list[float] = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen += 1
        if self.seen in (1, self.calls):
            float(logs["loss"])  # waits until the device has computed it
            self.times.append(time.perf_counter())


def one_batch(data: Any, recipe: Recipe) -> tuple[Callable[[], Iterable], tuple, int | None]:
    """(what makes endless copies of one batch, the shape and type of its images, steps of an epoch or None).

    data: what `fit` takes, of which the first batch is used; or one batch (images (b, h, w, c), labels (b,)).

    What makes the pictures is left out on purpose: it works beside the step and is planned by itself (`Pipeline.plan`).
    """
    if isinstance(data, tuple | list) and len(data) == 2 and getattr(data[0], "ndim", 0) == 4:
        images, labels = np.asarray(data[0]), np.asarray(data[1])
        if len(images) != recipe.batch_size or len(labels) != len(images):
            raise ValueError(
                f"wanted a batch of the recipe's batch_size={recipe.batch_size}, got {len(images)} images and {len(labels)} labels"
            )
        return _endless(images, labels), (images.shape, str(images.dtype)), None
    train = feeds(data)[0]
    batches = train.training(recipe.batch_size, recipe.seed, 0)
    images, labels = (np.asarray(part) for part in next(iter(batches)))
    about = (images.shape, str(images.dtype))
    if hasattr(batches, "take"):  # tf.data, which hands its batches over without a copy
        return batches.take(1).cache().repeat, about, train.steps(recipe.batch_size)
    return _endless(images, labels), about, train.steps(recipe.batch_size)


def _endless(images, labels) -> Callable[[], Iterable]:
    def batches():
        while True:
            yield images, labels

    return batches


def _with_labels_of_one_class(recipe: Recipe) -> Recipe:
    """The recipe for labels (b,), which is what one batch holds; mixing them changes the pictures, not the work of a step."""
    unmixed: dict[str, Any] = {field.name: 0.0 for field in dataclasses.fields(recipe) if field.name in ("mixup", "cutmix")}
    return dataclasses.replace(recipe, **unmixed)
