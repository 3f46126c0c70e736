"""Losses against Keras' and torch's own, against sums written out, and at their borders."""

import keras
import numpy as np
import pytest

from zoo.losses.imbalance import ExpectedCost, FocalCrossentropy, WeightedCrossentropy


def _batch(b=9, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    rows = rng.dirichlet(np.ones(classes), b).astype("float32")
    return rng.integers(0, classes, b), rows, rng.normal(0, 2, (b, classes)).astype("float32")


def _hot(labels, classes=4):
    return np.eye(classes, dtype="float32")[labels]


@pytest.mark.backend
@pytest.mark.parametrize(("gamma", "alpha"), [(0.0, 1.0), (2.0, 0.25), (0.5, 1.0), (3.0, [0.1, 0.2, 0.3, 0.4])])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_focal_equals_keras_on_one_hot_mixed_and_integer_labels(gamma, alpha, smoothing):
    labels, rows, logits = _batch()
    ours = FocalCrossentropy(gamma, alpha, smoothing)
    theirs = keras.losses.CategoricalFocalCrossentropy(alpha, gamma, from_logits=True, label_smoothing=smoothing)
    for truth in (rows, _hot(labels)):
        assert float(ours(truth, logits)) == pytest.approx(float(theirs(truth, logits)), rel=1e-5)
    assert float(ours(labels, logits)) == pytest.approx(float(theirs(_hot(labels), logits)), rel=1e-5)


@pytest.mark.backend
def test_focal_of_two_classes_is_the_papers_binary_loss():
    labels, _, logits = _batch(classes=2)
    two = np.stack([np.zeros(len(labels)), logits[:, 0]], axis=1).astype("float32")
    theirs = keras.losses.BinaryFocalCrossentropy(apply_class_balancing=True, alpha=0.25, gamma=2.0, from_logits=True)
    wanted = float(theirs(labels[:, None].astype("float32"), logits[:, :1]))
    assert float(FocalCrossentropy(2.0, (0.75, 0.25))(labels, two)) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_has_a_finite_gradient_where_the_answer_is_sure(gamma):
    from zoo.gradients import value_and_grad

    logits = keras.ops.convert_to_tensor(np.array([[60.0, -60.0], [-60.0, 60.0]], "float32"))
    truth = np.array([0, 0])
    loss = FocalCrossentropy(gamma)
    (value, _), gradient = value_and_grad(lambda x: loss(truth, x))(logits)
    assert float(value) == pytest.approx(60.0, rel=1e-4)
    assert np.isfinite(keras.ops.convert_to_numpy(gradient)).all()


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_weighted_equals_torch_on_mixed_and_integer_labels(smoothing):
    torch = pytest.importorskip("torch", reason="the reference is torch: install it with make test-backends")
    labels, rows, logits = _batch()
    weights = [0.5, 1.0, 4.0, 0.1]

    def theirs(truth):
        tensors = torch.tensor(logits), torch.tensor(truth)
        return torch.nn.functional.cross_entropy(*tensors, weight=torch.tensor(weights), label_smoothing=smoothing, reduction="none").mean()

    for truth in (rows, labels):
        assert float(WeightedCrossentropy(weights, smoothing)(truth, logits)) == pytest.approx(float(theirs(truth)), rel=1e-5)


@pytest.mark.backend
def test_expected_cost_is_the_sum_over_truth_and_decision():
    labels, rows, logits = _batch()
    costs = np.random.default_rng(1).uniform(0, 5, (4, 4))
    p = np.exp(logits.astype("float64"))
    p /= p.sum(axis=1, keepdims=True)
    mixed = np.mean([sum(rows[i, t] * costs[t, k] * p[i, k] for t in range(4) for k in range(4)) for i in range(len(rows))])
    single = np.mean([sum(costs[label, k] * p[i, k] for k in range(4)) for i, label in enumerate(labels)])
    assert float(ExpectedCost(costs)(rows, logits)) == pytest.approx(mixed, rel=1e-5)
    assert float(ExpectedCost(costs)(labels[:, None], logits)) == pytest.approx(single, rel=1e-5)
    errors = float(ExpectedCost(1 - np.eye(4))(labels, 100 * logits))
    assert errors == pytest.approx((logits.argmax(axis=1) != labels).mean(), abs=1e-3)


@pytest.mark.backend
@pytest.mark.parametrize("loss", [FocalCrossentropy(), WeightedCrossentropy([1, 1, 1, 1]), ExpectedCost(1 - np.eye(4))])
def test_a_label_outside_is_nan_and_the_configuration_goes_round(loss):
    labels, _, logits = _batch()
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert float(again(labels, logits)) == float(loss(labels, logits))
    labels[0] = 4
    assert np.isnan(float(loss(labels, logits)))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: FocalCrossentropy(-1.0), "gamma must be"),
        (lambda: FocalCrossentropy(2.0, (0.5, -1)), "alpha must be finite numbers >= 0"),
        (lambda: WeightedCrossentropy([[1, 2]]), "one per class"),
        (lambda: WeightedCrossentropy([1, 2], 1.0), "label_smoothing"),
        (lambda: ExpectedCost([[0, 1]]), "truth in rows"),
        (lambda: WeightedCrossentropy([1, 2])(np.array([0]), np.zeros((1, 3), "float32")), "for 2 classes, but the model has 3"),
    ],
)
def test_bad_input_is_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()
