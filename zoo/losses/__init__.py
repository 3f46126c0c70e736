"""(truth, prediction) -> scalar to minimise."""

from zoo.losses.classification import SparseCrossentropy

__all__ = ["SparseCrossentropy"]
