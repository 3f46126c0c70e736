"""A backend that cannot write a format: the model goes as .keras into a process with TensorFlow, which writes it there.

This is the portable route for what was trained on JAX: the same layers and the same weights, another engine. The process is started
by `export` below; `python -m zoo.export.elsewhere FOLDER` is its other side.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np


def export(model, path: Path, format: str, options) -> Path:
    """Write `model` to `path` in a process with KERAS_BACKEND=tensorflow; raises ValueError with what that process said."""
    with tempfile.TemporaryDirectory(prefix="zoo-export-") as room:
        model.save(Path(room, "model.keras"))
        if options.images is not None:
            np.save(Path(room, "images.npy"), options.images)
        modules = sorted({type(layer).__module__ for layer in model._flatten_layers()})
        asked = {"path": str(path.absolute()), "format": format, "precision": options.precision, "integer_io": options.integer_io}
        Path(room, "asked.json").write_text(json.dumps({"modules": modules, "export": asked}), encoding="utf-8")
        root = str(Path(__file__).resolve().parents[2])
        found = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "PYTHONPATH": found}
        done = subprocess.run(
            [sys.executable, "-m", "zoo.export.elsewhere", room], env=environment, capture_output=True, text=True, check=False
        )
    if done.returncode:
        said = (done.stderr.strip() or "nothing was said").splitlines()[-1]
        raise ValueError(f"{model.name} could not be written as {format} by a process with KERAS_BACKEND=tensorflow: {said}")
    return path


def main(folder: str) -> int:
    """Write what `export` left in `folder`."""
    import keras

    from zoo.export.write import export as write

    asked = json.loads(Path(folder, "asked.json").read_text(encoding="utf-8"))
    for module in asked["modules"]:  # Keras knows a layer when the file that registers it was imported
        with contextlib.suppress(ImportError):  # __main__, or a test: Keras then names the class that it does not know
            importlib.import_module(module)
    images = np.load(Path(folder, "images.npy")) if Path(folder, "images.npy").exists() else None
    model = keras.saving.load_model(Path(folder, "model.keras"), compile=False)
    write(model, images=images, **asked["export"])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
