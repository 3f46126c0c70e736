"""Class weights against scikit-learn and their limits; balanced order: shares, resumption, and a run of fit."""

import itertools

import numpy as np
import pytest

from tests.train.nets import colours, net
from zoo.train import fit
from zoo.train.imbalance import BalancedArrays, balanced, class_counts, class_weights

LABELS = np.repeat([0, 1, 2], [70, 25, 5])


def test_inverse_is_scikit_learns_balanced():
    sklearn = pytest.importorskip("sklearn.utils.class_weight", reason="the reference is scikit-learn: install the extra 'projects'")
    wanted = sklearn.compute_class_weight("balanced", classes=np.arange(3), y=LABELS)
    np.testing.assert_allclose(class_weights(LABELS), wanted, rtol=1e-12)
    np.testing.assert_allclose(class_weights(np.eye(3)[LABELS]), wanted, rtol=1e-12)


def test_the_effective_number_is_a_sum_and_lies_between_its_limits():
    beta = 0.9
    numbers = np.array([sum(beta**i for i in range(count)) for count in (70, 25, 5)])  # 1 + b + b^2 + ... written out
    found = class_weights(LABELS, "effective", beta)
    np.testing.assert_allclose(found / found[0], numbers[0] / numbers, rtol=1e-12)
    np.testing.assert_allclose(class_weights(LABELS, "effective", 0.0), np.ones(3))
    np.testing.assert_allclose(class_weights(LABELS, "effective", 1 - 1e-9), class_weights(LABELS), rtol=1e-5)
    root = class_weights(LABELS, "sqrt")
    np.testing.assert_allclose(root[2] / root[0], np.sqrt(70 / 5))


@pytest.mark.parametrize("scheme", ["inverse", "sqrt", "effective"])
def test_the_mean_weight_of_an_image_is_one(scheme):
    assert class_weights(LABELS, scheme)[LABELS].mean() == pytest.approx(1.0)


def test_mixed_labels_count_with_their_shares():
    np.testing.assert_allclose(class_counts([[0.25, 0.75], [1.0, 0.0]]), [1.25, 0.75])


def test_every_class_comes_equally_often_and_a_resumed_run_sees_the_same():
    images = np.arange(100).reshape(100, 1, 1, 1).astype("uint8")
    part = BalancedArrays(images, LABELS)
    batches = list(itertools.islice(part.training(20, seed=1), 5 * 200))
    shares = class_counts(np.concatenate([labels for _, labels in batches])) / 20_000
    assert np.abs(shares - 1 / 3).max() < 4 * np.sqrt(2 / 9 / 20_000)  # four standard deviations of a binomial share
    for picture, label in batches[:10]:
        np.testing.assert_array_equal(LABELS[picture[:, 0, 0, 0]], label)
    again = list(itertools.islice(part.training(20, seed=1, start_epoch=3), 5))
    for (ours, _), (theirs, _) in zip(again, batches[15:20], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert not np.array_equal(batches[0][0], batches[5][0])
    assert not np.array_equal(batches[0][0], next(part.training(20, seed=2))[0])
    assert [len(labels) for _, labels in itertools.islice(part.training(30, seed=1), 4)] == [30, 30, 30, 10]


@pytest.mark.backend
def test_fit_trains_on_it_and_validates_on_the_real_shares(recipe, start):
    with recipe.building():
        model = net()
    data = balanced((colours(), colours(12, seed=1)))
    assert data.validation.labels.tolist() == colours(12, seed=1)[1].tolist()
    assert len(fit(model, data, recipe, start(), verbose=0).rows) == recipe.epochs


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: class_weights(LABELS, "log"), "scheme must be one of inverse, sqrt, effective"),
        (lambda: class_weights(LABELS, "effective", 1.0), "beta must lie in"),
        (lambda: class_weights([0, 2, 2]), "class without images: 1"),
        (lambda: class_weights(LABELS, classes=2), "wanted labels of 2 classes"),
        (lambda: class_weights([]), "at least one"),
        (lambda: class_weights([[0.5, 0.6]]), "sum 1"),
        (lambda: balanced(object()), "BalancedPipeline"),
        (lambda: BalancedArrays(np.zeros((2, 1, 1, 1)), np.eye(2)), "integer labels"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
