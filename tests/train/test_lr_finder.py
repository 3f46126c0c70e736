"""The sweep against a closed form, and that it leaves no trace."""

import dataclasses
import random

import keras
import numpy as np
import pytest
from keras import layers

from tests.train.nets import colours, net
from zoo.train import Recipe, checkpoint, find_learning_rate
from zoo.train.lr_finder import Sweep, smooth, suggest

DATA = (colours(), colours(12, seed=1))


def _line():
    """y = w x on one repeated point, loss (w x - y)^2: a parabola in w with curvature L = 2 x^2."""
    image = keras.Input((1, 1, 1))
    return keras.Model(image, layers.Dense(1, use_bias=False, kernel_initializer="zeros", name="line")(layers.Flatten()(image)))


@pytest.mark.backend
@pytest.mark.parametrize("x", [0.5, 3.0])
def test_follows_the_closed_form_and_diverges_where_the_curvature_says(x):
    """Every loss of the sweep equals the recursion of SGD with Nesterov momentum m on a parabola of curvature L.

    At a constant rate that recursion is stable below (2 + 2 m) / (L (1 + 2 m)), which is 2 / L without momentum.
    """
    curvature = 2 * x * x
    data = tuple((np.full((4, 1, 1, 1), x, "float32"), np.full((4, 1), 5.0, "float32")) for _ in range(2))
    recipe = Recipe(optimizer="sgd", weight_decay=0.0, batch_size=4)
    sweep = find_learning_rate(_line(), data, recipe, low=1e-3 / curvature, high=100 / curvature, steps=60, loss="mse")
    # Nesterov momentum in the form Keras documents: v = m v - r g; w = w + m v - r g.
    w, v, wanted = 0.0, 0.0, []
    for rate in sweep.rates:
        wanted.append((w * x - 5.0) ** 2)
        gradient = curvature * (w - 5.0 / x)
        v = 0.9 * v - rate * gradient
        w = w + 0.9 * v - rate * gradient
    # float32 steps, and the error passes zero: compare where the loss is not lost in rounding.
    np.testing.assert_allclose(sweep.losses, wanted, rtol=2e-2, atol=1e-4 * wanted[0])
    border = (2 + 2 * 0.9) / (curvature * (1 + 2 * 0.9))
    assert sweep.diverged
    assert sweep.rates[-1] > border
    assert sweep.suggestion < border


@pytest.mark.backend
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_leaves_no_trace(recipe, optimizer):
    recipe = dataclasses.replace(recipe, optimizer=optimizer, steps_per_execution=1 if keras.backend.backend() == "torch" else 4, ema=0.9)
    with recipe.building():
        model = net()
    model.compile(recipe.optimizer_for(100, model), recipe.loss(), metrics=["accuracy"])
    images, labels = DATA[0]
    model.fit(images, labels, batch_size=8, epochs=1, verbose=0)
    before, optimizer_before, rate = checkpoint.snapshot(model), model.optimizer, float(model.optimizer.learning_rate)
    state, legacy = random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    sweep = find_learning_rate(model, DATA, recipe, low=1e-4, high=0.3, steps=30)
    assert random.getstate() == state
    np.testing.assert_array_equal(np.random.get_state()[1], legacy)  # noqa: NPY002
    after = checkpoint.snapshot(model)
    for name in before:
        np.testing.assert_array_equal(after[name], before[name], err_msg=name)
    assert model.optimizer is optimizer_before
    assert float(model.optimizer.learning_rate) == rate
    assert model.compiled
    np.testing.assert_allclose(sweep.rates[: len(sweep.losses)], (1e-4 * 3000.0 ** (np.arange(30) / 29))[: len(sweep.losses)], rtol=1e-9)
    again = find_learning_rate(model, DATA, recipe, low=1e-4, high=0.3, steps=30)
    np.testing.assert_array_equal(again.losses, sweep.losses)
    assert 1e-4 < sweep.suggestion < 0.3


def test_the_first_loss_is_that_of_the_untouched_model(recipe):
    with recipe.building():
        model = net(dropout=0.0, flip=False)
    sweep = find_learning_rate(model, DATA, recipe, steps=10)
    rows = np.random.default_rng([recipe.seed, 0]).permutation(30)[:8]
    logits = model(DATA[0][0][rows].astype("float32"), training=True)
    assert sweep.losses[0] == pytest.approx(float(recipe.loss()(DATA[0][1][rows], logits)), rel=1e-5)


def test_a_nan_hidden_by_a_fused_relu_ends_the_sweep(recipe):
    image = keras.Input((8, 8, 3))
    x = layers.Dense(16, activation="relu")(layers.Flatten()(image))
    model = keras.Model(image, layers.Dense(3, name="logits")(x))
    images, labels = colours()
    images = images.astype("float32")
    order = np.random.default_rng([recipe.seed, 0]).permutation(30)
    images[order[17]] = np.nan  # in the third batch
    sweep = find_learning_rate(model, ((images, labels), DATA[1]), recipe, steps=20)
    assert sweep.diverged
    assert len(sweep.losses) <= 3


def test_smooth_is_exact_on_a_constant_and_lags_on_a_step():
    np.testing.assert_allclose(smooth([3.0] * 20), 3.0)
    lagging = smooth([1.0] * 10 + [0.0] * 10)
    assert (np.diff(lagging[9:]) < 0).all()
    assert lagging[-1] > 0


def test_suggestion_of_a_known_curve():
    """A logistic fall around 1e-3, then a wall: the steepest point is the middle of the fall."""
    rates = np.logspace(-6, 0, 121)
    losses = 2.0 / (1 + np.exp(3 * np.log(rates / 1e-3))) + 50 * np.maximum(rates - 0.1, 0)
    assert suggest(rates, losses) == pytest.approx(1e-3, rel=0.06)


def test_the_peak_is_a_tenth_of_the_rate_of_the_least_loss():
    rates = np.geomspace(1e-6, 1, 61)
    smoothed = 1 + (np.log10(rates) + 2) ** 2  # least at 1e-2
    assert Sweep(rates, smoothed, smoothed, 1e-3, False).peak == pytest.approx(1e-3)
    assert Sweep(rates, smoothed, smoothed, None, False).peak is None


def test_no_fall_no_suggestion_and_never_near_the_wall():
    rates = np.logspace(-6, 0, 50)
    assert suggest(rates, np.linspace(1, 3, 50)) is None
    assert suggest(rates, np.full(50, 1.0)) is None
    cliff = np.where(rates < 1e-2, 1.0, np.where(rates < 2e-2, 0.1, 5.0))
    assert suggest(rates, cliff) <= rates[int(np.argmin(cliff))] / 4


@pytest.mark.parametrize("seed", range(5))
def test_noise_at_the_start_does_not_attract_the_suggestion(seed):
    rates = np.logspace(-6, 0, 100)
    losses = (
        2.0 / (1 + np.exp(3 * np.log(rates / 1e-3))) + 50 * np.maximum(rates - 0.1, 0) + np.random.default_rng(seed).normal(0, 0.3, 100)
    )
    assert 2e-4 < suggest(rates, smooth(losses)) < 1e-2


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"low": 0.0}, "0 < low < high"),
        ({"low": 1.0, "high": 0.1}, "0 < low < high"),
        ({"high": float("inf")}, "0 < low < high"),
        ({"steps": 3}, "at least 10 steps"),
    ],
)
def test_an_illegal_range_is_refused(recipe, keywords, message):
    with pytest.raises(ValueError, match=message):
        find_learning_rate(net(), DATA, recipe, **keywords)


def test_a_model_that_cannot_be_copied_is_refused(recipe):
    class Own(keras.Model):
        def __init__(self, width):
            super().__init__()
            self.inner = layers.Dense(width)

        def call(self, x):
            return self.inner(layers.Flatten()(x))

    model = Own(3)
    with pytest.raises(ValueError, match="cannot be copied"):
        find_learning_rate(model, DATA, recipe)
