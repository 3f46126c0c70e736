"""Which models a page may open: finished run folders and rows of the zoo. Nothing that a visitor sends is ever loaded as a model."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import keras
import streamlit as st

from zoo import explain, predict
from zoo.weights.published import records
from zoo.weights.record import Record

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
    scenes:  whether the run was trained on the embedded generator, so that a scene is the picture to begin with.
    stamp:   when the run's model was written, in ns: a run that was trained again is opened again.
    """

    kind: str
    name: str
    folder: str = ""
    weights: str | None = None
    scenes: bool = False
    stamp: int = 0

    @property
    def trained(self) -> bool:
        return self.kind == "run" or self.weights is not None


@dataclass(frozen=True)
class Opened:
    """A model in memory: predictor, the layers that a map can be drawn from (name -> cells), the default one, and the file's sha256.

    A model without feature maps has no layers and no default; saliency still works on it.
    """

    predictor: predict.Predictor
    layers: dict[str, tuple]
    default: str | None
    sha256: str | None


def runs_folder() -> Path:
    return Path(os.environ.get(RUNS) or "runs")


def runs() -> dict[str, Choice]:
    """The finished runs by name, the newest first. Empty where nothing has been trained yet."""
    root = runs_folder()
    folders = [root] if _finished(root) else sorted(filter(_finished, root.iterdir())) if root.is_dir() else []
    found = [
        Choice("run", path.resolve().name, str(path), scenes=_on_scenes(path), stamp=(path / FILES[0]).stat().st_mtime_ns)
        for path in folders
    ]
    return {choice.name: choice for choice in sorted(found, key=lambda choice: -choice.stamp)}


def published(name: str) -> dict[str, Record]:
    """The published weights of a row that come with the head: tag -> record."""
    return {record.tag: record for record in records(name) if record.top}


@st.cache_resource(max_entries=2, show_spinner="Opening the model")
def open_model(choice: Choice) -> Opened:
    """The model of `choice`, shared by all visitors; at most two are kept. Raises ValueError or OSError with the cure."""
    if choice.kind == "zoo":
        keras.utils.set_random_seed(0)  # random weights, but the same ones at every visit
        return _opened(predict.from_registry(choice.name, choice.weights), None)
    predictor = predict.from_run(choice.folder)
    return _opened(predictor, hashlib.sha256((Path(choice.folder) / FILES[0]).read_bytes()).hexdigest())


def _opened(predictor: predict.Predictor, digest: str | None) -> Opened:
    try:
        default = explain.default_layer(predictor.model).name
    except ValueError:  # no feature map: saliency is left
        return Opened(predictor, {}, None, digest)
    return Opened(predictor, {default: (None, None)} | explain.map_layers(predictor.model), default, digest)


def _finished(folder: Path) -> bool:
    return all((folder / name).is_file() for name in FILES)


def _on_scenes(folder: Path) -> bool:
    try:
        return json.loads((folder / predict.LABELS).read_text())["trained_on"].startswith("scenes")
    except (ValueError, KeyError, TypeError, AttributeError):  # damaged: `open_model` says so when it is asked for
        return False
