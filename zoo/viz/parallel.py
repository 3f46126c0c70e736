"""Many numbers per trial at once: parallel coordinates (Inselberg 1985)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from zoo.viz import style


def parallel(columns: Mapping[str, Sequence], scores, label: str = "accuracy", higher_is_better: bool = True, log=()) -> Figure:
    """One vertical axis per column and one line per trial, coloured by its score; the best is drawn last, thick and labelled.

    columns: {name: (n,)}: finite numbers are placed by value, on a logarithmic axis if the name is in `log`; a column with anything
             else (names, None, True) is placed by its distinct values in order of appearance.
    scores:  (n,), NaN for a trial that failed: it is drawn as a dotted grey line.

    Raises ValueError when there is nothing to draw, for another length, or for a value <= 0 on a logarithmic axis.
    """
    scores = np.asarray(scores, np.float64)
    if not columns or not scores.size or any(len(column) != len(scores) for column in columns.values()):
        sizes = {name: len(column) for name, column in columns.items()}
        raise ValueError(f"wanted columns of {len(scores)} values, one per score, and at least one of both, got {sizes}")
    axes = {**columns, label: [score if np.isfinite(score) else np.nan for score in scores]}
    places, ticks = zip(*(_placed(name, column, name in log) for name, column in axes.items()), strict=True)
    heights = np.stack(places, axis=1)  # (n, axes), in [0, 1]
    figure = style.figure(4.2)
    ax = style.axes(figure.add_subplot())
    norm, colours = _norm(scores), colormaps["cividis"]  # cividis: even in lightness, and readable with colour vision deficiency
    order = np.argsort(np.where(np.isfinite(scores), scores if higher_is_better else -scores, -np.inf), kind="stable")
    for index in order:
        fine, best = np.isfinite(scores[index]), index == order[-1]
        ax.plot(
            np.arange(heights.shape[1]),
            heights[index],
            color=colours(norm(scores[index])) if fine else style.SOFT,
            linewidth=3.0 if best and fine else 1.2,
            linestyle="-" if fine else ":",
            marker="o" if best and fine else None,
            alpha=1.0 if best else 0.8,
        )
    _draw_axes(ax, list(axes), ticks)
    bar = figure.colorbar(ScalarMappable(norm, colours), ax=ax, pad=0.09)
    bar.set_label(style.plain(label), fontsize=style.LABEL, color=style.SOFT)
    return figure


def _draw_axes(ax, names, ticks) -> None:
    ax.set_xticks(range(len(names)), [style.plain(style.short(name, 18)) for name in names])
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_xlim(-0.3, len(names) - 0.6)
    for place, pairs in enumerate(ticks):
        ax.axvline(place, color=style.LINE, linewidth=1.0, zorder=0)
        for height, text in pairs:
            ax.annotate(
                text, (place, height), xytext=(4, 0), textcoords="offset points", va="center", fontsize=style.SMALL, color=style.SOFT
            )


def _placed(name: str, column: Sequence, log: bool) -> tuple[np.ndarray, list[tuple[float, str]]]:
    """(heights (n,) in [0, 1], [(height, text)]) of one axis."""
    if any(isinstance(value, str | bool | None) for value in column):
        kinds = list(dict.fromkeys(column))
        heights = {kind: index / max(len(kinds) - 1, 1) for index, kind in enumerate(kinds)}
        return np.array([heights[value] for value in column]), [
            (height, style.plain(style.short(kind, 14))) for kind, height in heights.items()
        ]
    values = np.asarray(column, np.float64)
    fine = values[np.isfinite(values)]
    if log and (fine <= 0).any():
        raise ValueError(f"{name}: a logarithmic axis wants values > 0, got {fine.min():g}")
    low, high = (fine.min(), fine.max()) if fine.size else (0.0, 1.0)
    scale = np.log10 if log else np.asarray
    span = float(scale(high) - scale(low)) or 1.0
    marks = np.linspace(0.0, 1.0, 3) if high > low else np.zeros(1)
    inverse = scale(low) + marks * span
    return (scale(values) - scale(low)) / span, [
        (float(mark), f"{10**value if log else value:.3g}") for mark, value in zip(marks, inverse, strict=True)
    ]


def _norm(scores: np.ndarray) -> Normalize:
    fine = scores[np.isfinite(scores)]
    return Normalize(fine.min(), fine.max()) if fine.size else Normalize(0.0, 1.0)
