"""(truth, prediction) -> scalar to minimise."""

from zoo.losses.classification import SparseCrossentropy
from zoo.losses.detection import distribution_focal, sigmoid_crossentropy, sigmoid_focal, smooth_l1
from zoo.losses.imbalance import ExpectedCost, FocalCrossentropy, WeightedCrossentropy
from zoo.losses.soft import BinaryCrossentropy, Crossentropy

__all__ = [
    "BinaryCrossentropy",
    "Crossentropy",
    "ExpectedCost",
    "FocalCrossentropy",
    "SparseCrossentropy",
    "WeightedCrossentropy",
    "distribution_focal",
    "sigmoid_crossentropy",
    "sigmoid_focal",
    "smooth_l1",
]
