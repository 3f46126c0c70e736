"""Waterfalls and stacked bars: what is drawn against the numbers."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.viz import stacked, style, waterfall

NAN = float("nan")


def _bars(ax):
    """(from, to, colour) of every bar."""
    found = []
    for bar in ax.patches:
        red, green, blue, _ = bar.get_facecolor()
        colour = "#" + "".join(f"{round(255 * part):02x}" for part in (red, green, blue))
        found.append((bar.get_x(), bar.get_x() + bar.get_width(), colour))
    return found


def test_each_bar_goes_from_what_it_builds_on_to_its_value():
    figure = waterfall(["a", "b", "c", "d"], {"seconds": [10, 4, 6, 4], "accuracy": [0.5, 0.4, NAN, 0.6]}, after=[None, 0, 1, 1],
                       rising=["accuracy"])  # fmt: skip
    seconds, accuracy = figure.axes
    assert [(round(start, 6), round(end, 6)) for start, end, _ in _bars(seconds)] == [(0, 10), (10, 4), (4, 6), (4, 4)]
    assert [colour for *_, colour in _bars(seconds)] == [style.SOFT, style.GOOD, style.BAD, style.SOFT]
    assert [(round(start, 6), round(end, 6)) for start, end, _ in _bars(accuracy)] == [(0.5, 0.5), (0.5, 0.4), (0.4, 0.6)]
    assert [colour for *_, colour in _bars(accuracy)] == [style.SOFT, style.BAD, style.GOOD]
    assert seconds.get_xlim()[0] == 0
    assert 0.3 < accuracy.get_xlim()[0] < 0.4
    assert "–" in [text.get_text() for text in accuracy.texts]


def test_by_default_each_builds_on_the_one_before():
    bars = _bars(waterfall("abc", {"seconds": [3, 2, 1]}).axes[0])
    assert [(start, end) for start, end, _ in bars] == [(0, 3), (3, 2), (2, 1)]


@pytest.mark.parametrize(
    ("names", "panels", "after"),
    [("ab", {"x": [1]}, None), ("", {"x": []}, None), ("ab", {}, None), ("ab", {"x": [1, 2]}, [None, 1]), ("ab", {"x": [1, 2]}, [None])],
)
def test_a_waterfall_needs_numbers_and_an_order(names, panels, after):
    with pytest.raises(ValueError, match=r"a waterfall needs|every name builds on one before"):
        waterfall(names, panels, after=after)


def test_stacked_parts_add_up():
    figure = stacked(["a", "b"], {"waiting": [1, 2], "working": [3, 0.5]}, "seconds")
    widths = np.array([bar.get_width() for bar in figure.axes[0].patches]).reshape(2, 2)
    np.testing.assert_allclose(widths, [[1, 2], [3, 0.5]])
    assert [bar.get_x() for bar in figure.axes[0].patches[2:]] == [1, 2]
    assert [text.get_text() for text in figure.axes[0].texts] == ["4", "2.5"]


@pytest.mark.parametrize("parts", [{}, {"x": [1]}, {"x": [1, -1]}, {"x": [1, NAN]}])
def test_stacked_wants_numbers_that_can_be_added(parts):
    with pytest.raises(ValueError, match=r"x: wanted 2 numbers|at least one name and one part"):
        stacked(["a", "b"], parts)
