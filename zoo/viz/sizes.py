"""How large the objects of a dataset are, beside the grid of a detector that must find them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zoo.viz import style

_MOST = 2000
"""Objects that are drawn as dots; more would be one blot."""


def object_sizes(sizes, strides: Sequence[float], anchors=None) -> Figure:
    """Two panels: how many objects there are of each size, with the strides of the detector's levels; and their shapes, with anchors.

    sizes:   (n, 2) widths and heights of objects, in pixels of the image that the model sees, n at least 1, positive.
    strides: pixels between two cells, of each level.
    anchors: (a, 2) widths and heights to show beside the shapes, or None.

    Raises ValueError for no object, another shape or a size that is not positive.
    """
    sizes = np.asarray(sizes, np.float64)
    if sizes.ndim != 2 or sizes.shape[1] != 2 or not len(sizes) or not (np.isfinite(sizes).all() and (sizes > 0).all()):
        raise ValueError(f"wanted positive widths and heights (n, 2) of at least one object, got the shape {sizes.shape}")
    figure = style.figure(3.9)
    left, right = figure.subplots(1, 2)
    _counts(left, np.sqrt(sizes.prod(axis=1)), strides)
    _shapes(right, sizes[:: -(-len(sizes) // _MOST)], anchors)
    return figure


def _counts(ax: Axes, sides: np.ndarray, strides: Sequence[float]) -> None:
    style.axes(ax, title="How large are they?", xlabel="square root of the area (pixels)", ylabel="objects", grid="y")
    low, high = min(sides.min(), min(strides)), max(sides.max(), max(strides))
    edges = 2.0 ** np.arange(np.floor(4 * np.log2(low)) / 4, np.log2(high) + 0.5, 0.25)
    ax.hist(sides, edges.tolist(), color=style.PALETTE[5])
    _logarithmic(ax)
    for number, stride in enumerate(strides):
        colour = style.PALETTE[(4, 3, 0, 2, 1)[number % 5]]
        ax.axvline(stride, color=colour, linewidth=1.8, linestyle=("-", "--", "-.", ":")[number % 4], label=f"stride {stride:g}")
    ax.legend(fontsize=style.SMALL, frameon=False, loc="upper right")


def _shapes(ax: Axes, sizes: np.ndarray, anchors) -> None:
    style.axes(ax, title="What shape have they?", xlabel="width (pixels)", ylabel="height (pixels)", grid="both")
    ax.plot(*sizes.T, ".", color=style.PALETTE[5], markersize=4, alpha=0.6, label="an object")
    if anchors is not None:
        ax.plot(*np.asarray(anchors, np.float64).T, "P", color=style.PALETTE[4], markersize=8, markeredgecolor="white", label="an anchor")
    _logarithmic(ax, both=True)
    ax.legend(fontsize=style.SMALL, frameon=False, loc="upper left")


def _logarithmic(ax: Axes, both: bool = False) -> None:
    ax.set_xscale("log", base=2)
    if both:
        ax.set_yscale("log", base=2)
    for axis in (ax.xaxis, ax.yaxis) if both else (ax.xaxis,):
        axis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        axis.set_minor_locator(ticker.NullLocator())
