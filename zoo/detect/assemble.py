"""Inputs and outputs -> the model that `zoo.detector` returns, with what it learns by and where its parts end."""

from __future__ import annotations

from collections.abc import Mapping

from zoo.detect.criteria import CRITERIA
from zoo.detect.model import Criterion, Detector
from zoo.detect.rows import RetinaNet, Row, YoloStyle, YoloV3

_HEAD = ("head_", "class_", "box_")
"""How the names of a head's layers begin."""


def assemble(inputs, outputs: dict, row: Row, classes: int, input_shape: tuple[int, int, int], pyramid: Mapping | None = None) -> Detector:
    """A functional model from images (b, h, w, c) to the dict `outputs` of float32 tensors; pyramid: of its backbone, {"c1": tensor}."""
    levels = {level: (tensor._keras_history.operation.name,) for level, tensor in (pyramid or {}).items()}
    model = Detector(inputs, outputs, criterion=criterion(row, classes, input_shape[:2]))
    model.levels = {**levels, "neck": _neck(model)}
    return model


def criterion(row: Row, classes: int, size: tuple[int, int]) -> Criterion:
    """What a row of that many classes learns by, for images of `size` (height, width)."""
    fields: dict = {"size": tuple(size), "classes": classes, "strides": row.strides}
    if isinstance(row, RetinaNet):
        fields |= {"sizes": row.sizes, "rounded": row.rounded}
    if isinstance(row, YoloV3) or row.kind == "yolov5":
        fields |= {"anchors": row.anchors}  # type: ignore[attr-defined]
    elif isinstance(row, YoloStyle):
        fields |= {"bins": row.bins}
    return CRITERIA[row.kind](**fields)


def _neck(model: Detector) -> tuple[str, ...]:
    """The layers that the head reads, in the order in which they run."""
    head = [layer for layer in model.layers if layer.name.startswith(_HEAD)]
    read = {tensor._keras_history.operation.name for layer in head for node in layer._inbound_nodes for tensor in node.input_tensors}
    return tuple(layer.name for layer in model.layers if layer.name in read and layer not in head)
