"""Layer-wise decay against one optimiser per group, each with a rate of its own, and against the update by hand."""

import keras
import numpy as np
import pytest
from keras import layers

import zoo
from zoo.train import Recipe, fit
from zoo.train.checkpoint import restore, snapshot, value_of
from zoo.train.layer_decay import groups, shares

pytestmark = pytest.mark.backend


def _net():
    image = keras.Input((6, 6, 3))
    x = layers.Conv2D(3, 3, name="stem_conv")(image)
    x = layers.Conv2D(3, 3, use_bias=False, name="stage1_block0_conv1")(x)
    x = layers.Conv2D(3, 1, name="stage1_block0_conv2")(x)
    x = layers.LayerNormalization(name="head_norm")(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, layers.Dense(2, name="logits")(x))


def _recipe(optimizer="sgd", **fields):
    fixed = {"learning_rate": 0.1, "schedule": "constant", "warmup": 0.0, "weight_decay": 0.0}
    return Recipe(optimizer=optimizer, **{**fixed, **fields})


def _gradients(variables, seed):
    rng = np.random.default_rng(seed)
    return [keras.ops.convert_to_tensor(rng.normal(size=variable.shape).astype("float32")) for variable in variables]


def test_blocks_are_told_from_the_input_to_the_head():
    assert [name for name, _ in groups(_net())] == ["stem", "stage1_block0", "head"]
    assert shares(_net(), 0.5) == {"stem": 0.25, "stage1_block0": 0.5, "head": 1.0}


@pytest.mark.parametrize(("row", "first", "count"), [("convnext_micro", "stem", 10), ("vit_micro", "stem", 4), ("resnet_micro", "stem", 7)])
def test_every_weight_of_a_row_has_one_group(row, first, count):
    """ConvNeXt micro: the stem, 1 + 1 + 2 + 1 blocks, 3 downsamplings between stages, the head."""
    model = zoo.classifier(row, classes=3)
    found = groups(model)
    names = [name for name, _ in found]
    assert (names[0], names[-1], len(names)) == (first, "head", count)
    held = [id(variable) for _, variables in found for variable in variables]
    assert sorted(held) == sorted(id(variable) for variable in model.trainable_variables)


def test_one_step_of_sgd_by_hand():
    model = _net()
    before = {variable.path: value_of(variable) for variable in model.trainable_variables}
    update = _recipe(momentum=0.0, nesterov=False, weight_decay=0.3, layer_decay=0.5).optimizer_for(10, model)
    update.build(model.trainable_variables)
    slopes = _gradients(model.trainable_variables, 1)
    update.apply(slopes)
    for variable, slope in zip(model.trainable_variables, slopes, strict=True):
        share = {"stem": 0.25, "stag": 0.5}.get(variable.path[:4], 1.0)
        decay = 0.3 if variable.path.endswith("kernel") else 0.0
        start = before[variable.path]
        wanted = start - 0.1 * share * decay * start - 0.1 * share * keras.ops.convert_to_numpy(slope)
        np.testing.assert_allclose(value_of(variable), wanted, rtol=1e-5, atol=1e-7, err_msg=variable.path)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "lion", "rmsprop", "lamb"])
def test_it_equals_one_optimiser_per_group(optimizer):
    model, copy = _net(), _net()
    copy.set_weights(model.get_weights())
    recipe = _recipe(optimizer, weight_decay=0.2)
    update = Recipe(**{**recipe.__dict__, "layer_decay": 0.7}).optimizer_for(10, model)
    update.build(model.trainable_variables)
    separate = []
    for power, (_, variables) in zip((2, 1, 0), groups(copy), strict=True):
        single = Recipe(**{**recipe.__dict__, "learning_rate": 0.1 * 0.7**power}).optimizer_for(10, copy)
        single.build(variables)
        separate.append((single, variables))
    for step in range(3):
        slopes = _gradients(model.trainable_variables, step)
        update.apply(slopes)
        of = {id(variable): slope for variable, slope in zip(copy.trainable_variables, slopes, strict=True)}
        for single, variables in separate:
            single.apply([of[id(variable)] for variable in variables])
    for ours, theirs in zip(model.get_weights(), copy.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_a_restored_training_goes_on_to_the_bit(precision):
    """Through Keras' compiled step, with the wrapper that scales the loss; the rate is still one number that callbacks can read."""
    recipe = _recipe("adamw", layer_decay=0.5, precision=precision, batch_size=4)
    images, labels = np.random.default_rng(0).uniform(0, 1, (4, 6, 6, 3)).astype("float32"), np.array([0, 1, 0, 1])
    with recipe.building():
        model = _net()
    model.compile(recipe.optimizer_for(4, model), recipe.loss())
    model.optimizer.build(model.trainable_variables)
    assert float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)) == pytest.approx(0.1)
    model.train_on_batch(images, labels)
    halfway = snapshot(model)
    ends = []
    for _ in range(2):
        restore(model, halfway)
        model.train_on_batch(images, labels)
        if hasattr(model, "jax_state_sync"):
            model.jax_state_sync()
        ends.append(snapshot(model))
    for name, array in ends[0].items():
        np.testing.assert_array_equal(array, ends[1][name], err_msg=name)
    assert any(not np.array_equal(array, halfway[name]) for name, array in ends[0].items())


def test_without_a_model_there_are_no_layers():
    with pytest.raises(ValueError, match="needs the layers of a model"):
        _recipe(layer_decay=0.9).optimizer_for(10)


def test_accumulated_small_batches_are_one_large_batch(start):
    """No batch statistics, no dropout: 4 x 4 images and 1 x 16 images give the same weights, with a schedule, decay and clipping."""
    rng = np.random.default_rng(3)
    data = (rng.uniform(0, 255, (32, 6, 6, 3)).astype("float32"), np.arange(32) % 2)
    weights = []
    for fields in ({"batch_size": 16}, {"batch_size": 4, "accumulation": 4}):
        recipe = _recipe("adamw", epochs=2, schedule="cosine", warmup=0.25, learning_rate=0.01, weight_decay=0.1, clip_norm=1.0, **fields)
        with recipe.building():
            model = _net()
        history = fit(model, (data, data), recipe, start(f"run{len(weights)}"), verbose=0)
        weights.append((model.get_weights(), history.rows[-1]["val_loss"]))
    assert weights[0][1] == pytest.approx(weights[1][1], abs=1e-5)
    for large, small in zip(weights[0][0], weights[1][0], strict=True):
        np.testing.assert_allclose(small, large, atol=2e-6)
