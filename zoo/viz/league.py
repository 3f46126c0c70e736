"""Many contestants, several numbers each: bars beside the marks of those who know nothing, and how a number changes stage by stage."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import patheffects
from matplotlib.figure import Figure

from zoo.viz import style
from zoo.viz.space import look

_COLUMNS = 3
_RIM = [patheffects.withStroke(linewidth=2.5, foreground="white")]


def league(names: Sequence[object], numbers: Mapping[str, Sequence[float]], marks: Mapping[str, Sequence[float]] | None = None) -> Figure:
    """A panel of bars for each number, with the same contestants in the same order, and a vertical line for each mark.

    numbers: what a panel shows -> one value per name; NaN has no bar and is written as a dash.
    marks:   who knows nothing -> one value per panel, NaN for none: a bar is worth what it is more (or less) than they are.
    Raises ValueError for no names, no numbers, or another length.
    """
    marks = marks or {}
    for label, values in numbers.items():
        if len(values) != len(names):
            raise ValueError(f"{len(names)} names need as many numbers[{label!r}], got {len(values)}")
    wrong = [name for name, values in marks.items() if len(values) != len(numbers)]
    if not len(names) or not numbers or wrong:
        raise ValueError(f"a league needs names, numbers, and marks with one value per number; got {len(names)}, {len(numbers)}, {wrong}")
    rows = math.ceil(len(numbers) / _COLUMNS)
    figure = style.figure(rows * (0.19 * len(names) + 0.9) + 0.3)
    places = np.arange(len(names))
    for index, (label, values) in enumerate(numbers.items()):
        ax = style.axes(figure.add_subplot(rows, min(_COLUMNS, len(numbers)), index + 1), title=label, grid="x")
        heights = np.asarray(values, np.float64)
        missing = ~np.isfinite(heights)
        ax.barh(places, np.where(missing, 0, heights), height=0.68, color=style.PALETTE[0])
        for place in places:
            text = "–" if missing[place] else f"{heights[place]:.2f}"
            ax.text(
                0 if missing[place] else heights[place],
                float(place),
                f" {text}",
                va="center",
                fontsize=style.SMALL,
                color=style.INK,
                path_effects=_RIM,
            )
        for number, (name, lines) in enumerate(marks.items()):
            if np.isfinite(lines[index]):
                line = ("--", ":", "-.")[number % 3]
                ax.axvline(lines[index], color=style.PALETTE[4 - number % 4], linewidth=1.6, linestyle=line, label=style.plain(name))
        ax.set_yticks(places, style.names(names, 20) if index % _COLUMNS == 0 else [])
        ax.set(
            ylim=(len(names) - 0.4, -0.6),
            xlim=(min(0.0, heights[~missing].min(initial=0)), max(1.0, heights[~missing].max(initial=0)) * 1.2),
        )
    handles, labels = figure.axes[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=len(handles), fontsize=style.TICK, frameon=False)
    return figure


def cascade(stages: Sequence[object], curves: Mapping[str, Sequence[float]], ylabel: str, floor: float | None = None) -> Figure:
    """A line for each name over the stages, named at its end; `floor` is a dashed level to compare with. NaN leaves a gap.

    Raises ValueError for no curves, or a curve of another length.
    """
    wrong = [name for name, values in curves.items() if len(values) != len(stages)]
    if not curves or wrong:
        raise ValueError(f"wanted curves of {len(stages)} values, got {len(curves)} curves, of another length: {wrong}")
    figure = style.figure(4.8)
    ax = style.axes(figure.add_subplot(), ylabel=ylabel, grid="y")
    ends = {}
    for number, (name, values) in enumerate(curves.items()):
        colour, marker = look(number)
        ax.plot(range(len(stages)), values, color=colour, marker=marker, markersize=4, linewidth=1.3)
        known = np.flatnonzero(np.isfinite(np.asarray(values, np.float64)))
        if len(known):
            ends[name] = (float(values[known[-1]]), colour)
    if floor is not None:
        ax.axhline(floor, color=style.INK, linewidth=1, linestyle="--")
    low, high = ax.get_ylim()
    heights = spread([height for height, _ in ends.values()], 0.042 * (high - low))
    for (name, (end, colour)), height in zip(ends.items(), heights, strict=True):
        ax.annotate(
            style.plain(style.short(name, 22)),
            (len(stages) - 1, end),
            xytext=(len(stages) - 1 + 0.03 * len(stages), height),
            fontsize=style.SMALL,
            color=style.INK,
            va="center",
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.8},
        )
    ax.set_xlim(-0.15, (len(stages) - 1) * 1.02 + 0.12 * len(stages))
    ax.set_xticks(range(len(stages)), style.names(stages, 22), rotation=15, ha="right", fontsize=style.SMALL)
    return figure


def spread(heights: Sequence[float], gap: float) -> np.ndarray:
    """The heights, moved as little as is simple so that neighbours are at least `gap` apart and their order stays."""
    order = np.argsort(heights, kind="stable")
    moved = np.asarray(heights, np.float64)[order]
    for _ in range(200):
        short = gap - np.diff(moved)
        if (short <= 1e-9).all():
            break
        push = np.maximum(short, 0) / 2
        moved[:-1] -= push
        moved[1:] += push
    found = np.empty_like(moved)
    found[order] = moved
    return found
