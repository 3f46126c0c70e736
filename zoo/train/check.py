"""Look at the data before the first step: what trains silently and wrongly is refused here, with the cure."""

from __future__ import annotations

import warnings

import keras
import numpy as np
from keras import ops

from zoo.train.guard import first_nonfinite


def check_batch(model: keras.Model, images, labels=None) -> int | None:
    """Raise ValueError if `model` cannot learn from this batch, warn (UserWarning) if it probably should not.

    images: wanted (b, h, w, c) uint8 or float in [0, 255], finite, of the model's channels and, where it is fixed, size.
    labels: wanted (b,) integers in [0, classes), for a model of logits (b, classes). None leaves labels and outputs unchecked.

    Returns the number of classes, or None without labels.
    """
    images = np.asarray(images)
    check_images(model, images)
    if labels is None:
        return None
    labels = np.asarray(labels)
    check_label_form(labels)
    if len(labels) != len(images):
        raise ValueError(f"each image needs one label, got {len(images)} images and {len(labels)} labels")
    classes = classes_of(model, images[:2])
    check_label_range(labels, classes)
    return classes


def check_labels(labels, classes: int, teaches: bool = True) -> None:
    """The same for the label column of a whole split (n,): form, range and, if it `teaches`, whether every class has an image."""
    labels = np.asarray(labels)
    check_label_form(labels)
    check_label_range(labels, classes)
    if not teaches:
        return
    seen = np.unique(labels)
    if len(seen) == 1:
        _warn(f"all {len(labels)} training labels are {seen[0]}: with one class there is nothing to tell apart")
    elif len(seen) < classes:
        absent = [str(label) for label in range(classes) if label not in set(seen.tolist())]
        named = ", ".join(absent[:10]) + (", ..." if len(absent) > 10 else "")
        _warn(f"the model has {classes} outputs but the training labels hold {len(seen)} classes; without an image: {named}")


def check_images(model: keras.Model, images: np.ndarray) -> None:
    """Shape, type, finiteness and range of a batch of images."""
    if images.ndim != 4:
        raise ValueError(f"wanted a batch of images (b, h, w, c), got shape {images.shape}; add the batch axis with image[None]")
    if len(images) == 0:
        raise ValueError("wanted at least one image in a batch, got none")
    _fits(model, images)
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise ValueError(
            f"wanted images of type uint8 or float, got {images.dtype}; convert them with images.astype('float32'), values in [0, 255]"
        )
    values = images.astype("float32", copy=False)
    bad = ~np.isfinite(values).all(axis=(1, 2, 3))
    if bad.any():
        raise ValueError(
            f"image {int(np.argmax(bad))} of the batch holds NaN or infinity ({int(bad.sum())} of {len(images)} images); "
            "find the file with zoo.data.folder.doctor"
        )
    low, high = float(values.min()), float(values.max())
    if low < -1.0 or high > 256.0:
        raise ValueError(
            f"wanted image values in [0, 255], got [{low:g}, {high:g}]; give pixels as they are in the file: "
            "the model's first layer normalises them itself"
        )
    if images.dtype.kind == "f" and 0.0 < high <= 1.0:
        _warn(
            f"image values lie in [{low:g}, {high:g}], which looks like [0, 1]; the model wants [0, 255]: "
            "multiply by 255, or leave out the division"
        )


def check_label_form(labels: np.ndarray) -> None:
    """Integers of shape (n,)."""
    if labels.ndim == 2 and labels.shape[1] > 1:
        raise ValueError(f"wanted integer labels (n,), got shape {labels.shape}, which looks one-hot; give labels.argmax(axis=1)")
    if labels.ndim != 1:
        raise ValueError(f"wanted integer labels (n,), got shape {labels.shape}; give labels.reshape(-1)")
    if labels.dtype.kind not in "iu":
        raise ValueError(f"wanted integer labels, got {labels.dtype}; convert class names or floats to indices 0 ... classes - 1")


def check_label_range(labels: np.ndarray, classes: int) -> None:
    """Every label in [0, classes). Outside it, TensorFlow raises late while JAX and XLA report a loss of 0 and learn nothing."""
    wrong = (labels < 0) | (labels >= classes)
    if wrong.any():
        first = int(np.argmax(wrong))
        raise ValueError(
            f"label {labels[first]} (position {first}; {int(wrong.sum())} of {len(labels)}) is outside [0, {classes}): "
            f"the model has {classes} outputs. Build with classes={int(labels.max()) + 1} or more, or correct the labels: they start at 0"
        )


def classes_of(model: keras.Model, images: np.ndarray) -> int:
    """Outputs of a classifier, which must be logits (b, classes), finite for these images."""
    logits = model(ops.convert_to_tensor(images), training=False)
    shape = getattr(logits, "shape", None)
    if shape is None or len(shape) != 2:
        got = f"shape {tuple(shape)}" if shape is not None else type(logits).__name__
        raise ValueError(f"wanted a model that returns logits (b, classes), got {got}; for features with a head use zoo.classifier")
    values = ops.convert_to_numpy(logits).astype("float64")
    path = first_nonfinite(model)
    if path is not None:
        raise ValueError(f"weight {path!r} of the model holds NaN or infinity before the first step; build or load the model again")
    if not np.isfinite(values).all():
        raise ValueError("the model returns NaN or infinity for the first images although its weights are finite; look at its first layer")
    if values.min() >= 0.0 and np.allclose(values.sum(axis=1), 1.0, atol=1e-3):
        raise ValueError("the model returns probabilities (each row sums to 1) but the loss wants logits; build it with activation=None")
    return int(shape[-1])


def _fits(model: keras.Model, images: np.ndarray) -> None:
    wanted = getattr(model, "input_shape", None)
    if not isinstance(wanted, tuple) or len(wanted) != 4:
        return
    if wanted[-1] is not None and wanted[-1] != images.shape[-1]:
        raise ValueError(
            f"the model wants {wanted[-1]} channels, got images with {images.shape[-1]} (shape {images.shape}); "
            f"build it with input_shape=(h, w, {images.shape[-1]}), or convert the images"
        )
    if any(side is not None and side != got for side, got in zip(wanted[1:3], images.shape[1:3], strict=True)):
        raise ValueError(
            f"the model wants images of {wanted[1]}x{wanted[2]} pixels (height x width), got {images.shape[1]}x{images.shape[2]}; "
            f"resize them, or build it with input_shape={images.shape[1:]}"
        )


def _warn(message: str) -> None:
    warnings.warn(message, UserWarning, stacklevel=3)
