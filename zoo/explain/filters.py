"""The filters that look at the pixels themselves: the only weights of a network that can be read as pictures."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np

from zoo.explain.places import graph, recorded


@dataclass(frozen=True)
class Filters:
    """layer: its name; weights: float32 (height, width, channels, n), as learned."""

    layer: str
    weights: np.ndarray

    def pictures(self) -> np.ndarray:
        """uint8 (n, height, width, 3): grey is zero, and each filter is stretched by its own largest weight, so signs can be compared
        between filters and sizes cannot. Three input channels are shown as red, green and blue, others as their mean in grey."""
        weights = np.moveaxis(self.weights.astype(np.float64), -1, 0)
        if weights.shape[-1] != 3:
            weights = np.repeat(weights.mean(-1, keepdims=True), 3, axis=-1)
        largest = np.abs(weights).max(axis=(1, 2, 3), keepdims=True)
        return np.rint(127.5 + 127.5 * weights / np.where(largest > 0, largest, 1)).astype(np.uint8)


def first_filters(model: keras.Model, images=None) -> Filters:
    """The kernel of the first convolution of the model.

    images: example input, for a subclassed model that was never called; else not needed.

    Filters of one pixel (a 1x1 convolution) and later layers are no pictures: what they read has no colours. Raises ValueError for a
    model without a convolution, for example a vision transformer that cuts patches by reshaping.
    """
    forward = graph(model) or recorded(model, images)
    for event in forward.events:
        kernel = getattr(event.place.operation, "kernel", None)
        if kernel is not None and len(kernel.shape) == 4:
            return Filters(event.place.operation.name, keras.ops.convert_to_numpy(keras.ops.cast(kernel, "float32")))
    raise ValueError(f"the model {model.name!r} has no convolution whose filters could be shown; look at its feature maps instead")
