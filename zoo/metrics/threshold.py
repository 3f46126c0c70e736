"""Decide by what a mistake costs. Numpy only.

A cost table has the truth in rows and the decision in columns: costs[1, 0] is the price of calling a 1 a 0. What is right usually
costs 0, but need not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zoo.metrics.classification import _labels, _probabilities, _same_length


@dataclass(frozen=True)
class Threshold:
    """A point of the ROC curve: decide 1 where score >= value.

    value:          the threshold; infinity means never.
    cost:           mean cost of one image on the data it was chosen on.
    true_positive:  share of the ones that are found; false_positive: share of the zeros that are taken for ones.
    """

    value: float
    cost: float
    true_positive: float
    false_positive: float


def choose_threshold(truth, scores, costs) -> Threshold:
    """The threshold of least mean cost, over every point of the ROC curve. Of equal costs the highest threshold is taken.

    truth: (n,) of 0 and 1, both present. scores: (n,) finite; higher means rather 1; they need not be probabilities. costs: (2, 2).

    Choose on validation data, never on the test set: the cost here is a best case. Raises ValueError for other input.
    """
    truth = _labels(truth, "truth", 2)
    scores, costs = np.asarray(scores, "float64"), check_costs(costs, 2)
    _same_length(truth, scores)
    if scores.ndim != 1 or not np.isfinite(scores).all():
        raise ValueError(f"scores must be finite numbers (n,), one per image, got shape {scores.shape}; give probabilities[:, 1]")
    ones, zeros = int((truth == 1).sum()), int((truth == 0).sum())
    if not ones or not zeros:
        raise ValueError(f"a threshold needs images of both classes, got {zeros} of class 0 and {ones} of class 1")
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    last = np.flatnonzero(np.append(np.diff(falling) != 0, True))  # equal scores fall together
    values = np.append(np.inf, falling[last])
    found = np.append(0, np.cumsum(truth[order])[last])  # ones at or above each value
    alarms = np.append(0, last + 1) - found  # zeros at or above it
    mean = (found * costs[1, 1] + (ones - found) * costs[1, 0] + alarms * costs[0, 1] + (zeros - alarms) * costs[0, 0]) / len(truth)
    best = int(np.argmin(mean))
    return Threshold(float(values[best]), float(mean[best]), float(found[best] / ones), float(alarms[best] / zeros))


def probability_threshold(costs) -> float:
    """The threshold on the probability of class 1 that is right if the probabilities are (Elkan 2001, The foundations of cost-sensitive
    learning, equation 2): (c01 - c00) / (c01 - c00 + c10 - c11) in rows of truth. In [0, 1]. costs: (2, 2).

    Raises ValueError for a table in which a mistake is not dearer than what is right.
    """
    costs = check_costs(costs, 2)
    alarm, miss = costs[0, 1] - costs[0, 0], costs[1, 0] - costs[1, 1]
    if alarm < 0 or miss < 0 or alarm + miss == 0:
        raise ValueError(f"in each row of costs the mistake must be dearer than the right decision, got {costs.tolist()}")
    return float(alarm / (alarm + miss))


def decide(probabilities, costs) -> np.ndarray:
    """The decision of least expected cost for each image: argmin_k sum_t p_t costs[t, k]; int64 (n,). Of equals the lower class.

    probabilities: (n, classes), rows sum to 1. costs: (classes, decisions): a further column may be "ask a human".
    """
    probabilities = _probabilities(probabilities)
    return np.argmin(probabilities.astype("float64") @ check_costs(costs, probabilities.shape[1]), axis=1).astype(np.int64)


def mean_cost(truth, decided, costs) -> float:
    """What the decisions cost on average; NaN without images. truth, decided: (n,) labels."""
    costs = np.asarray(costs, "float64")
    costs = check_costs(costs, len(costs) if costs.ndim else 0)
    truth, decided = _labels(truth, "truth", costs.shape[0]), _labels(decided, "decided", costs.shape[1])
    _same_length(truth, decided)
    return float(costs[truth, decided].mean()) if len(truth) else float("nan")


def check_costs(costs, classes: int) -> np.ndarray:
    """Costs as float64 (classes, decisions); raises ValueError for another form, NaN or infinity."""
    table = np.asarray(costs, "float64")
    if table.ndim != 2 or table.shape[0] != classes or table.shape[1] < classes or not np.isfinite(table).all():
        raise ValueError(
            f"wanted finite costs with {classes} rows (truth) and at least as many columns (decisions), got shape {table.shape}: "
            f"{table.tolist()}"
        )
    return table
