"""A small training in a process of its own, alone or as one of several: `python tests/train/spread.py KIND FOLDER [KILL]`.

KIND: a kind of `zoo.train.distribute`. KILL: this process dies by SIGKILL after so many updates. Workers read `ZOO_WORKERS` and
`ZOO_WORKER`. At the end each process writes its weights to FOLDER/weights-INDEX.npz.
"""

import os
import signal
import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers

try:
    from tests.train.nets import colours
except ModuleNotFoundError:  # run as a script, where another package called tests may be installed
    from nets import colours


def net():
    """Image (b, 8, 8, 3) -> logits, with batch statistics over the global batch: JAX has no others, TensorFlow must be asked."""
    image = keras.Input((8, 8, 3), name="image")
    x = layers.Rescaling(1 / 127.5, -1.0)(image)
    x = layers.Conv2D(8, 3, padding="same", use_bias=False, name="conv")(x)
    x = layers.BatchNormalization(synchronized=keras.backend.backend() == "tensorflow", name="norm")(x)
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(x))
    return keras.Model(image, layers.Dense(3, name="logits")(x), name="net")


def train(folder, images=32, validation=13, callbacks=(), **fields):
    """(model, history) of three epochs with moving average; call it inside a scope."""
    from zoo.run import Run
    from zoo.train import Recipe, fit

    recipe = Recipe(**{"epochs": 3, "batch_size": 8, "learning_rate": 0.01, "seed": 3, "ema": 0.5, **fields})
    with recipe.building():
        model = net()
    data = (colours(images), colours(validation, seed=1))
    return model, fit(model, data, recipe, Run.open(Path(folder), {}, name="spread"), callbacks=callbacks, verbose=0)


class Kill(keras.callbacks.Callback):
    """SIGKILL after `number` updates."""

    def __init__(self, number):
        super().__init__()
        self.left = number

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)


def two_devices():
    """Two pretended devices on a CPU; before the first computation."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        halves = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], halves)


def main(kind, folder, kill=0):
    from zoo.train import checkpoint, distribute

    if kind != "workers":
        two_devices()
    with distribute.scope(kind) as place:
        assert place.replicas == 2, place
        model, history = train(folder, callbacks=[Kill(int(kill))])
        values = [checkpoint.value_of(variable) for variable in model.variables]
        rows = np.array([[row[name] for name in ("loss", "accuracy", "val_loss", "val_accuracy")] for row in history.rows])
    np.savez(Path(folder) / f"weights-{place.part[0]}.npz", rows, *values)


if __name__ == "__main__":
    main(*sys.argv[1:])
