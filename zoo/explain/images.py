"""Images in, heat maps out: what callers may pass, how it is cut into chunks, and how a map gets the size of its image."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops, tree


def as_batch(model: keras.Model, images):
    """The model's input as floating numpy arrays with a batch axis.

    images: (b, h, w, c) or one (h, w, c), values in [0, 255], any number dtype; a list of such single images of one size; or,
            for a model with several inputs, the dict, tuple or list of batches that it takes.

    Raises ValueError for no image, a wrong rank, size or channel count, or values that are not finite.
    """
    several = isinstance(images, dict | tuple) or (isinstance(images, list) and len(_symbols(model)) > 1)
    if several:
        batch = tree.map_structure(_numbers, images)
    else:
        batch = _numbers(np.stack([np.asarray(image) for image in images]) if isinstance(images, list) and images else images)
        if batch.ndim == 3:
            batch = batch[None]
        if batch.ndim != 4:
            raise ValueError(f"images must be (b, h, w, c) or one image (h, w, c), channels last, got shape {batch.shape}")
    sizes = {len(leaf) for leaf in tree.flatten(batch)}
    if len(sizes) != 1 or 0 in sizes:
        raise ValueError(f"every input needs the same number of images and at least one, got {sorted(sizes)}")
    _check_shape(model, batch)
    return batch


def length(batch) -> int:
    """How many images a batch holds."""
    return len(tree.flatten(batch)[0])


def picture(batch) -> np.ndarray:
    """The images of a batch: its only, or first, input of rank 4 (b, h, w, c)."""
    found = [leaf for leaf in tree.flatten(batch) if leaf.ndim == 4]
    if not found:
        raise ValueError(f"no input is an image batch (b, h, w, c), got shapes {[leaf.shape for leaf in tree.flatten(batch)]}")
    return found[0]


def chunks(batch, size: int) -> Iterator[tuple[slice, Any]]:
    """Slices of at most `size` images and those images, the last chunk filled up to `size` with its last image.

    Equal sizes mean one compiled program; the caller drops the rows beyond the slice.
    """
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ValueError(f"batch_size must be a positive int, got {size!r}")
    total = length(batch)
    size = min(size, total)
    for start in range(0, total, size):
        rows = np.minimum(np.arange(start, start + size), total - 1)
        yield slice(start, min(start + size, total)), tree.map_structure(lambda leaf, rows=rows: leaf[rows], batch)


def resize_heat(heat: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Maps (b, h, w) -> (b, *size), bilinear with half-pixel centres; values keep their raw range."""
    heat = np.asarray(heat)
    if heat.shape[1:] == tuple(size):
        return heat
    resized = ops.image.resize(ops.convert_to_tensor(heat[..., None]), size, interpolation="bilinear", data_format="channels_last")
    return ops.convert_to_numpy(resized)[..., 0].astype(heat.dtype)


def normalise_heat(heat) -> np.ndarray:
    """Each map (b, h, w), or one (h, w), stretched to [0, 1] by its own minimum and maximum, for display only.

    A map that is zero or negative everywhere holds no evidence for the target: it becomes zero everywhere, with a UserWarning,
    instead of noise stretched to full contrast. A constant positive map becomes one everywhere. Raises ValueError on NaN or infinity.
    """
    heat = np.asarray(heat, dtype=np.result_type(np.asarray(heat).dtype, np.float32))
    if heat.ndim not in (2, 3) or not np.isfinite(heat).all():
        raise ValueError(
            f"heat must be maps (b, h, w) or (h, w) of finite values, got shape {heat.shape}, finite: {bool(np.isfinite(heat).all())}"
        )
    low, high = heat.min(axis=(-2, -1), keepdims=True), heat.max(axis=(-2, -1), keepdims=True)
    span = np.where(high > low, high - low, 1)
    empty = np.count_nonzero(high <= 0)
    if empty:
        warnings.warn(f"{empty} of {high.size} heat maps hold no positive evidence for their target; they are shown as zero", stacklevel=2)
    stretched = np.where(high > low, (heat - low) / span, 1)
    return np.where(high > 0, stretched, 0).astype(heat.dtype)


def _numbers(array) -> np.ndarray:
    array = np.asarray(array)
    if array.dtype.kind not in "uif" and array.dtype.name != "bfloat16":
        raise TypeError(f"images must be numbers in [0, 255], got dtype {array.dtype}")
    array = array.astype(keras.config.floatx(), copy=False)
    if not np.isfinite(array).all():
        raise ValueError(f"images must be finite, got {np.count_nonzero(~np.isfinite(array))} values that are NaN or infinite")
    return array


def _symbols(model) -> list:
    try:
        return list(model.inputs or [])
    except (AttributeError, ValueError):
        return []


def _check_shape(model, batch):
    symbols = _symbols(model)
    leaves = tree.flatten(batch)
    if isinstance(batch, dict) or len(symbols) != len(leaves):
        return  # matched by name, or unknown: Keras checks it
    for symbol, leaf in zip(symbols, leaves, strict=True):
        wanted = tuple(symbol.shape)
        if len(wanted) != leaf.ndim or any(want not in (None, got) for want, got in zip(wanted[1:], leaf.shape[1:], strict=True)):
            raise ValueError(
                f"the model {model.name!r} takes images of shape {wanted[1:]} (h, w, c), got {leaf.shape[1:]}; "
                "resize them first, or build the model with that input_shape"
            )
