"""Losses of soft labels against Keras' own and against the definition in numpy."""

import keras
import numpy as np
import pytest

from zoo.losses import BinaryCrossentropy, Crossentropy, SparseCrossentropy
from zoo.losses.soft import accurate

pytestmark = pytest.mark.backend

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(0, 4, (6, 5)).astype("float32")
ROWS = RNG.dirichlet(np.ones(5), 6).astype("float32")
LABELS = np.array([0, 4, 2, 1, 3, 3])


def _smooth(rows, amount):
    return (1 - amount) * rows + amount / rows.shape[1]


@pytest.mark.parametrize("amount", [0.0, 0.1])
def test_soft_crossentropy_equals_keras(amount):
    wanted = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=amount)(ROWS, LOGITS)
    assert float(Crossentropy(amount)(ROWS, LOGITS)) == pytest.approx(float(wanted), rel=1e-5)


@pytest.mark.parametrize("amount", [0.0, 0.1])
def test_whole_labels_give_what_the_sparse_loss_gives(amount):
    assert float(Crossentropy(amount)(LABELS, LOGITS)) == pytest.approx(float(SparseCrossentropy(amount)(LABELS, LOGITS)), rel=1e-5)


@pytest.mark.parametrize("amount", [0.0, 0.1])
@pytest.mark.parametrize("truth", [ROWS, LABELS], ids=["rows", "labels"])
def test_binary_crossentropy_equals_keras_and_the_definition(truth, amount):
    rows = _smooth(ROWS if truth is ROWS else np.eye(5, dtype="float32")[LABELS], amount)
    ours = float(BinaryCrossentropy(amount)(truth, LOGITS))
    assert ours == pytest.approx(float(keras.losses.BinaryCrossentropy(from_logits=True)(rows, LOGITS)), rel=1e-5)
    p = 1 / (1 + np.exp(-LOGITS.astype("float64")))
    assert ours == pytest.approx(-(rows * np.log(p) + (1 - rows) * np.log(1 - p)).mean(), rel=1e-5)


def test_binary_crossentropy_does_not_overflow():
    assert float(BinaryCrossentropy()(np.array([0]), np.array([[1000.0, -1000.0]], "float32"))) == pytest.approx(0.0, abs=1e-6)
    assert float(BinaryCrossentropy()(np.array([1]), np.array([[1000.0, -1000.0]], "float32"))) == pytest.approx(1000.0)


@pytest.mark.parametrize("loss", [Crossentropy(), BinaryCrossentropy()])
def test_a_label_outside_the_classes_is_no_number(loss):
    assert np.isnan(float(loss(np.array([0, 1, 2, 3, 4, 5]), LOGITS)))


def test_accuracy_counts_the_larger_share():
    right = [float(value) for value in accurate(keras.ops.convert_to_tensor(ROWS), keras.ops.convert_to_tensor(LOGITS))]
    assert right == list((ROWS.argmax(1) == LOGITS.argmax(1)).astype(float))
    right = [float(value) for value in accurate(keras.ops.convert_to_tensor(LABELS), keras.ops.convert_to_tensor(LOGITS))]
    assert right == list((LOGITS.argmax(1) == LABELS).astype(float))


def test_wrong_smoothing_is_refused():
    for loss in (Crossentropy, BinaryCrossentropy):
        with pytest.raises(ValueError, match="label_smoothing must lie in"):
            loss(1.0)
