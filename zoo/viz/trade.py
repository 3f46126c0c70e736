"""What is gained for what is paid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
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


def pareto(names: Sequence[object], gains, costs: dict[str, Sequence[float]], ylabel: str = "accuracy", errors=None) -> Figure:
    """One panel per cost: every name at (cost, gain), the cost on a logarithmic axis, and the Pareto front as a line.

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
        for index, name in enumerate(names):
            on = index in best
            ax.plot(values[index], gains[index], "o" if on else "s", color=style.PALETTE[0] if on else style.SOFT, zorder=3)
            ax.annotate(
                style.short(style.plain(name), 28),
                (values[index], gains[index]),
                xytext=(5, 5),
                textcoords="offset points",
                fontsize=style.SMALL,
                color=style.INK if on else style.SOFT,
            )
        ax.margins(x=0.15, y=0.15)
    return figure
