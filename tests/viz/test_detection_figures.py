"""The figures of a detector hold the numbers they were given."""

import numpy as np
import pytest

from tests.metrics.detection_cases import some_case
from zoo import viz
from zoo.metrics import average_precision, detection_confusion, detection_curves, detection_errors

NAMES = ["stop $5", "give way", "children crossing the road slowly"]
TRUTHS, FOUND = some_case(1, images=30, crowds=0)


@pytest.fixture(scope="module")
def result():
    return average_precision(TRUTHS, FOUND, NAMES)


def _texts(ax):
    return [text.get_text() for text in ax.texts]


def test_precision_over_recall(result):
    figure = viz.precision_recall(result)
    lines = figure.axes[0].get_lines()
    assert len(lines) == 4
    assert lines[-1].get_label() == f"{result.ap(0.5):.2f}  mean of 3 classes"
    values = result.per_class(0.5)
    assert [float(line.get_label()[:4]) for line in lines[:3]] == sorted((round(value, 2) for value in values.values()), reverse=True)
    for line in lines:  # the mean height over the recalls is the AP
        assert np.mean(line.get_ydata()) == pytest.approx(float(line.get_label()[:4]), abs=0.005)


def test_many_classes_are_grey_but_the_best_and_the_worst():
    truths, found = some_case(0, images=60, classes=12)
    result = average_precision(truths, found, 12)
    figure = viz.precision_recall(result)
    named = [line for line in figure.axes[0].get_lines() if not line.get_label().startswith("_")]
    assert len(named) == 7
    assert len(figure.axes[0].get_lines()) == 13
    assert "best and worst three of 12" in figure.legends[0].get_title().get_text()
    assert named[0].get_label().startswith(f"{max(result.per_class(0.5).values()):.2f}")


def test_the_chosen_confidence_is_marked():
    curve = detection_curves(TRUTHS, FOUND, NAMES).all
    choice = curve.cheapest(5, 1)
    ax = viz.confidence_curves(curve, choice, "a miss costs 5").axes[0]
    lines = {line.get_label().split("  ")[0]: line for line in ax.get_lines()}
    assert lines["F1"].get_label() == f"F1  {choice.f1:.2f}"
    assert lines["precision"].get_drawstyle() == "steps-post"
    # Between two scores what is kept is what is kept at the higher of them.
    x, y = lines["recall"].get_data()
    between = (x[3] + x[4]) / 2
    assert y[3] == curve.at(between).recall
    assert y[-1] == curve.recall[-1]
    assert any(line.get_xdata()[0] == choice.confidence for line in ax.get_lines() if len(line.get_xdata()) == 2)
    assert ax.get_title(loc="left") == f"confidence {choice.confidence:.2f}, costs {choice.cost:.3g} an image\na miss costs 5"
    assert "highest F1" in viz.confidence_curves(curve).axes[0].get_title(loc="left")
    assert "report nothing" in viz.confidence_curves(curve, curve.cheapest(0, 1)).axes[0].get_title(loc="left")


def test_confusion_has_a_row_and_a_column_of_background():
    matrix = detection_confusion(TRUTHS, FOUND, 3)
    ax = viz.detection_confusion(matrix, NAMES).axes[0]
    assert _texts(ax) == [f"{value}" for value in matrix.ravel()[:-1]]
    assert [label.get_text() for label in ax.get_yticklabels()][-1] == "nothing there"
    assert [label.get_text() for label in ax.get_xticklabels()][-1] == "not found"


def test_mistakes_are_ordered_by_what_they_cost():
    errors = detection_errors(TRUTHS, FOUND, 3)
    left, right = viz.error_breakdown(errors).axes
    kinds = [label.get_text() for label in left.get_yticklabels()]
    assert _texts(left) == [f"+{errors.gains[kind]:.3f}" for kind in kinds]
    assert _texts(right) == [f"{errors.counts[kind]:,}" for kind in kinds]
    gains = [bar.get_width() for bar in left.patches]
    assert gains == sorted(gains, reverse=True)


def test_sizes_with_and_without_objects(result):
    ax = viz.by_size(result).axes[0]
    wanted = [f"{result.ap(size=size):.2f}" for size in result.sizes] + [f"{result.ar(size=size):.2f}" for size in result.sizes]
    assert _texts(ax) == wanted
    assert ax.get_xticklabels()[0].get_text() == f"all\n{result.objects[:, 0].sum()} objects"
    assert _texts(viz.by_size(average_precision([], [], 1)).axes[0]) == ["–"] * 8


def test_nothing_to_draw():
    empty = average_precision([], [], 1)
    with pytest.raises(ValueError, match="no class has an object"):
        viz.precision_recall(empty)
    with pytest.raises(ValueError, match="no detection, or no object"):
        viz.confidence_curves(detection_curves([], [], 1).all)
    with pytest.raises(ValueError, match="need a table of 4 rows"):
        viz.detection_confusion(np.zeros((3, 3)), NAMES)
    assert viz.error_breakdown(detection_errors([], [], 1)).axes
