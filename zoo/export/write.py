"""One function that writes a Keras model as .keras, SavedModel, ONNX, LiteRT or OpenVINO, in float32, float16 or int8.

    format        file               precisions                  needs                            written by the backends
    keras         name.keras         fp32                        nothing                          all
    saved_model   folder name        fp32                        tensorflow                       TensorFlow, JAX
    onnx          name.onnx          fp32, fp16, int8            onnx and tf2onnx (TensorFlow),   TensorFlow, torch
                                                                 onnxscript (torch); onnxruntime
    litert        name.tflite        fp32, fp16, int8, dynamic   tensorflow                       TensorFlow
    openvino      name.xml + .bin    fp32, fp16, int8            tensorflow, openvino; nncf       TensorFlow

On another backend the model is saved as .keras and written by a process of its own with TensorFlow. A converter that reports success
and leaves an invalid file is a known fault (exact GELU through tf2onnx 1.17), so every ONNX file is checked before it gets its name.
Normalisation is the first layer of every zoo model, so every file takes images in [0, 255].
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from zoo import atomic
from zoo.export.deploy import deployed, is_detector, is_ready

FORMATS = {"keras": ".keras", "onnx": ".onnx", "litert": ".tflite", "saved_model": "", "openvino": ".xml"}
"""{format: suffix of the file it writes}; a SavedModel is a folder, OpenVINO's .xml has a .bin of the same name beside it."""
PRECISIONS = {
    "keras": ("fp32",),
    "onnx": ("fp32", "fp16", "int8"),
    "litert": ("fp32", "fp16", "int8", "dynamic"),
    "saved_model": ("fp32",),
    "openvino": ("fp32", "fp16", "int8"),
}
"""{format: the precisions that it is written in}."""
_SUFFIXES = {".keras": "keras", ".onnx": "onnx", ".tflite": "litert", ".litert": "litert", "": "saved_model", ".xml": "openvino"}
_BACKENDS = {
    "onnx": ("tensorflow", "torch"),
    "litert": ("tensorflow",),
    "saved_model": ("tensorflow", "jax"),
    "openvino": ("tensorflow",),
}
_WRITERS = {
    "onnx": "zoo.export.onnx_file",
    "litert": "zoo.export.litert_file",
    "saved_model": "zoo.export.saved_model",
    "openvino": "zoo.export.openvino_file",
}
_SEVERAL_FILES = ("saved_model", "openvino")
_ONNX = {"fp32": (), "fp16": ("onnxruntime",), "int8": ("onnxruntime",)}
_OPENVINO = {"fp32": ("openvino",), "fp16": ("openvino",), "int8": ("openvino", "nncf")}


@dataclass(frozen=True)
class Options:
    """How the numbers are stored.

    precision:  "fp32", "fp16", "int8" or "dynamic".
    images:     (n, h, w, c) in [0, 255]: what int8 measures the ranges of the activations on.
    integer_io: LiteRT int8 takes and gives uint8 instead of float32.
    boxes:      the model is a detector made ready (`zoo.export.deploy`): what makes boxes of maps stays float.
    """

    precision: str = "fp32"
    images: np.ndarray | None = None
    integer_io: bool = False
    boxes: bool = False


def export(
    model,
    path: str | os.PathLike,
    format: str | None = None,
    *,
    precision: str = "fp32",
    images=None,
    integer_io: bool = False,
    nms: bool = False,
    suppression: Mapping | None = None,
) -> Path:
    """Write `model` to `path` and return the path; a file that was there stays until the new one is complete and checked.

    format:     "keras", "onnx", "litert", "saved_model" or "openvino"; default: by the suffix (.keras, .onnx, .tflite or .litert, none,
                .xml).
    precision:  "fp32"; "fp16": weights in half precision (ONNX: activations too); "int8": weights and activations, with float images in
                and float outputs out. "dynamic" (LiteRT): int8 weights, activations quantised on the fly; no images needed, but measured
                four times slower than fp32 on MobileNetV2, so nothing chooses it by itself.
    images:     for int8, about a hundred images (n, h, w, c) in [0, 255] like those that the model will see.
    integer_io: for LiteRT int8, uint8 in and uint8 out, for devices without floats.
    nms:        of a detector: suppression inside the file (see `zoo.export.deploy.deployed`); `suppression` holds its options, such as
                {"threshold": 0.3}. A detector's file gives boxes and probabilities as outputs of their own; as .keras without nms it stays
                the model that can be trained on.

    Raises ValueError for an unknown format or precision, int8 without images, or an invalid result; ImportError naming the missing package.
    """
    path = Path(path)
    format = format_of(path) if format is None else format
    model = _ready(model, format, nms, dict(suppression or {}))
    options = _checked(model, format, Options(precision, images, integer_io, is_ready(model)))
    if names := missing(format, precision):
        pip = f"install it with: pip install {' '.join(names)}"
        raise ImportError(f"{format} in {precision} on the {_writer(format)} backend needs {' and '.join(names)}; {pip}")
    if _writer(format) != _backend():
        from zoo.export import elsewhere

        return elsewhere.export(model, path, format, options)
    if precision != "fp32" or format != "keras":
        from zoo.export.policy import in_float32

        model = in_float32(model)
    if format in _SEVERAL_FILES:
        return importlib.import_module(_WRITERS[format]).write(model, path, options)
    with atomic.replacing(path) as part:
        if format == "keras":
            model.save(part)
        else:
            importlib.import_module(_WRITERS[format]).write(model, part, options)
    return path


def format_of(path: str | os.PathLike) -> str:
    """The format that a path's suffix means; an unknown suffix raises with those that are known."""
    suffix = Path(path).suffix
    if suffix not in _SUFFIXES:
        known = ", ".join(f"{suffix or 'no suffix'} ({name})" for suffix, name in _SUFFIXES.items())
        raise ValueError(f"no export format has the suffix {suffix!r}; known are {known}; or say format=")
    return _SUFFIXES[suffix]


def missing(format: str, precision: str = "fp32") -> list[str]:
    """The packages that writing this needs here and that are not installed."""
    needs: tuple[str, ...] = () if format == "keras" else ("tensorflow",)
    if format == "onnx":
        needs = ("onnx", "tf2onnx" if _writer(format) == "tensorflow" else "onnxscript", *_ONNX[precision])
    elif format == "openvino":
        needs = ("tensorflow", *_OPENVINO[precision])
    return [name for name in needs if importlib.util.find_spec(name) is None]


def _writer(format: str) -> str:
    """The backend that writes it: this process' own where it can, else TensorFlow in another process."""
    return _backend() if _backend() in _BACKENDS.get(format, (_backend(),)) else "tensorflow"


def _backend() -> str:
    import keras

    return keras.backend.backend()


def _ready(model, format: str, nms: bool, suppression: dict):
    if not is_detector(model):
        if nms or suppression:
            raise ValueError(f"suppression goes with a detector, and {model.name} is none; leave nms out")
        return model
    return model if format == "keras" and not nms else deployed(model, nms, **suppression)


def _checked(model, format: str, options: Options) -> Options:
    """The same options with the images as an array; raises ValueError for what does not go together."""
    if format not in FORMATS:
        raise ValueError(f"there is no export format {format!r}; there are {', '.join(FORMATS)}")
    precision, images = options.precision, options.images
    if precision not in PRECISIONS[format]:
        where = ", ".join(name for name, known in PRECISIONS.items() if precision in known)
        cure = f"{precision} is written as {where}" if where else f"precisions are {', '.join(PRECISIONS['litert'])}"
        raise ValueError(f"{format} is written in {', '.join(PRECISIONS[format])}, not in {precision!r}; {cure}")
    if options.integer_io and (format, precision) != ("litert", "int8"):
        raise ValueError(f"integer_io goes with LiteRT in int8, not with {format} in {precision}; leave it out")
    if options.integer_io and options.boxes:
        raise ValueError("uint8 outputs would round boxes to steps of pixels; leave integer_io out for a detector")
    if precision != "int8":
        return replace(options, images=None)
    if images is None or not len(images):
        raise ValueError(
            "int8 needs images to measure the ranges of the activations on: give about a hundred, (n, h, w, c) in [0, 255], like those "
            "that the model will see (images=, or --data FOLDER on the command line)"
        )
    if len(model.inputs) != 1:
        raise ValueError(f"int8 is written for models with one input, {model.name} has {len(model.inputs)}; use fp32 or fp16")
    images = np.asarray(images, "float32")
    wanted = tuple(model.inputs[0].shape)
    if images.ndim != len(wanted) or any(side not in (None, got) for side, got in zip(wanted[1:], images.shape[1:], strict=True)):
        raise ValueError(f"{model.name} takes images of shape {wanted}, got {images.shape}; resize them first")
    return replace(options, images=images)


def signature(model, spec=None) -> list:
    """Shape, type and name of every input, batch size open."""
    import keras

    spec = spec or keras.layers.InputSpec
    return [spec(shape=image.shape, dtype=image.dtype, name=image.name) for image in model.inputs]
