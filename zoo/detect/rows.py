"""The detectors of the zoo: one row each, with the published number of parameters.

    zoo.detector("yolov8_style_n")                               # a row
    zoo.detector("yolov8_style_n", backbone="mobilenet_v2")      # its neck and head on another backbone of the zoo

Sources of the numbers: torchvision publishes those of RetinaNet (91 outputs, counted without the 53,120 gains and shifts of its frozen
normalisations); darknet's public cfg files give those of YOLOv3; the authors of the two later detectors publish tables. Where they print
16 parameters more for v8-style, those are the fixed weights 0 to 15 of a convolution that computes a mean; ours are constants.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace

from zoo.backbones.csp_darknet import CSPDarknet
from zoo.backbones.darknet import Tiny
from zoo.backbones.variant import IMAGENET_MEAN, IMAGENET_STD
from zoo.ops.anchors import RETINANET_SIZES, YOLO_ANCHORS, YOLO_TINY_ANCHORS


@dataclass(frozen=True, kw_only=True)
class Row:
    """One detector.

    kind:        "retinanet", "yolov3", "yolov5" or "yolov8": which criterion it learns by.
    parameters:  published number of trainable parameters with `classes` (see the module's docstring).
    source:      where that number is published.
    backbone:    a row of `zoo.list_models()`, or a trunk that is no classifier.
    strides:     of the levels that predict, finest first.
    reads:       strides of the backbone's levels that the neck reads, finest first.
    classes:     of the published model.
    input_shape: (height, width, channels) of the published model, channels last.
    mean, std:   constants of the normalising first layer, scale [0, 255]; of a backbone of the zoo those of its row.
    """

    kind: str
    parameters: int
    source: str
    backbone: str | Tiny | CSPDarknet
    strides: tuple[int, ...] = (8, 16, 32)
    reads: tuple[int, ...] = (8, 16, 32)
    classes: int = 80
    input_shape: tuple[int, int, int] = (640, 640, 3)
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (255.0, 255.0, 255.0)


@dataclass(frozen=True, kw_only=True)
class RetinaNet(Row):
    """p6: what P6 is computed from; width, depth: maps and convolutions of the head; rounded, sizes: of `zoo.ops.anchors.retinanet`."""

    kind: str = "retinanet"
    strides: tuple[int, ...] = (8, 16, 32, 64, 128)
    input_shape: tuple[int, int, int] = (800, 800, 3)
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    p6: str = "c5"
    width: int = 256
    depth: int = 4
    rounded: bool = False
    sizes: tuple[tuple[float, ...], ...] = RETINANET_SIZES


@dataclass(frozen=True, kw_only=True)
class YoloV3(Row):
    """anchors: per level, (width, height) in pixels; widths: maps of the neck's 1x1 convolutions, finest first; spp: with pyramid pooling;
    tiny: the neck of two levels."""

    kind: str = "yolov3"
    source: str = "darknet, cfg"
    input_shape: tuple[int, int, int] = (416, 416, 3)
    anchors: tuple[tuple[tuple[int, int], ...], ...] = YOLO_ANCHORS
    widths: tuple[int, ...] = (128, 256, 512)
    spp: bool = False
    tiny: bool = False


@dataclass(frozen=True, kw_only=True)
class YoloStyle(Row):
    """neck: sizes of neck and, where `backbone` is the same, trunk; box_width: maps of the box branch instead of the published rule's;
    anchors: as in `YoloV3` (v5-style only)."""

    neck: CSPDarknet
    box_width: int | None = None
    bins: int = 16
    anchors: tuple[tuple[tuple[int, int], ...], ...] = YOLO_ANCHORS


def _style(kind: str, parameters: int, depth: float, width: float, most: int = 1024, **fields) -> YoloStyle:
    trunk = CSPDarknet(block={"yolov5": "c3", "yolov8": "c2f"}[kind], depth=depth, width=width, most=most)
    return YoloStyle(**{"kind": kind, "parameters": parameters, "source": "authors' table", "backbone": trunk, "neck": trunk, **fields})


_TINY = YoloV3(
    parameters=8_852_366, backbone=Tiny(), strides=(16, 32), reads=(16, 32), anchors=YOLO_TINY_ANCHORS, widths=(128, 256), tiny=True
)
_SMALL: dict = {"source": "closed formula", "classes": 3, "input_shape": (64, 64, 3)}
_SMALL_ANCHORS = (((6, 6), (9, 5), (5, 9)), ((12, 12), (18, 10), (10, 18)), ((24, 24), (36, 20), (20, 36)))
_RETINANET_MICRO = RetinaNet(
    parameters=46_565,
    backbone="resnet_micro",
    width=20,
    depth=1,
    sizes=tuple((4.0 * 2**i, 5.0 * 2**i, 6.4 * 2**i) for i in range(5)),
    **_SMALL,
)
_YOLOV3_MICRO = YoloV3(parameters=27_712, backbone="darknet_micro", anchors=_SMALL_ANCHORS, widths=(8, 8, 8), **_SMALL)

ROWS: dict[str, Row] = {
    "retinanet_resnet18_fpn": RetinaNet(parameters=21_410_100, source="closed formula", backbone="resnet18"),
    "retinanet_resnet50_fpn": RetinaNet(parameters=37_968_692, source="closed formula", backbone="resnet50"),
    "retinanet_resnet50_fpn_p5": RetinaNet(
        parameters=34_068_119, source="torchvision", backbone="resnet50", p6="p5", rounded=True, classes=91
    ),
    "retinanet_micro": _RETINANET_MICRO,
    "retinanet_p5_micro": replace(_RETINANET_MICRO, parameters=47_285, p6="p5"),
    "yolov3": YoloV3(parameters=61_949_149, backbone="darknet53"),
    "yolov3_spp": YoloV3(parameters=62_998_749, backbone="darknet53", input_shape=(608, 608, 3), spp=True),
    "yolov3_tiny": _TINY,
    "yolov3_micro": _YOLOV3_MICRO,
    "yolov3_spp_micro": replace(_YOLOV3_MICRO, parameters=27_984, spp=True),
    "yolov3_tiny_micro": replace(
        _TINY, parameters=15_276, backbone=Tiny((4, 8, 8, 12, 16, 16, 24)), widths=(8, 8), anchors=_SMALL_ANCHORS[1:], **_SMALL
    ),
    "yolov5_style_n": _style("yolov5", 1_872_157, 0.33, 0.25),
    "yolov5_style_s": _style("yolov5", 7_235_389, 0.33, 0.5),
    "yolov5_style_m": _style("yolov5", 21_190_557, 0.67, 0.75),
    "yolov5_style_l": _style("yolov5", 46_563_709, 1.0, 1.0),
    "yolov5_style_x": _style("yolov5", 86_749_405, 1.33, 1.25),
    "yolov5_style_micro": _style("yolov5", 29_256, 0.33, 0.125, 128, anchors=_SMALL_ANCHORS, **_SMALL),
    "yolov8_style_n": _style("yolov8", 3_157_184, 0.33, 0.25),
    "yolov8_style_s": _style("yolov8", 11_166_544, 0.33, 0.5),
    "yolov8_style_m": _style("yolov8", 25_902_624, 0.67, 0.75, 768),
    "yolov8_style_l": _style("yolov8", 43_691_504, 1.0, 1.0, 512),
    "yolov8_style_x": _style("yolov8", 68_229_632, 1.0, 1.25, 512),
    "yolov8_style_micro": _style("yolov8", 63_985, 0.33, 0.125, 128, box_width=16, **_SMALL),
}


def row(name: str) -> Row:
    """The detector called `name`; an unknown name raises with the closest matches."""
    if name not in ROWS:
        close = difflib.get_close_matches(name, ROWS, n=3, cutoff=0.5)
        raise ValueError(f"there is no detector called {name!r}; {'did you mean' if close else 'there are'} {', '.join(close or ROWS)}?")
    return ROWS[name]
