"""Curves and bars: how many images there are, how training went, which rate to choose, whether confidence can be believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from zoo.viz import style

_NOT_CURVES = {"epoch", "seconds", "time", "step", "steps"}
_RATES = ("learning_rate", "lr", "rate")


def class_counts(counts: Mapping[str, Sequence[int]], classes: Sequence[object]) -> Figure:
    """Images per class as stacked bars, one colour per split. counts: split -> (classes,).

    Raises ValueError when there are no classes or splits, or a split has another number of counts.
    """
    if not counts or not len(classes):
        raise ValueError("there is nothing to count: no splits or no classes were given")
    for split, column in counts.items():
        if len(column) != len(classes):
            raise ValueError(f"{len(classes)} classes need as many counts, but split {split!r} has {len(column)}")
    figure = style.figure(max(1.8, 0.26 * len(classes) + 1.0))
    ax = style.axes(figure.add_subplot(), xlabel="images", grid="x")
    places, left = np.arange(len(classes)), np.zeros(len(classes))
    for index, (split, column) in enumerate(counts.items()):
        values = np.asarray(column, np.float64)
        ax.barh(places, values, left=left, height=0.72, color=style.PALETTE[index % len(style.PALETTE)], label=style.plain(split))
        left += values
    widest = max(1.0, float(left.max()))
    for place, total in enumerate(left):
        ax.text(total + widest * 0.01, place, f"{int(total):,}", va="center", fontsize=style.SMALL, color=style.SOFT)
    ax.set_yticks(places, style.names(classes, 32))
    ax.set(ylim=(len(classes) - 0.4, -0.6), xlim=(0, widest * 1.09))
    figure.legend(loc="outside upper right", ncols=min(len(counts), 6), fontsize=style.TICK, frameon=False)
    return figure


def history(rows: Sequence[Mapping[str, Any]], best: int | None = None) -> Figure:
    """The curves of a training: loss and each metric over the epochs, training and validation, the best epoch marked.

    rows: one dict per epoch, as history.csv holds them ("loss", "val_loss", "accuracy", "val_accuracy", "learning_rate", ...);
          values may be strings, and an absent or empty one leaves a gap.
    best: number of the best epoch, where it was chosen by something else; default: that of the highest validation accuracy, or without one
          of the lowest validation loss.
    Raises ValueError when there are no rows, or no column "loss".
    """
    if not rows:
        raise ValueError("the history has no epochs; train first")
    columns = {key: _column(rows, key) for key in dict.fromkeys(key for row in rows for key in row)}
    if "loss" not in columns:
        raise ValueError(f"the history needs a column 'loss', got {', '.join(columns)}")
    epochs = columns.get("epoch", np.arange(1, len(rows) + 1, dtype=float))
    curves = [key for key in columns if not key.startswith("val_") and key not in (*_NOT_CURVES, *_RATES)][:4]
    curves.sort(key=lambda key: key != "loss")
    figure = style.figure(3.4 if len(curves) < 3 else 6.2)
    panels = figure.subplots(1 if len(curves) < 3 else 2, min(2, len(curves)), squeeze=False).ravel()
    chosen = np.flatnonzero(epochs == best) if best is not None else np.zeros(0, int)
    best = int(chosen[0]) if len(chosen) else _best(columns)
    for ax, key in zip(panels, curves, strict=False):
        style.axes(ax, title=key, xlabel="epoch", grid="both")
        series = [
            ("training", columns[key], style.PALETTE[0], "-", "o"),
            ("validation", columns.get(f"val_{key}"), style.PALETTE[4], "--", "s"),
        ]
        for label, values, colour, line, marker in series:
            if values is not None:
                dots = marker if len(rows) <= 30 else ""
                ax.plot(epochs, values, line, marker=dots, markersize=3.5, color=colour, linewidth=1.8, label=label)
        if best is not None:
            value = columns[f"val_{key}"][best] if f"val_{key}" in columns else np.nan
            ax.axvline(epochs[best], color=style.SOFT, linewidth=1, linestyle=":", label=f"best epoch {epochs[best]:g}")
            if np.isfinite(value):
                ax.plot([epochs[best]], [value], "o", markersize=9, markerfacecolor="none", markeredgecolor=style.INK, markeredgewidth=1.5)
                ax.annotate(f"{value:.3f}", (epochs[best], value), (0, 9), textcoords="offset points", ha="center", fontsize=style.TICK)
        if len(rows) == 1:
            ax.set_xticks(epochs)
        else:
            ax.xaxis.get_major_locator().set_params(integer=True)
        ax.margins(x=0.04, y=0.14)
    for ax in panels[len(curves) :]:
        ax.set_axis_off()
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=3, fontsize=style.TICK, frameon=False)
    return figure


def lr_sweep(rates, losses, smoothed, suggestion: float | None) -> Figure:
    """A learning-rate sweep: the loss over the rate on a logarithmic axis, raw and smoothed, with the suggested rate.

    rates, losses, smoothed: (n,) numbers; a loss may be NaN or infinite. suggestion: a rate, or None.

    Raises ValueError when there is no rate, or the lengths differ.
    """
    rates, losses, smoothed = (np.asarray(values, np.float64) for values in (rates, losses, smoothed))
    if not len(rates) or not len(rates) == len(losses) == len(smoothed):
        got = f"{len(losses)}, {len(smoothed)} and {len(rates)}"
        raise ValueError(f"a sweep needs as many losses and smoothed losses as rates, and at least one, got {got}")
    figure = style.figure(3.4)
    ax = style.axes(figure.add_subplot(), xlabel="learning rate", ylabel="loss", grid="both")
    ax.set_xscale("log")
    dots = "o" if len(rates) == 1 else ""
    ax.plot(rates, losses, color=style.PALETTE[5], linewidth=1, alpha=0.7, marker=dots, label="loss of each step")
    ax.plot(rates, smoothed, color=style.PALETTE[0], linewidth=2.2, label="smoothed")
    finite = smoothed[np.isfinite(smoothed)]
    if finite.size and finite.max() > finite.min():
        # The end of a sweep explodes; the axis shows the part that decides.
        start = finite[: max(1, len(finite) // 10)].mean()
        span = max(start - finite.min(), 1e-12)
        ax.set_ylim(finite.min() - 0.25 * span, min(finite.max(), start + 1.5 * span) + 0.25 * span)
    if suggestion is not None and np.isfinite(suggestion):
        ax.axvline(suggestion, color=style.PALETTE[4], linewidth=1.6, linestyle="--", label=f"suggested {suggestion:.2g}")
    ax.legend(fontsize=style.TICK, frameon=False, loc="upper center", bbox_to_anchor=(0.5, 1.16), ncols=3)
    return figure


def reliability(calibration) -> Figure:
    """Accuracy over confidence for each bin, with the number of images per bin below: whether confidence can be believed.

    calibration: what `zoo.metrics.calibration` returns: edges (b + 1,), confidence, accuracy and count (b,), ece.
    Raises ValueError when no bin holds an image.
    """
    edges, count = np.asarray(calibration.edges, float), np.asarray(calibration.count)
    accuracy, confidence = np.asarray(calibration.accuracy, float), np.asarray(calibration.confidence, float)
    if not count.sum():
        raise ValueError("there is nothing to show: no bin of the calibration holds an image")
    used = count > 0
    centres, widths = (edges[:-1] + edges[1:]) / 2, np.diff(edges) * 0.92
    figure = style.figure(5.2, width=6.0)
    upper, lower = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    style.axes(upper, ylabel="accuracy", grid="both")
    upper.plot([0, 1], [0, 1], "--", color=style.SOFT, linewidth=1.2, label="confidence = accuracy")
    upper.bar(centres[used], accuracy[used], widths[used], color=style.PALETTE[5], edgecolor=style.PALETTE[0], label="accuracy of the bin")
    upper.plot(confidence[used], accuracy[used], "o", markersize=5, color=style.INK, label="mean confidence of the bin")
    upper.set(xlim=(0, 1), ylim=(0, 1.02))
    upper.set_title(f"expected calibration error {calibration.ece:.3f}", fontsize=style.TITLE, color=style.INK, loc="left")
    upper.legend(fontsize=style.SMALL, loc="upper left", frameon=True, framealpha=0.9, edgecolor="none")
    style.axes(lower, xlabel="confidence", ylabel="images", grid="y")
    lower.bar(centres, count, widths, color=style.SOFT)
    lower.yaxis.get_major_locator().set_params(integer=True, nbins=4)
    return figure


def bars(names: Sequence[object], values: Sequence[float], errors=None, xlabel: str = "") -> Figure:
    """Horizontal bars with the value at the end of each.

    errors: (n,) half-lengths, or (n, 2) lower and upper bounds, for example `zoo.metrics.wilson` intervals.
    A NaN has no bar and is written as a dash. Raises ValueError when there are no bars, or the lengths differ.
    """
    heights = np.asarray(values, np.float64)
    if not len(names) or heights.shape != (len(names),):
        raise ValueError(f"bars need one value for each name and at least one, got {len(names)} names and values of shape {heights.shape}")
    figure = style.figure(max(1.4, 0.3 * len(names) + 0.7))
    ax = style.axes(figure.add_subplot(), xlabel=xlabel, grid="x")
    places, missing = np.arange(len(names)), ~np.isfinite(heights)
    drawn = np.where(missing, 0.0, heights)
    ax.barh(places, drawn, height=0.68, color=style.PALETTE[0])
    ends = drawn.copy()
    if errors is not None:
        low, high = _bounds(drawn, np.asarray(errors, np.float64))
        low, high = np.where(missing, 0.0, low), np.where(missing, 0.0, high)
        ends = np.maximum(drawn, high)
        ax.hlines(places[~missing], low[~missing], high[~missing], color=style.INK, linewidth=1.6)
    span = max(ends.max(), 0.0) - min(drawn.min(), 0.0) or 1.0
    for place, (value, end) in enumerate(zip(heights, ends, strict=True)):
        text = "–" if not np.isfinite(value) else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
        ax.text(max(end, 0) + span * 0.012, place, text, va="center", fontsize=style.TICK, color=style.INK)
    ax.set_yticks(places, style.names(names, 36))
    ax.set(ylim=(len(names) - 0.4, -0.6), xlim=(min(drawn.min(), 0.0) - 0.02 * span * (drawn.min() < 0), max(ends.max(), 0.0) + 0.1 * span))
    return figure


def _column(rows: Sequence[Mapping[str, Any]], key: str) -> np.ndarray:
    return np.array([np.nan if row.get(key) in (None, "") else float(row[key]) for row in rows])


def _best(columns: Mapping[str, np.ndarray]) -> int | None:
    """Index of the best epoch, or None when nothing was validated."""
    for key, choose in (("val_accuracy", np.nanargmax), ("val_loss", np.nanargmin)):
        if key in columns and np.isfinite(columns[key]).any():
            return int(choose(columns[key]))
    return None


def _bounds(values: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if errors.shape == values.shape:
        return values - errors, values + errors
    if errors.shape == (len(values), 2):
        return errors[:, 0], errors[:, 1]
    raise ValueError(f"errors must be ({len(values)},) half-lengths or ({len(values)}, 2) lower and upper bounds, got shape {errors.shape}")
