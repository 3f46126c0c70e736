"""A small training in a process of its own that kills itself with SIGKILL: `python tests/train/killed.py FOLDER MOMENT NUMBER`.

MOMENT: "step" after the NUMBER-th update of this process; or in its NUMBER-th save, "half" (the temporary file is half written),
"whole" (written, not yet renamed) or "renamed" (old checkpoints not yet removed).
"""

import os
import signal
import sys
from pathlib import Path

try:
    from tests.train.nets import colours, net
except ModuleNotFoundError:  # run as a script, where another package called tests may be installed
    from nets import colours, net


def train(folder, callbacks=()):
    """The training that is killed and resumed: dropout, random flip in the model, augmentation in the pipeline, moving average."""
    from types import SimpleNamespace

    from zoo.data.augment import Augment
    from zoo.data.dataset import Examples
    from zoo.data.pipeline import Pipeline
    from zoo.run import Run
    from zoo.train import Recipe, fit

    recipe = Recipe(epochs=4, batch_size=8, learning_rate=0.01, seed=1, ema=0.5)
    parts = [Examples(list(images), labels) for images, labels in (colours(), colours(12, seed=1))]
    data = SimpleNamespace(train=Pipeline(parts[0], 8, Augment()), validation=Pipeline(parts[1], 8))
    with recipe.building():
        model = net()
    history = fit(model, data, recipe, Run.open(Path(folder), recipe, name="killed"), callbacks=callbacks, verbose=0)
    return model, history


def _kill():
    os.kill(os.getpid(), signal.SIGKILL)


def _arm(moment, number):
    """Kill at the NUMBER-th checkpoint file; returns the callbacks."""
    import keras

    from zoo import atomic
    from zoo.train import checkpoint

    class Steps(keras.callbacks.Callback):
        count = 0

        def on_train_batch_end(self, batch, logs=None):
            self.count += 1
            if moment == "step" and self.count == number:
                _kill()

    save, replace, count = checkpoint.save_file, os.replace, [0]

    def half(arrays, path, metadata):
        save(arrays, path, metadata)
        count[0] += 1
        if moment == "half" and count[0] == number:
            with open(path, "rb+") as file:
                file.truncate(path.stat().st_size // 2)
            _kill()

    def rename(source, target):
        mine = str(target).endswith(".safetensors") and count[0] == number
        if moment == "whole" and mine:
            _kill()
        replace(source, target)
        if moment == "renamed" and mine:
            _kill()

    checkpoint.save_file, atomic.os.replace = half, rename
    return [Steps()]


if __name__ == "__main__":
    train(sys.argv[1], _arm(sys.argv[2], int(sys.argv[3])))
