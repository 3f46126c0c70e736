"""A quantisation-aware model -> a LiteRT file that computes in int8, and what an int8 file holds."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import ops

from zoo import atomic
from zoo.export.compress.rounding import Rounded
from zoo.export.quiet import quiet

_WITH_KERNEL = {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1, "TRANSPOSE_CONV": 1}
"""LiteRT's operators with a kernel, and at which of their inputs it is."""


@dataclass(frozen=True)
class Kernel:
    """A kernel in a LiteRT file.

    operator: "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED" or "TRANSPOSE_CONV".
    values:   as stored; int8 where the file holds int8.
    scales:   of the int8 values, one per channel or one; empty for float kernels.
    integer:  whether the operator reads and writes int8 too, so that it computes in integers.
    """

    operator: str
    values: np.ndarray
    scales: np.ndarray
    integer: bool


def write_int8(model: keras.Model, path: str | os.PathLike) -> Path:
    """Write a model of `quantise_aware` as an int8 LiteRT file and return the path; inputs and outputs stay float32.

    No calibration data is needed: the ranges that training observed are in the model. Raises ValueError on another backend than
    TensorFlow, for another model, and for one that has not seen a training batch, whose ranges mean nothing.
    """
    path = Path(path)
    if path.suffix not in (".tflite", ".litert"):
        raise ValueError(f"wanted a path that ends in .tflite, got {path.name!r}")
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            f"LiteRT files are written on the tensorflow backend, not on {keras.backend.backend()}; write .keras here, then load and "
            "write it in a process with KERAS_BACKEND=tensorflow"
        )
    ranges = [layer for layer in model._flatten_layers(include_self=False) if isinstance(layer, Rounded)]
    if not ranges:
        raise ValueError(f"{model.name!r} has no ranges: make it quantisation-aware with quantise_aware(model) and train it")
    blind = [layer.name for layer in ranges if layer.fixed is None and not int(ops.convert_to_numpy(layer.seen.value))]
    if blind:
        raise ValueError(f"{blind[0]!r} and {len(blind) - 1} other ranges have seen no training batch; train the model first")
    import tensorflow as tf

    with atomic.replacing(path) as part, quiet("tensorflow", "absl"):
        written = part.with_suffix(".tflite")
        model.export(written, format="litert", verbose=False, optimizations=[tf.lite.Optimize.DEFAULT])
        if written != part:
            os.replace(written, part)
    return path


def kernels_of(path: str | os.PathLike) -> list[Kernel]:
    """The kernels of a LiteRT file, in the order of its operators."""
    interpreter = _interpreter(Path(path))
    tensors = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    found = []
    for operator in interpreter._get_ops_details():
        place = _WITH_KERNEL.get(operator["op_name"])
        if place is None:
            continue
        kernel = tensors[operator["inputs"][place]]
        flowing = [operator["inputs"][2 if operator["op_name"] == "TRANSPOSE_CONV" else 0], *operator["outputs"]]
        integer = all(tensors[index]["dtype"] is np.int8 for index in flowing) and kernel["dtype"] is np.int8
        values = interpreter.get_tensor(kernel["index"])
        found.append(Kernel(operator["op_name"], values, kernel["quantization_parameters"]["scales"], integer))
    return found


def _interpreter(path: Path):
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise ImportError("reading a LiteRT file needs an interpreter; install it with: pip install ai-edge-litert") from error
    with quiet():
        interpreter = Interpreter(model_path=str(path))
        interpreter.allocate_tensors()
    return interpreter
