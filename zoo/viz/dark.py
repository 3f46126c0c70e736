"""A figure of the house on dark paper: the same drawing with its ink, faint lines and white exchanged."""

from __future__ import annotations

from matplotlib import colors, patheffects
from matplotlib.collections import Collection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text

from zoo.viz import style

PAPER, INK = "#151413", "#ece9e5"
_EXCHANGED = {style.INK: INK, style.SOFT: "#aaa49c", style.LINE: "#4a4541", "#ffffff": PAPER, "#000000": "#ffffff"}


def dark(figure: Figure) -> Figure:
    """Recolour a finished figure in place, and return it. Only ink, grey, white and black change: a class keeps its colour."""
    for part in figure.findobj():
        if isinstance(part, Text):
            part.set_color(_exchanged(part.get_color()))
            if part.get_path_effects():
                part.set_path_effects([patheffects.withStroke(linewidth=2.5, foreground=PAPER)])
        elif isinstance(part, Line2D):
            part.set_color(_exchanged(part.get_color()))
            part.set_markerfacecolor(_exchanged(part.get_markerfacecolor()))
            part.set_markeredgecolor(_exchanged(part.get_markeredgecolor()))
        elif isinstance(part, Patch):
            part.set_facecolor(_exchanged(part.get_facecolor()))
            part.set_edgecolor(_exchanged(part.get_edgecolor()))
        elif isinstance(part, Collection):
            part.set_facecolor([_exchanged(colour) for colour in part.get_facecolor()])
            part.set_edgecolor([_exchanged(colour) for colour in part.get_edgecolor()])
    return figure


def _exchanged(colour):
    """The colour for dark paper, with the same opacity."""
    if isinstance(colour, str) and colour in ("none", "auto"):
        return colour
    red_green_blue, opacity = colors.to_hex(colour).lower(), colors.to_rgba(colour)[3]
    return colors.to_rgba(_EXCHANGED.get(red_green_blue, colour), opacity)
