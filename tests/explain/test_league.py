"""The numbers of the league, by contestants whose numbers are known before they are measured."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from zoo import explain
from zoo.data.patches import Patches, classification
from zoo.explain.league import NUMBERS, mean_of

pytestmark = pytest.mark.backend
BED = classification(Patches(size=16, side=8, train=4, validation=4, test=8))["test"]
IMAGES, CLASSES, BOXES = BED.items.astype("float32"), BED.labels, BED.attributes["box"]


@pytest.fixture(scope="module")
def model():
    """The mean of the left half against that of the right: what it looks at is known, and shuffling its head changes both."""
    keras.utils.set_random_seed(1)
    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(layers.Rescaling(1 / 255)(image))
    return keras.Model(image, layers.Dense(4)(layers.GlobalAveragePooling2D()(x)))


def oracle(model, images, target=None, *, batch_size=32):
    """One on the evidence, zero beside it: what it is handed decides nothing but the length."""
    y, x = np.mgrid[:16, :16] + 0.5
    left, top, right, bottom = (BOXES[: len(images), side, None, None] for side in range(4))
    return ((left <= x) & (x < right) & (top <= y) & (y < bottom)).astype("float32")


def reversed_oracle(model, images, target=None, *, batch_size=32):
    return 1 - oracle(model, images)


def empty(model, images, target=None, *, batch_size=32):
    return np.zeros(np.shape(images)[:3], "float32")


def test_who_knows_the_truth_is_right_about_the_picture_and_blind_to_the_model(model):
    found = explain.judge(model, IMAGES, oracle, CLASSES, BOXES, others=(CLASSES + 1) % 4, few=4, steps=4)
    assert set(found) == set(NUMBERS)
    assert found["pointing"] == found["mass"] == 1
    assert found["weights"] == pytest.approx(1)
    assert found["classes"] == pytest.approx(1)


def test_who_says_the_opposite_is_never_right(model):
    found = explain.judge(model, IMAGES, reversed_oracle, CLASSES, BOXES, few=4, steps=4)
    assert found["pointing"] == found["mass"] == 0
    assert "classes" not in found


def test_an_empty_map_is_a_miss_and_has_no_likeness(model):
    found = explain.judge(model, IMAGES, empty, CLASSES, BOXES, others=(CLASSES + 1) % 4, few=4, steps=4)
    assert found["pointing"] == found["mass"] == 0
    assert np.isnan(found["weights"])
    assert np.isnan(found["classes"])


def test_where_nobody_knows_the_truth_it_is_left_out(model):
    found = explain.judge(model, IMAGES, oracle, CLASSES, few=4, steps=4)
    assert set(found) == {"deletion", "insertion", "weights"}


def test_deletion_and_insertion_ask_the_explained_class():
    """The probability of class 0 falls with the brightness of one pixel: who marks it deletes the class at once, the opposite at last."""
    image = keras.Input((4, 4, 1))
    bright = layers.Lambda(lambda x: x[:, 1, 2] / 10.0, output_shape=(1,))(image)
    logits = layers.Concatenate()([bright, layers.Lambda(lambda x: 0 * x, output_shape=(1,))(bright)])
    model = keras.Model(image, logits)
    pictures = np.full((2, 4, 4, 1), 255, "float32")

    def marks(value):
        def method(model, images, target=None, *, batch_size=32):
            heat = np.zeros(np.shape(images)[:3], "float32")
            heat[:, 1, 2] = value
            return heat

        return method

    chance = float(ops.sigmoid(12.75))  # half grey: 127.5 / 10
    first, last = (explain.deletion(model, pictures, marks(value)(model, pictures), [0, 0], steps=16).area for value in (1.0, -1.0))
    np.testing.assert_allclose(first, [((1 + chance) / 2 + 15 * chance) / 16] * 2, rtol=1e-5)
    np.testing.assert_allclose(last, [((1 + chance) / 2 + 15 * 1) / 16] * 2, rtol=1e-5)


def test_the_mean_of_what_is_a_number():
    assert mean_of([1.0, np.nan, 3.0]) == 2
    assert np.isnan(mean_of([np.nan]))
