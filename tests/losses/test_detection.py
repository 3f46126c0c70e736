"""The terms of detection losses against torchvision, closed forms in float64, and their borders."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.detect.torch_oracle import ask
from zoo import gradients
from zoo.losses.detection import distribution_focal, sigmoid_crossentropy, sigmoid_focal, smooth_l1

pytestmark = pytest.mark.backend

LOGITS = np.array([-80.0, -30.0, -4.595, -1.0, 0.0, 0.3, 2.0, 30.0, 80.0])


def _numpy(x):
    return ops.convert_to_numpy(x).astype("float64")


def _log_sigmoid(x):
    return -np.logaddexp(0.0, -np.asarray(x, "float64"))


@pytest.mark.parametrize("target", [0.0, 0.3, 1.0])
def test_crossentropy_is_its_definition_for_hard_and_soft_targets_at_any_logit(target):
    wanted = -target * _log_sigmoid(LOGITS) - (1 - target) * _log_sigmoid(-LOGITS)
    np.testing.assert_allclose(_numpy(sigmoid_crossentropy(np.full(9, target), LOGITS)), wanted, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize(("alpha", "gamma"), [(0.25, 2.0), (0.5, 0.0), (0.75, 0.5)])
def test_focal_is_equation_5_of_the_paper(alpha, gamma):
    for target in (0.0, 1.0):
        log_p = _log_sigmoid(LOGITS if target else -LOGITS)
        weight = alpha if target else 1 - alpha
        wanted = -weight * (-np.expm1(log_p)) ** gamma * log_p
        np.testing.assert_allclose(_numpy(sigmoid_focal(np.full(9, target), LOGITS, alpha, gamma)), wanted, rtol=2e-5, atol=1e-12)


def test_focal_equals_torchvisions(tmp_path):
    rng = np.random.default_rng(0)
    logits, targets = rng.normal(0, 4, (50, 7)).astype("float32"), (rng.random((50, 7)) < 0.2).astype("float32")
    wanted = ask(tmp_path, focal_logits=logits, focal_targets=targets)["focal"]
    np.testing.assert_allclose(_numpy(sigmoid_focal(targets, logits)), wanted, rtol=1e-5, atol=1e-7)


def test_an_easy_anchor_at_the_prior_hardly_counts():
    """The example of the paper, section 3.2: with gamma 2, what has p = 0.9 counts a hundredth of its cross-entropy."""
    logit = np.log(9.0)
    ratio = _numpy(sigmoid_crossentropy(1.0, logit)) / _numpy(sigmoid_focal(1.0, logit, alpha=1.0))
    assert float(ratio) == pytest.approx(100.0, rel=1e-4)


@pytest.mark.parametrize("beta", [0.0, 0.1, 1.0])
def test_smooth_l1_is_its_definition_and_joins_smoothly(beta):
    d = np.array([-3.0, -1.0, -0.1, -0.05, 0.0, 1e-3, 0.1, 0.2, 5.0])
    wanted = np.abs(d) - beta / 2 if beta == 0 else np.where(np.abs(d) < beta, d**2 / (2 * beta), np.abs(d) - beta / 2)
    np.testing.assert_allclose(_numpy(smooth_l1(d, beta)), wanted, rtol=1e-5, atol=1e-9)
    if beta:
        slope = _slope(lambda x: ops.sum(smooth_l1(x, beta)), d)
        np.testing.assert_allclose(slope, np.clip(d / beta, -1, 1), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="beta must be >= 0"):
        smooth_l1(d, -1.0)


@pytest.mark.parametrize("distance", [0.0, 0.25, 6.5, 7.0, 14.99, 15.0])
def test_distribution_focal_is_equation_6_of_the_paper(distance):
    logits = np.random.default_rng(1).normal(0, 3, 16)
    log_p = logits - np.log(np.exp(logits).sum())
    below = min(int(distance), 14)
    wanted = -((below + 1 - distance) * log_p[below] + (distance - below) * log_p[below + 1])
    assert float(_numpy(distribution_focal(distance, logits))) == pytest.approx(wanted, rel=1e-5)


def test_the_distribution_that_minimises_it_has_the_truth_as_its_mean():
    """Where the gradient softmax(x) - share is zero: two bins share the weight, and their mean is the truth."""
    truth = 3.3
    share = np.full(8, 1e-12)
    share[3], share[4] = 0.7, 0.3
    slope = _slope(lambda x: distribution_focal(truth, x), np.log(share))
    np.testing.assert_allclose(slope, 0.0, atol=1e-6)
    assert (share / share.sum()) @ np.arange(8) == pytest.approx(truth, rel=1e-6)


def test_distances_beyond_the_bins_count_as_the_last_and_below_as_the_first():
    logits = np.random.default_rng(2).normal(size=(2, 8))
    far, last = distribution_focal(np.array([100.0, -3.0]), logits), distribution_focal(np.array([7.0, 0.0]), logits)
    np.testing.assert_array_equal(_numpy(far), _numpy(last))


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_half_precision_is_computed_in_float32(kind):
    logits = ops.cast(ops.convert_to_tensor(LOGITS), kind)
    for loss in (sigmoid_crossentropy(ops.ones_like(logits), logits), sigmoid_focal(ops.ones_like(logits), logits), smooth_l1(logits)):
        assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    assert keras.backend.standardize_dtype(distribution_focal(2.0, logits).dtype) == "float32"


def test_gradients_are_finite_at_the_ends_of_the_scale():
    for target in (0.0, 1.0):
        for gamma in (0.5, 2.0):
            slope = _slope(lambda x, t=target, g=gamma: ops.sum(sigmoid_focal(t * ops.ones_like(x), x, gamma=g)), LOGITS)
            assert np.isfinite(slope).all()


def _slope(function, at):
    (value, _), slope = gradients.value_and_grad(function)(ops.convert_to_tensor(np.asarray(at, "float32")))
    assert np.isfinite(_numpy(value)).all()
    return _numpy(slope)
