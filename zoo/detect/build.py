"""A row of `zoo.detect.rows` -> image, pyramid, neck, head, boxes: one functional graph; the only place that puts a detector together."""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Callable, Mapping
from typing import NamedTuple

import keras

from zoo import registry
from zoo.backbones import csp_darknet, darknet
from zoo.detect.assemble import assemble
from zoo.detect.rows import RetinaNet, Row, YoloStyle, YoloV3, row
from zoo.heads.fpn import fpn
from zoo.heads.levels import at_strides
from zoo.heads.pan import pan
from zoo.heads.retinanet import retinanet
from zoo.heads.yolo import anchor_free, anchored
from zoo.heads.yolo_neck import yolov3, yolov3_tiny
from zoo.layers import AnchorBoxes, CellBoxes, CellScores, DistanceBoxes

_TRUNKS: dict[type, Callable] = {darknet.Tiny: darknet.tiny, csp_darknet.CSPDarknet: csp_darknet.features}
MINIMUM = 32
"""Smallest legal side of an image in pixels: one cell at stride 32."""


class Built(NamedTuple):
    """A detector and the backbone inside it, which shares its layers: to fill with a classifier's weights, or to freeze."""

    detector: keras.Model
    backbone: keras.Model


def build(
    name: str,
    *,
    classes: int | None = None,
    input_shape=None,
    backbone: str | None = None,
    mean=None,
    std=None,
    model_name=None,
    changes=None,
) -> Built:
    """The detector called `name`, with random weights; the arguments are those of `zoo.detector`."""
    found = changed(name, changes)
    classes = found.classes if classes is None else classes
    if not isinstance(classes, numbers.Integral) or isinstance(classes, bool) or int(classes) < 1:
        raise ValueError(f"classes must be a positive int, got {classes!r}; background is no class here")
    shape = _checked_shape(name, found, input_shape)
    image, pyramid = _pyramid(found, shape, backbone, mean, std)
    trunk = keras.Model(image, pyramid, name=backbone or "backbone")
    outputs = _HEADS[type(found)](at_strides(pyramid, shape[:2], found.reads), found, int(classes), shape[:2])
    detector = assemble(image, outputs, found, int(classes), shape, pyramid)
    detector.name = model_name or name
    return Built(detector, trunk)


def changed(name: str, changes: Mapping | None) -> Row:
    """The row, with some fields replaced."""
    found = row(name)
    legal = [field.name for field in dataclasses.fields(found)]
    unknown = set(changes or ()) - set(legal)
    if unknown:
        raise ValueError(f"{name} has no field {', '.join(sorted(unknown))}; its fields are {', '.join(legal)}")
    return dataclasses.replace(found, **(changes or {}))


def _pyramid(found: Row, shape, backbone: str | None, mean, std):
    trunk = backbone or found.backbone
    if isinstance(trunk, str):
        return registry.build_pyramid(trunk, input_shape=shape, mean=mean, std=std)
    image = keras.Input(shape, name="image")
    x = registry.normalise(image, found.mean if mean is None else mean, found.std if std is None else std)
    return image, _TRUNKS[type(trunk)](x, trunk)


def _retinanet(levels: list, found: RetinaNet, classes: int, size) -> dict:
    pyramid = fpn(levels, found.width, found.p6)
    outputs = retinanet(pyramid, classes, anchors=3 * len(found.sizes[0]), width=found.width, depth=found.depth)
    boxes = AnchorBoxes(size, found.strides, found.sizes, found.rounded, name="boxes")(outputs["deltas"])
    return {**outputs, "boxes": boxes}


def _yolov3(levels: list, found: YoloV3, classes: int, size) -> dict:
    maps = yolov3_tiny(levels, found.widths) if found.tiny else yolov3(levels, found.widths, found.spp)
    return _cells(anchored(maps, classes, found.strides, len(found.anchors[0])), found, size, "exp", 1.0)


def _style(levels: list, found: YoloStyle, classes: int, size) -> dict:
    maps = pan(levels, found.neck)
    if found.kind == "yolov5":
        return _cells(anchored(maps, classes, found.strides, len(found.anchors[0])), found, size, "square", 2.0)
    outputs = anchor_free(maps, classes, found.strides, found.bins, found.box_width)
    return {**outputs, "boxes": DistanceBoxes(size, found.strides, found.bins, name="boxes")(outputs["distances"])}


def _cells(raw, found: YoloV3 | YoloStyle, size, form: str, reach: float) -> dict:
    boxes = CellBoxes(size, found.strides, found.anchors, form, reach, name="boxes")(raw)
    return {"raw": raw, "boxes": boxes, "scores": CellScores(name="scores")(raw)}


_HEADS: dict[type, Callable] = {RetinaNet: _retinanet, YoloV3: _yolov3, YoloStyle: _style}


def _checked_shape(name: str, found: Row, input_shape) -> tuple[int, int, int]:
    shape = found.input_shape if input_shape is None else tuple(input_shape)
    whole = len(shape) == 3 and all(isinstance(side, numbers.Integral) and int(side) >= 1 for side in shape)
    if not whole:
        raise ValueError(
            f"input_shape must be (height, width, channels), channels last and all known, since a detector's boxes belong to one size of "
            f"image, got {input_shape!r}; for example {found.input_shape}"
        )
    if min(shape[:2]) < MINIMUM:
        raise ValueError(f"{name} cannot take an image of {shape[0]}x{shape[1]} pixels: the smallest legal side is {MINIMUM}")
    height, width, channels = map(int, shape)
    return height, width, channels
