"""Pictures -> named probabilities, by a model of the zoo or of a run folder. The CLI, the apps and the projects share it."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from zoo import atomic, create, registry
from zoo.data.decode import decode, resize
from zoo.metrics.classification import softmax
from zoo.weights import class_names, find

LABELS = "labels.json"


@dataclass(frozen=True)
class Predictor:
    """A model with what is needed to use it.

    model:   image (b, h, w, c) in [0, 255] -> logits (b, n).
    classes: n names.
    size:    (height, width) in pixels that images are resized to, the same way as at training.
    how:     "squash", "crop" or "letterbox" (see `zoo.data.decode.resize`), with its `crop` and `interpolation`.
    note:    what a reader must know, for example that the weights are random.
    """

    model: keras.Model
    classes: tuple[str, ...]
    size: tuple[int, int]
    how: str = "squash"
    note: str = ""
    crop: float = 1.0
    interpolation: str = "bilinear"

    def prepare(self, images: Sequence) -> np.ndarray:
        """Paths, bytes or uint8 arrays (h, w, 3) -> float32 (b, height, width, c) in [0, 255]."""
        arrays = [image if isinstance(image, np.ndarray) else decode(image) for image in images]
        resized = [resize(array, self.size, self.how, crop=self.crop, interpolation=self.interpolation) for array in arrays]
        batch = np.stack(resized).astype("float32")
        if self.model.inputs[0].shape[-1] == 1:
            batch = batch @ np.array([[0.299], [0.587], [0.114]], np.float32)  # ITU-R BT.601 luma, as PIL's convert("L")
        return batch

    def probabilities(self, images: Sequence, batch_size: int = 32) -> np.ndarray:
        """Paths, bytes or uint8 arrays -> float32 (b, n), rows sum to 1."""
        prepared = self.prepare(images)
        parts = [self.model.predict_on_batch(prepared[i : i + batch_size]) for i in range(0, len(prepared), batch_size)]
        return softmax(np.concatenate(parts))

    def top(self, images: Sequence, k: int = 5) -> list[list[tuple[str, float]]]:
        """The k most probable (name, probability) pairs of every image, best first."""
        probabilities = self.probabilities(images)
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
        return [[(self.classes[j], float(row[j])) for j in best] for row, best in zip(probabilities, order, strict=True)]


def asked(options) -> Predictor:
    """What the options --run, --model and --weights of a command name. Raises ValueError for weights beside a run, and as the two below."""
    check_asked(options)
    return from_run(options.run_folder) if options.run_folder else from_registry(options.model, options.weights)


def check_asked(options) -> None:
    """Raises ValueError for --weights beside --run, before anything is opened."""
    if options.run_folder and options.weights:
        raise ValueError("--weights goes with --model: a run folder brings its own weights; leave out one of --weights and --run")


def from_run(folder: str | Path) -> Predictor:
    """The trained model of a run folder. Only `model.keras` and `labels.json` are read, the model with Keras' safe mode on.

    Raises FileNotFoundError for a folder where no run has finished; ValueError that names the file for one that is damaged,
    holds code, or does not belong to the other.
    """
    return from_opened(folder, *opened(folder))


def from_opened(folder: str | Path, loaded: keras.Model, facts: dict) -> Predictor:
    """What `opened` gave, as a Predictor. Raises ValueError for a model that does not fit its labels, or is no classifier."""
    outputs = getattr(loaded, "output", None)
    if isinstance(outputs, dict):
        raise ValueError(f"{folder} holds a model with the outputs {', '.join(outputs)}, no classifier; `zoo.locate` opens detectors")
    if loaded.output_shape[-1] != len(facts["classes"]):
        raise ValueError(f"{folder}: the model has {loaded.output_shape[-1]} outputs, but {LABELS} names {len(facts['classes'])} classes")
    return Predictor(loaded, tuple(facts["classes"]), tuple(facts["size"]), facts["how"], note=f"trained on {facts['trained_on']}")


def opened(folder: str | Path) -> tuple[keras.Model, dict]:
    """The model of a run folder and what its `labels.json` says: classes, size, how, trained_on. Raises as `from_run`."""
    folder = Path(folder)
    model, labels = folder / "model.keras", folder / LABELS
    for path in (model, labels):
        if not path.is_file():
            raise FileNotFoundError(
                f"{folder} is not the folder of a finished run: {path.name} is missing; run a project first, for example `make demo`"
            )
    facts = _facts(labels)
    return _loaded(model), facts


def from_file(path: str | Path) -> Predictor:
    """The model of a .keras file, read with Keras' safe mode on; its classes have numbers for names. Raises as `from_run`."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    loaded = _loaded(path)
    height, width = (side or 224 for side in loaded.inputs[0].shape[1:3])
    names = tuple(f"class {index}" for index in range(loaded.outputs[0].shape[-1]))
    return Predictor(loaded, names, (height, width), note=f"from {path.name}")


def save_labels(folder: str | Path, classes: Sequence[str], size: tuple[int, int], trained_on: str, how: str = "squash") -> Path:
    """Write beside `model.keras` what `from_run` needs to use it."""
    facts = {"classes": list(classes), "size": list(size), "how": how, "trained_on": trained_on}
    return atomic.write(Path(folder) / LABELS, json.dumps(facts, indent=2))


def from_registry(variant: str, weights: str | os.PathLike | None = None) -> Predictor:
    """A row of the zoo with published weights; without weights it guesses, and the note says so.

    Pictures are prepared as the publisher of the weights prepares them for its own evaluation: size, centre crop and filter.
    """
    source = find(variant, weights)
    record = None if source is None else source.record
    model = create.classifier(variant, weights=weights)
    height, width = (side or 224 for side in model.inputs[0].shape[1:3])
    n = model.outputs[0].shape[-1]
    names = class_names(record or "imagenet") if n == (record.classes if record else 1000) else tuple(f"class {i}" for i in range(n))
    note = f"weights: {weights}" if weights else "random weights: the answer means nothing"
    if record is None:
        return Predictor(model, tuple(names), (height, width), note=note)
    return Predictor(model, tuple(names), (height, width), "crop", note, record.crop, record.interpolation)


def _facts(path: Path) -> dict:
    """What `save_labels` wrote, every entry of the expected kind."""
    try:
        facts = json.loads(path.read_text())
    except ValueError as error:  # not JSON, or not even text
        raise _damaged(path, f"it is not JSON: {error}") from error
    if not isinstance(facts, dict):
        raise _damaged(path, f"wanted an object, got a {type(facts).__name__}")
    legal = {
        "classes": lambda value: isinstance(value, list) and all(isinstance(name, str) for name in value),
        "size": lambda value: isinstance(value, list) and len(value) == 2 and all(type(side) is int and side > 0 for side in value),
        "how": lambda value: value in ("squash", "crop", "letterbox"),
        "trained_on": lambda value: isinstance(value, str),
    }
    for key, fits in legal.items():
        if key not in facts:
            raise _damaged(path, f"{key!r} is missing")
        if not fits(facts[key]):
            raise _damaged(path, f"{key!r} cannot be {facts[key]!r:.60}")
    return facts


def _loaded(path: Path) -> keras.Model:
    if not zipfile.is_zipfile(path):  # Keras would say that there is no such file
        raise _damaged(path, "it is damaged or cut short")
    registry.rows()  # imports every family, so that Keras knows their layers when it reads the file
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # a damaged archive raises whatever its parser met
        text = str(error)
        if "safe_mode" in text or "enable_unsafe_deserialization" in text:  # Keras' own sentence tells how to run the code
            raise ValueError(
                f"{path} holds code, such as a Lambda layer, which is unsafe to read: it could do anything on this machine, so it is "
                "refused; write a layer class in its place and run the project again in a new folder"
            ) from error
        first = (text.strip() or type(error).__name__).splitlines()[0]
        raise _damaged(path, f"{first:.200}") from error


def _damaged(path: Path, reason: str) -> ValueError:
    return ValueError(f"{path} cannot be opened ({reason}); run the project again in a new folder")
