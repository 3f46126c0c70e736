"""The feature space as a map: one point or thumbnail per image, one colour and shape per class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from PIL import Image

from zoo.viz import style

_THUMBNAIL = 40
_LEGEND = 12


def embedding(points: np.ndarray, labels: Sequence[int] | np.ndarray, classes: Sequence[object], thumbnails=None) -> Figure:
    """Points (n, 2) coloured by class; with `thumbnails` (n images) as many of them are shown as fit without overlap.

    Up to 12 classes have a legend; beyond that each class is named at its median.
    Raises ValueError when there are no points, the lengths differ, or a label has no class.
    """
    points, labels = np.asarray(points, np.float64), np.asarray(labels)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ValueError(f"an embedding needs points (n, 2) and at least one, got shape {points.shape}")
    if labels.shape != (len(points),):
        raise ValueError(f"{len(points)} points need as many labels, got shape {labels.shape}")
    if labels.min() < 0 or labels.max() >= len(classes):
        raise ValueError(f"labels must be in [0, {len(classes)}), got {labels.min()} to {labels.max()}")
    if not np.isfinite(points).all():
        raise ValueError("the points hold NaN or infinite values, which have no place on a map")
    figure = style.figure(7.2)
    ax = figure.add_subplot()
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_color(style.LINE)
    few = thumbnails is None
    for label in np.unique(labels):
        chosen = points[labels == label]
        colour, marker = look(int(label))
        ax.scatter(
            chosen[:, 0],
            chosen[:, 1],
            s=26 if few else 14,
            color=colour,
            marker=marker,
            alpha=0.8 if few else 0.55,
            linewidths=0,
            label=style.names([classes[label]])[0],
        )
    ax.margins(0.07)
    if thumbnails is not None:
        _place(ax, points, labels, style.checked_images(thumbnails, "thumbnails"))
    if len(np.unique(labels)) <= _LEGEND:
        figure.legend(loc="outside lower center", ncols=min(4, len(np.unique(labels))), fontsize=style.TICK, frameon=False, markerscale=1.4)
    else:
        _name(ax, points, labels, classes)
    return figure


def look(label: int) -> tuple[str, str]:
    """Colour and marker of a class; the pair is unique for 64 classes."""
    colours = len(style.PALETTE)
    return style.PALETTE[label % colours], style.MARKERS[(label + label // colours) % len(style.MARKERS)]


def _name(ax: Axes, points: np.ndarray, labels: np.ndarray, classes: Sequence[object]) -> None:
    """Write the name of each class at its median, moved up or down until no name covers another."""
    present = np.unique(labels)
    places = np.array([np.median(points[labels == label], axis=0) for label in present])
    letters = style.names([classes[label] for label in present], 18)
    # In shares of the drawn area, about 8.8 x 7 inches.
    low, span = points.min(axis=0), np.where(np.ptp(points, axis=0) > 0, np.ptp(points, axis=0), 1)
    scaled = (places - low) / span
    wide, high = np.array([0.0085 * len(text) for text in letters]), 0.02
    for _ in range(100):
        moved = False
        for i in range(len(present)):
            for j in range(i):
                apart = scaled[i] - scaled[j]
                if abs(apart[0]) < (wide[i] + wide[j]) / 2 and abs(apart[1]) < high:
                    push = (high - abs(apart[1])) / 2 + 1e-4
                    scaled[[i, j], 1] += np.array([push, -push]) * (1 if apart[1] >= 0 else -1)
                    moved = True
        if not moved:
            break
    for place, text in zip(scaled * span + low, letters, strict=True):
        drawn = ax.text(place[0], place[1], text, fontsize=style.SMALL, ha="center", va="center", color=style.INK, zorder=10)
        drawn.set_path_effects([patheffects.withStroke(linewidth=2.5, foreground="white")])


def _place(ax: Axes, points: np.ndarray, labels: np.ndarray, images: list[np.ndarray]) -> None:
    """Thumbnails in a fixed order, each only where it covers no earlier one, framed in the colour of the class."""
    if len(images) != len(points):
        raise ValueError(f"{len(points)} points need as many thumbnails, got {len(images)}")
    low, span = points.min(axis=0), np.ptp(points, axis=0)
    # Centres on the scale of the drawn area, about 880 x 620 pixels at 100 dots per inch.
    centres = (points - low) / np.where(span > 0, span, 1) * (770, 540)
    taken = np.empty((0, 2))
    for index in np.random.default_rng(0).permutation(len(points)):
        if len(taken) and (np.abs(taken - centres[index]) < _THUMBNAIL).all(axis=1).any():
            continue
        taken = np.vstack([taken, centres[index]])
        picture = Image.fromarray(np.ascontiguousarray(images[index]))
        picture.thumbnail((_THUMBNAIL * 2, _THUMBNAIL * 2))
        frame = {"edgecolor": look(int(labels[index]))[0], "linewidth": 2, "boxstyle": "square,pad=0.02"}
        ax.add_artist(AnnotationBbox(OffsetImage(np.asarray(picture), zoom=0.36), points[index], frameon=True, pad=0, bboxprops=frame))
