"""The Pareto front against its definition, and its figure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.viz import pareto
from zoo.viz.trade import front, together


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 5)), min_size=1, max_size=8))
def test_front_is_what_nobody_beats(points):
    costs, gains = np.array(points).T
    kept = set(front(costs, gains).tolist())
    for i, (cost, gain) in enumerate(points):
        beaten = any(c <= cost and g >= gain and (c, g) != (cost, gain) for c, g in points)
        assert (i in kept) == (not beaten)
    assert list(costs[front(costs, gains)]) == sorted(costs[front(costs, gains)])


def test_one_panel_per_cost_and_every_name_in_each():
    figure = pareto(["a", "b", "c"], [0.5, 0.8, 0.6], {"time": [1, 10, 20], "size": [3, 2, 1]}, errors=[[0.4, 0.6]] * 3)
    assert [ax.get_xlabel() for ax in figure.axes] == ["time", "size"]
    for ax in figure.axes:
        assert sorted(text.get_text() for text in ax.texts) == ["a", "b", "c"]
        assert ax.get_xscale() == "log"


@pytest.mark.parametrize(("gains", "costs"), [([0.5], [1, 2]), ([0.5, 0.6], [1, 0]), ([0.5, 0.6], [1])])
def test_wrong_lengths_and_costs_are_refused(gains, costs):
    with pytest.raises(ValueError, match="wanted"):
        pareto(["a", "b"], gains, {"time": costs})


def test_names_at_one_point_share_a_label():
    figure = pareto(["a", "b", "c", "d"], [0.5, 0.5, 0.9, 0.5], {"time": [1, 1, 1, 10]})
    assert {text.get_text() for text in figure.axes[0].texts} == {"a, b", "c", "d"}
    assert together([0.0, 0.02, 1.0], [0.0, 0.02, 1.0]) == [[0, 1], [2]]
    assert together([0.0, 0.02, 1.0], [0.0, 0.02, 1.0], near=0.01) == [[0], [1], [2]]
