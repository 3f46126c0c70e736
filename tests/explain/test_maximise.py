"""Activation maximisation: closed forms of its parts, an optimum that is known, and what it promises."""

import keras
import numpy as np
import pytest
from keras import layers
from scipy import ndimage

from zoo import explain
from zoo.explain.blur import gaussian_blur
from zoo.explain.maximise import _total_variation_gradient, total_variation

PLAIN = {"jitter": 0, "blur": 0, "total_variation": 0}


@pytest.mark.backend
def test_the_optimum_of_a_linear_model_is_the_sign_of_its_weights():
    """score = image . w is largest in [0, 255] at 255 where w > 0 and 0 where w < 0, from any start."""
    image = keras.Input((6, 5, 3))
    model = keras.Model(image, layers.Dense(1, use_bias=False)(layers.Flatten()(image)))
    random = np.random.default_rng(0)
    w = random.choice([-1, 1], (6, 5, 3)) * random.uniform(0.5, 1.5, (6, 5, 3))
    model.set_weights([w.reshape(-1, 1)])
    found = explain.maximise(model, 0, steps=100, **PLAIN)
    np.testing.assert_array_equal(found.images[0], np.where(w > 0, 255, 0))
    assert found.history.shape == (101, 1)
    assert (np.diff(found.history[:, 0]) >= 0).all()
    np.testing.assert_allclose(found.history[-1], 255 * w[w > 0].sum(), rtol=1e-5)


@pytest.mark.backend
def test_the_objective_rises_from_nine_of_ten_seeds(cnn):
    for target in (1, explain.Channel("first", 3)):
        found = explain.maximise(cnn, target, steps=20, seed=range(10))
        assert found.images.shape == (10, 16, 16, 3)
        assert found.images.dtype == np.float32
        assert found.images.min() >= 0
        assert found.images.max() <= 255
        assert (found.history[-1] > found.history[0]).sum() >= 9
        assert len({image.tobytes() for image in found.images}) == 10


@pytest.mark.backend
def test_the_same_seed_gives_the_same_image_whatever_else_is_made(cnn):
    one = explain.maximise(cnn, 2, steps=5, seed=3)
    np.testing.assert_array_equal(explain.maximise(cnn, 2, steps=5, seed=3).images, one.images)
    several = explain.maximise(cnn, [0, 2, 2], steps=5, seed=[1, 3, 4], batch_size=2)
    np.testing.assert_allclose(several.images[1], one.images[0], atol=0.01)
    np.testing.assert_allclose(several.history[:, 1], one.history[:, 0], rtol=1e-4, atol=1e-6)
    assert np.abs(several.images[2] - several.images[1]).max() > 1


def test_total_variation_equals_that_of_tensorflow():
    tf = pytest.importorskip("tensorflow", reason="the reference formula is TensorFlow's")
    images = np.random.default_rng(1).uniform(0, 255, (3, 7, 5, 3)).astype("float32")
    np.testing.assert_allclose(total_variation(images), tf.image.total_variation(tf.constant(images)), rtol=1e-5)
    x = tf.Variable(images)
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(tf.image.total_variation(x))
    np.testing.assert_array_equal(_total_variation_gradient(images), tape.gradient(value, x))


@pytest.mark.parametrize("sigma", [0, 0.1, 0.7, 2.5])
def test_blur_equals_that_of_scipy(sigma):
    images = np.random.default_rng(2).uniform(0, 255, (2, 9, 6, 3))
    expected = ndimage.gaussian_filter(images, (0, sigma, sigma, 0), mode="reflect", truncate=4) if sigma else images
    np.testing.assert_allclose(gaussian_blur(images, sigma), expected, rtol=1e-10)
    assert gaussian_blur(images.astype("float32"), sigma).dtype == np.float32


@pytest.mark.backend
def test_penalty_and_blur_make_it_smoother(cnn):
    def roughness(**options):
        return total_variation(explain.maximise(cnn, 1, steps=20, seed=range(3), **(PLAIN | options)).images).sum()

    rough = roughness()
    assert roughness(total_variation=0.5) < 0.8 * rough
    assert roughness(blur=2.0) < 0.8 * rough


@pytest.mark.backend
def test_start_size_and_several_inputs(images):
    number, image = keras.Input((2,), name="number"), keras.Input((None, None, 3), name="image")
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, activation="gelu", name="conv")(layers.Rescaling(1 / 255)(image)))
    single = keras.Model(image, layers.Dense(3)(x))
    assert explain.maximise(single, 1, size=(9, 12), steps=2).images.shape == (1, 9, 12, 3)
    with pytest.raises(ValueError, match=r"takes images of any size; say which: size=\(h, w\)"):
        explain.maximise(single, 1)
    started = explain.maximise(single, [1, 2, 0, 1, 2], start=images, steps=1, rate=0.0)
    np.testing.assert_array_equal(started.images, images)
    model = keras.Model({"number": number, "image": image}, layers.Dense(3)(layers.Concatenate()([x, number])))
    found = explain.maximise(model, [0, 1], start={"number": np.ones((1, 2)), "image": images[:1]}, steps=2)
    assert found.images.shape == (2, 16, 16, 3)


def test_progress_counts_steps_and_may_stop(cnn):
    told = []
    explain.maximise(cnn, 0, steps=3, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        explain.maximise(cnn, 0, steps=3, progress=stop)
    assert all("call" not in vars(layer) for layer in cnn.layers)


@pytest.mark.parametrize(
    ("target", "options", "error", "message"),
    [
        (None, {}, TypeError, "needs a target"),
        ("cat", {}, TypeError, "got 'cat'"),
        (9, {}, ValueError, "must be 0 to 3"),
        (0, {"steps": 0}, ValueError, "steps must be an int"),
        (0, {"jitter": 1.5}, ValueError, "whole pixels"),
        (0, {"blur": -1}, ValueError, "blur must be a number, 0 or more"),
        ([0, 1], {"seed": [1, 2, 3]}, ValueError, r"the same number of images, got \[2, 3\]"),
        (0, {"size": (8, 8)}, ValueError, "takes images of shape"),
    ],
    ids=str,
)
def test_wrong_arguments_are_named(target, options, error, message, cnn):
    with pytest.raises(error, match=message):
        explain.maximise(cnn, target, **({"steps": 2} | options))
