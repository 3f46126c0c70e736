"""Freezing holds weights and statistics to the bit, survives switching, compiling and saving, and thaws stage by stage."""

import keras
import numpy as np
import pytest
from keras import layers

import zoo
from tests.train.nets import colours
from zoo.train.checkpoint import value_of
from zoo.train.freeze import Pin, freeze, thaw, unfreeze
from zoo.train.stages import levels_of, stages
from zoo.train.trainable import trainable_report

IMAGES, LABELS = colours(8, size=32)


def row():
    return zoo.classifier("resnet_micro", classes=3)


def base():
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, name="conv")(image)
    return keras.Model(image, layers.ReLU()(layers.BatchNormalization(name="norm")(x)), name="base")


def nested():
    image = keras.Input((8, 8, 3))
    x = layers.GlobalAveragePooling2D()(base()(image, training=False))
    return keras.Model(image, layers.Dense(3, name="logits")(x), name="tuned")


def chain():
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.Flatten(),
            layers.Dense(3, name="logits"),
        ],
        name="chain",
    )


def moved(model, steps=2, rate=0.1):
    """Paths of the weights that two updates change by at least a bit."""
    side = model.input_shape[1]
    images = (np.random.default_rng(0).normal(1.0, 2.0, (8, side, side, 3))).astype("float32")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(rate, weight_decay=0.1), loss)
    before = [value_of(weight) for weight in model.weights]
    model.fit(images, LABELS, batch_size=4, epochs=steps // 2, verbose=0)
    return {weight.path for weight, old in zip(model.weights, before, strict=True) if not np.array_equal(value_of(weight), old)}


def ends(paths, *names):
    return {path for path in paths if any(f"/{path}".endswith(f"/{name}") for name in names)}


@pytest.mark.backend
def test_levels_freeze_to_the_bit_and_switching_the_model_on_changes_nothing():
    model = row()
    freeze(model, until="c3", bn="inference")
    model.trainable = False
    model.trainable = True
    changed = moved(model)
    assert changed
    assert not [path for path in changed if path.startswith(("stem", "stage2", "stage3")) or "norm/" in path]
    assert {path.split("_")[0] for path in changed} == {"stage4", "stage5", "logits/kernel", "logits/bias"}


@pytest.mark.backend
def test_a_base_called_with_training_false_is_held_only_by_freeze():
    """The trap and the cure, side by side: the trap moves on every backend, or this cure would not be needed."""
    trap, cured = nested(), nested()
    trap.get_layer("base").trainable = True
    assert ends(moved(trap), "norm/moving_mean", "norm/moving_variance")
    freeze(cured, until=None, bn="inference")
    cured.get_layer("base").trainable = False
    cured.get_layer("base").trainable = True
    changed = moved(cured)
    assert ends(changed, "conv/kernel", "logits/kernel")
    assert not ends(changed, "norm/moving_mean", "norm/moving_variance", "norm/gamma", "norm/beta")


@pytest.mark.backend
def test_a_sequential_model_too_and_train_mode_lets_batch_normalisation_learn():
    model = chain()
    freeze(model, until="norm", bn="inference")
    assert [layer.name for layer in model.layers][:2] == ["conv", "norm"]
    assert len(model.layers) == 4
    model.trainable = False
    model.trainable = True
    assert moved(model) == ends({w.path for w in model.weights}, "logits/kernel", "logits/bias")
    model = chain()
    freeze(model, until="norm", bn="train")
    changed = moved(model)
    assert not ends(changed, "conv/kernel", "conv/bias")
    assert len(ends(changed, "norm/moving_mean", "norm/moving_variance", "norm/gamma", "norm/beta")) == 4


@pytest.mark.backend
def test_saved_and_loaded_it_is_as_frozen(tmp_path):
    model = row()
    freeze(model, until="c4")
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert [w.path for w in loaded.trainable_weights] == [w.path for w in model.trainable_weights]
    changed = moved(loaded)
    assert changed
    assert not [path for path in changed if not path.startswith(("stage5", "logits")) or "norm/" in path]


@pytest.mark.backend
def test_the_backbone_by_rows_by_collapse_and_its_absence():
    model = row()
    held = freeze(model)
    assert [w.path for w in model.trainable_weights] == ["logits/kernel", "logits/bias"]
    assert held == model.count_params() - sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    model = nested()
    freeze(model)
    assert len(model.trainable_weights) == 2
    model = base()
    with pytest.raises(ValueError, match="no global pooling or Flatten.*until=NAME"):
        freeze(model)
    freeze(model, until="conv", bn="train")
    assert ends({w.path for w in model.trainable_weights}, "norm/gamma", "norm/beta")


def test_a_layer_inside_a_model_inside():
    model = nested()
    freeze(model, until="conv", bn="train")
    assert not ends({w.path for w in model.trainable_weights}, "conv/kernel")
    assert len(model.trainable_weights) == 4


def test_a_model_compiled_before_must_be_compiled_again():
    model = chain()
    model.compile("sgd", "mse")
    with pytest.warns(UserWarning, match="compiled before.*call compile again"):
        freeze(model, until="conv")
    with pytest.raises(ValueError, match="compile"):
        model.fit(np.zeros((2, 8, 8, 3)), np.zeros((2, 3)), verbose=0)
    assert not ends(moved(model), "conv/kernel", "conv/bias")


@pytest.mark.backend
def test_thaw_goes_down_stage_by_stage_and_unfreeze_leaves_nothing():
    model = row()
    freeze(model)
    assert thaw(model) == ["c5"]
    assert {w.path.split("_")[0] for w in model.trainable_weights} == {"stage5", "logits/kernel", "logits/bias"}
    assert thaw(model, stages=2) == ["c3", "c4"]
    model.trainable = False
    model.trainable = True
    assert not [w.path for w in model.trainable_weights if w.path.startswith(("stem", "stage2")) or "norm/" in w.path]
    assert thaw(model, stages=9) == ["c1", "c2"]
    assert thaw(model) == []
    assert not [layer for layer in model._flatten_layers() if isinstance(layer, layers.BatchNormalization) and layer.trainable]
    unfreeze(model)
    fresh = row()
    assert [w.path for w in model.trainable_weights] == [w.path for w in fresh.trainable_weights]
    assert not [layer for layer in model._flatten_layers() if isinstance(layer, Pin)]


MORE = ("inception_v3_micro", "densenet_micro", "squeezenet1_1_micro")


@pytest.mark.parametrize("name", ["vit_micro", "mobilenet_v2_micro", *(pytest.param(name, marks=pytest.mark.slow) for name in MORE)])
def test_every_layer_of_a_family_is_in_exactly_one_stage(name):
    model = zoo.classifier(name)
    found = stages(model)
    assert list(found) == [*levels_of(model), "head"]
    assert sorted(layer.name for own in found.values() for layer in own) == sorted(layer.name for layer in model.layers)
    assert "logits" in {layer.name for layer in found["head"]}


def test_the_report_counts_what_learns_and_how_fast():
    model = row()
    freeze(model, until="c3")
    optimizer = keras.optimizers.SGD(0.25)
    report = trainable_report(model, optimizer)
    rows = {row.stage: row for row in report.rows}
    assert list(rows) == ["c1", "c2", "c3", "c4", "c5", "head"]
    assert sum(row.parameters for row in report.rows) == model.count_params()
    assert sum(row.trainable for row in report.rows) == sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    assert (rows["c3"].trainable, rows["c3"].rate, rows["c3"].bn) == (0, None, "inference")
    assert (rows["c4"].rate, rows["c4"].bn) == ((0.25, 0.25), "inference")
    assert rows["head"].bn == "none"
    lines = str(report).splitlines()
    assert lines[0].split()[:2] == ["stage", "layers"]
    assert lines[-1].split()[2] == f"{model.count_params():,}"


def test_the_report_knows_rates_by_layer():
    model = chain()
    maps = keras.optimizers.OptimizerMap(keras.optimizers.SGD(0.5), {".*conv/.*": keras.optimizers.SGD(0.125)})
    optimizer = keras.optimizers.MultiOptimizer(maps)
    optimizer.build(model.trainable_variables)
    rates = {row.stage: row.rate for row in trainable_report(model, optimizer).rows}
    assert rates == {"conv": (0.125, 0.125), "norm": (0.5, 0.5), "logits": (0.5, 0.5)}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model: freeze(model, until="c9"), "neither a level .*c1.* nor a layer"),
        (lambda model: freeze(model, until="c3", bn="frozen"), "bn must be one of inference, train"),
        (lambda model: thaw(model, stages=0), "at least 1"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(row())
