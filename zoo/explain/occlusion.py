"""Occlusion: cover a window of the image and see how far the score falls (Zeiler and Fergus 2013, arXiv:1311.2901, section 4.2)."""

from __future__ import annotations

import warnings

import numpy as np

from zoo.explain.copies import positive, scores_of_copies
from zoo.explain.fill import filling
from zoo.explain.progress import Progress
from zoo.explain.session import probe


def occlusion(
    model, images, target=None, *, window=None, stride=None, fill="grey", batch_size: int = 32, progress: Progress | None = None
) -> np.ndarray:
    """How far the score falls when a window is covered, averaged over the windows that cover a pixel: float32 (b, h, w).

    model, images, target, batch_size: as in `gradcam`. A predicted class is that of the uncovered image.
    window:   side in pixels, or (rows, columns); default a seventh of the image's sides, rounded up: 32 of 224.
    stride:   pixels from one window to the next, or (rows, columns), at most the window; default half a window.
    fill:     what covers: "grey", "mean" (colour of the image), "blur", or numbers in [0, 255] (see `zoo.explain.fill`).
    progress: called as progress(windows done, all windows of all images); an exception from it stops the work.

    Positive where covering lowers the score: evidence for the target, in units of the score. The first window lies in the corner, the
    last of a row is cut off at the border, as in Captum's `Occlusion`, whose numbers these are. For a linear model the
    value is the window's sum of weight * (pixel - fill). Costs one forward pass per window: 169 at 224 pixels by default.

    It misleads in three ways. A window smaller than the evidence finds nothing when the rest of the evidence suffices; a
    larger one smears it. A covered image is unlike any the model was trained on, and a grey square may itself look like something:
    compare fills. And every window is asked about alone, so two causes of which one would do both look harmless.

    Raises ValueError for a window beyond the image or a stride beyond the window.
    """
    with probe(model, images, target, batch_size) as asked:
        pictures = asked.pictures
        hidden = filling(pictures, fill)
        windows = _windows(pictures.shape[1:3], window, stride)
        unchanged = asked.scores(pictures, np.arange(len(pictures)))
        rows = np.repeat(np.arange(len(pictures)), len(windows))

        def covered(numbers):
            copies = pictures[rows[numbers]]
            for copy, number in zip(copies, numbers, strict=True):
                copy[windows[number % len(windows)]] = hidden[rows[number]][windows[number % len(windows)]]
            return copies

        heat = np.zeros(pictures.shape[:3])
        for numbers, scores in scores_of_copies(asked, rows, covered, progress):
            for number, score in zip(numbers, scores, strict=True):
                heat[rows[number]][windows[number % len(windows)]] += unchanged[rows[number]] - score
    if not heat.any():
        warnings.warn("the heat is zero everywhere: no window that is covered changes the score", stacklevel=2)
    return (heat / _covers(windows, heat.shape[1:])).astype(np.float32)


def _windows(size, window, stride) -> list[tuple[slice, slice]]:
    """The windows of an image of `size` (rows, columns), row by row."""
    sides = [-(-side // 7) for side in size] if window is None else _pair("window", window)
    steps = [max(1, side // 2) for side in sides] if stride is None else _pair("stride", stride)
    starts = []
    for name, whole, side, step in zip(("rows", "columns"), size, sides, steps, strict=True):
        positive(side, f"the {name} of the window", most=whole)
        positive(step, f"the {name} of the stride", most=side)
        starts.append([number * step for number in range(-(-(whole - side) // step) + 1)])
    return [(slice(y, y + sides[0]), slice(x, x + sides[1])) for y in starts[0] for x in starts[1]]


def _pair(name: str, value) -> tuple:
    pair = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(pair) != 2:
        raise ValueError(f"{name} is one number of pixels or (rows, columns), got {value!r}")
    return pair


def _covers(windows, size) -> np.ndarray:
    """How many windows cover each pixel (h, w); at least one does, because a stride is at most a window."""
    count = np.zeros(size)
    for place in windows:
        count[place] += 1
    return count
