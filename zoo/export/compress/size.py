"""How small a model has become: what is in its kernels, the bytes of its file, and the bytes that gzip leaves of them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import ops

from zoo.export.check import sizes_of
from zoo.export.compress.int8 import kernels_of
from zoo.export.compress.rewrite import Rewritten, kernel_names


@dataclass(frozen=True)
class Size:
    """One row of the table.

    parameters: numbers in the kernels; biases and normalisations are not counted.
    nonzero:    those that are not zero.
    distinct:   most different values in one kernel.
    file_bytes, gzip_bytes: of the file, and of it after gzip at level 9 without a date, so that the number repeats.
    accuracy:   as the caller measured it, or None.
    """

    name: str
    parameters: int
    nonzero: int
    distinct: int
    file_bytes: int
    gzip_bytes: int
    accuracy: float | None = None

    @property
    def sparsity(self) -> float:
        """Fraction of the kernels' numbers that are zero."""
        return 1.0 - self.nonzero / self.parameters if self.parameters else 0.0


def size_of(name: str, path: str | os.PathLike, model: keras.Model | None = None, accuracy: float | None = None) -> Size:
    """Measure the file `path`. Its kernels are counted in the LiteRT file itself or, for another format, in `model`.

    Raises ValueError when the file is not LiteRT and no model is given.
    """
    path = Path(path)
    if path.suffix in (".tflite", ".litert"):
        kernels = [kernel.values for kernel in kernels_of(path)]
    elif model is not None:
        kernels = list(_kernels(model))
    else:
        raise ValueError(f"the kernels of {path.name!r} cannot be read from the file: give the model too, or a .tflite file")
    whole, packed = sizes_of(path, level=9)
    return Size(
        name=name,
        parameters=sum(kernel.size for kernel in kernels),
        nonzero=sum(int(np.count_nonzero(kernel)) for kernel in kernels),
        distinct=max((len(np.unique(kernel)) for kernel in kernels), default=0),
        file_bytes=whole,
        gzip_bytes=packed,
        accuracy=accuracy,
    )


def table(sizes: Iterable[Size]) -> list[dict]:
    """Rows as data, with the ratio of each gzip size to the first row's: {"name", ..., "sparsity", "gzip_ratio"}."""
    rows = list(sizes)
    return [
        {**dataclasses.asdict(row), "sparsity": round(row.sparsity, 4), "gzip_ratio": round(rows[0].gzip_bytes / row.gzip_bytes, 2)}
        for row in rows
    ]


def _kernels(model: keras.Model) -> Iterable[np.ndarray]:
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, Rewritten):
            yield from layer.kernels().values()
        else:
            yield from (ops.convert_to_numpy(getattr(layer, name)) for name in kernel_names(layer))
