"""What is gained for what is paid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import ticker
from matplotlib.figure import Figure

from zoo.viz import style


def front(costs, gains) -> np.ndarray:
    """Indices of the points that no other beats: nobody is cheaper without being worse, rising in cost. Equal points are all kept."""
    costs, gains = np.asarray(costs, np.float64), np.asarray(gains, np.float64)
    beaten = [
        bool(np.any((costs <= cost) & (gains >= gain) & ((costs < cost) | (gains > gain)))) for cost, gain in zip(costs, gains, strict=True)
    ]
    kept = np.flatnonzero(~np.array(beaten, dtype=bool))
    return kept[np.argsort(costs[kept], kind="stable")]


def together(across, up, near: float = 0.03) -> list[list[int]]:
    """Indices in groups that share a label: each is within `near` of the span, in both directions, of the first of its group."""
    points = np.stack([np.asarray(across, np.float64), np.asarray(up, np.float64)], axis=1)
    span = np.maximum(np.ptp(points, axis=0), 1e-12)
    groups: list[list[int]] = []
    for index, point in enumerate(points):
        close = [group for group in groups if (np.abs(point - points[group[0]]) <= near * span).all()]
        if close:
            close[0].append(index)
        else:
            groups.append([index])
    return groups


def pareto(names: Sequence[object], gains, costs: dict[str, Sequence[float]], ylabel: str = "accuracy", errors=None) -> Figure:
    """One panel per cost: every name at (cost, gain), the cost on a logarithmic axis, and the Pareto front as a line. Names share a
    label where their points are one.

    gains:  (n,); errors: (n, 2) lower and upper bounds, or None.
    costs:  {label: (n,)}, all positive. Raises ValueError for another length or a cost that is not positive.
    """
    gains = np.asarray(gains, np.float64)
    if not len(names) or gains.shape != (len(names),):
        raise ValueError(f"wanted one gain for each of {len(names)} names and at least one, got shape {gains.shape}")
    figure = style.figure(3.6 * len(costs))
    for place, (label, paid) in enumerate(costs.items(), start=1):
        values = np.asarray(paid, np.float64)
        if values.shape != gains.shape or not (values > 0).all():
            raise ValueError(f"{label}: wanted {len(names)} positive costs, got {values}")
        ax = style.axes(figure.add_subplot(len(costs), 1, place), xlabel=label, ylabel=ylabel, grid="both")
        ax.set_xscale("log")
        best = front(values, gains)
        ax.step(values[best], gains[best], where="post", color=style.LINE, linewidth=2, zorder=1)
        if errors is not None:
            low, high = np.asarray(errors, np.float64).T
            ax.vlines(values, low, high, color=style.SOFT, linewidth=0.8, zorder=2)
        rest = np.setdiff1d(np.arange(len(names)), best)
        ax.plot(values[rest], gains[rest], "s", color=style.SOFT, zorder=3)
        ax.plot(values[best], gains[best], "o", color=style.PALETTE[0], zorder=4)
        middle = np.sqrt(values.min() * values.max())
        groups = together(np.log(values), gains)
        for place, members in enumerate(sorted(groups, key=lambda group: (round(gains[group[0]], 3), values[group[0]]))):
            on = bool(set(members) & set(best))
            right = values[members[0]] > middle  # there is more room towards the middle
            ax.annotate(
                ", ".join(style.short(style.plain(names[index]), 28) for index in members),
                (values[members[0]], gains[members[0]]),
                xytext=(-5 if right else 5, 5 if place % 2 else -11),  # neighbours at one height take turns
                textcoords="offset points",
                ha="right" if right else "left",
                fontsize=style.SMALL,
                color=style.INK if on else style.SOFT,
            )
        ax.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1000 else f"{value:g}"))
        ax.xaxis.set_minor_locator(ticker.NullLocator())
        ax.margins(x=0.12, y=0.15)
    return figure
