"""What detectors learn by: truth and outputs -> loss. One file per family; all are called alike, and saved with the model."""

from __future__ import annotations

from typing import Any

from zoo.detect.criteria.retinanet import RetinaNetLoss
from zoo.detect.criteria.yolov3 import YoloV3Loss
from zoo.detect.criteria.yolov5 import YoloV5Loss
from zoo.detect.criteria.yolov8 import YoloV8Loss

__all__ = ["CRITERIA", "RetinaNetLoss", "YoloV3Loss", "YoloV5Loss", "YoloV8Loss"]

CRITERIA: dict[str, type[Any]] = {"retinanet": RetinaNetLoss, "yolov3": YoloV3Loss, "yolov5": YoloV5Loss, "yolov8": YoloV8Loss}
"""kind of a row of `zoo.detect.rows` -> its criterion."""
