"""What each step changes, and what a whole consists of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from zoo.viz import style


def waterfall(
    names: Sequence[object],
    panels: Mapping[str, Sequence[float]],
    *,
    after: Sequence[int | None] | None = None,
    rising: Sequence[str] = (),
    same: float = 0.02,
) -> Figure:
    """One panel per number: every name's value as a mark, and the way to it from the value of the name that it builds on as a bar.

    panels: {label: (n,) values}; NaN is written as a dash and has no bar.
    after:  (n,) index of the name that each builds on, None for one that stands for itself; default: the one before.
    rising: labels of the panels in which more is better; elsewhere less is. Their axis shows the range of the values, not zero.
    same:   relative change up to which a bar is neither better nor worse.

    Raises ValueError when there is nothing to draw, a length differs, or a name builds on itself or on a later one.
    """
    count = len(names)
    after = [index - 1 if index else None for index in range(count)] if after is None else list(after)
    columns = {label: np.asarray(values, np.float64) for label, values in panels.items()}
    wrong = [label for label, values in columns.items() if values.shape != (count,)]
    if not count or not columns or wrong or len(after) != count:
        raise ValueError(f"a waterfall needs a panel, and one value for each of {count} names and at least one; wrong: {wrong or 'after'}")
    if any(before is not None and not 0 <= before < index for index, before in enumerate(after)):
        raise ValueError(f"every name builds on one before it, or on None, got {after}")
    figure = style.figure(0.3 * count + 1.5)
    every = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    for ax, (label, values) in zip(every, columns.items(), strict=True):
        style.axes(ax, xlabel=label, grid="x")
        low, high = _limits(values, label in rising)
        span = high - low
        for place, value in enumerate(values):
            before = after[place]
            start = values[before] if before is not None else 0.0 if label not in rising else value
            if not np.isfinite(value):
                ax.text(low + 0.02 * span, place, "–", va="center", fontsize=style.TICK, color=style.SOFT)
                continue
            if np.isfinite(start):
                ax.barh(place, value - start, left=start, height=0.62, color=_colour(start, value, before, label in rising, same))
            ax.plot([value, value], [place - 0.38, place + 0.38], color=style.INK, linewidth=2)
            text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
            edge = max(value, start) if np.isfinite(start) else value
            ax.text(edge + 0.02 * span, place, text, va="center", fontsize=style.SMALL, color=style.INK)
        ax.set(ylim=(count - 0.4, -0.6), xlim=(low, high + 0.22 * span))
    every[0].set_yticks(np.arange(count), style.names(names, 30))
    legend = [
        Patch(color=style.GOOD, label="better"),
        Patch(color=style.BAD, label="worse"),
        Patch(color=style.SOFT, label="start, or same"),
    ]
    figure.legend(handles=legend, loc="outside upper right", ncols=3, fontsize=style.SMALL, frameon=False)
    return figure


def stacked(names: Sequence[object], parts: Mapping[str, Sequence[float]], xlabel: str = "") -> Figure:
    """Horizontal bars, each divided into its parts, with the sum at the end. parts: {label: (n,) numbers, none negative}.

    Raises ValueError when there is nothing to draw, a length differs, or a number is negative or not finite.
    """
    columns = {label: np.asarray(values, np.float64) for label, values in parts.items()}
    for label, values in columns.items():
        if values.shape != (len(names),) or not (values >= 0).all() or not np.isfinite(values).all():
            raise ValueError(f"{label}: wanted {len(names)} numbers, none negative, got {values}")
    if not len(names) or not columns:
        raise ValueError("stacked bars need at least one name and one part")
    figure = style.figure(max(1.6, 0.34 * len(names) + 1.0))
    ax = style.axes(figure.add_subplot(), xlabel=xlabel, grid="x")
    places, left = np.arange(len(names)), np.zeros(len(names))
    for index, (label, values) in enumerate(columns.items()):
        ax.barh(places, values, left=left, height=0.66, color=style.PALETTE[index % len(style.PALETTE)], label=style.plain(label))
        left += values
    for place, total in enumerate(left):
        ax.text(total + 0.012 * (left.max() or 1.0), place, f"{total:.3g}", va="center", fontsize=style.TICK, color=style.INK)
    ax.set_yticks(places, style.names(names, 36))
    ax.set(ylim=(len(names) - 0.4, -0.6), xlim=(0, 1.1 * (left.max() or 1.0)))
    figure.legend(loc="outside upper right", ncols=len(columns), fontsize=style.TICK, frameon=False)
    return figure


def _limits(values: np.ndarray, zoomed: bool) -> tuple[float, float]:
    """From zero, or around the values where that shows more."""
    known = values[np.isfinite(values)]
    if not known.size:
        return 0.0, 1.0
    low, high = min(0.0, float(known.min())), max(0.0, float(known.max()))
    if zoomed:
        room = max(0.15 * float(np.ptp(known)), 1e-3)
        low, high = float(known.min()) - room, float(known.max()) + room
    return low, high if high > low else low + 1.0


def _colour(start: float, value: float, before: int | None, rising: bool, same: float) -> str:
    if before is None or abs(value - start) <= same * max(abs(start), abs(value)):
        return style.SOFT
    return style.GOOD if (value > start) == rising else style.BAD
