"""Object detectors: rows, the model that trains with plain `fit`, and boxes at the library's edge."""

from __future__ import annotations

from zoo.detect.detections import Detections, detect, with_nms
from zoo.detect.rows import ROWS, Row, row

__all__ = ["ROWS", "Detections", "Row", "detect", "row", "with_nms"]
