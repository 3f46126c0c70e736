"""A channel of a hidden layer as a target: what in the image excites this unit?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from zoo.explain.targets import Target, class_numbers, per_image, picked


@dataclass(frozen=True)
class Channel(Target):
    """The mean activation of a channel of a layer's map (b, h, w, c) over all places.

    layer: name, path or layer, as in `gradcam`.
    index: the channel, or one per image.

    Raises ValueError for an unknown layer, one that gives no map, or a channel out of range. Class activation maps at the same
    layer do not go with it: they would listen to one layer twice.
    """

    layer: Any
    index: int | Sequence[int]
    logits = False

    def __post_init__(self):
        if self.index is None:
            raise TypeError("Channel needs the number of the channel, an int or one per image")
        object.__setattr__(self, "index", class_numbers(self.index, "channel"))

    @property
    def key(self) -> tuple:
        return (type(self), self.layer)

    def select(self, outputs):
        return outputs

    def data(self, images: int, shape: tuple) -> np.ndarray:
        return per_image(self.index, images, shape[-1], "channel", "the layer has {} channels")

    def score(self, output, data):
        return picked(ops.mean(output, axis=(1, 2)), data)
