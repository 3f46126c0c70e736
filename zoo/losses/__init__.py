"""(truth, prediction) -> scalar to minimise."""

from zoo.losses.classification import SparseCrossentropy
from zoo.losses.imbalance import ExpectedCost, FocalCrossentropy, WeightedCrossentropy
from zoo.losses.soft import BinaryCrossentropy, Crossentropy

__all__ = ["BinaryCrossentropy", "Crossentropy", "ExpectedCost", "FocalCrossentropy", "SparseCrossentropy", "WeightedCrossentropy"]
