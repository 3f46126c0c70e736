"""Is this ONNX file valid? Converters may log an error, write it all the same and return as if nothing had happened."""

from __future__ import annotations

from pathlib import Path


def require_valid(path: str | Path, model) -> None:
    """Repair what is known to be repairable, then check; raises ValueError with the cause.

    Checked: every operator exists, ONNX's own checker with shape inference, and that the file asks for the inputs of the Keras
    model and no others.
    """
    import onnx

    file = onnx.load(path)
    if _without_erfc(file.graph):
        onnx.save(file, path)
    standard = {schema.name for schema in onnx.defs.get_all_schemas()}
    unknown = sorted({node.op_type for node in file.graph.node if node.domain in ("", "ai.onnx") and node.op_type not in standard})
    if unknown:
        raise ValueError(
            f"the converter wrote operators that ONNX does not have ({', '.join(unknown)}) for {model.name}; no file was left. "
            "Use .tflite or a SavedModel instead"
        )
    given = {tensor.name for tensor in file.graph.initializer}
    asked = [value.name for value in file.graph.input if value.name not in given]
    if len(asked) != len(model.inputs):
        raise ValueError(f"the ONNX file of {model.name} asks for the inputs {asked}, the model has {len(model.inputs)}; no file was left")
    try:
        onnx.checker.check_model(str(path), full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ValueError(f"the ONNX file of {model.name} is invalid, no file was left: {error}") from error


def _without_erfc(graph) -> bool:
    """Write erfc(x), which exact GELU needs and ONNX lacks, as 1 - erf(x); returns whether there was one.

    tf2onnx 1.17 copies TensorFlow's Erfc as it is (onnx/tensorflow-onnx#2463). For x > 3 the difference loses relative, not absolute
    precision: GELU's error stays below one part in 10^7 of its argument.
    """
    import numpy as np
    from onnx import helper, numpy_helper

    nodes, found = [], False
    for node in graph.node:
        if node.op_type != "Erfc":
            nodes.append(node)
            continue
        if not found:
            graph.initializer.append(numpy_helper.from_array(np.array(1, "float32"), "erfc_one"))
        found = True
        inner = f"{node.output[0]}_erf"
        nodes.append(helper.make_node("Erf", [node.input[0]], [inner], name=f"{node.name}_erf"))
        nodes.append(helper.make_node("Sub", ["erfc_one", inner], list(node.output), name=node.name))
    if found:
        del graph.node[:]
        graph.node.extend(nodes)
    return found
