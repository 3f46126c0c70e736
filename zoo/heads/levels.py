"""Which levels of a pyramid a detector reads: by their stride, which is known from their size and never from their name."""

from __future__ import annotations

import math


def at_strides(pyramid: dict, size: tuple[int, int], strides: tuple[int, ...]) -> list:
    """The deepest level of each stride, in the order of `strides`; size is (height, width) of the image in pixels.

    Raises ValueError that says which strides are missing and which maps the pyramid has, where no level has ceil(size / stride) cells.
    """
    maps = {key: tuple(level.shape[1:3]) for key, level in pyramid.items() if len(level.shape) == 4}
    if None in size or any(None in map_ for map_ in maps.values()):
        raise ValueError(f"a detector's boxes belong to one size of image, got {size}: pass input_shape=(height, width, channels)")
    found, missing = [], []
    for stride in strides:
        wanted = tuple(math.ceil(side / stride) for side in size)
        keys = [key for key, map_ in maps.items() if map_ == wanted]
        if keys:
            found.append(pyramid[keys[-1]])
        else:
            missing.append(f"stride {stride} ({wanted[0]}x{wanted[1]} cells)")
    if missing:
        got = ", ".join(f"{key} {high}x{wide}" for key, (high, wide) in maps.items()) or "none"
        raise ValueError(
            f"this head reads strides {', '.join(map(str, strides))}; of an image of {size[0]}x{size[1]} pixels there is no level "
            f"at {' and '.join(missing)}, only {got}. Choose a backbone with levels of these strides, such as 'resnet50' or 'mobilenet_v2'"
        )
    return found
