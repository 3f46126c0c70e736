"""Features: what Keras itself would pool, the same for every form of a model, however the images come."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from tests.explain.test_models import FORMS, alike, float16, functional
from zoo import explain, registry
from zoo.explain.features import spot_of

pytestmark = pytest.mark.backend


def pooled(model, name, images):
    """By a model of Keras' own that shares the layers."""
    shared = keras.Model(model.inputs, layers.GlobalAveragePooling2D()(model.get_layer(name).output))
    return ops.convert_to_numpy(shared(ops.convert_to_tensor(images.astype("float32"))))


def test_the_default_is_the_mean_of_the_last_map(cnn, images):
    found = explain.features(cnn, images)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, pooled(cnn, "last", images), rtol=1e-5, atol=1e-6)


def test_any_layer(cnn, images):
    np.testing.assert_allclose(explain.features(cnn, images, "first"), pooled(cnn, "first", images), rtol=1e-5, atol=1e-6)
    logits = ops.convert_to_numpy(cnn(ops.convert_to_tensor(images.astype("float32"))))
    np.testing.assert_allclose(explain.features(cnn, images, "logits"), logits, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(explain.features(cnn, images, cnn.get_layer("pool")), explain.features(cnn, images), rtol=1e-6)


@pytest.mark.parametrize("make", FORMS, ids=lambda make: make.__name__)
def test_every_form_gives_the_same_features(make, images):
    images = images[:2]
    expected = pooled(alike(functional(), images), "last", images)
    np.testing.assert_allclose(explain.features(alike(make(), images), images), expected, rtol=1e-5, atol=1e-4)


def test_a_never_built_model(images):
    model = keras.Sequential([layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), layers.Dense(2)])
    assert explain.features(model, images).shape == (5, 4)


def test_half_precision_gives_float32(images):
    expected = explain.features(alike(functional(), images), images)
    found = explain.features(alike(float16(), images), images)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=0.01 * expected.max())


def test_neither_batch_size_nor_order_matter(cnn, images):
    expected = explain.features(cnn, images)
    for size in (1, 2, 64):
        np.testing.assert_allclose(explain.features(cnn, images, batch_size=size), expected, rtol=1e-5, atol=1e-6)
    order = [3, 0, 4, 2, 1]
    np.testing.assert_allclose(explain.features(cnn, images[order], batch_size=2), expected[order], rtol=1e-5, atol=1e-6)


def test_an_iterator_is_read_no_further_than_a_batch_ahead(cnn, images):
    read, ahead = 0, []

    def single():
        nonlocal read
        for image in images:
            read += 1
            yield image

    found = explain.features(cnn, single(), batch_size=2, progress=lambda done, total: ahead.append((read - done, total)))
    assert ahead == [(0, None)] * 3
    np.testing.assert_allclose(found, explain.features(cnn, images), rtol=1e-5, atol=1e-6)
    batches = explain.features(cnn, iter([images[:3], images[3:]]), batch_size=2)
    np.testing.assert_allclose(batches, found, rtol=1e-5, atol=1e-6)


def test_progress_of_an_array(cnn, images):
    seen = []
    explain.features(cnn, images, progress=lambda *numbers: seen.append(numbers))
    explain.features(cnn, images, batch_size=2, progress=lambda *numbers: seen.append(numbers))
    assert seen == [(5, 5), (2, 5), (4, 5), (5, 5)]


def test_the_model_is_left_as_it_was(cnn, images):
    before = [weight.copy() for weight in cnn.get_weights()]

    def broken():
        yield images[:2]
        raise OSError("the disk is gone")

    explain.features(cnn, images)
    with pytest.raises(OSError, match="the disk is gone"):
        explain.features(cnn, broken())
    for kept, now in zip(before, cnn.get_weights(), strict=True):
        np.testing.assert_array_equal(now, kept)
    assert all("call" not in vars(layer) for layer in cnn.layers)


def test_a_transformer_gives_its_last_tokens(images):
    """Not its patches, which have learned no more than one linear layer."""
    model = registry.build_classifier("vit_micro")
    batch = np.random.default_rng(1).integers(0, 256, (2, *model.input_shape[1:])).astype("float32")
    tokens = ops.convert_to_numpy(keras.Model(model.input, model.get_layer("norm").output)(ops.convert_to_tensor(batch)))
    np.testing.assert_allclose(explain.features(model, batch), tokens.mean(axis=1), rtol=1e-4, atol=1e-5)


def test_a_detector_gives_its_map():
    """Anchors by classes (b, n, c) are its output, not its features: the last map lies before, and `default_layer` knows it."""
    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(6, 3, padding="same", activation="relu", name="last")(image)
    boxes = layers.Reshape((-1, 4))(layers.Conv2D(8, 1, name="boxes")(x))
    model = keras.Model(image, layers.Concatenate(axis=1)([boxes, boxes]))
    assert spot_of(model).path == explain.default_layer(model).name
    assert explain.features(model, np.zeros((2, 16, 16, 3))).shape[1] > 4


@pytest.mark.parametrize("frozen", [False, True])
def test_a_perceptron_gives_its_last_hidden_layer(frozen, images):
    image = keras.Input((16, 16, 3))
    x = layers.Flatten()(layers.Rescaling(1 / 255)(image))
    model = keras.Model(image, layers.Dense(3)(layers.Dense(7, activation="relu", name="hidden")(x)))
    model.trainable = not frozen
    assert spot_of(model).path == "hidden"
    assert explain.features(model, images).shape == (5, 7)


def test_a_frozen_network_keeps_its_spot(cnn):
    before = spot_of(cnn)
    cnn.get_layer("first").trainable = cnn.get_layer("last").trainable = False
    assert spot_of(cnn) == before


def test_what_cannot_be_used_is_refused(cnn, images):
    with pytest.raises(ValueError, match="at least one image, the iterator gave none"):
        explain.features(cnn, iter([]))
    with pytest.raises(ValueError, match="has no layer 'lost'; did you mean last"):
        explain.features(cnn, images, "lost")
    with pytest.raises(ValueError, match=r"takes images of shape \(16, 16, 3\)"):
        explain.features(cnn, iter(np.zeros((2, 8, 8, 3))))
    with pytest.raises(ValueError, match=r"'last' gives no features at its call 3"):
        explain.features(cnn, images, ("last", 3))
    with pytest.raises(ValueError, match="batch_size must be a positive int, got 0"):
        explain.features(cnn, images, batch_size=0)
    with pytest.raises(TypeError, match=r"those of a keras\.Model, got int"):
        explain.features(3, images)


def test_repeated_calls_do_not_trace_again(images):
    class Counting(layers.Layer):
        runs = 0

        def call(self, x):
            type(self).runs += 1
            return x

    image = keras.Input((16, 16, 3))
    model = keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(Counting()(image)))))
    explain.features(model, images, batch_size=2)
    after_first = Counting.runs
    for _ in range(4):
        explain.features(model, images, batch_size=2)
    assert Counting.runs - after_first == (12 if keras.backend.backend() == "torch" else 0)
