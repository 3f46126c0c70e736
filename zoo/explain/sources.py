"""Pictures of any kind, by name: a folder, files, bytes or arrays, decoded one by one as the maker of an index wants them.

A maker is a `zoo.predict.Predictor`, or anything with .model and .prepare(images), or a bare model, which takes prepared arrays.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from zoo.data.listing import pictures


def sources(maker, images, names) -> tuple[Sequence, Sequence[str]]:
    """What to decode, and the names of it."""
    if isinstance(images, str | os.PathLike):
        root = Path(images).expanduser()
        files = pictures(root)
        if not files:
            raise ValueError(f"there is no picture in {root} or below; give a folder of PNG, JPEG or WebP files")
        images, names = files, names or [path.relative_to(root).as_posix() for path in files]
    elif not hasattr(images, "__len__"):
        raise TypeError(f"an index is built from a folder, a list of pictures or an array (b, h, w, c), got {type(images).__name__}")
    names = names or [_name(image, number) for number, image in enumerate(images)]
    if len(names) != len(images) or not len(images):
        raise ValueError(f"an index needs pictures and as many names, got {len(images)} pictures and {len(names)} names")
    return images, names


def _name(image, number: int) -> str:
    return os.fspath(image) if isinstance(image, str | os.PathLike) else f"image {number}"


def model_of(maker) -> keras.Model:
    return maker if isinstance(maker, keras.Model) else maker.model


def prepared(maker, image) -> np.ndarray:
    if not isinstance(maker, keras.Model):
        return maker.prepare([image])[0]
    image = np.asarray(image)
    if image.ndim != 3:
        raise ValueError(
            f"a model alone takes arrays (h, w, c), got {image.dtype} of shape {image.shape}; for files give a zoo.predict.Predictor"
        )
    return image
