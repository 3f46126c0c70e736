"""Gradients of the image against closed forms (bars B6, B7), and how they are summed over colours and told about."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from zoo import explain

pytestmark = pytest.mark.backend

CLASSES = [0, 1, 2, 0, 1]


@pytest.fixture
def linear(images):
    """score = image . w: every gradient is w."""
    image = keras.Input(images.shape[1:])
    model = keras.Model(image, layers.Dense(3, name="d", use_bias=False)(layers.Flatten()(image)))
    model.set_weights([np.random.default_rng(0).normal(size=weight.shape) for weight in model.get_weights()])
    return model


def weights(model, images):
    """(b, h, w, c): the weights of each image's class."""
    kernel = model.get_layer("d").get_weights()[0].reshape(*images.shape[1:], 3)
    return np.stack([kernel[..., index] for index in CLASSES])


def attributed(*args, **options):
    return explain.integrated_gradients(*args, **options).heat


def guided(*args, **options):
    with pytest.warns(UserWarning, match="fails the weight randomisation check"):
        return explain.guided_backprop(*args, **options)


METHODS = {
    "gradient": explain.gradient,
    "input_x_gradient": explain.input_x_gradient,
    "smoothgrad": lambda *args, **options: explain.smoothgrad(*args, samples=5, **options),
    "vargrad": lambda *args, **options: explain.vargrad(*args, samples=5, **options),
    "integrated_gradients": lambda *args, **options: attributed(*args, steps=7, **options),
    "guided_backprop": guided,
}
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


def test_a_linear_model_has_its_weights_as_gradient(linear, images):
    w = weights(linear, images)
    close = {"rtol": 1e-6, "atol": 1e-6}
    np.testing.assert_allclose(explain.gradient(linear, images, CLASSES, channels="keep"), w, **close)
    np.testing.assert_allclose(explain.gradient(linear, images, CLASSES), w.sum(-1), **close)
    np.testing.assert_allclose(explain.gradient(linear, images, CLASSES, channels="max"), np.abs(w).max(-1), **close)
    np.testing.assert_allclose(explain.input_x_gradient(linear, images, CLASSES, channels="keep"), images * w, **close)
    np.testing.assert_allclose(explain.smoothgrad(linear, images, CLASSES, samples=3, channels="keep"), w, **close)
    with pytest.warns(UserWarning, match="every noisy copy has the same gradient"):
        np.testing.assert_array_equal(explain.vargrad(linear, images, CLASSES, samples=3), np.zeros((5, 16, 16)))


def test_saliency_is_the_largest_absolute_gradient(cnn, images):
    np.testing.assert_array_equal(explain.gradient(cnn, images, 2, channels="max"), explain.saliency(cnn, images, 2))


@every_method
def test_batch_loop_and_chunks_agree(method, cnn, images):
    target = [3, 0, 2, 3, 1]
    whole = method(cnn, images, target)
    assert whole.shape == (5, 16, 16)
    assert whole.dtype == np.float32
    for chunked in (method(cnn, images, target, batch_size=2), np.concatenate([method(cnn, images[i], target[i]) for i in range(5)])):
        np.testing.assert_allclose(chunked, whole, rtol=0, atol=1e-5 * np.abs(whole).max())


@every_method
def test_no_target_is_the_class_of_the_unchanged_image(method, cnn, images):
    """Noise or the way from black must not change whose score is explained."""
    kernel, bias = cnn.get_layer("logits").get_weights()
    cnn.get_layer("logits").set_weights([kernel, bias - ops.convert_to_numpy(cnn(images.astype("float32"))).mean(0)])
    predicted = ops.convert_to_numpy(cnn(images.astype("float32"))).argmax(-1)
    assert len(set(predicted.tolist())) > 1
    expected = method(cnn, images, predicted)
    np.testing.assert_allclose(method(cnn, images), expected, rtol=0, atol=1e-6 * np.abs(expected).max())


@every_method
def test_large_logits_and_a_black_image_stay_finite(method, cnn, images):
    head = cnn.get_layer("logits")
    head.set_weights([1e5 * weight for weight in head.get_weights()])
    assert np.abs(ops.convert_to_numpy(cnn(images.astype("float32")))).max() > 1e4
    images[0] = 0
    assert np.isfinite(method(cnn, images)).all()


@every_method
def test_colours_are_summed_or_kept(method, cnn, images):
    kept = method(cnn, images, 1, channels="keep")
    assert kept.shape == (5, 16, 16, 3)
    scale = np.abs(kept).max()
    np.testing.assert_allclose(method(cnn, images, 1, channels="sum"), kept.sum(-1), atol=1e-6 * scale)
    np.testing.assert_allclose(method(cnn, images, 1, channels="max"), np.abs(kept).max(-1), atol=1e-6 * scale)
    with pytest.raises(ValueError, match='channels is "sum", "max" or "keep", got \'mean\''):
        METHODS["gradient"](cnn, images, 1, channels="mean")


@every_method
def test_score_that_ignores_the_image_warns(method, images):
    image = keras.Input((16, 16, 3))
    blind = layers.Lambda(lambda x: x * 0)(layers.ReLU()(image))
    model = keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(blind)))
    with pytest.warns(UserWarning, match="zero everywhere"):
        np.testing.assert_array_equal(method(model, images, 1), np.zeros((5, 16, 16)))


@every_method
def test_progress_counts_to_the_end(method, cnn, images):
    told = []
    method(cnn, images, 1, batch_size=2, progress=lambda done, total: told.append((done, total)))
    assert told == sorted(set(told))
    assert len(told) >= 3
    assert {total for _, total in told} == {told[-1][0]}


def test_input_times_gradient_needs_no_scale_of_the_image(linear, images):
    """In a network without biases it adds up to the score."""
    scores = ops.convert_to_numpy(linear(images.astype("float32")))[np.arange(5), CLASSES]
    np.testing.assert_allclose(explain.input_x_gradient(linear, images, CLASSES).sum((1, 2)), scores, rtol=1e-4)


def test_the_first_image_of_several_inputs_is_explained(images):
    number, image = keras.Input((2,), name="number"), keras.Input((16, 16, 3), name="image")
    x = layers.Concatenate()([number, layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, activation="relu")(image))])
    model = keras.Model({"number": number, "image": image}, layers.Dense(3)(x))
    batch = {"number": np.ones((5, 2)), "image": images}
    for method in METHODS.values():
        assert method(model, batch, 1, batch_size=2).shape == (5, 16, 16)
