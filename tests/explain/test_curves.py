"""Deletion and insertion against scikit-learn's area, scipy's filter, and a linear model whose best order is known."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from sklearn import metrics

from zoo import explain
from zoo.explain import curves

pytestmark = pytest.mark.backend
SIDE = 6


@pytest.fixture
def linear():
    """score = sum of weight * pixel, with the weights (h, w, c)."""
    weights = np.random.default_rng(4).normal(size=(SIDE, SIDE, 3)).astype("float32")
    image = keras.Input((SIDE, SIDE, 3))
    dense = layers.Dense(1, use_bias=False)
    model = keras.Model(image, dense(layers.Flatten()(image)))
    dense.set_weights([weights.reshape(-1, 1)])
    return model, weights


def raw(outputs):
    """A score that is followed as it is."""
    return outputs[:, 0]


def pictures(number=3, side=SIDE):
    return np.random.default_rng(5).uniform(0, 255, (number, side, side, 3)).astype("float32")


def test_the_area_is_that_of_scikit_learn():
    scores = np.random.default_rng(0).random((4, 21)).astype("float32")
    curve = explain.Curve(np.linspace(0, 1, 21), scores)
    np.testing.assert_allclose(curve.area, [metrics.auc(curve.fractions, row) for row in scores], rtol=1e-6)


def test_the_best_order_of_a_linear_model_is_by_contribution(linear):
    """Deleting a pixel changes the score by its contribution, so no order falls faster; the curve is a running sum."""
    model, weights = linear
    images = pictures()
    contribution = (weights * (images - 127.5)).sum(-1)
    curve = explain.deletion(model, images, contribution, raw, steps=SIDE * SIDE)
    whole = (weights * images).sum((1, 2, 3))
    ordered = -np.sort(-contribution.reshape(3, -1))
    expected = whole[:, None] - np.pad(np.cumsum(ordered, axis=1), ((0, 0), (1, 0)))
    np.testing.assert_allclose(curve.scores, expected, rtol=1e-4, atol=0.05)
    np.testing.assert_allclose(curve.fractions, np.arange(37) / 36)
    for heat in (explain.random_map(images), -contribution, np.zeros_like(contribution)):
        assert (explain.deletion(model, images, heat, raw, steps=36).area > curve.area).all()
        assert (explain.insertion(model, images, heat, raw, steps=36, fill=127.5).area < mirrored(model, images, contribution)).all()


def mirrored(model, images, contribution):
    return explain.insertion(model, images, contribution, raw, steps=36, fill=127.5).area


def test_inserting_is_deleting_the_other_way_round(linear):
    """What is brought in last is what is taken away first."""
    model, _ = linear
    images, heat = pictures(), np.random.default_rng(1).random((3, SIDE, SIDE))
    away = explain.deletion(model, images, -heat, raw, steps=9, fill=3.0).scores
    np.testing.assert_allclose(explain.insertion(model, images, heat, raw, steps=9, fill=3.0).scores, away[:, ::-1], rtol=1e-5, atol=0.01)


def test_a_class_is_followed_as_its_probability(cnn, images):
    """The first point is the image itself, the last the background; the class stays that of the image."""
    heat = explain.random_map(images)
    chances = keras.ops.convert_to_numpy(ops.softmax(cnn(ops.convert_to_tensor(images.astype("float32")))))
    grey = keras.ops.convert_to_numpy(ops.softmax(cnn(ops.full((1, 16, 16, 3), 127.5))))[0]
    curve = explain.deletion(cnn, images, heat, steps=4)
    np.testing.assert_allclose(curve.scores[:, 0], chances.max(1), rtol=1e-5)
    np.testing.assert_allclose(curve.scores[:, -1], grey[chances.argmax(1)], rtol=1e-5)
    named = explain.deletion(cnn, images, heat, [3, 0, 1, 2, 2], steps=4)
    np.testing.assert_allclose(named.scores[:, 0], chances[np.arange(5), [3, 0, 1, 2, 2]], rtol=1e-5)


def test_one_logit_is_a_sigmoid():
    image = keras.Input((4, 4, 3))
    model = keras.Model(image, layers.Dense(1, use_bias=False, kernel_initializer="ones")(layers.Flatten()(image)))
    black = explain.deletion(model, np.full((1, 4, 4, 3), 0.01), np.zeros((1, 4, 4)), 0, steps=1, fill=0)
    np.testing.assert_allclose(black.scores, [[1 / (1 + np.exp(-0.48)), 0.5]], rtol=1e-5)


def test_chunks_and_batches_change_nothing(cnn, images):
    heat = explain.random_map(images)
    whole = explain.insertion(cnn, images, heat, 1, steps=5)
    np.testing.assert_allclose(explain.insertion(cnn, images, heat, 1, steps=5, batch_size=4).scores, whole.scores, atol=1e-6)
    one = explain.insertion(cnn, images[2:3], heat[2:3], 1, steps=5)
    np.testing.assert_allclose(one.scores, whole.scores[2:3], atol=1e-6)


def test_ties_are_broken_at_random_and_not_from_the_top():
    places = [curves._order(np.zeros((8, 8)), seed) for seed in (0, 1)]
    assert not np.array_equal(*places)
    np.testing.assert_array_equal(np.sort(places[0].ravel()), np.arange(64))
    assert 12 < places[0][:4].mean() < 51  # neither first nor last
    np.testing.assert_array_equal(curves._order(np.array([[1.0, 3.0], [2.0, 0.0]]), 0), [[2, 0], [1, 3]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fill": "pink"}, "'mean', 'blur' or numbers in .* got 'pink'"),
        ({"steps": 0}, "steps must be a positive int, got 0"),
        ({"heat": np.ones((5, 8, 8))}, r"size of the images.*got \(5, 8, 8\)"),
        ({"heat": np.full((5, 16, 16), np.nan)}, "finite maps"),
    ],
)
def test_wrong_questions(change, message, cnn, images):
    arguments = {"heat": np.ones((5, 16, 16)), "steps": 2} | change
    with pytest.raises(ValueError, match=message):
        explain.deletion(cnn, images, **arguments)
