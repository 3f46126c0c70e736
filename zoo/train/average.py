"""The moving average of the weights (`Recipe.ema`): put it in the model to validate or to keep it, and take it out again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras

from zoo.train.checkpoint import value_of


@contextlib.contextmanager
def averaged(model: keras.Model) -> Iterator[None]:
    """The model holds the averaged weights inside the block, to the bit the raw ones afterwards. Nothing happens without `ema`."""
    swap(model)
    try:
        yield
    finally:
        swap(model)


def swap(model: keras.Model) -> None:
    """Exchange the trainable weights of `model` and their moving average; twice is the identity."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)  # mixed_float16 wraps it to scale the loss
    if not optimizer.use_ema:
        return
    # The two private lists are what keras.callbacks.SwapEMAWeights exchanges; that callback cannot be asked to swap for a checkpoint.
    for variable, average in zip(optimizer._trainable_variables, optimizer._model_variables_moving_average, strict=True):
        raw, mean = value_of(variable), value_of(average)
        variable.assign(mean)
        average.assign(raw)


class ValidateAverage(keras.callbacks.Callback):
    """During `fit`, validation sees the averaged weights."""

    def on_test_begin(self, logs=None):
        swap(self.model)

    def on_test_end(self, logs=None):
        swap(self.model)
