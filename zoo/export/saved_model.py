"""TensorFlow's SavedModel: a folder with the graph and its weights, which TensorFlow Serving and most converters read."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from zoo.export.quiet import quiet


def write(model, path: Path, options) -> Path:
    """Write beside the goal, then swap the folders; an old one is removed only when the new one stands."""
    if path.exists() and not (path / "saved_model.pb").is_file():
        raise ValueError(f"{path} exists and is no SavedModel; it was left alone, give another name")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name[:40]}-", dir=path.parent) as room:
        with quiet("tensorflow", "absl"):
            model.export(Path(room, "new"), format="tf_saved_model", verbose=False)
        if path.exists():
            os.replace(path, Path(room, "old"))
        try:
            os.replace(Path(room, "new"), path)
        except OSError:
            if Path(room, "old").exists():
                os.replace(Path(room, "old"), path)
            raise
    return path
