"""What the tests of labels share: a user cache of their own, pictures, and a COCO folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def paint():
    """paint(path, seed, size=(height, width), orientation=1): a picture file of coloured patches, as it is stored."""

    def painted(path: Path, seed: int = 0, size: tuple[int, int] = (60, 80), orientation: int = 1) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), np.uint8)
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(coarse).resize(size[::-1], Image.Resampling.NEAREST).save(path, exif=exif)
        return path

    return painted


@pytest.fixture
def coco(tmp_path, paint):
    """coco(annotations, images=..., categories=...): a folder with one COCO file, labels.json, and its pictures; returns the folder."""

    def made(annotations, images=None, categories=None) -> Path:
        images = images or [{"id": 1, "file_name": "a.png", "width": 80, "height": 60}]
        for index, image in enumerate(images):
            if not (tmp_path / "set" / image["file_name"]).exists():
                paint(tmp_path / "set" / image["file_name"], index)
        categories = categories or [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
        for index, annotation in enumerate(annotations, start=1):
            annotation.setdefault("id", index)
            annotation.setdefault("image_id", 1)
            annotation.setdefault("category_id", 1)
        content = {"images": images, "annotations": annotations, "categories": categories}
        (tmp_path / "set" / "labels.json").write_text(json.dumps(content))
        return tmp_path / "set"

    return made
