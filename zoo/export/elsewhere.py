"""A backend that cannot write a format: the model goes as .keras into a process with TensorFlow, which writes it there.

This is the portable route for what was trained on JAX: the same layers and the same weights, another engine. The process is started
by `export` below; `python -m zoo.export.elsewhere FOLDER` is its other side.
"""

from __future__ import annotations

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
        asked = {"path": str(path.absolute()), "format": format, "precision": options.precision, "integer_io": options.integer_io}
        Path(room, "asked.json").write_text(json.dumps(asked), encoding="utf-8")
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

    from zoo import registry
    from zoo.export.write import export as write

    registry.rows()  # imports every family, so that Keras knows their layers when it reads the file
    asked = json.loads(Path(folder, "asked.json").read_text(encoding="utf-8"))
    images = np.load(Path(folder, "images.npy")) if Path(folder, "images.npy").exists() else None
    model = keras.saving.load_model(Path(folder, "model.keras"), compile=False)
    write(model, images=images, **asked)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
