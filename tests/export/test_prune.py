"""Pruning: the schedule by the paper's formula, the mask by numpy, and the same through any loop, kill and backend."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from zoo.export.compress import prune, sparsity_at, strip
from zoo.export.compress.prune import Mask
from zoo.run import Run
from zoo.train import Recipe, fit

pytestmark = pytest.mark.backend
TORCH = keras.backend.backend() == "torch"
RNG = np.random.default_rng(0)
X, Y = RNG.uniform(0, 255, (64, 8, 8, 3)).astype("float32"), np.arange(64) % 3


def net(seed=0):
    keras.utils.set_random_seed(seed)
    image = keras.Input((8, 8, 3), name="image")
    x = layers.Rescaling(1 / 127.5, -1.0, name="rescale")(image)
    x = layers.Conv2D(8, 3, padding="same", name="conv")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.ReLU(name="relu")(x)
    x = layers.DepthwiseConv2D(3, name="depthwise")(x)
    x = layers.SeparableConv2D(6, 3, name="separable")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, layers.Dense(3, name="logits")(x), name="net")


def trained(model, epochs=1, **settings):
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), **settings)
    model.fit(X, Y, batch_size=8, epochs=epochs, shuffle=False, verbose=0)
    return model


def numpy(value):
    return keras.ops.convert_to_numpy(value)


def mask_of(model, name="conv", kernel="kernel"):
    return model.get_layer(name).rewrites[kernel][0]


@pytest.mark.parametrize(("begin", "updates", "initial"), [(0, 10, 0.0), (7, 40, 0.25)])
def test_the_schedule_is_equation_1_of_the_paper(begin, updates, initial):
    """s_t = s_f + (s_i - s_f) (1 - (t - t_0) / (n dt))^3, written out as a polynomial; the layer's own numbers agree."""
    mask = Mask(0.8, updates, begin, initial=initial)
    for t in range(begin + updates + 5):
        u = min(max(t - begin, 0), updates) / updates
        wanted = initial + (0.8 - initial) * (3 * u - 3 * u**2 + u**3)
        assert sparsity_at(t, 0.8, updates, begin, initial=initial) == pytest.approx(wanted, abs=1e-12)
        assert float(numpy(mask._sparsity(keras.ops.convert_to_tensor(t, "int32")))) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (10,), (3, 3, 8, 16), (50, 7)])
@pytest.mark.parametrize("final", [0.0, 0.5, 0.9])
def test_the_mask_drops_exactly_the_smallest_magnitudes(shape, final):
    kernel = np.random.default_rng(1).normal(size=shape).astype("float32")
    mask = Mask(final, updates=10)
    mask.build(shape)
    mask.start(kernel)
    kept = numpy(mask(kernel, training=False))
    zeros = round(final * kernel.size)
    assert (kept == 0).sum() == zeros
    assert not np.signbit(kept[kept == 0]).any()
    smallest = np.partition(np.abs(kernel).ravel(), max(zeros - 1, 0))[:zeros]
    np.testing.assert_array_equal(np.sort(np.abs(kernel[kept == 0])), np.sort(smallest))
    np.testing.assert_array_equal(kept[kept != 0], kernel[kept != 0])


def test_equal_weights_do_not_all_go():
    mask = Mask(0.75, updates=10)
    mask.build((4, 4))
    mask.start(np.ones((4, 4), "float32"))
    assert numpy(mask(np.ones((4, 4), "float32"), training=False)).sum() == 4


@pytest.mark.parametrize(
    "settings",
    [{}]
    if TORCH
    else [{}, {"steps_per_execution": 8}, pytest.param({"jit_compile": True, "steps_per_execution": 4}, marks=pytest.mark.slow)],
)
def test_sparsity_follows_the_schedule_however_the_steps_are_run(settings):
    model = prune(net(), 0.8, updates=12, every=3)
    for epoch, last in enumerate((6, 12), start=1):  # after 8 and 16 batches; masks were chosen before batches 0, 3, 6, 9 and 12
        trained(model, **settings)
        keep, seen = numpy(mask_of(model).keep), int(numpy(mask_of(model).seen))
        assert seen == 8 * epoch
        size = keep.size
        assert (keep == 0).sum() == pytest.approx(sparsity_at(last, 0.8, 12) * size, abs=0.51)
        assert (keep <= 1).sum() == round(0.8 * size)


def test_a_mask_is_chosen_at_the_very_end_when_the_steps_do_not_meet_it():
    model = trained(prune(net(), 0.6, updates=7, every=5))
    assert (numpy(mask_of(model).keep) == 0).sum() == round(0.6 * 216)


def test_a_masked_weight_gets_no_gradient_and_comes_back_when_it_is_larger():
    layer = Mask(0.5, updates=4, every=2, schedule="constant")
    layer.build((4,))
    layer.start(np.array([4.0, 3.0, 2.0, 1.0], "float32"))
    np.testing.assert_array_equal(numpy(layer(np.array([4.0, 3.0, 2.0, 1.0], "float32"), training=True)), [4, 3, 0, 0])
    grown = np.array([0.5, 3.0, 2.0, 1.0], "float32")
    np.testing.assert_array_equal(numpy(layer(grown, training=True)), [0.5, 3, 0, 0])  # not due
    np.testing.assert_array_equal(numpy(layer(grown, training=True)), [0, 3, 2, 0])  # due

    model = prune(net(), 0.5, updates=1000, schedule="constant")
    model.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = numpy(model.get_layer("conv").layer.kernel)
    model.fit(X[:8], Y[:8], batch_size=8, verbose=0)
    moved = numpy(model.get_layer("conv").layer.kernel) != before
    kept = numpy(mask_of(model).keep) > 0
    assert not moved[~kept].any()
    assert moved[kept].mean() > 0.5  # not all: behind a ReLU that never opens there is no gradient


def test_strip_gives_the_plain_architecture_with_zeros_and_the_same_outputs():
    model = trained(prune(net(), 0.8, updates=100))  # far from the end of the schedule: the final sparsity all the same
    plain = strip(model)
    assert [(one.name, type(one)) for one in plain.layers] == [(one.name, type(one)) for one in net().layers]
    np.testing.assert_array_equal(numpy(plain(X, training=False)), numpy(model(X, training=False)))
    for weight in plain.weights:
        zeros = (numpy(weight) == 0).sum()
        assert zeros == (round(0.8 * np.prod(weight.shape)) if "kernel" in weight.path else zeros), weight.path
    for layer, kernel in (("separable", "depthwise_kernel"), ("separable", "pointwise_kernel"), ("logits", "kernel")):
        value = numpy(getattr(plain.get_layer(layer), kernel))
        assert (value == 0).sum() == round(0.8 * value.size)


def test_a_saved_model_goes_on_as_if_it_had_not_been_saved(tmp_path):
    model = trained(prune(net(), 0.8, updates=20, every=3))
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    for one in (model, loaded):
        one.fit(X, Y, batch_size=8, shuffle=False, verbose=0)
    for a, b in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(numpy(a), numpy(b), err_msg=a.path)


def test_zoo_fit_resumes_to_the_same_masks(tmp_path):
    recipe = Recipe(epochs=3, batch_size=16, steps_per_execution=1 if TORCH else 4)
    data = ((X.astype("uint8"), Y), (X[:16].astype("uint8"), Y[:16]))

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    results = []
    for name, interruptions in (("whole", []), ("cut", [Stop()])):
        run = Run.open(tmp_path / name, recipe, name=name)
        for callbacks in [interruptions, []] if interruptions else [[]]:
            model = prune(net(), 0.8, updates=8, every=2)
            try:
                fit(model, data, recipe, run, callbacks=callbacks, verbose=0)
            except KeyboardInterrupt:
                continue
        results.append([numpy(value) for value in model.variables])
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_shared_layer_counts_batches_and_not_its_calls():
    image = keras.Input((8, 8, 3), name="image")
    shared = layers.Conv2D(3, 3, padding="same", name="conv")
    x = layers.GlobalAveragePooling2D()(shared(shared(image)))
    model = trained(prune(keras.Model(image, x), 0.5, updates=8, every=4))
    mask = mask_of(model)
    assert int(numpy(mask.seen)) == 16  # two calls in each of 8 batches
    assert (numpy(mask.keep) == 0).sum() == round(sparsity_at(4, 0.5, 8) * 81)


def test_only_the_named_layers_of_a_sequential_model():
    model = keras.Sequential([keras.Input((4,), name="x"), layers.Dense(4, name="a"), layers.Dense(4, name="b")])
    plain = strip(prune(model, 0.5, updates=5, layers=["b"]))
    assert (numpy(plain.get_layer("a").kernel) != 0).all()
    assert (numpy(plain.get_layer("b").kernel) == 0).sum() == 8


def test_mixed_precision_ranks_the_stored_weights():
    with Recipe(precision="mixed_bfloat16").building():
        image = keras.Input((8,), name="x")
        model = keras.Model(image, layers.Dense(16, name="dense")(image))
    pruned = prune(model, 0.5, updates=5)
    assert keras.backend.standardize_dtype(pruned(X[:, 0, :, 0]).dtype) == "bfloat16"
    kernel = numpy(model.get_layer("dense").kernel)
    kept = pruned.get_layer("dense").kernels()["kernel"]
    np.testing.assert_array_equal(np.sort(np.abs(kernel[kept == 0])), np.sort(np.abs(kernel).ravel())[:64])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"final": 1.0}, "must lie in \\[0, 1\\)"),
        ({"initial": 0.9}, "must lie in \\[0, final=0.8\\]"),
        ({"updates": 0}, "updates is a number of training batches"),
        ({"every": 2.5}, "every is a number of training batches"),
        ({"schedule": "linear"}, "polynomial, constant"),
        ({"layers": ["nrom"]}, "named nrom; there are conv"),
    ],
)
def test_wrong_arguments_are_told(arguments, said):
    with pytest.raises(ValueError, match=said):
        prune(net(), **{"updates": 10, **arguments})


def test_wrong_models_are_told():
    pruned = prune(net(), 0.5, updates=10)
    with pytest.raises(ValueError, match="already pruned.*strip"):
        prune(pruned, 0.5, updates=10)
    with pytest.raises(ValueError, match="built functional or Sequential"):
        prune(keras.Sequential([layers.Dense(2)]), 0.5, updates=10)
    with pytest.raises(TypeError, match="list|collection"):
        prune(net(), 0.5, updates=10, layers="conv")
