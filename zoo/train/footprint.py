"""How much memory a training takes at its peak, measured in a process of its own: in this one, everything before it would count too."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from zoo.train import machine
from zoo.train.recipe import Recipe

_GROW = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_FORCE_GPU_ALLOW_GROWTH": "true", "TF_CPP_MIN_LOG_LEVEL": "3"}
"""Otherwise JAX and TensorFlow take most of a GPU at once, whatever they need of it."""


def footprint(row: str, recipe: Recipe, *, classes: int, size: int, changes: Mapping | None = None, lowering: str = "auto") -> int:
    """Peak bytes of two training steps of a zoo row: weights, gradients, optimiser, activations, and what the compiler takes.

    row, classes, size, changes: as `zoo.classifier` takes them, size being the side of the images. lowering: see `zoo.layers.depthwise`.

    On a GPU it is what the device lent; on a processor the rise of the process' peak over that of the imported libraries. The process
    has the backend of this one. Raises RuntimeError with its last line when it ends without an answer.
    """
    import keras

    asked = {"row": row, "classes": classes, "size": size, "changes": dict(changes or {}), "lowering": lowering}
    question = json.dumps({**asked, "recipe": dataclasses.asdict(recipe)})
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, **_GROW, "KERAS_BACKEND": keras.backend.backend(), "PYTHONPATH": path}
    command = [sys.executable, "-m", "zoo.train.footprint", question]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or "nothing was said").splitlines()[-1]
        raise RuntimeError(f"the memory of {row} could not be measured, its process ended with {done.returncode}: {said}")
    return json.loads(done.stdout.strip().splitlines()[-1])["bytes"]


def main(question: str) -> int:
    """Print {"bytes": ...} for what `footprint` asked."""
    import keras
    import numpy as np

    from zoo import registry
    from zoo.layers.depthwise import lowering
    from zoo.train.rungs import watch_of

    asked = json.loads(question)
    recipe = Recipe(**asked["recipe"])
    changes = {name: tuple(value) if isinstance(value, list) else value for name, value in asked["changes"].items()}
    shape = (asked["size"], asked["size"], 3)
    random = np.random.default_rng(0)
    images = random.uniform(0, 255, (recipe.batch_size, *shape)).astype("float32")
    labels = random.integers(0, asked["classes"], recipe.batch_size)
    keras.ops.zeros(1)
    ready = _peak()

    def build():
        return registry.build_classifier(asked["row"], classes=asked["classes"], input_shape=shape, changes=changes)

    with lowering(asked["lowering"]):
        watch = watch_of(build, recipe, (images, labels), asked["lowering"])
        watch.first()
        watch.measure(1)
    lent = _lent(keras.backend.backend()) if machine.accelerated() else None
    print(json.dumps({"bytes": _peak() - ready if lent is None else lent}))
    return 0


def _peak() -> int:
    """The most memory this process has held, in bytes. Linux' ru_maxrss would begin with that of the process that started this one."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")]
    return found[0] if found else machine.peak_memory()


def _lent(backend: str) -> int | None:
    """The most bytes that the GPU has lent to this process; None where the backend does not say."""
    if backend == "tensorflow":
        import tensorflow as tf

        return int(tf.config.experimental.get_memory_info("GPU:0")["peak"])
    if backend == "jax":
        import jax

        return (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
    import torch

    return int(torch.cuda.max_memory_allocated())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
