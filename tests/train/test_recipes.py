"""The published recipes: numbers that can be derived, and that each one trains and resumes."""

import dataclasses
import math
import re
import warnings
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import zoo
from zoo.data.dataset import Examples
from zoo.data.pipeline import Pipeline
from zoo.train import Recipe, fit, recipes
from zoo.train.checkpoint import snapshot
from zoo.train.fit import compile_for, pictures

HAS_DEPTH = {"convnext": "convnext_micro", "efficientnet_v2": "efficientnet_v2_micro"}
"""Recipes with stochastic depth, and a row that has it."""


def _rate(recipe, epoch, steps=100):
    """The rate at the end of an epoch, which may be a fraction."""
    schedule = recipe.optimizer_for(recipe.epochs * steps)._learning_rate
    return float(schedule(round(epoch * steps) - 1))


def test_numbers_that_the_papers_state_in_another_form():
    a1, a2, a3 = (recipes.recipe(f"resnet_strikes_back_{name}") for name in ("a1", "a2", "a3"))
    assert (a3.epochs, recipes.published("resnet_strikes_back_a3").size, a3.optimizer) == (100, 160, "lamb")
    assert (a3.peak, a3.batch_size) == (8e-3, 2048)
    assert (a1.epochs, a2.epochs) == (600, 300)
    assert {each.peak for each in (a1, a2)} == {5e-3}
    assert all(each.criterion == "binary_cross_entropy" for each in (a1, a2, a3))
    assert _rate(a1, 5) == pytest.approx(5e-3, rel=1e-4)  # five epochs of warm-up


def test_bag_of_tricks_warms_up_for_five_epochs_and_scales_its_rate():
    recipe = recipes.recipe("bag_of_tricks")
    assert [_rate(recipe, epoch) / 0.1 for epoch in (1, 2.5, 5)] == pytest.approx([0.2, 0.5, 1.0], rel=1e-3)
    assert recipes.recipe("bag_of_tricks", batch_size=1024).peak == pytest.approx(0.4)  # section 3.1: 0.1 x b / 256
    assert recipes.recipe("bag_of_tricks", batch_size=128, accumulation=8).peak == pytest.approx(0.4)


def test_lamb_scales_by_the_square_root():
    assert recipes.recipe("resnet_strikes_back_a3", batch_size=512).peak == pytest.approx(8e-3 / 2)


def test_efficientnet_decays_every_2_4_epochs():
    recipe = recipes.recipe("efficientnet_v2")
    assert _rate(recipe, 12) == pytest.approx(0.256 * 0.97**4, rel=1e-4)
    assert _rate(recipe, 350) == pytest.approx(0.256 * 0.97 ** math.floor(350 / 2.4), rel=1e-3)


def test_deeplab_is_thirty_thousand_steps():
    recipe = recipes.recipe("deeplab_v3_plus")
    assert recipe.epochs * 10_582 / recipe.batch_size == pytest.approx(30_000, rel=0.02)
    assert _rate(recipe, 23) == pytest.approx(0.007 * 0.5**0.9, rel=1e-2)


@pytest.mark.parametrize(("name", "decay"), [("bag_of_tricks", 1e-4), ("deeplab_v3_plus", 4e-5), ("yolo_style", 5e-4)])
def test_decoupled_decay_shrinks_as_the_published_one_does(name, decay):
    """Decay d in the gradient, momentum m, rate r: v = m v - r d w; w += v shrinks in the long run by the larger root of
    z^2 - (1 + m - r d) z + m = 0 per update; ours by 1 - r * weight_decay."""
    recipe = recipes.recipe(name)
    rate, m = recipe.peak, recipe.momentum
    half = (1 + m - rate * decay) / 2
    theirs = half + math.sqrt(half**2 - m)
    assert 1 - rate * recipe.weight_decay == pytest.approx(theirs, abs=(1 - theirs) * 0.01)


def test_rows_are_whole():
    for name, row in recipes.RECIPES.items():
        assert isinstance(row.recipe, Recipe), name
        assert row.paper, name
        assert row.recipe.accumulation == 1, f"{name}: a published batch is whole; splitting it is the user's choice"
        assert row.size <= row.test_size, name
        assert all(sentence.endswith(".") for sentence in row.differs), name
    with pytest.raises(ValueError, match="no recipe called 'bag'; recipes: quick, bag_of_tricks"):
        recipes.recipe("bag")
    with pytest.raises(ValueError, match="epochs must be"):
        recipes.recipe("quick", epochs=0)


def _data(side=16, n=12):
    images = np.random.default_rng(0).integers(0, 256, (n, side, side, 3)).astype("uint8")
    pipeline = Pipeline(Examples(images, np.arange(n) % 3), side)
    return SimpleNamespace(train=pipeline, validation=pipeline)


def _model(name, recipe, side=16):
    row = HAS_DEPTH.get(name, "small_cnn_micro")
    with recipe.building():
        return zoo.classifier(row, classes=3, input_shape=(side, side, 3), changes=recipe.changes(row) or None)


SOON = ("quick", "resnet_strikes_back_a2", "deeplab_v3_plus")
"""One-cycle; everything that changes pictures, with LAMB and binary cross-entropy; poly. The others in the slow suite."""


@pytest.mark.parametrize("name", [name if name in SOON else pytest.param(name, marks=pytest.mark.slow) for name in recipes.RECIPES])
def test_each_trains_two_steps(name):
    small = {"ema": 0.5} if recipes.published(name).recipe.ema else {}
    recipe = recipes.recipe(name, epochs=2, batch_size=4, warmup=0.5, **small)
    side = 32 if name in HAS_DEPTH else 16
    model, data = _model(name, recipe, side), _data(side)
    compile_for(model, recipe, 3)
    before = [array.copy() for array in model.get_weights()]
    for images, labels in pictures(data.train, recipe, model).training(4, 0).take(2).as_numpy_iterator():
        assert np.isfinite(model.train_on_batch(images, labels)).all()
    assert any(not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.slow
def test_everything_at_once_resumes_to_the_bit(start):
    """ConvNeXt's mixes, average, stochastic depth and random operations, with repeats, accumulation and layer decay on top."""
    fields = {"ema": 0.5, "repeats": 2, "accumulation": 2, "layer_decay": 0.8, "mix_off_epochs": 1, "warmup": 0.2}
    recipe = recipes.recipe("convnext", epochs=3, batch_size=4, **fields)
    ends = []
    for name, stops in (("whole", False), ("parts", True)):
        if stops:
            with pytest.raises(KeyboardInterrupt):
                fit(_model("convnext", recipe, 32), _data(32), recipe, start(name), callbacks=[_Late(1)], verbose=0)
        model = _model("convnext", recipe, 32)
        history = fit(model, _data(32), recipe, start(name), verbose=0)
        ends.append((snapshot(model), [row["loss"] for row in history.rows]))
    assert ends[0][1] == ends[1][1]
    for (name, array), again in zip(ends[0][0].items(), ends[1][0].values(), strict=True):  # Keras numbers unnamed layers anew
        np.testing.assert_array_equal(array, again, err_msg=name)


class _Late(keras.callbacks.Callback):
    """Stops in the middle of an epoch, after the checkpoint of the one before."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        self._now = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self._now == self.epoch and batch == 1:
            raise KeyboardInterrupt


def test_a_run_from_before_a_field_existed_still_resumes(start):
    """Its contract lacks the new fields; they had their defaults."""
    from zoo.train import checkpoint

    recipe = Recipe(epochs=2, batch_size=4)
    with pytest.raises(KeyboardInterrupt):
        fit(_model("quick", recipe), _data(), recipe, start(), callbacks=[_Late(1)], verbose=0)
    path = checkpoint.Checkpoints(start().checkpoints).lasts()[0]
    arrays, state = checkpoint.read(path)
    for name in ("mixup", "layer_decay", "milestones", "accumulation"):
        del state["contract"][name]
    checkpoint.write(path, arrays, state)
    assert len(fit(_model("quick", recipe), _data(), recipe, start(), verbose=0).rows) == 2
    changed = dataclasses.replace(recipe, mixup=0.2)
    with pytest.raises(ValueError, match="mixup was 0.0, now 0.2"):
        fit(_model("quick", changed), _data(), changed, start(), verbose=0)


def test_what_cannot_be_done_is_refused(start):
    data, recipe = _data(), Recipe(epochs=1, batch_size=4, mixup=0.2)
    arrays = (data.train.pixels(), data.train.examples.labels)
    with pytest.raises(ValueError, match=r"changes training pictures \(mixup\).*Arrays cannot"):
        fit(_model("quick", recipe), (arrays, arrays), recipe, start(), verbose=0)
    deep = Recipe(epochs=1, batch_size=4, drop_path=0.3)
    with pytest.raises(ValueError, match="stochastic depth, which small_cnn_micro does not have"):
        deep.changes("small_cnn_micro")
    with pytest.raises(ValueError, match="built with stochastic depth up to 0;"):
        fit(_model("quick", recipe), data, deep, start(), verbose=0)


def test_accumulation_over_batch_statistics_warns():
    recipe = Recipe(epochs=1, batch_size=4, accumulation=2)
    model = _model("quick", recipe)
    with pytest.warns(UserWarning, match="statistics from each 4 images, not from the 8"):
        compile_for(model, recipe, 3)
    model.trainable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compile_for(model, dataclasses.replace(recipe), 3)


def test_a_mixed_training_keeps_its_validation_labels(start):
    """Accuracy is counted on whole labels in validation: with logits that are always right it is 1, whatever training mixes."""
    recipe = Recipe(epochs=1, batch_size=4, mixup=0.2, cutmix=1.0, criterion="binary_cross_entropy", learning_rate=1e-12)
    data = _data()
    image = keras.Input((16, 16, 3))
    model = keras.Model(image, keras.layers.Dense(3, name="logits")(keras.layers.GlobalAveragePooling2D()(image)))
    history = fit(model, data, recipe, start(), verbose=0)
    logits = model.predict_on_batch(data.train.pixels().astype("float32"))
    assert history.rows[0]["val_accuracy"] == pytest.approx(float((logits.argmax(1) == np.arange(12) % 3).mean()), abs=1e-6)


def test_the_page_shows_the_table_and_every_trick():
    page = (Path(__file__).resolve().parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    assert recipes.table() in page
    named = set(re.findall(r"`([a-z_]+)`", page))
    house = {"epochs", "batch_size", "optimizer", "momentum", "nesterov", "learning_rate", "seed", "monitor"}
    details = {"final_rate", "power", "milestones", "factor", "random_augment_layers"}
    assert {field.name for field in dataclasses.fields(Recipe)} - house - details <= named
