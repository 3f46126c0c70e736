"""Pictures -> named probabilities, by a model of the zoo or of a run folder. The CLI, the apps and the projects share it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from zoo import atomic, create, registry
from zoo.data.decode import decode, resize
from zoo.metrics.classification import softmax
from zoo.weights import class_names

LABELS = "labels.json"


@dataclass(frozen=True)
class Predictor:
    """A model with what is needed to use it.

    model:   image (b, h, w, c) in [0, 255] -> logits (b, n).
    classes: n names.
    size:    (height, width) in pixels that images are resized to, the same way as at training.
    how:     "squash", "crop" or "letterbox" (see `zoo.data.decode.resize`).
    note:    what a reader must know, for example that the weights are random.
    """

    model: keras.Model
    classes: tuple[str, ...]
    size: tuple[int, int]
    how: str = "squash"
    note: str = ""

    def prepare(self, images: Sequence) -> np.ndarray:
        """Paths, bytes or uint8 arrays (h, w, 3) -> float32 (b, height, width, c) in [0, 255]."""
        arrays = [image if isinstance(image, np.ndarray) else decode(image) for image in images]
        batch = np.stack([resize(array, self.size, how=self.how) for array in arrays]).astype("float32")
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


def from_run(folder: str | Path) -> Predictor:
    """The trained model of a run folder. Only `model.keras` is read, with Keras' safe mode on."""
    folder = Path(folder)
    model, labels = folder / "model.keras", folder / LABELS
    for path in (model, labels):
        if not path.is_file():
            raise FileNotFoundError(
                f"{folder} is not the folder of a finished run: {path.name} is missing; run a project first, for example `make demo`"
            )
    facts = json.loads(labels.read_text())
    registry.rows()  # imports every family, so that Keras knows their layers when it reads the file
    loaded = keras.saving.load_model(model, compile=False)
    if loaded.output_shape[-1] != len(facts["classes"]):
        raise ValueError(f"{folder}: the model has {loaded.output_shape[-1]} outputs, but {LABELS} names {len(facts['classes'])} classes")
    return Predictor(loaded, tuple(facts["classes"]), tuple(facts["size"]), facts["how"], note=f"trained on {facts['trained_on']}")


def save_labels(folder: str | Path, classes: Sequence[str], size: tuple[int, int], trained_on: str, how: str = "squash") -> Path:
    """Write beside `model.keras` what `from_run` needs to use it."""
    facts = {"classes": list(classes), "size": list(size), "how": how, "trained_on": trained_on}
    return atomic.write(Path(folder) / LABELS, json.dumps(facts, indent=2))


def from_registry(variant: str, weights: str | None = None) -> Predictor:
    """A row of the zoo with published weights; without weights it guesses, and the note says so."""
    model = create.classifier(variant, weights=weights)
    height, width = (side or 224 for side in model.inputs[0].shape[1:3])
    n = model.outputs[0].shape[-1]
    names = class_names("imagenet") if n == 1000 else tuple(f"class {i}" for i in range(n))
    note = f"weights: {weights}" if weights else "random weights: the answer means nothing"
    return Predictor(model, tuple(names), (height, width), note=note)
