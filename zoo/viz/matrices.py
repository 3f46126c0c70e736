"""Tables of numbers as coloured cells: what was confused with what, what occurs with what, what is far from what."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from zoo.viz import style


def confusion(matrix: np.ndarray, classes: Sequence[object]) -> Figure:
    """A confusion matrix (n, n), rows are the truth. The colour is the share of the row, the text is the count.

    Every count is written; from 13 classes on, zeros are left blank. A class without examples has a grey row.
    Raises ValueError when the matrix is not (n, n) for n >= 1 classes.
    """
    matrix = _counts(matrix, classes, classes)
    return _cells(_shares(matrix), _written(matrix), classes, classes, ("predicted", "truth"), "share of the true class")


def co_occurrence(table: np.ndarray, rows: Sequence[object], columns: Sequence[object]) -> Figure:
    """Counts (r, c) of what occurs with what. The colour is the share of the row, the text is the count.

    Raises ValueError when the table is not (r, c) or is empty.
    """
    table = _counts(table, rows, columns)
    return _cells(_shares(table), _written(table), rows, columns, ("", ""), "share of the row")


def distances(matrix: np.ndarray, classes: Sequence[object]) -> Figure:
    """Distances (n, n) between classes; dark is near. The diagonal is left out of the colours.

    Raises ValueError when the matrix is not (n, n) for n >= 1 classes.
    """
    matrix = _counts(matrix, classes, classes).astype(np.float64)
    coloured = np.where(np.eye(len(classes), dtype=bool), np.nan, matrix)
    digits = 1 if np.nanmax(np.abs(matrix), initial=0) >= 10 else 2
    texts = [[f"{value:.{digits}f}" if np.isfinite(value) else "" for value in row] for row in matrix]
    texts = texts if len(classes) <= 16 else [["" for _ in row] for row in texts]
    finite = coloured[np.isfinite(coloured)]
    limits = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    return _cells(coloured, texts, classes, classes, ("", ""), "distance", "Blues_r", limits)


def _counts(table, rows: Sequence, columns: Sequence) -> np.ndarray:
    table = np.asarray(table)
    if not len(rows) or not len(columns):
        raise ValueError("there is nothing to show: the table has no rows or no columns")
    if table.shape != (len(rows), len(columns)):
        raise ValueError(f"{len(rows)} rows and {len(columns)} columns need a table of that shape, got {table.shape}")
    return table


def _shares(table: np.ndarray) -> np.ndarray:
    total = table.sum(axis=1, keepdims=True).astype(np.float64)
    return np.divide(table, total, out=np.full(table.shape, np.nan), where=total > 0)


def _written(table: np.ndarray) -> list[list[str]]:
    blank = table.shape[1] > 12
    return [["" if blank and value == 0 else f"{value:g}" for value in row] for row in table]


def _cells(values, texts, rows, columns, axis: tuple[str, str], meaning: str, colormap: str = style.SHARES, limits=(0.0, 1.0)) -> Figure:
    """Cells coloured by `values` (NaN is grey) with `texts` written in; wide enough for the report, as high as it needs."""
    rows, columns = (style.names(labels, 24 if len(labels) <= 20 else 18) for labels in (rows, columns))
    left = 0.4 + 0.085 * max(map(len, rows))
    cell = min(0.95, (style.WIDTH - left - 1.0) / len(columns))
    height = max(0.22, min(0.7, cell))
    upright = max(map(len, columns)) * 0.085 <= cell
    below = 0.5 if upright else 0.35 + 0.08 * max(map(len, columns))
    figure = style.figure(max(2.2, height * len(rows) + below + 0.2), width=max(4.5, left + cell * len(columns) + 1.0))
    ax = style.axes(figure.add_subplot(), xlabel=axis[0], ylabel=axis[1])
    colours = matplotlib.colormaps[colormap].with_extremes(bad="#e8e6e1")
    drawn = ax.imshow(np.ma.masked_invalid(values), cmap=colours, vmin=limits[0], vmax=limits[1], aspect="auto", interpolation="nearest")
    shades = np.asarray(colours(drawn.norm(np.ma.masked_invalid(values))))
    light = shades[..., :3] @ np.array([0.299, 0.587, 0.114]) > 0.55
    for r, row in enumerate(texts):
        for c, text in enumerate(row):
            if text:
                size = min(style.TICK, cell * 72 / (0.66 * len(text)), height * 72 * 0.5)
                ink = style.INK if light[r, c] else "white"
                # Outside the layout: hundreds of texts inside their cells would be measured again and again.
                ax.text(c, r, text, ha="center", va="center", fontsize=size, color=ink).set_in_layout(False)
    letters = min(style.TICK, height * 72 * 0.6), min(style.TICK, style.TICK if upright else cell * 72 * 0.7)
    ax.set_yticks(range(len(rows)), rows, fontsize=letters[0])
    ax.set_xticks(range(len(columns)), columns, fontsize=letters[1], rotation=0 if upright else 90)
    for edge, count in ((ax.set_xticks, len(columns)), (ax.set_yticks, len(rows))):
        edge(np.arange(1, count) - 0.5, minor=True)
    ax.grid(which="minor", color="white", linewidth=1)
    ax.tick_params(which="both", length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    bar = figure.colorbar(drawn, ax=ax, fraction=0.04, pad=0.015, aspect=max(8, 3 * len(rows)))
    bar.ax.tick_params(labelsize=style.SMALL, length=0, labelcolor=style.SOFT)
    bar.outline.set_visible(False)
    bar.set_label(meaning, fontsize=style.TICK, color=style.SOFT)
    return figure
