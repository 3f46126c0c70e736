"""What a classification dataset is, whatever it came from: named classes and named splits of labelled images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Examples:
    """One split: n images with integer labels.

    items:      n file paths, or uint8 arrays (h, w, 3), which may be one array (n, h, w, 3).
    labels:     int64 (n,), each in [0, number of classes).
    attributes: further columns of length n, for example {"background": array of names}.
    """

    items: Sequence[Path | np.ndarray] | np.ndarray
    labels: np.ndarray
    attributes: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self):
        columns = {"labels": self.labels, **self.attributes}
        wrong = {name: len(column) for name, column in columns.items() if len(column) != len(self.items)}
        if wrong:
            raise ValueError(f"a split of {len(self.items)} images needs columns of that length, got {wrong}")

    def __len__(self) -> int:
        return len(self.items)

    def image(self, index: int) -> np.ndarray:
        """Image `index` as uint8 (h, w, 3), decoded by the one decode function of the zoo."""
        item = self.items[index]
        if isinstance(item, np.ndarray):
            return item
        from zoo.data.decode import decode

        return decode(item)

    def take(self, indices) -> Examples:
        """The examples at `indices`, in that order."""
        indices = np.asarray(indices, dtype=np.int64)
        columns = {name: column[indices] for name, column in self.attributes.items()}
        return Examples([self.items[i] for i in indices], self.labels[indices], columns)


@dataclass(frozen=True)
class Dataset:
    """A classification dataset.

    name:    what ran, for the report: "scenes", "folder:photos", "clothing", "tfds:cats_vs_dogs".
    kind:    "generated", "folder" or "public".
    classes: names; their order is the order of the labels.
    splits:  at least "train", "validation" and "test".
    notes:   sentences for the report: licence, skipped files, warnings, how it was split.
    """

    name: str
    kind: str
    classes: tuple[str, ...]
    splits: dict[str, Examples]
    notes: tuple[str, ...] = ()

    def __getitem__(self, split: str) -> Examples:
        if split not in self.splits:
            raise ValueError(f"{self.name} has no split {split!r}; it has {', '.join(self.splits)}")
        return self.splits[split]

    def counts(self) -> dict[str, np.ndarray]:
        """Images per class in each split: {split: int64 (classes,)}."""
        return {name: np.bincount(part.labels, minlength=len(self.classes)) for name, part in self.splits.items()}
