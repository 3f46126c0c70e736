"""Cheap attributes of pictures to hold against their classes: what always comes along may be learnt instead of the object."""

from __future__ import annotations

import numpy as np

from zoo.data.dataset import Examples

FRAME = 0.1
"""Width of the frame that `frame_brightness` looks at, as a share of the shorter side."""


def companions(examples: Examples) -> tuple[str, np.ndarray]:
    """What comes along with each picture: (its name, an array (n,) of strings).

    The first text attribute that the data brings, such as "background"; otherwise the brightness of the frame.
    """
    for name, column in examples.attributes.items():
        if np.asarray(column).dtype.kind in "UO" and all(isinstance(value, str) for value in column):
            return name, np.asarray(column)
    return "brightness of the frame", frame_brightness(examples)


def frame_brightness(examples: Examples) -> np.ndarray:
    """ "dark", "medium" or "bright" for each picture (n,): the mean of its outer frame in thirds of [0, 255].

    The frame seldom holds the object, so a class that has a frame of its own can be told without looking at the object.
    """
    means = np.array([_frame(examples.image(index)).mean() for index in range(len(examples))])
    return np.array(["dark", "medium", "bright"])[np.digitize(means, [85.0, 170.0])]


def _frame(image: np.ndarray) -> np.ndarray:
    """The pixels (m, 3) of the outer frame of an image (h, w, 3)."""
    width = max(1, round(FRAME * min(image.shape[:2])))
    outer = np.ones(image.shape[:2], bool)
    outer[width:-width, width:-width] = False
    return image[outer]
