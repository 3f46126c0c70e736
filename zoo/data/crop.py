"""A random window of a picture that keeps enough of its objects."""

from __future__ import annotations

import numpy as np

from zoo.data.warp import Picture

SHARES = (0.3, 0.5, 0.7, 0.9, 1.0)
"""How much of one object a crop must at least show; one of these is drawn for each picture, in the spirit of SSD's overlaps."""

ASPECT = 4 / 3
"""A crop is stretched by at most this factor to fill the picture."""


def window(picture: Picture, smallest: float, size, random: np.random.Generator) -> np.ndarray | None:
    """A window xyxy of the picture, to be stretched over `size`, that shows enough of at least one object.

    Its area is `smallest` to 1 of the picture's, or less where the two have very different shapes. Of 30 windows the first that shows the
    share drawn from `SHARES` of some object, or None. Any window will do where there is no object.
    """
    height, width = picture.shape
    share = random.choice(SHARES)
    boxes = picture.objects.boxes[~picture.objects.crowd].astype(float)
    areas = np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), 1e-6)
    for area, stretch, x, y in random.random((30, 4)):
        ratio = size[1] / size[0] * ASPECT ** (2 * stretch - 1) / (width / height)  # of the window's sides, in units of the picture's
        area = min(smallest + (1 - smallest) * area, ratio, 1 / ratio)
        across, down = (area * ratio) ** 0.5 * width, (area / ratio) ** 0.5 * height
        box = np.array([x * (width - across), y * (height - down)])
        box = np.concatenate([box, box + (across, down)])
        shown = np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])
        if not len(boxes) or (np.maximum(shown, 0).prod(axis=1) >= (share - 1e-9) * areas).any():
            return box
    return None
