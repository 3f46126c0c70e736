"""LiteRT (TensorFlow Lite): the flat file that phones and small devices run."""

from __future__ import annotations

import os
from pathlib import Path

from zoo.export.deploy import for_one
from zoo.export.quiet import quiet
from zoo.export.tail import Node, behind


def write(model, part: Path, options) -> None:
    """Write by Keras' own exporter with the converter's settings for this precision."""
    settings = _settings(options)
    if options.boxes:
        model = for_one(model)
        settings = _built_in(settings)
    with quiet("tensorflow", "absl"):
        if options.boxes and options.precision == "int8":
            _quantised(model, part.with_suffix(".tflite"), settings)
        else:
            model.export(part.with_suffix(".tflite"), format="litert", verbose=False, **settings)
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


def _built_in(settings: dict) -> dict:
    """Without the operators of TensorFlow that Keras allows by default: a phone's runtime does not have them."""
    import tensorflow as tf

    return {**settings, "target_spec": {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS], **settings.get("target_spec", {})}}


def _quantised(model, path: Path, settings: dict) -> None:
    """int8 up to the last convolutions, float behind them. The converter can leave operators out only in two steps: the float network with
    the ranges of its tensors is written first, then quantised by name."""
    from tensorflow.lite.python.convert import mlir_quantize
    from tensorflow.lite.tools.flatbuffer_utils import read_model_from_bytearray

    model.export(path, format="litert", verbose=False, **settings, _experimental_calibrate_only=True)
    ranged = path.read_bytes()
    kept = set(_behind(read_model_from_bytearray(bytearray(ranged))))
    path.write_bytes(mlir_quantize(ranged, denylisted_nodes=kept))


def _behind(file) -> list[str]:
    """Names of the operators that stay float; the converter calls an operator after its first output."""
    from tensorflow.lite.python.schema_py_generated import BuiltinOperator

    kinds = {number: name for name, number in vars(BuiltinOperator).items() if isinstance(number, int)}
    main = file.subgraphs[0]
    makers = {}
    for operator in main.operators:
        code = file.operatorCodes[operator.opcodeIndex]
        kind = kinds[max(code.builtinCode, code.deprecatedBuiltinCode)]
        node = Node(main.tensors[operator.outputs[0]].name.decode(), kind, [index for index in operator.inputs if index >= 0])
        makers.update(dict.fromkeys(map(int, operator.outputs), node))
    return behind(makers, map(int, main.outputs), ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"))
