"""What every row of the registry promises. A new family passes all of this by adding its rows: nothing here names one.

The `_micro` rows run in the fast suite, the real ones in the slow one.
"""

from __future__ import annotations

import keras
import numpy as np
import pytest

import zoo
from zoo import registry

ROWS = list(registry.rows())
MICRO = [name for name in ROWS if name.endswith("_micro")]
FIRST = list({registry.row(name)[0].__name__: name for name in reversed(MICRO)}.values())
"""The first micro row of every family; the others differ from it in a switch or two."""


def _rows(names, soon):
    return pytest.mark.parametrize("name", [name if name in soon else pytest.param(name, marks=pytest.mark.slow) for name in names])


BY_SIZE = sorted((name for name in ROWS if name not in MICRO), key=lambda name: -registry.row(name)[1].parameters)
SMALLEST = list({registry.row(name)[0].__name__: name for name in BY_SIZE}.values())
"""The real row of every family with the fewest parameters."""

EVERY_ROW, MICRO_ROW = _rows(ROWS, MICRO), _rows(MICRO, MICRO)
EVERY_ROW_COSTLY, MICRO_ROW_COSTLY = _rows(ROWS, FIRST), _rows(MICRO, FIRST)
"""Where a test takes a second or more, the fast suite takes one micro row of every family, and the slow one the others."""
FEW = (
    *("resnet_micro", "mobilenet_v2_micro", "alexnet_micro", "lenet_micro", "vit_micro", "mobilenet_v3_micro", "bit_micro"),
    *("efficientnet_v2_micro", "nasnet_micro", "cifar_resnet_micro", "convnext_v2_micro", "convnext_micro", "resnext_micro"),
    *("darknet_micro", "inception_resnet_v1_micro"),
)
EVERY_KIND, MICRO_KIND = _rows(ROWS, FEW), _rows(MICRO, FEW)
"""Where a test asks how layers behave, not how a family wires them: rows that together hold every kind of layer; the others are slow."""
COUNTED_ROW = _rows(ROWS, MICRO + SMALLEST)
COMPILED_ROW = _rows(FIRST, ("resnet_micro",))
INFERRED_ROW = _rows(MICRO, ("resnet_micro", "mobilenet_v2_micro", "convnext_micro", "vit_micro"))
"""XLA takes up to a minute to compile a training step, and several seconds for a prediction."""
tensorflow_only = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="this format is written on TensorFlow")


def _images(name: str, count: int = 2, size=None, channels: int | None = None, seed: int = 0) -> np.ndarray:
    """Float32 noise over smooth ramps in [0, 255], of the row's own size or of `size` = (height, width)."""
    variant = registry.row(name)[1]
    height, width = variant.input_shape[:2] if size is None else size
    random = np.random.default_rng(seed)
    ramp = np.linspace(0, 200, width)[:, None] * random.uniform(0.2, 1, (count, height, 1, channels or variant.input_shape[2]))
    return (ramp + random.uniform(0, 55, ramp.shape)).astype("float32")


def _build(name: str, seed: int = 0, **options) -> keras.Model:
    keras.utils.set_random_seed(seed)
    return registry.build_classifier(name, **options)


def _out(model, images) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(images, training=False))


def _scale(x) -> float:
    return max(1.0, float(np.abs(x).max()))


def _sizes(name: str) -> list[tuple[int, int]]:
    """The smallest, one odd, and two oblong sizes."""
    m = registry.row(name)[1].minimum
    return [(m, m), (m + 1 + m % 2, m + 1 + m % 2), (m, m + 13), (m + 22, m + 5)]


def _kinds(name: str) -> set[tuple[str, str]]:
    """(class, activation) of every layer of a row."""
    activations = (
        (type(layer).__name__, getattr(layer, "activation", None)) for layer in registry.build_classifier(name)._flatten_layers()
    )
    return {(kind, getattr(activation, "__name__", "")) for kind, activation in activations}


@pytest.mark.slow
def test_the_few_hold_every_kind_of_layer():
    assert set().union(*map(_kinds, FEW)) == set().union(*map(_kinds, FIRST))


# --- what is built


@COUNTED_ROW
def test_every_row_has_the_published_number_of_trainable_parameters(name):
    """Built without allocating the weights: inside a stateless scope variables have a shape and no value."""
    with keras.StatelessScope(initialize_variables=False):
        model = registry.build_classifier(name)
        count = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    keras.utils.clear_session()  # forgets the variables that wait for a value
    assert count == registry.row(name)[1].parameters


@pytest.mark.backend
@MICRO_ROW
def test_micro_rows_are_small(name):
    assert registry.row(name)[1].parameters < 20_000


@pytest.mark.backend
@EVERY_ROW
def test_shape_names_and_plain_layers(name):
    variant = registry.row(name)[1]
    model = _build(name)
    logits = _out(model, _images(name))
    assert logits.shape == (2, variant.classes)
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()
    names = [layer.name for layer in model.layers]
    assert len(set(names)) == len(names)
    assert not any(isinstance(layer, keras.layers.Lambda | keras.Model) for layer in model.layers), "flat, and loadable in safe mode"
    assert names == [layer.name for layer in _build(name).layers], "names must not depend on what was built before"
    assert model.name == name


@pytest.mark.backend
@EVERY_ROW_COSTLY
def test_pyramid(name):
    """Levels c1, c2, ... in order, each at most as fine as the one before, and the classifier's own tensors."""
    keras.utils.set_random_seed(0)
    model = registry.build_backbone(name)
    levels = {key: tuple(level.shape) for key, level in model(_images(name), training=False).items()}
    assert list(levels) == [f"c{i}" for i in range(1, len(levels) + 1)]
    assert set(levels) == set(model.output)
    for finer, coarser in zip(list(levels.values())[:-1], list(levels.values())[1:], strict=True):
        assert len(coarser) == 4
        assert coarser[1] <= finer[1]
        assert coarser[2] <= finer[2]
    backbone, classifier = ({weight.path: tuple(weight.shape) for weight in m.weights} for m in (model, _build(name)))
    assert backbone.items() <= classifier.items(), "a backbone is the classifier without its head"
    assert len(backbone) < len(classifier)


@pytest.mark.backend
@MICRO_ROW_COSTLY
@pytest.mark.parametrize("pooling", ["average", "max"])
def test_backbone_with_pooling_is_a_vector(name, pooling):
    model = registry.build_backbone(name, pooling=pooling)
    deepest = list(registry.build_backbone(name).output.values())[-1]
    assert model.output.shape == (None, deepest.shape[-1])


# --- sizes and channels


@pytest.mark.backend
@EVERY_ROW_COSTLY
def test_any_legal_size_and_unknown_shapes_give_the_same_answer(name):
    """One network whatever is known about the image's size when it is built."""
    variant = registry.row(name)[1]
    unknown = _build(name, input_shape=(None, None, variant.input_shape[2]))
    weights = unknown.get_weights()
    for size in _sizes(name):
        known = registry.build_classifier(name, input_shape=(*size, variant.input_shape[2]))
        known.set_weights(weights)
        images = _images(name, size=size)
        logits = _out(known, images)
        assert np.isfinite(logits).all()
        np.testing.assert_allclose(_out(unknown, images), logits, rtol=1e-5, atol=1e-5 * _scale(logits))


@pytest.mark.backend
@MICRO_ROW
def test_too_small_an_image_is_refused_with_the_smallest_legal_side(name):
    minimum = registry.row(name)[1].minimum
    with pytest.raises(ValueError, match=f"{name} cannot take an image of {minimum - 1}x{minimum} pixels.* {minimum}$"):
        registry.build_classifier(name, input_shape=(minimum - 1, minimum, 3))


@pytest.mark.backend
@_rows([name for name in MICRO if registry.row(name)[1].input_shape[2] == 3], FIRST)
def test_a_gray_image_scores_as_its_rgb_copy(name):
    """To the bit: users of gray pictures lose nothing and need no conversion."""
    variant = registry.row(name)[1]
    rgb = _build(name)
    gray = registry.build_classifier(name, input_shape=(*variant.input_shape[:2], 1))
    gray.set_weights(rgb.get_weights())
    images = _images(name, channels=1)
    np.testing.assert_array_equal(_out(gray, images), _out(rgb, np.repeat(images, 3, -1)))


@pytest.mark.backend
@MICRO_ROW_COSTLY
def test_other_channel_counts_and_class_counts_build(name):
    size = registry.row(name)[1].input_shape[:2]
    model = registry.build_classifier(name, classes=7, input_shape=(*size, 5))
    assert _out(model, _images(name, channels=5)).shape == (2, 7)


# --- files


@pytest.mark.backend
@EVERY_KIND
def test_saved_model_answers_to_the_bit(name, tmp_path):
    model = _build(name)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(_out(loaded, _images(name)), _out(model, _images(name)))


@pytest.mark.backend
@EVERY_KIND
def test_weight_archive_round_trip(name, tmp_path):
    model, other = _build(name), _build(name, seed=1)
    images = _images(name)
    assert not np.array_equal(_out(other, images), _out(model, images))
    zoo.save_weights(model, tmp_path / "weights.safetensors")
    zoo.load_weights(other, tmp_path / "weights.safetensors")
    np.testing.assert_array_equal(_out(other, images), _out(model, images))
    filled = zoo.classifier(name, weights=str(tmp_path / "weights.safetensors"))
    np.testing.assert_array_equal(_out(filled, images), _out(model, images))


@tensorflow_only
@EVERY_KIND
@pytest.mark.parametrize("suffix", [".onnx", ".tflite"])
def test_exported_file_agrees(name, suffix, tmp_path):
    from zoo.export import agreement, export

    model = _build(name)
    images = _images(name)
    path = export(model, tmp_path / f"model{suffix}")
    assert agreement(model, path, images) <= 1e-4 * _scale(_out(model, images))


# --- arithmetic


@pytest.mark.backend
@MICRO_ROW_COSTLY
def test_every_weight_gets_a_finite_gradient(name):
    """One plain descent step with rate 1 moves a weight by exactly its gradient; this works on every backend."""
    model = _build(name, dropout=0.0)
    model.compile(keras.optimizers.SGD(1.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = [keras.ops.convert_to_numpy(weight) for weight in model.trainable_weights]
    labels = np.arange(8) % registry.row(name)[1].classes
    model.train_on_batch(_images(name, 8), labels)
    for weight, old in zip(model.trainable_weights, before, strict=True):
        step = keras.ops.convert_to_numpy(weight) - old
        assert np.isfinite(step).all(), weight.path
        assert np.abs(step).max() > 0, f"{weight.path} has no gradient"


@pytest.mark.backend
@MICRO_ROW_COSTLY
def test_an_image_scores_the_same_alone_and_in_a_batch(name):
    model, images = _build(name), _images(name, 3)
    alone = np.concatenate([_out(model, images[i : i + 1]) for i in range(3)])
    batch = _out(model, images)
    np.testing.assert_allclose(batch, alone, rtol=1e-5, atol=1e-5 * _scale(batch))
    assert np.abs(batch - np.roll(batch, 1, 0)).max() > 1e-4, "the model must react to its image"


@pytest.mark.backend
@INFERRED_ROW
def test_eager_graph_and_xla_agree(name):
    model, images = _build(name), _images(name)
    eager = _out(model, images)
    jits = (False,) if keras.backend.backend() == "torch" else (False, True)  # torch.compile needs a C++ compiler
    for jit in jits:
        model.compile(jit_compile=jit)
        np.testing.assert_allclose(model.predict(images, verbose=0), eager, rtol=1e-4, atol=1e-4 * _scale(eager))


@pytest.mark.backend
@COMPILED_ROW
@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_a_compiled_training_step_moves_every_layer(name, policy):
    """XLA and mixed precision as users train: fp16 with its loss scaling."""
    keras.config.set_dtype_policy(policy)
    model = _no_dropout(_build(name))
    before = [keras.ops.convert_to_numpy(weight) for weight in model.trainable_weights]
    jit = keras.backend.backend() != "torch"  # torch.compile needs a C++ compiler
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.Adam(1e-3)
    if policy == "mixed_float16":  # a start low enough that the first step of a random network does not overflow and is not skipped
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=2.0**10)
    model.compile(optimizer, loss, jit_compile=jit)
    assert np.isfinite(model.train_on_batch(_images(name, 8), np.arange(8) % registry.row(name)[1].classes))
    after = [keras.ops.convert_to_numpy(weight) for weight in model.trainable_weights]
    assert all(np.isfinite(weight).all() for weight in after)
    moved = [bool((old != new).any()) for old, new in zip(before, after, strict=True)]
    assert all(moved), [weight.path for weight, yes in zip(model.trainable_weights, moved, strict=True) if not yes]


@pytest.mark.backend
@MICRO_KIND
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_has_float32_logits_and_weights(name, policy):
    full, images = _build(name), _images(name)
    expected = _out(full, images)
    keras.config.set_dtype_policy(policy)
    mixed = _build(name)
    logits = _out(mixed, images)
    assert logits.dtype == np.float32
    assert all(weight.dtype == "float32" for weight in mixed.weights)
    assert any(layer.compute_dtype == policy.removeprefix("mixed_") for layer in mixed.layers)
    # Ten times the rounding of one number: 2^-11 and 2^-8. In units of the logits themselves, which are small in some micro rows.
    unit = 10 * 2.0 ** (-11 if policy == "mixed_float16" else -8)
    np.testing.assert_allclose(logits, expected, rtol=0, atol=unit * np.abs(expected).max())


@pytest.mark.backend
@MICRO_KIND
def test_uint8_images_score_as_float_images(name):
    model, images = _build(name), _images(name).astype("uint8")
    np.testing.assert_array_equal(_out(model, images), _out(model, images.astype("float32")))


@pytest.mark.backend
@MICRO_KIND
def test_frozen_model_keeps_everything_in_a_training_pass(name):
    """`trainable = False` also stops the moving statistics of batch normalisation."""
    model = _build(name)
    model.trainable = False
    before = [keras.ops.convert_to_numpy(weight) for weight in model.weights]
    images = _images(name)
    frozen, inference = (keras.ops.convert_to_numpy(_no_dropout(model)(images, training=training)) for training in (True, False))
    np.testing.assert_allclose(frozen, inference, rtol=1e-5, atol=1e-5 * _scale(inference))
    for weight, old in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(weight), old)


def _no_dropout(model):
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    return model


@pytest.mark.backend
@MICRO_KIND
def test_the_same_seed_gives_the_same_weights(name):
    one, two, other = (_build(name, seed).get_weights() for seed in (3, 3, 4))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(not np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.backend
@MICRO_ROW_COSTLY
def test_activation_gives_probabilities(name):
    out = _out(_build(name, activation="softmax"), _images(name))
    np.testing.assert_allclose(out.sum(1), 1, atol=1e-5)
