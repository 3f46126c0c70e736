"""Arrays in memory as something `fit` can train on, on any backend, with an order that depends on the epoch and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np


class Arrays:
    """Images (n, h, w, c) in [0, 255] and labels (n,), offered as `zoo.data.pipeline.Pipeline` offers files."""

    def __init__(self, images, labels):
        self.images, self.labels = np.asarray(images), np.asarray(labels)
        if len(self.images) != len(self.labels):
            raise ValueError(f"each image needs one label, got {len(self.images)} images and {len(self.labels)} labels")
        if not len(self.images):
            raise ValueError("there is nothing to train or validate on: got 0 images")

    def steps(self, batch_size: int) -> int:
        """Batches of one epoch; the last one may be smaller."""
        return -(-len(self.images) // batch_size)

    def training(self, batch_size: int, seed: int, start_epoch: int = 0) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Endless batches; epoch e is the permutation drawn from (seed, e), so a resumed run sees what it would have seen."""
        epoch = start_epoch
        while True:
            order = np.random.default_rng([seed, epoch]).permutation(len(self.images))
            for start in range(0, len(order), batch_size):
                rows = order[start : start + batch_size]
                yield self.images[rows], self.labels[rows]
            epoch += 1

    def evaluation(self, batch_size: int) -> keras.utils.PyDataset:
        """One pass in order."""
        return _Slices(self, batch_size)


class _Slices(keras.utils.PyDataset):
    def __init__(self, arrays: Arrays, batch_size: int):
        super().__init__()
        self._arrays, self._batch_size = arrays, batch_size

    def __len__(self) -> int:
        return self._arrays.steps(self._batch_size)

    def __getitem__(self, index: int):
        part = slice(index * self._batch_size, (index + 1) * self._batch_size)
        return self._arrays.images[part], self._arrays.labels[part]
