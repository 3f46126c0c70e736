"""(truth, prediction) -> scalar to minimise."""

from zoo.losses.classification import SparseCrossentropy
from zoo.losses.soft import BinaryCrossentropy, Crossentropy

__all__ = ["BinaryCrossentropy", "Crossentropy", "SparseCrossentropy"]
