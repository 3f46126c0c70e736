"""Classification metrics against scikit-learn and scipy, with nothing and one image first."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo import metrics

sklearn_metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is the oracle; install with the extra 'projects'")

CASES = [(1, 1, 0), (1, 3, 1), (2, 2, 2), (50, 2, 3), (400, 10, 4), (60, 43, 5)]


def drawn(n, classes, seed):
    """Labels, predictions and probabilities of a mediocre classifier."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, classes, n)
    logits = random.normal(size=(n, classes)) + 1.5 * np.eye(classes)[truth]
    return truth, logits.argmax(1), metrics.softmax(logits)


def test_nothing_is_nan_not_zero():
    none, no_scores = [], np.zeros((0, 3))
    assert metrics.confusion_matrix(none, none, 2).tolist() == [[0, 0], [0, 0]]
    assert math.isnan(metrics.accuracy(none, none))
    assert math.isnan(metrics.balanced_accuracy(none, none, 2))
    assert math.isnan(metrics.top_k(none, no_scores, 1))
    assert math.isnan(metrics.log_loss(none, no_scores))
    assert metrics.wilson(0, 0) == (0.0, 1.0)
    assert metrics.softmax(no_scores).shape == (0, 3)
    empty = metrics.calibration(none, no_scores, bins=4)
    assert empty.count.tolist() == [0, 0, 0, 0]
    assert math.isnan(empty.ece)
    assert np.isnan(empty.accuracy).all()
    report = metrics.per_class(np.zeros((2, 2), int))
    assert np.isnan([report.precision, report.recall, report.f1]).all()
    assert report.support.tolist() == [0, 0]


@pytest.mark.filterwarnings("ignore:A single label was found in 'y_true' and 'y_pred':UserWarning")
@pytest.mark.parametrize(("n", "classes", "seed"), CASES)
def test_confusion_matrix(n, classes, seed):
    truth, predicted, _ = drawn(n, classes, seed)
    ours = metrics.confusion_matrix(truth, predicted, classes)
    assert ours.dtype == np.int64
    np.testing.assert_array_equal(ours, sklearn_metrics.confusion_matrix(truth, predicted, labels=range(classes)))


@pytest.mark.parametrize(("n", "classes", "seed"), CASES)
def test_per_class(n, classes, seed):
    truth, predicted, _ = drawn(n, classes, seed)
    ours = metrics.per_class(metrics.confusion_matrix(truth, predicted, classes))
    theirs = sklearn_metrics.precision_recall_fscore_support(truth, predicted, labels=range(classes), zero_division=np.nan)
    for mine, reference in zip((ours.precision, ours.recall, ours.f1, ours.support), theirs, strict=True):
        np.testing.assert_allclose(mine, reference, rtol=1e-12)


@pytest.mark.parametrize(("n", "classes", "seed"), CASES)
def test_accuracy_and_balanced_accuracy(n, classes, seed):
    truth, predicted, _ = drawn(n, classes, seed)
    assert metrics.accuracy(truth, predicted) == pytest.approx(sklearn_metrics.accuracy_score(truth, predicted), rel=1e-12)
    # scikit-learn warns where a predicted class does not occur in the truth, so its definition is taken apart: macro recall.
    present = np.unique(truth)
    expected = sklearn_metrics.recall_score(truth, predicted, labels=present, average="macro", zero_division=np.nan)
    assert metrics.balanced_accuracy(truth, predicted, classes) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("n", "classes", "seed"), CASES[1:])
def test_top_k(n, classes, seed):
    truth, _, probabilities = drawn(n, classes, seed)
    for k in {1, 2, classes}:
        expected = np.mean(
            [label in sorted(range(classes), key=lambda c: (-row[c], c))[:k] for label, row in zip(truth, probabilities, strict=True)]
        )
        assert metrics.top_k(truth, probabilities, k) == pytest.approx(expected)
        if 2 < classes != k:
            assert metrics.top_k(truth, probabilities, k) == pytest.approx(
                sklearn_metrics.top_k_accuracy_score(truth, probabilities, k=k, labels=range(classes))
            )
    assert metrics.top_k(truth, probabilities, classes) == 1.0


def test_top_k_of_equal_scores_takes_the_lower_index():
    assert metrics.top_k([0, 1, 2], np.ones((3, 3)), 1) == pytest.approx(1 / 3)
    assert metrics.top_k([0, 1, 2], np.ones((3, 3)), 2) == pytest.approx(2 / 3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "classes", "seed"), CASES[1:])
def test_log_loss(n, classes, seed, dtype):
    truth, _, probabilities = drawn(n, classes, seed)
    probabilities = probabilities.astype(dtype)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    expected = sklearn_metrics.log_loss(truth, probabilities, labels=range(classes))
    assert metrics.log_loss(truth, probabilities) == pytest.approx(expected, rel=1e-6)


def test_log_loss_of_a_sure_mistake_is_finite():
    assert metrics.log_loss([1], np.array([[1.0, 0.0]])) == pytest.approx(-math.log(np.finfo(np.float64).eps))


@pytest.mark.parametrize(("n", "classes", "seed"), [(1, 2, 0), (500, 2, 1), (800, 5, 2)])
@pytest.mark.parametrize("bins", [1, 7, 15])
def test_calibration_by_definition(n, classes, seed, bins):
    truth, predicted, probabilities = drawn(n, classes, seed)
    found = metrics.calibration(truth, probabilities, bins)
    sure, right = probabilities.max(1), predicted == truth
    assert found.count.sum() == n
    error = 0.0
    for index, (low, high) in enumerate(zip(found.edges[:-1], found.edges[1:], strict=True)):
        inside = (sure > low) & (sure <= high)
        assert found.count[index] == inside.sum()
        if inside.any():
            assert found.confidence[index] == pytest.approx(sure[inside].mean())
            assert found.accuracy[index] == pytest.approx(right[inside].mean())
            error += inside.mean() * abs(right[inside].mean() - sure[inside].mean())
        else:
            assert math.isnan(found.accuracy[index])
    assert found.ece == pytest.approx(error)


def test_calibration_against_sklearn_curve():
    calibration_curve = pytest.importorskip("sklearn.calibration").calibration_curve
    truth, predicted, probabilities = drawn(2000, 4, 9)
    found = metrics.calibration(truth, probabilities, bins=10)
    accuracy, confidence = calibration_curve(predicted == truth, probabilities.max(1), n_bins=10)
    np.testing.assert_allclose(found.accuracy[found.count > 0], accuracy)
    np.testing.assert_allclose(found.confidence[found.count > 0], confidence)


def test_calibration_puts_the_ends_into_the_end_bins():
    found = metrics.calibration([0, 0], np.array([[1.0, 0.0], [0.5, 0.5]]), bins=2)
    assert found.count.tolist() == [1, 1]
    assert found.ece == pytest.approx(0.25)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
@pytest.mark.parametrize(("successes", "n"), [(0, 1), (1, 1), (0, 40), (40, 40), (7, 10), (913, 1000)])
def test_wilson_against_scipy(successes, n, confidence):
    binomtest = pytest.importorskip("scipy.stats").binomtest
    expected = binomtest(successes, n).proportion_ci(confidence, method="wilson")
    assert metrics.wilson(successes, n, confidence) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3, 1e30])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_against_scipy(scale, dtype):
    special = pytest.importorskip("scipy.special")
    logits = (np.random.default_rng(0).normal(size=(4, 5, 6)) * scale).astype(dtype)
    ours = metrics.softmax(logits)
    assert ours.dtype == dtype
    np.testing.assert_allclose(ours, special.softmax(logits, axis=-1), rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(ours.sum(-1), 1, rtol=1e-6)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=60), st.permutations(range(5)))
@settings(max_examples=60, deadline=None)
def test_renaming_the_classes_changes_nothing(pairs, renamed):
    truth = np.array([a for a, _ in pairs], int)
    predicted = np.array([b for _, b in pairs], int)
    mapping = np.array(renamed)
    before = metrics.balanced_accuracy(truth, predicted, 5)
    after = metrics.balanced_accuracy(mapping[truth], mapping[predicted], 5)
    assert (math.isnan(before) and math.isnan(after)) or before == pytest.approx(after)
    assert metrics.confusion_matrix(truth, predicted, 5).sum() == len(pairs)


PROBABILITIES = np.array([[0.5, 0.5], [0.9, 0.1]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.confusion_matrix([0, 2], [0, 1], 2), r"truth must be in \[0, 2\), got 2 at index 1"),
        (lambda: metrics.confusion_matrix([0, 1], [-1, 1], 2), r"predicted must be in \[0, 2\), got -1 at index 0"),
        (lambda: metrics.accuracy([0, -3], [0, 0]), r"truth must be in \[0, classes\), got -3 at index 1"),
        (lambda: metrics.accuracy([0.0, 1.0], [0, 1]), "truth must be integer labels, got float64"),
        (lambda: metrics.accuracy([[0, 1]], [0, 1]), r"truth must be labels \(n,\), got shape \(1, 2\)"),
        (lambda: metrics.accuracy([0], [0, 1]), "1 labels need as many predictions, got 2"),
        (lambda: metrics.per_class(np.zeros((2, 3))), r"a confusion matrix is square .* got shape \(2, 3\)"),
        (lambda: metrics.top_k([0, 1], PROBABILITIES, 3), "k must be between 1 and the number of classes 2, got 3"),
        (lambda: metrics.top_k([0, 2], PROBABILITIES, 1), r"truth must be in \[0, 2\), got 2"),
        (lambda: metrics.top_k([0], np.array([[np.nan, 1.0]]), 1), "scores hold NaN in row 0"),
        (lambda: metrics.log_loss([0, 1], PROBABILITIES * 3), r"each row must sum to 1; pass softmax\(logits\)"),
        (lambda: metrics.log_loss([0, 1], np.array([[2.0, -1.0], [0.5, 0.5]])), "must not be negative"),
        (lambda: metrics.log_loss([0], PROBABILITIES), "1 labels need as many predictions, got 2"),
        (lambda: metrics.calibration([0, 1], PROBABILITIES, bins=0), "at least one bin, got 0"),
        (lambda: metrics.calibration([0, 1], PROBABILITIES[0]), r"probabilities must be \(n, classes\)"),
        (lambda: metrics.wilson(3, 2), "successes must be between 0 and n, got 3 of 2"),
        (lambda: metrics.wilson(-1, 2), "successes must be between 0 and n"),
        (lambda: metrics.wilson(1, 2, 95), "confidence must be between 0 and 1, for example 0.95, got 95"),
        (lambda: metrics.softmax([[np.inf, 0.0]]), "NaN or infinite"),
        (lambda: metrics.softmax(np.zeros((2, 0))), "at least one class"),
    ],
)
def test_bad_input_is_told_what_is_wrong(call, message):
    with pytest.raises(ValueError, match=message):
        call()
