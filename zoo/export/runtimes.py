"""An exported file -> a function images -> outputs, run by the runtime that the format is made for.

Keras is imported for .keras files only: LiteRT, ONNX and OpenVINO files run in a process that has never heard of it.
"""

from __future__ import annotations

import importlib.metadata
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from zoo.export import intel
from zoo.export.quiet import quiet
from zoo.export.write import format_of

Run = Callable[[np.ndarray], list[np.ndarray]]
"""float32 images (b, h, w, c) in [0, 255] -> the outputs as float32, in the order of Keras."""


def load(path: str | os.PathLike, *, threads: int | None = None, as_default: bool = False) -> Run:
    """Open a file in its own runtime.

    threads:    of LiteRT, onnxruntime and OpenVINO; None lets the runtime choose. Keras and a SavedModel use all that TensorFlow has.
    as_default: OpenVINO only. By itself it computes in whatever precision it likes best on this processor, silently bfloat16 where there is
                hardware for it; here it is told to keep float32. True leaves the choice to it.

    Raises ImportError when the runtime is not installed.
    """
    path, format = Path(path), format_of(path)
    if format == "openvino":
        return _openvino(path, threads, as_default)
    return {"keras": _keras, "onnx": _onnx, "litert": _litert, "saved_model": _saved_model}[format](path, threads)


def name_of(path: str | os.PathLike) -> str:
    """Name and version of the runtime that `load` uses for this file."""
    packages = {
        "keras": ("keras",),
        "onnx": ("onnxruntime",),
        "litert": ("ai-edge-litert", "tensorflow"),
        "saved_model": ("tensorflow",),
        "openvino": ("openvino",),
    }
    for package in packages[format_of(path)]:
        try:
            return f"{package} {importlib.metadata.version(package)}"
        except importlib.metadata.PackageNotFoundError:
            continue
    return packages[format_of(path)][0]


def _keras(path: Path, threads: int | None) -> Run:
    import keras

    model = keras.saving.load_model(path, compile=False)
    return lambda images: [np.asarray(output) for output in keras.tree.flatten(model.predict_on_batch(images))]


def _saved_model(path: Path, threads: int | None) -> Run:
    try:
        import tensorflow as tf
    except ImportError as error:
        raise ImportError("running a SavedModel needs tensorflow; install it with: pip install tensorflow") from error
    loaded = tf.saved_model.load(str(path))  # the functions live only as long as this object
    return lambda images: [output.numpy() for output in tf.nest.flatten(loaded.serve(images))]


def _onnx(path: Path, threads: int | None) -> Run:
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError("running an ONNX file needs onnxruntime; install it with: pip install onnxruntime") from error
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads or 0
    session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: session.run(None, {name: images})


def _openvino(path: Path, threads: int | None, as_default: bool) -> Run:
    openvino = intel.load("openvino")
    settings: dict = {"PERFORMANCE_HINT": "LATENCY"}
    if threads:
        settings["INFERENCE_NUM_THREADS"] = threads
    if not as_default:
        settings["INFERENCE_PRECISION_HINT"] = "f32"
    compiled = openvino.Core().compile_model(path, "CPU", settings)
    order = sorted(range(len(compiled.outputs)), key=lambda index: sorted(compiled.outputs[index].names or {""})[0])
    request = compiled.create_infer_request()

    def run(images):
        answers = request.infer({0: images}, share_inputs=True)
        return [answers[compiled.outputs[index]].copy() for index in order]

    return run


def _litert(path: Path, threads: int | None) -> Run:
    with quiet():
        interpreter = _interpreter()(model_path=str(path), num_threads=threads)
        call = interpreter.get_signature_runner()  # unlike the list of outputs, it knows their names
    (name, taken), *_ = call.get_input_details().items()
    given = call.get_output_details()

    def run(images):
        answers = call(**{name: _stored(images, taken)})
        return [_number(answers[key], given[key]) for key in sorted(answers)]

    return run


def _stored(values: np.ndarray, details: dict) -> np.ndarray:
    """Numbers as an integer input stores them: value / scale + zero, rounded. Floats pass."""
    if not np.issubdtype(details["dtype"], np.integer):
        return values
    (scale, zero), limits = details["quantization"], np.iinfo(details["dtype"])
    return np.clip(np.rint(values / scale) + zero, limits.min, limits.max).astype(details["dtype"])


def _number(stored: np.ndarray, details: dict) -> np.ndarray:
    if not np.issubdtype(stored.dtype, np.integer):
        return stored
    scale, zero = details["quantization"]
    if not scale:  # whole numbers that are meant as such: classes, a count
        return stored
    return (stored.astype(np.float32) - zero) * np.float32(scale)


def _interpreter():
    try:
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter
    except ImportError:
        pass
    try:
        import tensorflow as tf
    except ImportError as error:
        raise ImportError("running a LiteRT file needs an interpreter; install it with: pip install ai-edge-litert") from error

    def quietly(**settings):
        with warnings.catch_warnings():
            # TensorFlow's own interpreter says that it will move to ai-edge-litert; that package is used above when it is there.
            warnings.filterwarnings("ignore", message="(?s).*tf.lite.Interpreter is deprecated", category=UserWarning)
            return tf.lite.Interpreter(**settings)

    return quietly
