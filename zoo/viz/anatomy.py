"""A network as a picture: its stages as blocks of their size, what they cost, how far they see, and what they make of a photograph."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from zoo.viz import style


@dataclass(frozen=True)
class Block:
    """One stage to draw. shape: (h, w, c) or shorter; field, stride: in pixels, or None where place is lost; whole: sees all besides."""

    name: str
    shape: tuple[int, ...]
    layers: int
    parameters: int
    multiply_adds: int
    field: int | None = None
    stride: int | None = None
    whole: bool = False


def network(title: str, image: tuple[int, ...], blocks: Sequence[Block], growth: Sequence[tuple[int, int | None, bool]]) -> Figure:
    """The network by stage: blocks as high as their maps and as deep as their channels, what each stage costs, and how far units see.

    image:  (h, w, c) of the input.
    growth: for every layer that may widen the view, (index of its block, side of what its units see locally, in pixels, or None where
            place is lost, whether they see the whole image by a global path).

    Raises ValueError without blocks.
    """
    if not blocks:
        raise ValueError("there is nothing to draw: no blocks were given")
    figure = style.figure(8.2, width=max(style.WIDTH, 1.25 * (len(blocks) + 1)))
    figure.suptitle(style.plain(title), fontsize=style.TITLE - 0.5, color=style.INK, x=0.01, ha="left")
    upper, middle, lower = figure.subplots(3, 1, height_ratios=(3.4, 1.7, 2.2))
    _boxes(upper, image, blocks)
    _costs(middle, blocks)
    _growth(lower, image, blocks, growth)
    return figure


def drawn(found) -> Figure:
    """`network` of what `zoo.anatomy.measure` found: the growth is that of layers that convolve, mix, pool or join."""
    stages = found.stages
    blocks = [
        Block(s.name, s.last.shape, s.layers, s.parameters, s.multiply_adds, s.last.field, s.last.stride, s.last.view.whole) for s in stages
    ]
    number = {stage.name: index for index, stage in enumerate(stages)}
    joins = ("Pooling2D", "Add", "Concatenate")
    grown = [part for part in found.parts if part.activations or part.kind.endswith(joins)]
    growth = [(number[part.stage], part.field, part.view.whole) for part in grown if part.field is not None or part.stage == "head"]
    return network(headline(found), found.input_shape, blocks, growth)


def headline(found) -> str:
    """What a network costs, in one line."""
    size = "x".join(map(str, found.input_shape))
    work = f"{found.parameters:,} parameters, {found.multiply_adds / 1e9:.3g} G multiply-adds, {found.activations / 1e6:.3g} M activations"
    return f"{found.name}, {size}: {work}, {found.peak_bytes / 2**20:.3g} MiB at its peak"


def maps(title: str, photo: np.ndarray, levels: Mapping[str, np.ndarray], columns: int = 8) -> Figure:
    """A photograph and what every level makes of it: per level the mean of all channels, then the `columns` - 1 that vary most.

    photo: (h, w, 3) in [0, 255]; levels: {title: (h, w, channels)}. Each map is scaled to its own range; constant ones are black.
    """
    (picture,) = style.checked_images([photo], "photo")
    if not levels:
        raise ValueError("there are no levels to show; pass at least one")
    cell = (style.WIDTH - 1.3) / columns
    figure = style.figure(cell * 2 + 0.2 + (cell + 0.28) * len(levels))
    grid = figure.add_gridspec(len(levels) + 1, columns, height_ratios=(2, *(1,) * len(levels)))
    first = figure.add_subplot(grid[0, :])
    first.imshow(picture)
    first.set_title(style.plain(title), fontsize=style.LABEL, color=style.INK)
    first.set_axis_off()
    for row, (title, values) in enumerate(levels.items(), start=1):
        values = np.asarray(values, np.float64)
        if values.ndim != 3 or not np.isfinite(values).all():
            raise ValueError(f"the maps of {title} must be finite numbers (h, w, channels), got shape {values.shape}")
        order = np.argsort(-values.std(axis=(0, 1)), kind="stable")[: columns - 1]
        shown = [("mean", values.mean(-1)), *((f"channel {channel}", values[..., channel]) for channel in order)]
        for column, (name, each) in enumerate(shown):
            ax = figure.add_subplot(grid[row, column])
            span = float(each.max() - each.min())
            ax.imshow((each - each.min()) / (span or 1), cmap="magma", vmin=0, vmax=1, interpolation="nearest")
            ax.set(xticks=[], yticks=[])
            ax.set_title(name, fontsize=style.SMALL - 1, color=style.SOFT, pad=2)
            for spine in ax.spines.values():
                spine.set_visible(False)
            if column == 0:
                ax.set_ylabel(style.plain(title), fontsize=style.TICK, color=style.INK, rotation=0, ha="right", va="center", labelpad=6)
    return figure


def _boxes(ax: Axes, image: tuple[int, ...], blocks: Sequence[Block]) -> None:
    """The image and every block: height by the square root of the map's side, depth by the logarithm of its channels."""
    ax.set_axis_off()
    drawn = [Block("image", image, 0, 0, 0), *blocks]
    tallest = math.sqrt(max(image[:2]))
    for place, block in enumerate(drawn):
        high, wide, channels = _sides(block.shape)
        tall = max(0.06, math.sqrt(high) / tallest)
        broad, deep = 0.34 * max(0.06, math.sqrt(wide) / tallest), 0.035 * math.log2(channels + 1)
        colour = style.SOFT if place == 0 else style.PALETTE[(place - 1) % len(style.PALETTE)]
        left, bottom = place - (broad + deep) / 2, -tall / 2 - 0.1
        slope = 0.55
        front = [(left, bottom), (left + broad, bottom), (left + broad, bottom + tall), (left, bottom + tall)]
        shift = (deep, deep * slope)
        top = [front[3], front[2], _moved(front[2], shift), _moved(front[3], shift)]
        right = [front[1], front[2], _moved(front[2], shift), _moved(front[1], shift)]
        for corners, shade in ((front, 0.55), (top, 0.3), (right, 0.85)):
            ax.add_patch(Polygon(corners, facecolor=colour, alpha=shade, edgecolor="white", linewidth=0.8))
        lines = [block.name, _shape(block.shape)]
        if place:
            lines.append(f"{block.layers} layer" + "s" * (block.layers != 1))
            lines.append("sees all" if block.field is None else f"stride {block.stride}, sees {block.field}{' *' * block.whole}")
        ax.text(place, -0.72, "\n".join(lines), ha="center", va="top", fontsize=style.SMALL, color=style.INK, linespacing=1.35)
    ax.set(xlim=(-0.55, len(drawn) - 0.45), ylim=(-1.2, 0.62))


def _costs(ax: Axes, blocks: Sequence[Block]) -> None:
    """Shares of the parameters and of the multiply-adds, with the numbers."""
    style.axes(ax, ylabel="share", grid="y")
    places = np.arange(1, len(blocks) + 1)
    series = (("parameters", style.PALETTE[0], -0.19), ("multiply_adds", style.PALETTE[1], 0.19))
    highest = 0.0
    for field, colour, offset in series:
        counts = np.array([getattr(block, field) for block in blocks], float)
        shares = counts / max(1.0, counts.sum())
        highest = max(highest, float(shares.max()))
        ax.bar(places + offset, shares, 0.36, color=colour, label=f"{field.replace('_', '-')}, {_short(counts.sum())} in all")
        for place, share, count in zip(places, shares, counts, strict=True):
            ax.text(place + offset, share + 0.02, _short(count), ha="center", va="bottom", fontsize=style.SMALL - 1, color=style.INK)
    ax.set_xticks(places, [style.plain(block.name) for block in blocks])
    ax.set(xlim=(-0.55, len(blocks) + 0.55), ylim=(0, 1.2 * highest or 1))
    ax.legend(fontsize=style.SMALL, frameon=False, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, handlelength=1.0, borderaxespad=0.0)


def _growth(ax: Axes, image: tuple[int, ...], blocks: Sequence[Block], growth: Sequence[tuple[int, int | None, bool]]) -> None:
    """The side of the receptive field over the layers, each stage in its colour."""
    style.axes(ax, xlabel="layers that convolve, pool, mix or join, in order", ylabel="sees, pixels", grid="y")
    sides = [side for _, side, _ in growth if side is not None]
    longest = max(image[:2])
    top = max([longest, *sides])
    ax.axhline(longest, color=style.SOFT, linewidth=1.2, linestyle="--")
    ax.text(0, longest * 1.06, f"the image, {longest} pixels", fontsize=style.SMALL, color=style.SOFT, va="bottom")
    for index in range(len(blocks)):
        run = [(place, side, whole) for place, (block, side, whole) in enumerate(growth) if block == index]
        colour = style.PALETTE[index % len(style.PALETTE)]
        local = [(place, side) for place, side, _ in run if side is not None]
        if local:
            ax.plot(*zip(*local, strict=True), "o", markersize=3.5, color=colour)
        everywhere = [place for place, side, whole in run if side is None or whole]
        if everywhere:
            ax.plot(everywhere, [longest] * len(everywhere), "D", markersize=3.5, markerfacecolor="none", color=colour)
        if run:
            ax.text((run[0][0] + run[-1][0]) / 2, 0.7, blocks[index].name, fontsize=style.SMALL, color=style.INK, ha="center", va="bottom")
    ax.set_yscale("log", base=2)
    ax.yaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    ax.set(xlim=(-0.8, max(1, len(growth)) - 0.2), ylim=(0.6, top * 2.2))
    if any(block.whole and block.field is not None for block in blocks):
        note = "* and hollow: besides, a gate or attention sees the whole image"
        ax.text(1, 1.02, note, transform=ax.transAxes, ha="right", fontsize=style.SMALL, color=style.SOFT)


def _sides(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """A vector is one place; tokens are a column."""
    if len(shape) < 3:
        return (shape[0] if len(shape) == 2 else 1), 1, shape[-1]
    return shape[0], shape[1], shape[2]


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _moved(point: tuple[float, float], by: tuple[float, float]) -> tuple[float, float]:
    return point[0] + by[0], point[1] + by[1]


def _short(count: float) -> str:
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= unit:
            return f"{count / unit:.3g}{letter}"
    return f"{count:g}"
