"""The multilayer perceptron written out with numpy, its blindness to the order of pixels, and its size beside the small CNN."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo import registry

pytestmark = pytest.mark.backend


def _images(name, count=3):
    return np.random.default_rng(0).uniform(0, 255, (count, *registry.row(name)[1].input_shape)).astype("float32")


def _out(model, images):
    return keras.ops.convert_to_numpy(model(images, training=False))


@pytest.mark.parametrize("name", ["mlp", "mlp_mnist", "mlp_micro"])
def test_the_forward_pass_in_five_lines(name):
    variant = registry.row(name)[1]
    model = registry.build_classifier(name)
    random = np.random.default_rng(1)
    weights = [random.normal(0, 0.1, weight.shape) for weight in model.weights]
    model.set_weights(weights)
    x = ((_images(name) - np.array(variant.mean)) / np.array(variant.std)).reshape(3, -1)
    for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        x = np.maximum(x @ kernel + bias, 0)
    np.testing.assert_allclose(_out(model, _images(name)), x @ weights[-2] + weights[-1], rtol=1e-4, atol=1e-4)


def test_shuffled_pixels_and_equally_shuffled_weights_score_the_same():
    """No pixel has neighbours: a fixed permutation of the image is a permutation of the first layer's inputs."""
    model, images = registry.build_classifier("mlp_micro"), _images("mlp_micro")
    before = _out(model, images)
    order = np.random.default_rng(2).permutation(64)
    shuffled = images.reshape(3, 64, 3)[:, order].reshape(images.shape)
    assert np.abs(_out(model, shuffled) - before).max() > 1e-3
    layer = model.get_layer("fc1")
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel.reshape(64, 3, -1)[order].reshape(kernel.shape), bias])
    np.testing.assert_allclose(_out(model, shuffled), before, rtol=1e-4, atol=1e-5)


def test_its_size_is_that_of_the_small_cnn():
    from zoo.backbones.small_cnn import VARIANTS

    assert abs(registry.row("mlp")[1].parameters / VARIANTS["small_cnn"].parameters - 1) < 1e-3


@pytest.mark.parametrize("name", ["mlp_micro", "mlp_mnist_micro"])
def test_a_larger_image_is_averaged_and_its_own_side_is_left_alone(name):
    channels = registry.row(name)[1].input_shape[2]
    model = registry.build_backbone(name, input_shape=(None, None, channels))
    images = _images(name)
    normalised = (images - np.array(registry.row(name)[1].mean)) / np.array(registry.row(name)[1].std)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model(images)["c1"]), normalised, rtol=1e-5, atol=1e-5)
    twice = images.repeat(2, 1).repeat(2, 2)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model(twice)["c1"]), normalised, rtol=1e-5, atol=1e-5)
