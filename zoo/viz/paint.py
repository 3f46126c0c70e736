"""Heat maps as colour: alone, or laid over the image that they explain."""

from __future__ import annotations

import io

import matplotlib
import numpy as np
from PIL import Image


def heat(image: np.ndarray, heat: np.ndarray, colormap: str = "inferno") -> np.ndarray:
    """The heat (h', w') in colour at the size of `image` (h, w, 3): uint8 (h, w, 3). It is `overlay` with alpha 1."""
    return overlay(image, heat, alpha=1.0, colormap=colormap)


def overlay(image: np.ndarray, heat: np.ndarray, alpha: float = 0.5, colormap: str = "inferno") -> np.ndarray:
    """Lay the heat (h', w'), any real range, over the image (h, w, 3) in [0, 255]: uint8 (h, w, 3).

    The heat is resized bilinearly (pixel centres at halves, as Keras and Pillow do) and scaled for showing only: the colours
    run from min(0, its minimum) to its maximum, so that the zero of a heat without negative values stays black. A heat
    that is constant and not positive shows the lowest colour everywhere.
    alpha: 0 gives the image, 1 the colours alone.
    Raises ValueError for an alpha outside [0, 1], and for a heat that is not (h', w'), is empty, or is not finite.
    """
    from zoo.viz.style import checked_images

    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be between 0 (the image) and 1 (the heat), got {alpha}")
    (image,) = checked_images([image], "image")
    values = shown(resized(heat, image.shape[0], image.shape[1]), heat)
    colours = matplotlib.colormaps[colormap](values)[..., :3] * 255.0
    return np.rint((1 - alpha) * image + alpha * colours).astype(np.uint8)


def readable(image: np.ndarray, side: int = 640) -> np.ndarray:
    """The image (h, w, 3) with its longest side at most `side` pixels, and at least half of that so that small inputs are not blurred."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))
    return image.repeat(int(scale), axis=0).repeat(int(scale), axis=1)


def png(image: np.ndarray) -> bytes:
    """uint8 (h, w, 3) -> the bytes of a PNG file, the same ones for the same pixels."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def resized(heat: np.ndarray, height: int, width: int) -> np.ndarray:
    """Heat (h', w') -> float32 (height, width), bilinear. Raises ValueError for a heat that is not a finite (h', w')."""
    heat = np.asarray(heat)
    if heat.ndim != 2 or not heat.size:
        raise ValueError(f"a heat is an array (h, w), got shape {heat.shape}; pass one image's heat, for example heats[0]")
    if not np.isfinite(heat).all():
        raise ValueError(
            f"the heat holds {int((~np.isfinite(heat)).sum())} values that are NaN or infinite; the explanation failed, do not show it"
        )
    if heat.shape == (height, width):
        return heat.astype(np.float32)
    return np.asarray(Image.fromarray(heat.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR))


def shown(values: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """`values` on the scale [0, 1] of the colours of `heat`."""
    low, high = min(0.0, float(np.min(heat))), float(np.max(heat))
    return np.zeros_like(values) if high <= low else np.clip((values - low) / (high - low), 0, 1)
