"""One look for all figures: width, colours, letters, and how user data becomes a label.

A figure is `WIDTH` inches wide, which a report shows at about 900 pixels: 9 points are then about 12 pixels.
"""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH = 9.0
TITLE, LABEL, TICK, SMALL = 11.0, 10.0, 9.0, 8.0

# Okabe & Ito (2008), "Color Universal Design": distinct under the common colour vision deficiencies. Yellow, which is hardly
# visible on white, comes last.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000", "#B9A800")
MARKERS = "os^DvPX*"
INK, SOFT, LINE = "#1d1f23", "#5c626d", "#d5d2cc"
GOOD, BAD = "#007a57", "#c44e00"
SHARES = "Blues"


def figure(height: float, width: float = WIDTH) -> Figure:
    """An empty figure of `width` x `height` inches whose parts never overlap."""
    return Figure(figsize=(width, height), dpi=100, layout="constrained")


def axes(ax: Axes, title: str = "", xlabel: str = "", ylabel: str = "", grid: Literal["x", "y", "both"] | None = None) -> Axes:
    """Give `ax` the look of the house. grid: "x", "y" or "both" draws faint lines behind the data."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(LINE)
    ax.tick_params(labelsize=TICK, color=LINE, labelcolor=INK)
    if title:
        ax.set_title(plain(title), fontsize=TITLE, color=INK, loc="left")
    ax.set_xlabel(plain(xlabel), fontsize=LABEL, color=SOFT)
    ax.set_ylabel(plain(ylabel), fontsize=LABEL, color=SOFT)
    if grid:
        ax.grid(axis=grid, color=LINE, linewidth=0.6)
        ax.set_axisbelow(True)
    return ax


def plain(text: object) -> str:
    """User data as a label: no mathematics between dollar signs, one line, a box for a letter that the font lacks."""
    known = _letters()
    return "".join(letter if ord(letter) in known else "\u25a1" for letter in " ".join(str(text).split())).replace("$", r"\$")


def short(text: object, length: int) -> str:
    """`text` cut in the middle to at most `length` letters, because names often differ at their ends."""
    line = " ".join(str(text).split())
    if len(line) <= length:
        return line
    tail = (length - 1) // 3
    return f"{line[: length - 1 - tail].rstrip()}…{line[len(line) - tail :].lstrip()}" if length > 3 else line[:length]


def fitted(text: object, inches: float, size: float, lines: int = 2) -> str:
    """`text` broken into at most `lines` lines that fit in `inches` at `size` points; what is left over is cut."""
    length = max(4, int(inches * 72 / (size * 0.6)))
    rows: list[str] = []
    for paragraph in str(text).splitlines():
        rows += textwrap.wrap(paragraph, length, break_long_words=True) or [""]
    if len(rows) > lines:
        rows = [*rows[: lines - 1], short(" ".join(rows[lines - 1 :]), length)]
    return "\n".join(plain(row) for row in rows)


def names(classes: Sequence[object], length: int = 24) -> list[str]:
    """Class names as labels of at most `length` letters."""
    return [plain(short(name, length)) for name in classes]


def checked_images(images, what: str = "images") -> list[np.ndarray]:
    """Images (h, w, 3), (h, w, 1) or (h, w), uint8 or numbers in [0, 255], as a list of uint8 (h, w, 3).

    Raises ValueError when there are none, or when one has another shape or holds a value that is not finite.
    """
    found = []
    for index, image in enumerate(images):
        image = np.asarray(image)
        image = image[..., None] if image.ndim == 2 else image
        if image.ndim != 3 or image.shape[2] not in (1, 3) or not image.size:
            raise ValueError(f"{what}[{index}] must be an image (h, w, 3) or (h, w), got shape {np.shape(images[index])}")
        if image.dtype != np.uint8:
            if not np.isfinite(image).all():
                raise ValueError(f"{what}[{index}] holds NaN or infinite values; images have values in [0, 255]")
            image = np.clip(np.rint(image), 0, 255).astype(np.uint8)
        found.append(np.broadcast_to(image, (*image.shape[:2], 3)))
    if not found:
        raise ValueError(f"there are no {what} to show; pass at least one")
    return found


@functools.cache
def _letters() -> frozenset[int]:
    from matplotlib import font_manager

    return frozenset(font_manager.get_font(font_manager.findfont("DejaVu Sans")).get_charmap())
