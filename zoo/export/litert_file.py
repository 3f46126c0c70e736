"""LiteRT (TensorFlow Lite): the flat file that phones and small devices run."""

from __future__ import annotations

import os
from pathlib import Path

from zoo.export.quiet import quiet


def write(model, part: Path, options) -> None:
    """Write by Keras' own exporter with the converter's settings for this precision."""
    with quiet("tensorflow", "absl"):
        model.export(part.with_suffix(".tflite"), format="litert", verbose=False, **_settings(options))
    if part.suffix != ".tflite":
        os.replace(part.with_suffix(".tflite"), part)


def _settings(options) -> dict:
    """Attributes of tf.lite.TFLiteConverter.

    int8: weights per output channel, activations per tensor; float32 in and out, where one operator quantises and one dequantises, unless
    integer_io. An operator without an int8 kernel stays float, so that no network is refused; with integer_io there must be none.
    """
    import tensorflow as tf

    if options.precision == "fp32":
        return {}
    quantise = {"optimizations": [tf.lite.Optimize.DEFAULT]}
    if options.precision == "dynamic":
        return quantise
    if options.precision == "fp16":
        return {**quantise, "target_spec": {"supported_types": [tf.float16]}}
    integer, floating = tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.lite.OpsSet.TFLITE_BUILTINS
    settings = {
        **quantise,
        "representative_dataset": lambda: ([image[None]] for image in options.images),
        "target_spec": {"supported_ops": [integer] if options.integer_io else [integer, floating]},
    }
    if options.integer_io:
        settings |= {"inference_input_type": tf.uint8, "inference_output_type": tf.uint8}
    return settings
