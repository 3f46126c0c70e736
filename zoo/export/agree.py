"""Does an exported file compute what the model computes? It is run by its own runtime, not by Keras."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from zoo.export.runtimes import load


@dataclass(frozen=True)
class Difference:
    """How far a file is from its model on some images.

    largest, mean: of the absolute difference of all outputs.
    scale:         the largest absolute output of the model, to judge the others by.
    top1:          share of the images with the same highest output; None where the output is no vector of at least two scores.
    """

    largest: float
    mean: float
    scale: float
    top1: float | None


def agreement(model, path: str | os.PathLike, images: np.ndarray) -> float:
    """Largest absolute difference between the outputs of `model` and of the file, over images (b, h, w, c) in [0, 255].

    ONNX runs in onnxruntime, LiteRT in the LiteRT interpreter (ai-edge-litert, else the one inside TensorFlow), OpenVINO in OpenVINO
    in float32, a SavedModel in TensorFlow, .keras in Keras. Several outputs are compared one by one. Raises ImportError when the
    runtime is missing, ValueError when the file has other outputs, or NaN where the model has none.
    """
    images = np.asarray(images, "float32")
    return difference(outputs(model, images), load(path)(images), f"{path}", model.name).largest


def outputs(model, images: np.ndarray, batch_size: int = 32) -> list[np.ndarray]:
    """What `model` answers, its outputs flattened into a list."""
    import keras

    parts = []
    for start in range(0, len(images), batch_size):
        answer = model(images[start : start + batch_size], training=False)
        parts.append([keras.ops.convert_to_numpy(output) for output in keras.tree.flatten(answer)])
    return [np.concatenate(pieces) for pieces in zip(*parts, strict=True)]


def difference(wanted: list[np.ndarray], got: list[np.ndarray], file: str = "the file", model: str = "the model") -> Difference:
    """Compare two lists of outputs. Raises ValueError for other shapes, or a value that is not finite."""
    if [a.shape for a in wanted] != [b.shape for b in got]:
        raise ValueError(f"{file} gives outputs of shapes {[b.shape for b in got]}, {model} gives {[a.shape for a in wanted]}")
    apart = [np.abs(np.float64(a) - np.float64(b)).ravel() for a, b in zip(wanted, got, strict=True)]
    every = np.concatenate(apart) if apart else np.zeros(0)
    if not np.isfinite(every).all():
        raise ValueError(f"{file} or {model} gives NaN or infinity on these images; check the weights")
    scores = len(wanted) == 1 and wanted[0].ndim == 2 and wanted[0].shape[1] > 1 and len(wanted[0]) > 0
    top1 = float(np.mean(wanted[0].argmax(-1) == got[0].argmax(-1))) if scores else None
    scale = max((float(np.abs(a).max(initial=0.0)) for a in wanted), default=0.0)
    return Difference(float(every.max(initial=0.0)), float(every.mean()) if every.size else 0.0, scale, top1)
