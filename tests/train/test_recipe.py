"""A recipe refuses what cannot work, and its optimiser does what the fields say."""

import keras
import numpy as np
import pytest
from keras import layers

from zoo.train import Recipe
from zoo.train.checkpoint import value_of


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("epochs", 0, "epochs must be a whole number >= 1, got 0"),
        ("epochs", 2.5, "epochs must be a whole number >= 1, got 2.5"),
        ("epochs", True, "epochs must be a whole number"),
        ("batch_size", -1, "batch_size must be a whole number >= 1"),
        ("steps_per_execution", 0, "steps_per_execution must be a whole number >= 1"),
        ("seed", -1, "seed must be a whole number >= 0"),
        ("patience", 0, "patience must be a whole number >= 1"),
        ("optimizer", "adma", "optimizer must be one of sgd, adam, adamw, lion, rmsprop, lamb, got 'adma'"),
        ("schedule", "linear", "schedule must be one of constant, cosine, one_cycle, poly, step"),
        ("precision", "float16", "precision must be one of float32, mixed_bfloat16, mixed_float16"),
        ("monitor", "val_acc", "monitor must be one of val_accuracy, val_loss, val_AP, val_AP50, got 'val_acc'"),
        ("jit", "yes", "jit must be 'auto', True or False"),
        ("learning_rate", 0.0, "learning_rate must be a finite number > 0, got 0.0"),
        ("learning_rate", None, "learning_rate must be a finite number > 0, got None"),
        ("learning_rate", float("nan"), "learning_rate must be a finite number > 0"),
        ("warmup", 1.0, "warmup is a fraction of all steps"),
        ("warmup", 5, "warmup is a fraction of all steps"),
        ("weight_decay", -0.1, "weight_decay must be a finite number >= 0"),
        ("label_smoothing", 1.0, "label_smoothing must lie in"),
        ("ema", 1.0, "ema must be None or a momentum inside"),
        ("clip_norm", 0.0, "clip_norm must be None or a finite number > 0"),
        ("accumulation", 0, "accumulation must be a whole number >= 1"),
        ("reference_batch", 2.5, "reference_batch must be a whole number >= 1"),
        ("momentum", 1.0, "momentum must lie in"),
        ("nesterov", 1, "nesterov must be True or False, got 1"),
        ("final_rate", 1.0, "final_rate must lie in"),
        ("power", 0, "power must be a finite number > 0"),
        ("milestones", (0.6, 0.3), "milestones must be fractions of the training"),
        ("milestones", (), "milestones must be fractions of the training"),
        ("milestones", 30, "milestones must be fractions of the training"),
        ("factor", 1.0, "factor must lie inside"),
        ("layer_decay", 0.0, "layer_decay must lie in"),
        ("criterion", "bce", "criterion must be one of cross_entropy, binary_cross_entropy"),
        ("drop_path", 1.0, "drop_path must be None or a rate"),
        ("flip", "yes", "flip must be True or False"),
        ("crop", 1.0, "crop must lie in"),
        ("colour", 2.0, "colour must lie in"),
        ("random_augment", 9, "random_augment must lie in"),
        ("random_augment_layers", 0, "random_augment_layers must be a whole number"),
        ("erasing", -0.1, "erasing must lie in"),
        ("mixup", -1.0, "mixup must be a finite number >= 0"),
        ("cutmix", float("inf"), "cutmix must be a finite number >= 0"),
        ("mix_off_epochs", 21, "mix_off_epochs=21 is more than the 20 epochs"),
        ("repeats", 0, "repeats must be a whole number >= 1"),
    ],
)
def test_a_wrong_value_is_named(field, value, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**{field: value})


def test_adam_with_decay_names_the_cure():
    with pytest.raises(ValueError, match="optimizer='adamw'"):
        Recipe(optimizer="adam", weight_decay=0.1)
    Recipe(optimizer="adam", weight_decay=0.0)


def _net():
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, name="conv")(image)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.SeparableConv2D(4, 3, name="separable")(x)
    x = layers.Reshape((-1, 4))(x)
    x = layers.MultiHeadAttention(2, 2, name="attention")(x, x)
    x = layers.LayerNormalization(name="layernorm")(x)
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(image, layers.Dense(1, name="logits")(x))


@pytest.mark.backend
@pytest.mark.parametrize(("optimizer", "known"), [("sgd", True), ("adamw", True), ("lion", True), ("adamw", False)])
def test_decay_shrinks_kernels_and_nothing_else(optimizer, known):
    """With zero gradients the only thing that moves a weight is decay, by exactly 1 - rate * decay."""
    model = _net()
    start = {
        variable.path: np.random.default_rng(0).normal(1, 0.1, variable.shape).astype("float32") for variable in model.trainable_variables
    }
    for variable in model.trainable_variables:
        variable.assign(start[variable.path])
    recipe = Recipe(optimizer=optimizer, learning_rate=0.1, schedule="constant", warmup=0.0, weight_decay=0.5)
    update = recipe.optimizer_for(10, model if known else None)  # without a model: by name only
    update.build(model.trainable_variables)
    update.apply([keras.ops.zeros(variable.shape) for variable in model.trainable_variables])
    for variable in model.trainable_variables:
        factor = 0.95 if variable.path.endswith("kernel") else 1.0
        np.testing.assert_allclose(value_of(variable), factor * start[variable.path], rtol=1e-6, err_msg=variable.path)
    assert sum(variable.path.endswith("kernel") for variable in model.trainable_variables) == 8
    assert sum(not variable.path.endswith("kernel") for variable in model.trainable_variables) == 11


@pytest.mark.backend
def test_decay_inside_a_compiled_fit_spares_the_bias():
    """The same through Keras' compiled training step: a loss of zero, so decay alone acts."""
    inputs = keras.Input((3,))
    model = keras.Model(inputs, layers.Dense(2, bias_initializer="ones", name="logits")(inputs))
    before = [array.copy() for array in model.get_weights()]
    recipe = Recipe(optimizer="sgd", learning_rate=0.1, schedule="constant", warmup=0.0, weight_decay=0.5)
    model.compile(recipe.optimizer_for(2, model), loss=lambda y, p: 0.0 * keras.ops.sum(p, axis=-1))
    model.fit(np.ones((4, 3), "float32"), np.zeros((4, 2), "float32"), batch_size=2, epochs=1, verbose=0)
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(kernel, before[0] * 0.95**2, rtol=1e-5)
    np.testing.assert_array_equal(bias, before[1])


@pytest.mark.backend
def test_the_gradient_is_clipped_to_the_global_norm():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    recipe = Recipe(optimizer="sgd", learning_rate=1.0, schedule="constant", warmup=0.0, weight_decay=0.0, clip_norm=1.0)
    update = recipe.optimizer_for(1, model)
    update.build(model.trainable_variables)
    update.apply([keras.ops.convert_to_tensor(np.array([[30.0], [40.0]], "float32"))])
    # Nesterov momentum 0.9 makes the first step 1.9 times the clipped gradient (0.6, 0.8).
    np.testing.assert_allclose(model.get_weights()[0], [[-1.9 * 0.6], [-1.9 * 0.8]], rtol=1e-5)


def test_policy_is_put_back_even_after_an_error():
    def broken():
        with Recipe(precision="mixed_bfloat16").policy():
            assert keras.config.dtype_policy().name == "mixed_bfloat16"
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        broken()
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.backend
def test_building_twice_gives_the_same_weights():
    recipe = Recipe(seed=5)
    first, second = (_built(recipe) for _ in range(2))
    for ours, theirs in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert any(not np.array_equal(a, b) for a, b in zip(first.get_weights(), _built(Recipe(seed=6)).get_weights(), strict=True))


def _built(recipe):
    with recipe.building():
        return _net()


def test_float16_scales_the_loss():
    update = Recipe(precision="mixed_float16").optimizer_for(10)
    assert isinstance(update, keras.optimizers.LossScaleOptimizer)
