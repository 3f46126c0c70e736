"""One function that writes a Keras model as .keras, ONNX, LiteRT or SavedModel.

    format        file           needs                            backends
    keras         name.keras     nothing                          all
    onnx          name.onnx      onnx and tf2onnx (TensorFlow),   TensorFlow, torch
                                 onnxscript (torch)
    litert        name.tflite    tensorflow                       TensorFlow
    saved_model   folder name    tensorflow                       TensorFlow, JAX

A converter that reports success and leaves an invalid file is a known fault (exact GELU through tf2onnx 1.17), so every
ONNX file is checked before it gets its name.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

from zoo import atomic

FORMATS = {"keras": ".keras", "onnx": ".onnx", "litert": ".tflite", "saved_model": ""}
"""{format: suffix of the file it writes}; a SavedModel is a folder."""
_SUFFIXES = {".keras": "keras", ".onnx": "onnx", ".tflite": "litert", ".litert": "litert", "": "saved_model"}
_BACKENDS = {"onnx": ("tensorflow", "torch"), "litert": ("tensorflow",), "saved_model": ("tensorflow", "jax")}
_NEEDS = {
    ("onnx", "tensorflow"): ("onnx", "tf2onnx"),
    ("onnx", "torch"): ("onnx", "onnxscript"),
    ("litert", "tensorflow"): ("tensorflow",),
    ("saved_model", "tensorflow"): ("tensorflow",),
    ("saved_model", "jax"): ("tensorflow",),
}


def export(model, path: str | os.PathLike, format: str | None = None) -> Path:
    """Write `model` to `path` and return the path; a file that was there stays until the new one is complete and checked.

    format: "keras", "onnx", "litert" or "saved_model"; default: by the suffix (.keras, .onnx, .tflite or .litert, none).

    Raises ValueError for an unknown format, a backend that cannot write it, or an invalid result; ImportError naming the
    missing package.
    """
    path = Path(path)
    format = format_of(path) if format is None else format
    if format not in FORMATS:
        raise ValueError(f"there is no export format {format!r}; there are {', '.join(FORMATS)}")
    _require_tools(format)
    if format == "saved_model":
        return _folder(model, path)
    with atomic.replacing(path) as part:
        _WRITERS[format](model, part)
    return path


def format_of(path: str | os.PathLike) -> str:
    """The format that a path's suffix means; an unknown suffix raises with those that are known."""
    suffix = Path(path).suffix
    if suffix not in _SUFFIXES:
        known = ", ".join(f"{suffix or 'no suffix'} ({name})" for suffix, name in _SUFFIXES.items())
        raise ValueError(f"no export format has the suffix {suffix!r}; known are {known}; or say format=")
    return _SUFFIXES[suffix]


def _require_tools(format: str) -> None:
    import importlib.util

    import keras

    backend = keras.backend.backend()
    able = _BACKENDS.get(format)
    if able is not None and backend not in able:
        raise ValueError(
            f"{format} cannot be written on the {backend} backend, only on {' or '.join(able)}; write .keras here, then load and export it "
            f"in a process with KERAS_BACKEND={able[0]}"
        )
    missing = [name for name in _NEEDS.get((format, backend), ()) if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(
            f"{format} on the {backend} backend needs {' and '.join(missing)}; install it with: pip install {' '.join(missing)}"
        )


def _keras(model, part: Path) -> None:
    model.save(part)


def _onnx(model, part: Path) -> None:
    import keras

    from zoo.export.check_onnx import require_valid

    with quiet("tf2onnx"):
        if keras.backend.backend() == "tensorflow":
            _onnx_by_tensorflow(model, part)
        else:
            model.export(part, format="onnx", verbose=False, input_signature=_signature(model))
    require_valid(part, model)


def _onnx_by_tensorflow(model, part: Path) -> None:
    """Not by `model.export`: there the constants of the normalising layer become inputs that the caller would have to give."""
    import tensorflow as tf
    import tf2onnx

    call = tf.function(lambda *images: model(images[0] if len(images) == 1 else list(images), training=False), autograph=False)
    tf2onnx.convert.from_function(call, _signature(model, tf.TensorSpec), output_path=str(part))


def _signature(model, spec=None) -> list:
    """Shape, type and name of every input, batch size open."""
    import keras

    spec = spec or keras.layers.InputSpec
    return [spec(shape=image.shape, dtype=image.dtype, name=image.name) for image in model.inputs]


def _litert(model, part: Path) -> None:
    with quiet("tensorflow", "absl"):
        model.export(part.with_suffix(".tflite"), format="litert", verbose=False)
    if part.suffix != ".tflite":
        os.replace(part.with_suffix(".tflite"), part)


_WRITERS = {"keras": _keras, "onnx": _onnx, "litert": _litert}


def _folder(model, path: Path) -> Path:
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


@contextlib.contextmanager
def quiet(*loggers: str) -> Iterator[None]:
    """Hold back what a converter logs and what its C++ side prints; if it fails, everything is shown."""
    levels = {logger: logging.getLogger(logger).level for logger in loggers}
    with tempfile.TemporaryFile() as held, warnings.catch_warnings():
        sys.stderr.flush()
        before = os.dup(2)
        os.dup2(held.fileno(), 2)
        for logger in loggers:
            logging.getLogger(logger).setLevel(logging.CRITICAL)
        failed = True
        try:
            yield
            failed = False
        finally:
            sys.stderr.flush()
            os.dup2(before, 2)
            os.close(before)
            for logger, level in levels.items():
                logging.getLogger(logger).setLevel(level)
            if failed:
                held.seek(0)
                with os.fdopen(os.dup(2), "wb") as screen:
                    shutil.copyfileobj(held, screen)
