"""Eight pictures that a detector can know by heart: rectangles on grey, their colour says the class, their sizes fit every level."""

import numpy as np

COLOURS = np.array([[220, 40, 40], [40, 200, 60], [50, 70, 230]])


def rectangles(count=8, size=64, seed=0):
    """uint8 (n, size, size, 3) and {"boxes": (n, 3, 4), "classes": (n, 3)}: one to three objects of a tenth to a half of the side."""
    rng = np.random.default_rng(seed)
    images = rng.integers(110, 140, (count, size, size, 3))
    boxes, classes = np.zeros((count, 3, 4), "float32"), np.full((count, 3), -1, "int32")
    quarters = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]) * size // 2  # one object in each, so that none hides another
    for image in range(count):
        for number, corner in enumerate(rng.permutation(quarters)[: 1 + image % 3]):
            side = rng.integers(size // 8, size // 2 - 2, 2)
            low = corner + rng.integers(0, size // 2 - side)
            kind = int(rng.integers(3))
            images[image, low[1] : low[1] + side[1], low[0] : low[0] + side[0]] = COLOURS[kind]
            boxes[image, number], classes[image, number] = [*low, *(low + side)], kind
    return images.astype("uint8"), {"boxes": boxes, "classes": classes}
