"""OpenVINO's intermediate representation: name.xml with the graph and name.bin with the weights, for Intel's runtime."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from zoo.export import intel, saved_model
from zoo.export.quiet import quiet
from zoo.export.tail import Node, behind


def write(model, path: Path, options) -> Path:
    """Convert by way of a SavedModel; both files are complete before the first one gets its name.

    fp16 compresses the weights only; in which precision the device then computes is chosen when the file is opened, see
    `zoo.export.runtimes`. int8 is NNCF's quantisation after training.
    """
    openvino = intel.load("openvino")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.stem[:40]}-", dir=path.parent) as room:
        saved_model.write(model, Path(room, "saved"), options)
        with quiet("openvino", "nncf"):
            network = openvino.convert_model(Path(room, "saved"))
            if options.precision == "int8":
                network = _quantised(network, options.images, options.boxes)
            openvino.save_model(network, Path(room, path.name), compress_to_fp16=options.precision == "fp16")
        os.replace(Path(room, path.stem + ".bin"), path.with_suffix(".bin"))
        os.replace(Path(room, path.name), path)
    return path


def _quantised(network, images, boxes: bool = False):
    """Symmetric weights per output channel, asymmetric activations ("mixed"): swish and GELU are not symmetric about 0."""
    nncf = intel.load("nncf")
    data = nncf.Dataset(list(images), lambda image: image[None])
    ignored = nncf.IgnoredScope(names=_behind(network), validate=False) if boxes else None
    return nncf.quantize(network, data, preset=nncf.QuantizationPreset.MIXED, subset_size=len(images), ignored_scope=ignored)


def _behind(network) -> list[str]:
    def node(made) -> Node:
        reads = [value.get_source_output().get_node().get_friendly_name() for value in made.inputs()]
        return Node(made.get_friendly_name(), made.get_type_name(), reads)

    makers = {made.get_friendly_name(): node(made) for made in network.get_ordered_ops()}
    ends = [result.get_friendly_name() for result in network.get_results()]
    constant = [name for name, made in makers.items() if made.kind in ("Constant", "Parameter", "Result")]
    return [name for name in behind(makers, ends, ("Convolution", "GroupConvolution")) if name not in constant]
