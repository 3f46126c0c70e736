"""Grids of pictures: the data, what augmentation does to it, where the network looked, what is similar, feature maps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from zoo.viz import style
from zoo.viz.paint import overlay

_LARGEST = 2.2
_HEAD = 0.34


def images(images, titles: Sequence[object] | None = None, columns: int = 6) -> Figure:
    """A grid of images (h, w, 3) in [0, 255], with a title above each. Raises ValueError when there are none."""
    shown = style.checked_images(images)
    _same_length(shown, titles, "titles")
    grid = _Grid(len(shown), columns, _ratio(shown), _HEAD if titles is not None else 0.0)
    for index, image in enumerate(shown):
        style.picture(grid.axes[index], image, "" if titles is None else str(titles[index]), grid.inches)
    return grid.figure


def augmentations(image, changed: Mapping[str, np.ndarray], destroys: set[str] | Sequence[str] = (), columns: int = 5) -> Figure:
    """The original and its changed versions; those named in `destroys` no longer show the label and are framed.

    Raises ValueError when nothing is changed, or `destroys` names what is not there.
    """
    if not changed:
        raise ValueError("there are no augmented images to show; pass at least one as {name: image}")
    unknown = sorted(set(destroys) - set(changed))
    if unknown:
        raise ValueError(f"destroys names {', '.join(unknown)}, which is not among {', '.join(changed)}")
    shown = style.checked_images([image, *changed.values()])
    grid = _Grid(len(shown), columns, _ratio(shown), _HEAD)
    for ax, picture, name in zip(grid.axes, shown, ["original", *changed], strict=False):
        destroyed = name in set(destroys)
        title = f"✗ {name}: label destroyed" if destroyed else name
        style.picture(ax, picture, title, grid.inches, colour=style.BAD if destroyed else style.INK)
        if destroyed:
            style.border(ax, style.BAD, dashed=True)
        elif name == "original":
            style.border(ax, style.INK)
    return grid.figure


def explanations(images, heats: Mapping[str, np.ndarray], titles: Sequence[object] | None = None, alpha: float = 0.55) -> Figure:
    """Each image beside its heats: one row per image, one column per method.

    heats: name of the method -> (n, h', w'), raw values. titles: one for each image.
    Raises ValueError when there are no images or no heats, or their numbers differ.
    """
    shown = style.checked_images(images)
    if not heats:
        raise ValueError("there are no heats to show; pass at least one as {method: (n, h, w)}")
    _same_length(shown, titles, "titles")
    for name, heat in heats.items():
        _same_length(shown, heat, f"heats[{name!r}]")
    # One or two methods leave room for two images side by side.
    blocks = 2 if len(heats) <= 2 and len(shown) > 1 else 1
    per_block = 1 + len(heats)
    grid = _Grid(len(shown) * per_block, blocks * per_block, _ratio(shown), _HEAD)
    for index, image in enumerate(shown):
        cells = grid.axes[index * per_block : (index + 1) * per_block]
        style.picture(cells[0], image, "" if titles is None else str(titles[index]), grid.inches)
        for ax, (name, heat) in zip(cells[1:], heats.items(), strict=True):
            style.picture(ax, overlay(image, heat[index], alpha), name, grid.inches, colour=style.SOFT)
    return grid.figure


def neighbours(
    queries,
    found: Sequence[Sequence[np.ndarray]],
    titles: Sequence[Sequence[object]] | None = None,
    same: Sequence[Sequence[bool]] | None = None,
) -> Figure:
    """Each query (framed) beside what was found for it, nearest first: one row per query.

    titles: per query, its own title followed by those of its neighbours.
    same:   per query, whether each neighbour has the query's class; the others are framed with dashes.
    Raises ValueError when there are no queries or a row has no neighbours.
    """
    shown = style.checked_images(queries, "queries")
    _same_length(shown, found, "found")
    _same_length(shown, titles, "titles")
    rows = [style.checked_images(row, f"neighbours of query {index}") for index, row in enumerate(found)]
    columns = 1 + max(len(row) for row in rows)
    grid = _Grid(len(shown) * columns, columns, _ratio([*shown, *rows[0]]), _HEAD if titles is not None else 0.1)
    for index, (query, row) in enumerate(zip(shown, rows, strict=True)):
        cells = grid.axes[index * columns : (index + 1) * columns]
        for position, (ax, image) in enumerate(zip(cells, [query, *row], strict=False)):
            wrong = same is not None and position > 0 and not same[index][position - 1]
            title = "" if titles is None or position >= len(titles[index]) else str(titles[index][position])
            style.picture(ax, image, title, grid.inches, colour=style.BAD if wrong else style.INK)
            if position == 0:
                style.border(ax, style.INK)
            elif wrong:
                style.border(ax, style.BAD, dashed=True)
        for ax in cells[len(row) + 1 :]:
            ax.set_axis_off()
    return grid.figure


def feature_maps(maps: np.ndarray, columns: int = 8, limit: int = 64) -> Figure:
    """The channels of one feature map (h, w, c), the first `limit` of them, each scaled to its own range.

    A channel that is constant is shown black and says so. Raises ValueError for another shape or values that are not finite.
    """
    maps = np.asarray(maps)
    if maps.ndim != 3 or not maps.size:
        raise ValueError(
            f"feature maps are an array (h, w, channels), got shape {maps.shape}; pass the maps of one image, for example maps[0]"
        )
    if not np.isfinite(maps).all():
        raise ValueError("the feature maps hold NaN or infinite values; the network is broken, do not show it")
    channels = min(maps.shape[2], limit)
    grid = _Grid(channels, columns, maps.shape[0] / maps.shape[1], 0.2)
    for channel in range(channels):
        values = maps[..., channel].astype(np.float64)
        low, high = values.min(), values.max()
        ax, dead = grid.axes[channel], high <= low
        style.picture(
            ax,
            np.zeros_like(values) if dead else (values - low) / (high - low),
            f"{channel} constant" if dead else f"{channel}",
            grid.inches,
            colour=style.SOFT,
        )
        ax.images[0].set(cmap="magma", clim=(0, 1))
    if channels < maps.shape[2]:
        grid.figure.suptitle(f"{channels} of {maps.shape[2]} channels", fontsize=style.LABEL, color=style.SOFT, x=0.01, ha="left")
    return grid.figure


class _Grid:
    """`count` axes in rows of at most `columns`; pictures have height / width `ratio` and `head` inches above them."""

    def __init__(self, count: int, columns: int, ratio: float, head: float):
        columns = max(1, min(columns, count))
        rows = math.ceil(count / columns)
        self.inches = min(_LARGEST, style.WIDTH / columns)
        self.figure = style.figure(rows * (self.inches * ratio + head) + 0.15, width=self.inches * columns)
        self.axes = list(self.figure.subplots(rows, columns, squeeze=False).ravel())
        for ax in self.axes[count:]:
            ax.set_axis_off()


def _ratio(images: Sequence[np.ndarray]) -> float:
    """Height / width of the tallest of the images, at most 2."""
    return min(2.0, max(image.shape[0] / image.shape[1] for image in images))


def _same_length(images: Sequence, others: Sequence | None, what: str) -> None:
    if others is not None and len(others) != len(images):
        raise ValueError(f"{len(images)} images need as many {what}, got {len(others)}")
