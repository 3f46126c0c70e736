"""Grids of pictures: the data, what augmentation does to it, where the network looked, what is similar, feature maps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Sized

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from zoo.viz import style
from zoo.viz.paint import overlay

_LARGEST = 2.2
_GAP = 0.1


def images(images, titles: Sequence[object] | None = None, columns: int = 6) -> Figure:
    """A grid of images (h, w, 3) in [0, 255], with a title above each. Raises ValueError when there are none."""
    shown = style.checked_images(images)
    _same_length(shown, titles, "titles")
    board = _Board(shown, [""] * len(shown) if titles is None else titles, columns)
    for index, image in enumerate(shown):
        board.place(index, image)
    return board.figure


def augmentations(image, changed: Mapping[str, np.ndarray], destroys: set[str] | Sequence[str] = (), columns: int = 5) -> Figure:
    """The original and its changed versions; those named in `destroys` may no longer show the label and are framed.

    Raises ValueError when nothing is changed, or `destroys` names what is not there.
    """
    if not changed:
        raise ValueError("there are no augmented images to show; pass at least one as {name: image}")
    unknown = sorted(set(destroys) - set(changed))
    if unknown:
        raise ValueError(f"destroys names {', '.join(unknown)}, which is not among {', '.join(changed)}")
    shown = style.checked_images([image, *changed.values()])
    board = _Board(shown, ["original", *(f"✗ {name}\nlabel at risk" if name in destroys else name for name in changed)], columns)
    board.place(0, shown[0], frame=style.INK)
    for index, name in enumerate(changed, start=1):
        board.place(index, shown[index], wrong=name in destroys)
    return board.figure


def explanations(images, heats: Mapping[str, np.ndarray], titles: Sequence[object] | None = None, alpha: float = 0.5) -> Figure:
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
    pictures, labels = [], []
    for index, image in enumerate(shown):
        pictures += [image, *(overlay(image, heat[index], alpha) for heat in heats.values())]
        labels += ["" if titles is None else titles[index], *heats]
    # One or two methods leave room for two images side by side.
    columns = (1 + len(heats)) * (2 if len(heats) <= 2 and len(shown) > 1 else 1)
    board = _Board(pictures, labels, columns)
    for index, picture in enumerate(pictures):
        board.place(index, picture)
    return board.figure


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
    for rows, what in ((found, "found"), (titles, "titles"), (same, "same")):
        _same_length(shown, rows, what)
    if any(isinstance(row, str) for row in titles or ()):
        raise ValueError("titles has one row per query, [its title, those of its neighbours ...], got a plain string")
    table = [
        [query, *style.checked_images(row, f"neighbours of query {index}")]
        for index, (query, row) in enumerate(zip(shown, found, strict=True))
    ]
    columns = max(len(row) for row in table)
    labels: list[object] = [""] * (len(table) * columns)
    for index, row in enumerate([] if titles is None else titles):
        labels[index * columns : index * columns + min(len(row), columns)] = list(row[:columns])
    board = _Board([image for row in table for image in row], labels, columns, rows=len(table))
    for index, row in enumerate(table):
        board.place(index * columns, row[0], frame=style.INK)
        for position, image in enumerate(row[1:], start=1):
            board.place(index * columns + position, image, wrong=same is not None and not same[index][position - 1])
    return board.figure


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
    low, high = maps.min(axis=(0, 1)).astype(np.float64), maps.max(axis=(0, 1)).astype(np.float64)
    scaled = (maps - low) / np.where(high > low, high - low, 1)
    pictures = [np.rint(matplotlib.colormaps["magma"](scaled[..., channel])[..., :3] * 255).astype(np.uint8) for channel in range(channels)]
    labels = [f"{channel}" if high[channel] > low[channel] else f"{channel} constant" for channel in range(channels)]
    note = f"the first {channels} of {maps.shape[2]} channels" if channels < maps.shape[2] else ""
    board = _Board(pictures, labels, columns, note=note)
    for channel, picture in enumerate(pictures):
        board.place(channel, picture)
    return board.figure


class _Board:
    """A figure with cells in rows of `columns`, in inches from the top left; one axes for all, which draws fast."""

    def __init__(self, pictures: Sequence[np.ndarray], titles: Sequence[object], columns: int, rows: int | None = None, note: str = ""):
        self.columns = max(1, min(columns, len(titles)))
        rows = rows or math.ceil(len(titles) / self.columns)
        self.width = min(_LARGEST, (style.WIDTH - _GAP) / self.columns - _GAP)
        self.height = self.width * min(2.0, max(picture.shape[0] / picture.shape[1] for picture in pictures))
        self.titles = [style.fitted(title, self.width, style.SMALL) if title != "" else "" for title in titles]
        lines = max(title.count("\n") + 1 if title else 0 for title in self.titles)
        self.head = lines * style.SMALL * 1.25 / 72 + (0.05 if lines else 0.0)
        self.top = 0.3 if note else 0.0
        size = _GAP + self.columns * (self.width + _GAP), self.top + _GAP + rows * (self.head + self.height + _GAP)
        self.figure = Figure(figsize=size, dpi=100)
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set(xlim=(0, size[0]), ylim=(size[1], 0), autoscale_on=False)
        self.axes.set_axis_off()
        if note:
            self.axes.text(_GAP, 0.12, note, fontsize=style.TICK, color=style.SOFT, va="top")

    def place(self, cell: int, picture: np.ndarray, frame: str = "", wrong: bool = False) -> None:
        """Show `picture` in a cell, whole and undistorted, below its title. A wrong one has a dashed frame."""
        row, column = divmod(cell, self.columns)
        left = _GAP + column * (self.width + _GAP)
        top = self.top + _GAP + row * (self.head + self.height + _GAP) + self.head
        scale = min(self.width / picture.shape[1], self.height / picture.shape[0])
        wide, high = picture.shape[1] * scale, picture.shape[0] * scale
        left += (self.width - wide) / 2
        smooth = "nearest" if max(picture.shape[:2]) < 64 else "antialiased"
        self.axes.imshow(picture, extent=(left, left + wide, top + high, top), aspect="auto", interpolation=smooth)
        colour = style.BAD if wrong else style.INK
        centre = left + wide / 2
        self.axes.text(centre, top - 0.04, self.titles[cell], fontsize=style.SMALL, color=colour, ha="center", va="bottom", linespacing=1.1)
        if frame or wrong:
            line = "--" if wrong else "-"
            self.axes.add_patch(Rectangle((left, top), wide, high, fill=False, edgecolor=frame or colour, linewidth=3, linestyle=line))


def _same_length(images: Sequence, others: Sized | None, what: str) -> None:
    if others is not None and len(others) != len(images):
        raise ValueError(f"{len(images)} images need as many {what}, got {len(others)}")
