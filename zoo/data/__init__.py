"""Files -> tensors. tf.data lives in this room and nowhere else; nothing of the model side is imported here.

    from zoo import data
    dataset = data.load("folder:photos")        # or "scenes", "clothing", "tfds:cats_vs_dogs"
    print(data.doctor("photos").table())        # bad, empty, duplicate and leaking files, each with its reason

Names are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoo.data.augment import Augment
    from zoo.data.balanced import BalancedPipeline
    from zoo.data.dataset import Dataset, Examples
    from zoo.data.decode import ImageError
    from zoo.data.findings import Findings, doctor
    from zoo.data.folder import read_folder, scan
    from zoo.data.letterbox import Letterbox
    from zoo.data.object_augment import ObjectAugment
    from zoo.data.object_pipeline import ObjectPipeline
    from zoo.data.object_source import load_objects
    from zoo.data.objects import ObjectExamples, Objects, ObjectSet
    from zoo.data.pipeline import Pipeline
    from zoo.data.progressive import Progressive
    from zoo.data.source import load

# A name here must not be that of a module in this room: importing the module would replace the function.
_HOME = {
    "Augment": "augment",
    "BalancedPipeline": "balanced",
    "Dataset": "dataset",
    "Examples": "dataset",
    "Findings": "findings",
    "ImageError": "decode",
    "Letterbox": "letterbox",
    "ObjectAugment": "object_augment",
    "ObjectExamples": "objects",
    "ObjectPipeline": "object_pipeline",
    "ObjectSet": "objects",
    "Objects": "objects",
    "Pipeline": "pipeline",
    "Progressive": "progressive",
    "doctor": "findings",
    "load": "source",
    "load_objects": "object_source",
    "read_folder": "folder",
    "scan": "folder",
}
_MODULES = (
    "augment",
    "balanced",
    "dataset",
    "decode",
    "extract",
    "findings",
    "folder",
    "labels",
    "letterbox",
    "maps",
    "mosaic",
    "object_augment",
    "object_pipeline",
    "object_sets",
    "object_source",
    "objects",
    "pace",
    "patches",
    "pipeline",
    "plan",
    "progressive",
    "scenes",
    "sets",
    "sign_drive",
    "sign_scenes",
    "signs",
    "source",
    "split",
    "tfds",
    "warp",
)

__all__ = [
    "Augment",
    "BalancedPipeline",
    "Dataset",
    "Examples",
    "Findings",
    "ImageError",
    "Letterbox",
    "ObjectAugment",
    "ObjectExamples",
    "ObjectPipeline",
    "ObjectSet",
    "Objects",
    "Pipeline",
    "Progressive",
    "doctor",
    "load",
    "load_objects",
    "read_folder",
    "scan",
]


def __getattr__(name: str):
    if name in _HOME:
        return getattr(importlib.import_module(f"zoo.data.{_HOME[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"zoo.data.{name}")
    raise AttributeError(f"module 'zoo.data' has no attribute {name!r}; it has {', '.join(sorted(_HOME))}")
