"""ONNX: by tf2onnx or torch in float32, from there to float16 and int8 with the tools that onnxruntime ships."""

from __future__ import annotations

import tempfile
from pathlib import Path

from zoo.export.check_onnx import require_valid
from zoo.export.quiet import quiet
from zoo.export.tail import Node, behind
from zoo.export.write import signature


def write(model, part: Path, options) -> None:
    """Write float32 and check it; then convert that file where another precision is asked for."""
    import keras

    with quiet("tf2onnx"):
        if keras.backend.backend() == "tensorflow":
            by_tensorflow(model, part)
        else:
            model.export(part, format="onnx", verbose=False, input_signature=signature(model))
    require_valid(part, model)
    if options.precision != "fp32":
        with quiet("root"):
            _to_half(part) if options.precision == "fp16" else _to_int8(part, options.images, options.boxes)
        require_valid(part, model)


def by_tensorflow(model, part: Path) -> None:
    """Not by `model.export`: there the constants of the normalising layer become inputs that the caller would have to give."""
    import tensorflow as tf
    import tf2onnx

    call = tf.function(lambda *images: model(images[0] if len(images) == 1 else list(images), training=False), autograph=False)
    tf2onnx.convert.from_function(call, signature(model, tf.TensorSpec), output_path=str(part))


def _to_half(path: Path) -> None:
    """Weights and activations in float16, input and output in float32. For GPUs and for size: on most CPUs it is no faster."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    file = convert_float_to_float16(onnx.load(path), keep_io_types=True)
    _sort(file.graph)
    onnx.save(file, path)


def _sort(graph) -> None:
    """Every node behind those whose outputs it reads, as ONNX demands: the converter appends its casts at the end."""
    waiting, ready, order = list(graph.node), {"", *(value.name for value in (*graph.input, *graph.initializer))}, []
    while waiting:
        able = [node for node in waiting if ready.issuperset(node.input)]
        if not able:  # an invalid graph is found and named by the check
            return
        order += able
        ready.update(name for node in able for name in node.output)
        placed = {id(node) for node in able}
        waiting = [node for node in waiting if id(node) not in placed]
    nodes = [type(node).FromString(node.SerializeToString()) for node in order]
    del graph.node[:]
    graph.node.extend(nodes)


def _to_int8(path: Path, images, boxes: bool = False) -> None:
    """Every quantised operator between a quantising and a dequantising one ("QDQ"), which most runtimes understand.

    Weights per output channel, activations per tensor by their smallest and largest value over the images; both signed, which is
    onnxruntime's own first choice on CPUs. What has no int8 kernel stays float, and with `boxes` what stands behind the convolutions.
    """
    import onnxruntime
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    name = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).get_inputs()[0].name

    class Images(CalibrationDataReader):
        def __init__(self):
            self.left = iter(images)

        def get_next(self):
            image = next(self.left, None)
            return None if image is None else {name: image[None]}

    with tempfile.TemporaryDirectory(prefix=f".{path.name[:40]}-", dir=path.parent) as room:
        ready = Path(room, "ready.onnx")
        quant_pre_process(str(path), str(ready), skip_symbolic_shape=True)  # folds batch normalisation, names every shape
        quantize_static(
            str(ready),
            str(path),
            Images(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=_behind(ready) if boxes else [],
        )


def _behind(path: Path) -> list[str]:
    import onnx

    graph = onnx.load(path).graph
    makers = {output: Node(node.name, node.op_type, node.input) for node in graph.node for output in node.output}
    return behind(makers, [value.name for value in graph.output], ("Conv",))
