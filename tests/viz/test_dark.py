"""Figures on dark paper: everything can be read, and classes keep their colours."""

import numpy as np
import pytest
from matplotlib import colors
from matplotlib.text import Text

from zoo import viz
from zoo.viz.dark import PAPER, dark

RANDOM = np.random.default_rng(0)


def lightness(colour) -> float:
    """WCAG 2.2, relative luminance."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colors.to_rgb(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other) -> float:
    low, high = sorted((lightness(one), lightness(other)))
    return (high + 0.05) / (low + 0.05)


FIGURES = {
    "classes": lambda: viz.embedding(RANDOM.normal(size=(20, 2)), np.arange(20) % 8, list("abcdefgh")),
    "named classes": lambda: viz.embedding(RANDOM.normal(size=(40, 2)), np.arange(40) % 20, [f"class {i}" for i in range(20)]),
    "stages": lambda: viz.anatomy.network(
        "net", (32, 32, 3), [viz.anatomy.Block("c1", (16, 16, 8), 3, 100, 2000, 7, 2), viz.anatomy.Block("head", (10,), 1, 50, 50)],
        [(0, 3, False), (0, 7, True), (1, None, True)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FIGURES)
def test_all_words_can_be_read(name):
    figure = dark(FIGURES[name]())
    assert colors.to_hex(figure.get_facecolor()) == PAPER
    words = [part for part in figure.findobj(Text) if part.get_text()]
    assert len(words) >= 5
    assert all(contrast(part.get_color(), PAPER) > 4.5 for part in words)
    assert min(contrast(part.get_color(), "white") for part in FIGURES[name]().findobj(Text) if part.get_text()) > 4.5


def test_classes_keep_their_colours():
    shown = [colors.to_hex(found.get_facecolor()[0]) for found in dark(FIGURES["classes"]()).axes[0].collections]
    before = [colors.to_hex(found.get_facecolor()[0]) for found in FIGURES["classes"]().axes[0].collections]
    assert shown == [colour if colour != "#000000" else "#ffffff" for colour in before]
    assert len(set(shown)) == 8
    assert all(contrast(colour, PAPER) > 3 for colour in shown)


def test_thumbnails_stay_as_they_are():
    images = RANDOM.integers(0, 256, (6, 12, 12, 3)).astype("uint8")
    figure = dark(viz.embedding(RANDOM.normal(size=(6, 2)), np.arange(6) % 2, ["a", "b"], images))
    figure.canvas.draw()
    assert len(figure.axes[0].artists) >= 1
