"""Which models a page may open: finished run folders and rows of the zoo. Nothing that a visitor sends is ever loaded as a model."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import keras
import streamlit as st

from zoo import predict, registry

RUNS = "ZOO_RUNS"
"""Environment variable: the folder that holds run folders (default ./runs), or one run folder."""
FILES = ("model.keras", predict.LABELS)
"""What a run folder holds when its project has finished."""


@dataclass(frozen=True)
class Choice:
    """A model to open; equal choices are the same model, so it is the key of every cache.

    kind:    "run" or "zoo".
    name:    of the run folder, or of the row of the zoo.
    folder:  of the run.
    weights: published tag of a row; None is random weights.
    stamp:   when the run's model was written, in ns: a run that was trained again is opened again.
    """

    kind: str
    name: str
    folder: str = ""
    weights: str | None = None
    stamp: int = 0

    @property
    def trained(self) -> bool:
        return self.kind == "run" or self.weights is not None


@dataclass(frozen=True)
class Opened:
    """A model in memory: predictor, the layers that a map can be drawn from (name -> cells), the default one, and the file's sha256."""

    predictor: predict.Predictor
    layers: dict[str, tuple]
    default: str
    sha256: str | None


def runs_folder() -> Path:
    return Path(os.environ.get(RUNS) or "runs")


def runs() -> dict[str, Choice]:
    """The finished runs by name, the newest first. Empty where nothing has been trained yet."""
    root = runs_folder()
    folders = [root] if _finished(root) else sorted(filter(_finished, root.iterdir())) if root.is_dir() else []
    found = [Choice("run", path.resolve().name, str(path), stamp=(path / FILES[0]).stat().st_mtime_ns) for path in folders]
    return {choice.name: choice for choice in sorted(found, key=lambda choice: -choice.stamp)}


@st.cache_resource(max_entries=2, show_spinner="Opening the model")
def open_model(choice: Choice) -> Opened:
    """The model of `choice`, shared by all visitors; at most two are kept. Raises ValueError or OSError with the cure."""
    if choice.kind == "run":
        registry.rows()  # imports every family, so that Keras knows their layers when it reads the file
        predictor = predict.from_run(choice.folder)
        digest = hashlib.sha256((Path(choice.folder) / FILES[0]).read_bytes()).hexdigest()
    else:
        keras.utils.set_random_seed(0)  # random weights, but the same ones at every visit
        predictor, digest = predict.from_registry(choice.name, choice.weights), None
    from zoo.explain import default_layer

    return Opened(predictor, map_layers(predictor.model), default_layer(predictor.model), digest)


def map_layers(model: keras.Model) -> dict[str, tuple]:
    """Layers whose output is a map of more than one cell, the deepest first: name -> (rows, columns), None where it varies."""
    found = {}
    for layer in reversed(model.layers):
        output = getattr(layer, "output", None)
        shape = getattr(output, "shape", ())
        if len(shape) == 4 and shape[1:3] != (1, 1) and layer.weights is not None and not isinstance(layer, keras.layers.InputLayer):
            found[layer.name] = tuple(shape[1:3])
    return found


def _finished(folder: Path) -> bool:
    return all((folder / name).is_file() for name in FILES)
