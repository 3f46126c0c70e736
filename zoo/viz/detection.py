"""How good a detector is, drawn: its curves, what it confuses, which mistakes cost most, and for which sizes it works."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zoo.viz import style
from zoo.viz.matrices import _cells, _shares, _written

_LINES = ("-", "--", "-.", ":")
_MANY = 7
"""With more classes than this the lines of all but the best and the worst are grey."""


def precision_recall(result: Any, threshold: float = 0.5) -> Figure:
    """Precision over recall, a line for each class and a thick one for their mean; the average precision is the area below.

    result: what `zoo.metrics.average_precision` returns. With more than seven classes only the best and the worst three are named.
    Raises ValueError when no class has an object.
    """
    values = result.per_class(threshold)
    known = sorted((name for name in values if np.isfinite(values[name])), key=lambda name: -values[name])
    if not known:
        raise ValueError("there is nothing to show: no class has an object")
    at = int(np.argmin(np.abs(np.asarray(result.thresholds) - threshold)))
    curves = np.asarray(result.precision)[at, :, :, result.sizes.index("all"), -1]  # (R, K)
    named = known if len(known) <= _MANY else [*known[:3], *known[-3:]]
    figure = style.figure(4.6, width=8.0)
    ax = style.axes(figure.add_subplot(), xlabel="recall: share of the objects that are found", grid="both")
    ax.set_ylabel("precision: share of the detections that are right", fontsize=style.LABEL, color=style.SOFT)
    for name in known:
        if name not in named:
            ax.plot(result.recalls, curves[:, result.classes.index(name)], color=style.LINE, linewidth=1)
    for number, name in enumerate(named):
        look: dict[str, Any] = {"color": style.PALETTE[number], "linestyle": _LINES[number % 4], "linewidth": 1.6}
        label = f"{values[name]:.2f}  {style.plain(style.short(name, 24))}"
        ax.plot(result.recalls, curves[:, result.classes.index(name)], label=label, **look)
    mean = np.nanmean(curves[:, [result.classes.index(name) for name in known]], axis=1)
    ax.plot(
        result.recalls,
        mean,
        color=style.INK,
        linewidth=3,
        label=f"{result.ap(threshold):.2f}  mean of {_number(len(known), 'class', 'classes')}",
    )
    ax.set(xlim=(0, 1), ylim=(0, 1.02))
    handles, labels = ax.get_legend_handles_labels()
    title = f"AP at overlap {threshold:g}" + ("" if named == known else f"\nbest and worst three of {len(known)}")
    legend = figure.legend([handles[-1], *handles[:-1]], [labels[-1], *labels[:-1]], loc="outside right upper", title=title)
    _quiet(legend)
    return figure


def confidence_curves(curve: Any, choice: Any = None, reason: str = "") -> Figure:
    """Precision, recall and F1 over the confidence that is asked for, the chosen one marked with what it brings.

    curve: a curve of `zoo.metrics.detection_curves`, of a class or of all. choice: what its `best_f1` or `cheapest` returned (None:
    best_f1); reason: why it was chosen, for the title. Raises ValueError when there is no detection or no object.
    """
    if not len(curve.confidence) or not curve.objects:
        raise ValueError("there is nothing to show: no detection, or no object to find")
    choice, reason = (curve.best_f1(), reason or "highest F1") if choice is None else (choice, reason)
    figure = style.figure(3.9, width=8.0)
    ax = style.axes(figure.add_subplot(), xlabel="confidence: detections below are thrown away", ylabel="share", grid="both")
    low, high = float(min(curve.confidence[-1], 0)), float(max(curve.confidence[0], 1))
    marks = []
    for number, (name, values) in enumerate({"precision": curve.precision, "recall": curve.recall, "F1": curve.f1}.items()):
        look: dict[str, Any] = {
            "color": style.PALETTE[(0, 4, 2)[number]],
            "linestyle": ("--", "-.", "-")[number],
            "linewidth": 2.6 if name == "F1" else 1.8,
        }
        label = name
        value = getattr(choice, name.lower())
        if np.isfinite(choice.confidence) and np.isfinite(value):
            label = f"{name}  {value:.2f}"
            marks.append((value, look["color"]))
        ax.step(np.append(curve.confidence, low), np.append(values, values[-1]), where="post", label=label, **look)
    if np.isfinite(choice.confidence):
        ax.axvline(choice.confidence, color=style.INK, linewidth=1.2)
        ax.plot([choice.confidence] * len(marks), [mark for mark, _ in marks], "o", color=style.INK, markersize=5)
    words = f"confidence {choice.confidence:.2f}" if np.isfinite(choice.confidence) else "report nothing"
    cost = f", costs {choice.cost:.3g} an image" if np.isfinite(choice.cost) else ""
    why = "\n" + style.fitted(reason, 6.2, style.TITLE, lines=1) if reason else ""
    ax.set_title(words + cost + why, fontsize=style.TITLE, color=style.INK, loc="left")
    ax.set(xlim=(low, high), ylim=(0, 1.02))
    _quiet(figure.legend(loc="outside right center", title="at this point" if marks else None))
    return figure


def detection_confusion(matrix: np.ndarray, classes: Sequence[object]) -> Figure:
    """What `zoo.metrics.detection_confusion` counted (n + 1, n + 1): rows are the truth, columns what was detected, the last background.

    The colour is the share of the row, the text is the count. Raises ValueError for another shape.
    """
    matrix = np.asarray(matrix)
    if not len(classes) or matrix.shape != (len(classes) + 1,) * 2:
        raise ValueError(
            f"{len(classes)} classes and the background need a table of {len(classes) + 1} rows and columns, got {matrix.shape}"
        )
    written = _written(matrix)
    written[-1][-1] = ""
    rows, columns = [*classes, "nothing there"], [*classes, "not found"]
    return _cells(_shares(matrix), written, rows, columns, ("detected", "truth"), "share of the row")


def error_breakdown(errors: Any) -> Figure:
    """Each kind of mistake: how often it is made, and the average precision that mending it alone would win, dearest first.

    errors: what `zoo.metrics.detection_errors` returns.
    """
    kinds = sorted(errors.counts, key=lambda kind: -np.nan_to_num(errors.gains[kind]))
    figure = style.figure(3.0)
    left, right = figure.subplots(1, 2, sharey=True)
    style.axes(left, title="What mending it would win", xlabel=f"AP on top of {errors.ap:.3f}", grid="x")
    style.axes(right, title="How often it is made", xlabel="mistakes", grid="x")
    _bars(left, [errors.gains[kind] for kind in kinds], style.PALETTE[4], "+{:.3f}")
    _bars(right, [errors.counts[kind] for kind in kinds], style.PALETTE[0], "{:,.0f}")
    right.xaxis.get_major_locator().set_params(integer=True, nbins=6)
    left.set_yticks(range(len(kinds)), kinds)
    left.set_ylim(len(kinds) - 0.4, -0.6)
    return figure


def by_size(result: Any) -> Figure:
    """Average precision and recall for objects of each size, with how many objects there are.

    result: what `zoo.metrics.average_precision` returns. A size without objects has no bar and is written as a dash.
    """
    sizes = list(result.sizes)
    counts = np.asarray(result.objects).sum(axis=0)
    figure = style.figure(3.2, width=7.0)
    ax = style.axes(figure.add_subplot(), ylabel="mean over thresholds and classes", grid="y")
    for number, (name, values) in enumerate(
        {"AP": [result.ap(size=size) for size in sizes], "AR": [result.ar(size=size) for size in sizes]}.items()
    ):
        places = np.arange(len(sizes)) + (number - 0.5) * 0.38
        heights = np.nan_to_num(np.asarray(values, float))
        ax.bar(
            places,
            heights,
            width=0.36,
            color=style.PALETTE[(0, 5)[number]],
            label={"AP": "average precision", "AR": "average recall"}[name],
        )
        for place, height, value in zip(places, heights, values, strict=True):
            text = f"{value:.2f}" if np.isfinite(value) else "–"
            ax.text(place, height + 0.015, text, ha="center", fontsize=style.TICK, color=style.INK)
    labels = [f"{style.plain(size)}\n{_number(int(count), 'object', 'objects')}" for size, count in zip(sizes, counts, strict=True)]
    ax.set_xticks(range(len(sizes)), labels)
    ax.set(ylim=(0, 1.08), yticks=np.linspace(0, 1, 6))
    _quiet(figure.legend(loc="outside upper right", ncols=2))
    return figure


def _bars(ax: Axes, values: Sequence[float], colour: str, form: str) -> None:
    heights = np.nan_to_num(np.asarray(values, float))
    ax.barh(range(len(heights)), heights, height=0.68, color=colour)
    span = float(max(heights.max(), 0)) or 1.0
    for place, (value, height) in enumerate(zip(values, heights, strict=True)):
        text = form.format(value) if np.isfinite(value) else "–"
        ax.text(max(height, 0) + span * 0.015, place, text, va="center", fontsize=style.TICK, color=style.INK)
    ax.set_xlim(min(float(heights.min()), 0), span * 1.2)


def _number(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _quiet(legend: Any) -> None:
    legend.set_frame_on(False)
    for text in legend.get_texts():
        text.set_fontsize(style.TICK)
    legend.get_title().set_fontsize(style.TICK)
    legend.get_title().set_color(style.SOFT)
