"""Which model, layer and preparation made these features? Features of different makers look alike and cannot be compared."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

import keras
import numpy as np
from keras import ops

from zoo import __version__
from zoo.data import decode
from zoo.explain.features import Spot
from zoo.explain.places import _paths, graph
from zoo.explain.sources import model_of


@dataclass(frozen=True)
class Origin:
    """What made an index of features.

    model:       a name for people; it decides nothing.
    digest:      SHA-256 of the model's architecture and weights.
    spot:        where in the model the features are taken.
    preparation: how a picture becomes the model's input, in words.
    zoo:         version of this library; another one is no reason to refuse.
    """

    model: str
    digest: str
    spot: Spot
    preparation: str
    zoo: str = __version__

    def refuse(self, other: Origin) -> None:
        """Raise ValueError, naming the difference, unless features of the two can be compared."""
        if self.digest != other.digest:
            raise ValueError(
                f"the index was made with the model {self.model} ({self.digest[:12]}), this is {other.model} ({other.digest[:12]}): "
                "their weights or layers differ, so their features cannot be compared; open that model, or build the index again"
            )
        if self.spot != other.spot:
            raise ValueError(
                f"the index was made from the layer {self.spot}, wanted is {other.spot}; leave out layer=, or build the index again"
            )
        if self.preparation != other.preparation:
            raise ValueError(
                f"the index was made from pictures prepared as {self.preparation}, these would be {other.preparation}; "
                "prepare them alike, or build the index again"
            )

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Origin:
        """Raises ValueError for text that `to_json` did not write."""
        try:
            facts = json.loads(text)
            spot = Spot(str(facts["spot"]["path"]), int(facts["spot"]["call"]), bool(facts["spot"]["reads"]))
            return cls(str(facts["model"]), str(facts["digest"]), spot, str(facts["preparation"]), str(facts["zoo"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"its facts cannot be read ({type(error).__name__}: {error})") from error


def origin(maker, spot: Spot) -> Origin:
    """Of a `Predictor` (anything with .model and .prepare) or a model that is given prepared images."""
    model = model_of(maker)
    return Origin(model.name, model_digest(model), spot, preparation(maker))


def preparation(maker) -> str:
    """In words: every fact that changes a pixel on its way into the model."""
    if isinstance(maker, keras.Model):
        return "arrays as they were given"
    height, width = maker.size
    how = f"{maker.how} {maker.crop:g}" if maker.how == "crop" else maker.how
    return f"{height}x{width}x{maker.model.inputs[0].shape[-1]} by {how}, {maker.interpolation}, decoding rules {decode.RULES}"


def model_digest(model: keras.Model) -> str:
    """SHA-256 of what a model computes: its operations, how they are wired, and all weights. Names do not count.

    A model that was saved and loaded keeps its digest; one more training step changes it. The Python code of a subclassed model is
    not seen, only its layers and weights.
    """
    digest = hashlib.sha256()
    for _, operation in _paths(model):
        digest.update(f"{type(operation).__module__}.{type(operation).__qualname__} {_settings(operation)}\n".encode())
    forward = graph(model)
    if forward is not None:
        number = {tensor: index for index, tensor in enumerate(forward.inputs)}
        for event in forward.events:
            digest.update(f"{[number.get(tensor) for tensor in event.inputs]} {[tensor.shape for tensor in event.outputs]}\n".encode())
            for tensor in event.outputs:
                number.setdefault(tensor, len(number))
        digest.update(f"{[number.get(tensor) for tensor in forward.outputs]}\n".encode())
    for weight in model.weights:
        values = np.ascontiguousarray(ops.convert_to_numpy(weight.value))
        digest.update(f"{values.dtype.name} {values.shape}\n".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def _settings(operation) -> str:
    """The configuration of one operation without names; empty for a model (its parts are visited) or one that has none."""
    if isinstance(operation, keras.Model):
        return ""
    try:
        return json.dumps(_nameless(keras.saving.serialize_keras_object(operation.get_config())), sort_keys=True)
    except (NotImplementedError, TypeError, ValueError, AttributeError):
        return ""


def _nameless(settings):
    if isinstance(settings, dict):
        return {
            key: _nameless(value) for key, value in settings.items() if key not in ("name", "trainable", "build_config", "shared_object_id")
        }
    return [_nameless(value) for value in settings] if isinstance(settings, list | tuple) else settings
