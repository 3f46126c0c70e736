"""How far to trust a map, drawn: the two curves, each beside those of maps that know nothing of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from zoo.viz import style

_DASHES = ("-", "--", "-.", ":")


def trust(fractions: Sequence[float], curves: Mapping[str, Mapping[str, Sequence[float]]], titles: Mapping[str, str]) -> Figure:
    """Deletion and insertion side by side: score over the share of pixels, a line per map, its area in the legend.

    fractions: (n,) from 0 to 1; curves: "deletion" and "insertion" -> map -> (n,) scores; titles: map -> its name, the method first.
    The method's line is thick; each has its own dashes, so that colour is not needed to tell them apart.
    Raises ValueError when there is no curve, or one has another length than `fractions`.
    """
    if not curves:
        raise ValueError("there are no curves to draw; run the steps of the panel first")
    figure = style.figure(3.4)
    for ax, (name, rows) in zip(np.atleast_1d(figure.subplots(1, len(curves), sharey=True)), curves.items(), strict=True):
        words = {"deletion": "Deletion: lower is better", "insertion": "Insertion: higher is better"}.get(name, name)
        style.axes(ax, title=words, xlabel="share of the pixels, hottest first", ylabel="score", grid="y")
        for number, (row, title) in enumerate((row, title) for row, title in titles.items() if row in rows):
            scores = np.asarray(rows[row], float)
            if scores.shape != np.shape(fractions):
                raise ValueError(f"the curve {name!r} of {row!r} has {scores.shape} scores for {np.shape(fractions)} fractions")
            area = np.trapezoid(scores, fractions)
            look = {"linewidth": 2.6 if number == 0 else 1.4, "linestyle": _DASHES[number % 4], "color": style.PALETTE[number]}
            ax.plot(fractions, scores, label=f"{style.plain(title)} ({area:.2f})", **look)
        ax.legend(fontsize=style.SMALL, frameon=False)
    return figure
