"""The loss against Keras' own on one-hot labels, against torch, and at its borders."""

import keras
import numpy as np
import pytest

from zoo.losses import SparseCrossentropy


def _batch(b=7, classes=5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, classes, b), rng.normal(0, 4, (b, classes)).astype("float32")


@pytest.mark.backend
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_equals_keras_on_one_hot_labels(smoothing):
    labels, logits = _batch()
    theirs = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
    wanted = float(theirs(np.eye(5, dtype="float32")[labels], logits))
    assert float(SparseCrossentropy(smoothing)(labels, logits)) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_equals_torch(smoothing):
    torch = pytest.importorskip("torch", reason="the reference is torch: install it with make test-backends")
    labels, logits = _batch(seed=1)
    wanted = torch.nn.functional.cross_entropy(torch.tensor(logits), torch.tensor(labels), label_smoothing=smoothing).item()
    assert float(SparseCrossentropy(smoothing)(labels, logits)) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.backend
def test_uniform_logits_cost_log_classes_whatever_the_smoothing():
    for smoothing in (0.0, 0.5):
        assert float(SparseCrossentropy(smoothing)(np.zeros(3, "int64"), np.zeros((3, 8), "float32"))) == pytest.approx(np.log(8), rel=1e-6)


@pytest.mark.backend
def test_huge_logits_stay_finite():
    logits = np.array([[1e4, -1e4], [1e4, -1e4]], "float32")
    assert float(SparseCrossentropy()(np.array([0, 1]), logits)) == pytest.approx(1e4)


@pytest.mark.backend
@pytest.mark.parametrize("label", [-1, 5])
def test_a_label_outside_the_classes_is_nan_not_zero(label):
    labels, logits = _batch()
    assert np.isfinite(float(SparseCrossentropy()(labels, logits)))
    labels[3] = label
    assert np.isnan(float(SparseCrossentropy()(labels, logits)))


@pytest.mark.backend
def test_a_label_column_is_accepted_and_float64_stays_float64():
    labels, logits = _batch()
    assert float(SparseCrossentropy()(labels[:, None], logits)) == float(SparseCrossentropy()(labels, logits))


def test_configuration_round_trip():
    again = keras.losses.deserialize(keras.losses.serialize(SparseCrossentropy(0.25)))
    assert isinstance(again, SparseCrossentropy)
    assert again.label_smoothing == 0.25


@pytest.mark.parametrize("smoothing", [-0.1, 1.0])
def test_illegal_smoothing(smoothing):
    with pytest.raises(ValueError, match=r"label_smoothing must lie in \[0, 1\)"):
        SparseCrossentropy(smoothing)
