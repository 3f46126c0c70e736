"""What the gradient methods leave behind: nothing in the model (bar B8), no memory and no second trace (bar B13)."""

import gc
import random
import sys
import tracemalloc

import keras
import numpy as np
import pytest
from keras import layers, ops

from zoo import explain

pytestmark = [pytest.mark.backend, pytest.mark.filterwarnings("ignore:guided backpropagation fails")]

METHODS = {
    "gradient": explain.gradient,
    "input_x_gradient": explain.input_x_gradient,
    "smoothgrad": lambda *args, **options: explain.smoothgrad(*args, samples=2, **options),
    "vargrad": lambda *args, **options: explain.vargrad(*args, samples=2, **options),
    "integrated_gradients": lambda *args, **options: explain.integrated_gradients(*args, steps=2, **options),
    "guided_backprop": explain.guided_backprop,
    "maximise": lambda model, images, target, **options: explain.maximise(model, target, start=images, steps=2, **options),
}


class Stop(Exception):
    pass


def stopping_target(outputs):
    raise Stop


def stop(done, total):
    raise Stop


def network(first=None):
    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, activation="relu", name="conv")(first(image) if first else image)
    x = layers.Dropout(0.5, seed=3)(layers.ReLU()(layers.BatchNormalization()(x)))
    x = ops.relu(layers.Conv2D(4, 3)(x))
    model = keras.Model(image, layers.Dense(3, activation="softmax", name="head")(layers.GlobalAveragePooling2D()(x)))
    draws = np.random.default_rng(0)
    for layer in model.layers:
        if layer.weights and not isinstance(layer, layers.Dropout):
            values = [draws.normal(0, 0.3, weight.shape) for weight in layer.get_weights()]
            layer.set_weights(values if isinstance(layer, layers.Conv2D) else [np.abs(value) + 0.1 for value in values])
    return model


def generators():
    """The states of all global random generators."""
    torch = sys.modules.get("torch")
    states = [str(random.getstate()), str(np.random.get_state())]  # noqa: NPY002 - the global one is what is looked after
    return [*states, torch.get_rng_state().numpy().tobytes() if torch else b""]


@pytest.mark.parametrize("fails", ["never", "in the forward pass", "in progress"])
def test_nothing_is_left_behind(fails, images):
    """Bitwise: outputs, weights, seed states, attributes of every operation, global random generators."""
    model = network()
    outputs = ops.convert_to_numpy(model(images.astype("float32")))
    state = [ops.convert_to_numpy(variable.value) for variable in model.variables]
    attributes = [dict(vars(operation)) for operation in model.operations]
    trainable, drawn = [layer.trainable for layer in model.layers], generators()
    for name, method in METHODS.items():
        if fails == "never":
            method(model, images, 1)
        else:
            with pytest.raises(Stop):
                method(model, images, stopping_target if fails == "in the forward pass" else 1, batch_size=2, progress=stop)
        assert generators() == drawn, name
        for before, operation in zip(attributes, model.operations, strict=True):
            assert set(vars(operation)) - set(before) <= {"_torch_params"}, name
            assert all(vars(operation)[key] is before[key] for key in ("activation", "call") if key in before), name
    for before, variable in zip(state, model.variables, strict=True):
        np.testing.assert_array_equal(before, ops.convert_to_numpy(variable.value))
    assert trainable == [layer.trainable for layer in model.layers]
    np.testing.assert_array_equal(outputs, ops.convert_to_numpy(model(images.astype("float32"))))


def test_sixty_repeats_keep_no_memory_and_trace_once(images):
    class Counting(layers.Layer):
        runs = 0

        def call(self, x):
            Counting.runs += 1
            return x

    model = network(Counting())

    def repeat(times):
        for number in range(times):
            for method in METHODS.values():
                method(model, images[:2], number % 3, batch_size=2)

    repeat(3)
    gc.collect()
    traced = Counting.runs
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    repeat(60)
    gc.collect()
    growth = (tracemalloc.get_traced_memory()[0] - before) / 60
    tracemalloc.stop()
    assert growth < 100_000  # bytes per repeat of all methods together
    if keras.backend.backend() != "torch":  # which runs Python at every call
        assert Counting.runs == traced
