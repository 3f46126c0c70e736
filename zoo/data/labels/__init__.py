"""Labels of objects in files: read, write, convert, examine, repair. COCO, YOLO, Pascal VOC, TensorFlow's CSV and TFRecord.

    from zoo.data import labels
    data = labels.read("photos")                    # an ObjectSet; the format is recognised
    labels.write(data, "photos_coco", "coco")
    print(labels.doctor("photos").table())

Names are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoo.data.labels.checkup import doctor
    from zoo.data.labels.draft import LabelError
    from zoo.data.labels.findings import Checkup
    from zoo.data.labels.formats import FORMATS, guess, losses, read, write
    from zoo.data.labels.mend import mended
    from zoo.data.labels.outlines import masks

# A name here must not be that of a module in this room: importing the module would replace the function.
_HOME = {
    "FORMATS": "formats",
    "Checkup": "findings",
    "LabelError": "draft",
    "doctor": "checkup",
    "guess": "formats",
    "losses": "formats",
    "masks": "outlines",
    "mended": "mend",
    "read": "formats",
    "write": "formats",
}

__all__ = ["FORMATS", "Checkup", "LabelError", "doctor", "guess", "losses", "masks", "mended", "read", "write"]


def __getattr__(name: str):
    if name in _HOME:
        return getattr(importlib.import_module(f"zoo.data.labels.{_HOME[name]}"), name)
    raise AttributeError(f"module 'zoo.data.labels' has no attribute {name!r}; it has {', '.join(sorted(_HOME))}")
