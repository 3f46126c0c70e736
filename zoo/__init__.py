"""A Keras 3 computer-vision model zoo: readable models, proved equal to their references.

    import zoo
    zoo.list_models("resnet*")                                   # rows, without importing a framework
    model = zoo.classifier("resnet18", classes=10, input_shape=(128, 128, 3))
    pyramid = zoo.backbone("resnet18")                           # image -> {"c1": ..., "c5": ...}
    model = zoo.detector("yolov8_style_n", classes=3, input_shape=(320, 320, 3))

Names are imported when they are first used, so `import zoo` is instant and never chooses a Keras backend.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from zoo.catalogue import info, list_models
    from zoo.create import backbone, classifier, detector
    from zoo.weights import load_weights, save_weights

_HOME = {
    "list_models": "zoo.catalogue",
    "info": "zoo.catalogue",
    "classifier": "zoo.create",
    "backbone": "zoo.create",
    "detector": "zoo.create",
    "load_weights": "zoo.weights",
    "save_weights": "zoo.weights",
}
_ROOMS = (
    "anatomy",
    "backbones",
    "data",
    "detect",
    "download",
    "explain",
    "export",
    "gradients",
    "heads",
    "layers",
    "losses",
    "metrics",
    "ops",
    "predict",
    "report",
    "run",
    "serve",
    "train",
    "verify",
    "video",
    "viz",
    "weights",
)

__all__ = ["__version__", "backbone", "classifier", "detector", "info", "list_models", "load_weights", "save_weights"]


def __getattr__(name: str):
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    if name in _ROOMS:
        return importlib.import_module(f"zoo.{name}")
    raise AttributeError(f"module 'zoo' has no attribute {name!r}; it has {', '.join(sorted((*_HOME, *_ROOMS)))}")


def __dir__():
    return sorted({*globals(), *_HOME, *_ROOMS})
