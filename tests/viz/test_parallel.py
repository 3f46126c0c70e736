"""Parallel coordinates: every value stands at its height."""

import math

import numpy as np
import pytest

from zoo.viz.parallel import parallel

COLUMNS = {"rate": [1e-4, 1e-2, 1.0], "smoothing": [0.0, 0.2, 0.1], "optimizer": ["sgd", "lion", "sgd"], "clip": [None, 1.0, None]}


def _lines(figure):
    """Trials in the order they are drawn; the axes' own vertical lines have two points."""
    return [line for line in figure.axes[0].lines if len(line.get_xdata()) == len(COLUMNS) + 1]


def test_heights_colours_and_the_best_on_top():
    lines = _lines(parallel(COLUMNS, [0.5, 0.9, 0.7], log=("rate",)))
    heights = [list(line.get_ydata()) for line in lines]
    np.testing.assert_allclose(heights, [[0, 0, 0, 0, 0], [1, 0.5, 0, 0, 0.5], [0.5, 1, 1, 1, 1]], atol=1e-12)
    assert lines[-1].get_linewidth() > lines[0].get_linewidth()
    light = [sum(line.get_color()[:3]) for line in lines]
    assert light == sorted(light)


def test_the_lowest_is_best_where_it_is_a_loss():
    lines = _lines(parallel(COLUMNS, [0.5, 0.9, 0.7], "loss", higher_is_better=False))
    assert lines[-1].get_ydata()[-1] == 0.0


def test_a_failed_trial_is_dotted():
    figure = parallel(COLUMNS, [math.nan, 0.9, 0.7])
    assert [line.get_linestyle() for line in _lines(figure)] == [":", "-", "-"]
    figure.canvas.draw()


@pytest.mark.parametrize("scores", [[0.5], [math.nan]])
def test_one_trial(scores):
    parallel({"rate": [0.1]}, scores, log=("rate",)).canvas.draw()


@pytest.mark.parametrize(("columns", "scores"), [({}, [1.0]), ({"a": []}, []), ({"a": [1, 2]}, [1.0])])
def test_nothing_to_draw(columns, scores):
    with pytest.raises(ValueError, match="wanted columns of"):
        parallel(columns, scores)


def test_a_logarithm_wants_positive_values():
    with pytest.raises(ValueError, match="rate: a logarithmic axis wants values > 0, got 0"):
        parallel({"rate": [0.0, 1.0]}, [0.1, 0.2], log=("rate",))
