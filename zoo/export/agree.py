"""Does an exported file compute what the model computes? It is run by its own runtime, not by Keras."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np

from zoo.export.write import format_of, quiet


def agreement(model, path: str | os.PathLike, images: np.ndarray) -> float:
    """Largest absolute difference between the outputs of `model` and of the file, over images (b, h, w, c) in [0, 255].

    ONNX runs in onnxruntime, LiteRT in the LiteRT interpreter (ai-edge-litert, else the one inside TensorFlow), a SavedModel in
    TensorFlow, .keras in Keras. Several outputs are compared one by one. Raises ImportError when the runtime is missing,
    ValueError when the file has other outputs, or NaN where the model has none.
    """
    import keras

    images = np.asarray(images, "float32")
    wanted = [keras.ops.convert_to_numpy(output) for output in keras.tree.flatten(model(images, training=False))]
    got = _RUNTIMES[format_of(path)](Path(path), images)
    if [a.shape for a in wanted] != [b.shape for b in got]:
        raise ValueError(f"{path} gives outputs of shapes {[b.shape for b in got]}, {model.name} gives {[a.shape for a in wanted]}")
    differences = [float(np.max(np.abs(np.float64(a) - np.float64(b)), initial=0.0)) for a, b in zip(wanted, got, strict=True)]
    if not np.isfinite(differences).all():
        raise ValueError(f"{path} or {model.name} gives NaN or infinity on these images; check the weights")
    return max(differences)


def _keras(path: Path, images):
    import keras

    outputs = keras.saving.load_model(path, compile=False)(images, training=False)
    return [keras.ops.convert_to_numpy(output) for output in keras.tree.flatten(outputs)]


def _onnx(path: Path, images):
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError("comparing an ONNX file needs onnxruntime; install it with: pip install onnxruntime") from error
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: images})


def _litert(path: Path, images):
    with quiet():
        run = _interpreter(path).get_signature_runner()  # unlike the list of outputs, it knows their names
        answers = run(**{next(iter(run.get_input_details())): images})
    return [answers[name] for name in sorted(answers)]


def _interpreter(path: Path):
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        try:
            import tensorflow as tf

            Interpreter = tf.lite.Interpreter
        except ImportError as error:
            raise ImportError("comparing a LiteRT file needs an interpreter; install it with: pip install ai-edge-litert") from error
    with warnings.catch_warnings():
        # TensorFlow's own interpreter says that it will move to ai-edge-litert; that package is used above when it is there.
        warnings.filterwarnings("ignore", message="(?s).*tf.lite.Interpreter is deprecated", category=UserWarning)
        return Interpreter(model_path=str(path))


def _saved_model(path: Path, images):
    try:
        import tensorflow as tf
    except ImportError as error:
        raise ImportError("comparing a SavedModel needs tensorflow; install it with: pip install tensorflow") from error
    loaded = tf.saved_model.load(str(path))  # the functions live only as long as this object
    return [output.numpy() for output in tf.nest.flatten(loaded.serve(images))]


_RUNTIMES = {"keras": _keras, "onnx": _onnx, "litert": _litert, "saved_model": _saved_model}
