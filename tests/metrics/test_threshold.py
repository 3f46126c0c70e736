"""Thresholds against every alternative, tried one by one, and against scikit-learn's curve."""

import numpy as np
import pytest

from zoo.metrics.threshold import choose_threshold, decide, mean_cost, probability_threshold

COSTS = [[0, 1], [5, 0]]


def _cost(truth, scores, value, costs):
    return np.mean([costs[t][int(s >= value)] for t, s in zip(truth, scores, strict=True)])


@pytest.mark.parametrize("costs", [COSTS, [[0, 7], [1, 0]], [[-1, 2], [3, -2]], [[0, 0], [0, 0]], [[0, 1], [0, 0]]])
@pytest.mark.parametrize("seed", range(5))
def test_no_threshold_is_cheaper(costs, seed):
    rng = np.random.default_rng(seed)
    truth = np.append(rng.integers(0, 2, 40), [0, 1])
    scores = np.round(rng.normal(truth, 1.0), 1)  # many ties
    found = choose_threshold(truth, scores, costs)
    grid = [np.inf, -np.inf, *np.unique(scores), *(np.unique(scores) + 0.05)]
    assert found.cost == pytest.approx(min(_cost(truth, scores, value, costs) for value in grid))
    assert found.cost == pytest.approx(_cost(truth, scores, found.value, costs))
    assert found.true_positive == pytest.approx((scores[truth == 1] >= found.value).mean())
    assert found.false_positive == pytest.approx((scores[truth == 0] >= found.value).mean())


def test_it_is_a_point_of_scikit_learns_curve():
    metrics = pytest.importorskip("sklearn.metrics", reason="the reference is scikit-learn: install the extra 'projects'")
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 2, 200)
    scores = rng.normal(truth, 1.0)
    fpr, tpr, values = metrics.roc_curve(truth, scores, drop_intermediate=False)
    ones = truth.mean()
    cheapest = (COSTS[1][0] * ones * (1 - tpr) + COSTS[0][1] * (1 - ones) * fpr).min()
    found = choose_threshold(truth, scores, COSTS)
    assert found.cost == pytest.approx(cheapest)
    at = int(np.flatnonzero(values == found.value)[0])
    assert (found.true_positive, found.false_positive) == pytest.approx((tpr[at], fpr[at]))


def test_decisions_are_the_cheapest_of_all_and_follow_elkans_threshold():
    rng = np.random.default_rng(0)
    probabilities, costs = rng.dirichlet(np.ones(3), 50), rng.uniform(0, 3, (3, 4))
    wanted = [min(range(4), key=lambda k: sum(p[t] * costs[t, k] for t in range(3))) for p in probabilities]
    assert decide(probabilities, costs).tolist() == wanted
    two = rng.dirichlet(np.ones(2), 200)
    np.testing.assert_array_equal(decide(two, COSTS), two[:, 1] > probability_threshold(COSTS))
    assert probability_threshold(COSTS) == pytest.approx(1 / 6)
    np.testing.assert_array_equal(decide(probabilities, 1 - np.eye(3)), probabilities.argmax(axis=1))


def test_mean_cost_and_its_borders():
    assert mean_cost([1, 1, 0, 0], [0, 1, 1, 0], COSTS) == pytest.approx(1.5)
    assert np.isnan(mean_cost([], [], COSTS))
    assert choose_threshold([0, 1], [0.5, 0.5], COSTS).value == 0.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: choose_threshold([1, 1], [0.1, 0.2], COSTS), "both classes, got 0 of class 0"),
        (lambda: choose_threshold([0, 1], [0.1, np.nan], COSTS), "scores must be finite"),
        (lambda: choose_threshold([0, 2], [0.1, 0.2], COSTS), "must be in"),
        (lambda: choose_threshold([0, 1], [0.1, 0.2], [[0, 1, 2]]), "2 rows"),
        (lambda: probability_threshold([[1, 0], [5, 0]]), "mistake must be dearer"),
        (lambda: decide([[0.5, 0.5]], np.eye(3)), "2 rows"),
        (lambda: decide([[5.0, -5.0]], COSTS), "softmax"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
