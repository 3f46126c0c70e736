"""Exported files: size against time, and how many images keep their class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import ticker
from matplotlib.figure import Figure

from zoo.viz import style

_MARKERS = "os^"


def exports(names: Sequence[object], sizes, times: Mapping[str, Sequence[float]], agreement, failed: Sequence[bool]) -> Figure:
    """One panel per column of `times`: every file at (megabytes, milliseconds), both logarithmic; the legend tells its agreement.

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
    figure = style.figure(3.6 + 0.2 * -(-len(names) // 3))
    for place, (label, values) in enumerate(times.items(), start=1):
        ax = style.axes(figure.add_subplot(1, len(times), place), title=label, xlabel="size (MB)", ylabel="milliseconds", grid="both")
        ax.set(xscale="log", yscale="log")
        for index, (name, size, value) in enumerate(zip(names, sizes, values, strict=True)):
            share = "" if agreement[index] is None else f", {agreement[index]:.1%}"
            marker = "X" if failed[index] else _MARKERS[index // len(style.PALETTE) % len(_MARKERS)]
            colour = style.BAD if failed[index] else style.PALETTE[index % len(style.PALETTE)]
            text = f"{style.plain(style.short(name, 24))}{share}{' does not agree' if failed[index] else ''}"
            ax.plot(size, value, marker, color=colour, markersize=8, alpha=0.8, linestyle="", label=text)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(ticker.FormatStrFormatter("%g"))
            axis.set_minor_locator(ticker.NullLocator())
        ax.margins(0.15)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=style.SMALL, frameon=False)
    return figure
