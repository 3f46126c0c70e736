"""Arrays in memory as something `fit` can train on, on any backend, with an order that depends on the epoch and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np


class Arrays:
    """Images (n, h, w, c) in [0, 255] and labels (n,), or a dict of columns of n rows, offered as `zoo.data.pipeline.Pipeline` offers
    files."""

    def __init__(self, images, labels):
        self.images = np.asarray(images)
        columns = {name: np.asarray(column) for name, column in labels.items()} if isinstance(labels, Mapping) else {"": np.asarray(labels)}
        self.labels = columns if isinstance(labels, Mapping) else columns[""]
        for name, column in columns.items():
            if len(self.images) != len(column):
                of = f" of {name!r}" if name else ""
                raise ValueError(f"each image needs one label, got {len(self.images)} images and {len(column)} labels{of}")
        if not len(self.images):
            raise ValueError("there is nothing to train or validate on: got 0 images")

    def __len__(self) -> int:
        return len(self.images)

    def steps(self, batch_size: int, drop_remainder: bool = False) -> int:
        """Batches of one epoch; without `drop_remainder` the last one may be smaller. Raises ValueError when there is none."""
        steps = len(self) // batch_size if drop_remainder else -(-len(self) // batch_size)
        if not steps:
            raise ValueError(f"{len(self)} images do not fill one batch of {batch_size}; choose batch_size <= {len(self)}")
        return steps

    def training(
        self, batch_size: int, seed: int, start_epoch: int = 0, drop_remainder: bool = False, part: tuple[int, int] = (0, 1)
    ) -> Iterator[tuple[np.ndarray, Any]]:
        """Endless batches; epoch e is the permutation drawn from (seed, e), so a resumed run sees what it would have seen.

        part: (i, n) gives the i-th of n equal pieces of every batch, for process i of n.
        """
        epoch = start_epoch
        while True:
            order = self.order(seed, epoch)
            for start in range(0, self.steps(batch_size, drop_remainder) * batch_size, batch_size):
                rows = piece(order[start : start + batch_size], part)
                yield self.rows(rows)
            epoch += 1

    def rows(self, rows) -> tuple[np.ndarray, Any]:
        """(images, labels) of these numbers."""
        return self.images[rows], keras.tree.map_structure(lambda column: column[rows], self.labels)

    def order(self, seed: int, epoch: int) -> np.ndarray:
        """The numbers of an epoch's images, in the order of its batches."""
        return np.random.default_rng([seed, epoch]).permutation(len(self))

    def evaluation(self, batch_size: int, part: tuple[int, int] = (0, 1)) -> keras.utils.PyDataset:
        """One pass in order. part: (i, n) gives the i-th of n pieces of every batch; those of the last batch may differ in size."""
        return _Slices(self, batch_size, part)


def piece(batch, part: tuple[int, int]):
    """The i-th of n consecutive pieces of `batch`, part = (i, n): together they are the batch, and their sizes differ by at most 1."""
    index, count = part
    return batch[index * len(batch) // count : (index + 1) * len(batch) // count]


class _Slices(keras.utils.PyDataset):
    def __init__(self, arrays: Arrays, batch_size: int, part: tuple[int, int]):
        super().__init__()
        self._arrays, self._batch_size, self._part = arrays, batch_size, part

    def __len__(self) -> int:
        return self._arrays.steps(self._batch_size)

    def __getitem__(self, index: int):
        rows = piece(np.arange(len(self._arrays))[index * self._batch_size : (index + 1) * self._batch_size], self._part)
        return self._arrays.rows(rows)
