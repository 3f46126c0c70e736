"""The guard sees NaN in the weights, also where the loss does not show it."""

import dataclasses
import math

import keras
import numpy as np
import pytest
from keras import layers

from tests.train.nets import colours, net
from zoo.train import NotFinite, checkpoint, first_nonfinite, fit
from zoo.train.guard import FiniteGuard

DATA = (colours(), colours(12, seed=1))


def _dense(recipe):
    """Dense with a fused ReLU, the case in which TensorFlow on a CPU turns NaN into 0."""
    with recipe.building():
        image = keras.Input((8, 8, 3))
        x = layers.Dense(16, activation="relu", name="hidden")(layers.Flatten()(image))
        return keras.Model(image, layers.Dense(3, name="logits")(x))


class Poison(keras.callbacks.Callback):
    """Plant a NaN in a kernel after a step."""

    def __init__(self, epoch, batch, weight="hidden/kernel"):
        super().__init__()
        self.at, self.weight, self.epoch, self.losses = (epoch, batch), weight, 0, []

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()
        if (self.epoch, batch) == self.at:
            variable = next(each for each in self.model.variables if each.path == self.weight)
            value = checkpoint.value_of(variable)
            value[...] = np.nan
            variable.assign(value)

    def on_epoch_end(self, epoch, logs=None):
        self.losses.append(logs["loss"])


@pytest.mark.backend
@pytest.mark.parametrize(("every", "where"), [(1, "epoch 2, step 3"), (100, "end of epoch 2")])
def test_a_nan_kernel_is_named_and_the_last_good_checkpoint_stays(recipe, start, every, where):
    # With every=1 the guard, which runs first, sees the poison of step 2 after step 3.
    message = rf"{where}: weight 'hidden/kernel' holds NaN.*last good checkpoint: .*last-00001\.safetensors.*learning rate too high"
    with pytest.raises(NotFinite, match=message):
        fit(_dense(recipe), DATA, recipe, start(), callbacks=[Poison(1, 1)], guard_every=every, verbose=0)
    arrays, state = checkpoint.Checkpoints(start().checkpoints).load_last()
    assert state["epoch"] == 1
    assert all(np.isfinite(array).all() for array in arrays.values())
    fit(_dense(recipe), DATA, recipe, start(), verbose=0)  # without the poison it goes on from there


def test_a_nan_image_deep_in_the_data_is_caught_even_if_the_loss_hides_it(recipe, start):
    """The batch is checked only at the start; here a later one holds a NaN, and the fused ReLU keeps the loss calm."""
    images, labels = colours()
    images = images.astype("float32")
    first = np.random.default_rng([recipe.seed, 0]).permutation(30)[:8]
    images[next(index for index in range(30) if index not in first)] = np.nan
    with pytest.raises(NotFinite, match=r"weight 'hidden/kernel' holds NaN"):
        fit(_dense(recipe), ((images, labels), DATA[1]), recipe, start(), verbose=0)


@pytest.mark.backend
def test_a_nan_loss_over_finite_weights_points_at_the_labels():
    guard = FiniteGuard(2, lambda: "here")
    guard.set_model(net())
    guard.on_epoch_begin(0)
    guard.on_train_batch_end(0, {"loss": math.nan})  # not yet its turn
    with pytest.raises(NotFinite, match=r"epoch 1, step 2: the loss is nan while all weights are finite.*label outside \[0, classes\)"):
        guard.on_train_batch_end(1, {"loss": math.nan})


def test_fused_steps_are_counted(recipe, start):
    """Keras reports only the last step of each execution."""
    fused = dataclasses.replace(recipe, steps_per_execution=2)
    with pytest.raises(NotFinite, match="epoch 1, step 4"):
        fit(_dense(recipe), DATA, fused, start(), callbacks=[Poison(0, 1)], guard_every=3, verbose=0)


@pytest.mark.backend
def test_first_nonfinite():
    model = net()
    assert first_nonfinite(model) is None
    for value in (np.nan, np.inf, -np.inf):
        moving = model.get_layer("norm").moving_variance
        moving.assign(np.array([1, 1, value, 1, 1, 1, 1, 1], "float32"))
        assert first_nonfinite(model) == "norm/moving_variance"
    assert first_nonfinite(keras.Sequential([keras.Input((2,)), layers.Flatten()])) is None
