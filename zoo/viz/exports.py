"""Exported files: size against time, and how many images keep their class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from zoo.viz import style


def exports(names: Sequence[object], sizes, times: dict[str, Sequence[float]], agreement, failed: Sequence[bool]) -> Figure:
    """One panel per column of `times`: every file at (megabytes, milliseconds), both logarithmic, with its agreement beside the name.

    sizes:     (n,) megabytes, positive. times: {label: (n,) milliseconds, positive}.
    agreement: (n,) shares in [0, 1], None where there is none. failed: (n,) True is drawn as a cross.
    Raises ValueError when there is nothing to draw, a length differs, or a number is not positive.
    """
    columns = {"sizes": sizes, **times}
    for label, values in columns.items():
        values = np.asarray(values, np.float64)
        if not len(names) or values.shape != (len(names),) or not (values > 0).all():
            raise ValueError(f"{label}: wanted one positive number for each of {len(names)} files and at least one, got {values}")
    if not times or not len(agreement) == len(failed) == len(names):
        raise ValueError(f"wanted a column of times, and {len(names)} agreements and failures, got {len(agreement)} and {len(failed)}")
    figure = style.figure(3.8)
    for place, (label, values) in enumerate(times.items(), start=1):
        ax = style.axes(figure.add_subplot(1, len(times), place), title=label, xlabel="size (MB)", ylabel="milliseconds", grid="both")
        ax.set(xscale="log", yscale="log")
        for index, (name, size, value) in enumerate(zip(names, sizes, values, strict=True)):
            colour = style.BAD if failed[index] else style.PALETTE[index % len(style.PALETTE)]
            ax.plot(size, value, "X" if failed[index] else style.MARKERS[index % len(style.MARKERS)], color=colour, markersize=8)
            share = "" if agreement[index] is None else f" {agreement[index]:.1%}"
            text = style.plain(style.short(name, 24)) + share
            ax.annotate(text, (size, value), xytext=(6, 5), textcoords="offset points", fontsize=style.SMALL, color=style.INK)
        ax.margins(x=0.35, y=0.2)
    return figure
