"""The league's figures: every contestant in every panel, marks where they belong, names that do not cover each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.viz import cascade, league
from zoo.viz.league import spread


def test_every_panel_has_every_bar_and_the_marks_at_their_values():
    figure = league(["a", "b"], {"pointing": [0.5, np.nan], "mass": [1.5, 0.2]}, {"random": [0.1, 0.3], "sobel": [np.nan, 0.4]})
    first, second = figure.axes
    assert (first.get_title(loc="left"), second.get_title(loc="left")) == ("pointing", "mass")
    assert [patch.get_width() for patch in first.patches] == [0.5, 0]
    assert [text.get_text() for text in first.texts] == [" 0.50", " –"]
    assert [line.get_xdata()[0] for line in first.lines] == [0.1]
    assert [line.get_xdata()[0] for line in second.lines] == [0.3, 0.4]
    assert second.get_xlim()[1] > 1.5
    assert [label.get_text() for label in first.get_yticklabels()] == ["a", "b"]


@pytest.mark.parametrize("wrong", [([], {"x": []}), (["a"], {}), (["a"], {"x": [1, 2]}), (["a"], {"x": [1]}, {"random": [1, 2]})], ids=str)
def test_what_does_not_fit_is_refused(wrong):
    with pytest.raises(ValueError, match="need"):
        league(*wrong)


def test_each_curve_is_named_at_its_last_value():
    figure = cascade(["top", "bottom"], {"a": [1, 0.5], "b": [0.9, np.nan], "c": [np.nan, np.nan]}, "likeness", floor=0.3)
    (ax,) = figure.axes
    assert [text.get_text() for text in ax.texts] == ["a", "b"]
    assert [text.xy for text in ax.texts] == [(1, 0.5), (1, 0.9)]
    assert ax.get_ylabel() == "likeness"
    with pytest.raises(ValueError, match="wanted curves of 2 values"):
        cascade(["top", "bottom"], {"a": [1]}, "likeness")
    with pytest.raises(ValueError, match="got 0 curves"):
        cascade(["top"], {}, "likeness")


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_names_are_apart_and_in_order(heights):
    moved = spread(heights, 0.05)
    order = np.argsort(heights, kind="stable")
    assert (np.diff(moved[order]) >= 0.05 - 1e-3).all()
    assert abs(np.mean(moved) - np.mean(heights)) < 1e-9
