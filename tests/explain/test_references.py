"""Equality with Captum and pytorch-grad-cam on the same Keras model and weights (bars B1, B2, B3) and across backends (B5).

The references need torch, this process may run on another backend: they run in a process of their own.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from zoo import explain

pytestmark = pytest.mark.backend
MISSING = [name for name in ("torch", "captum", "pytorch_grad_cam") if importlib.util.find_spec(name) is None]
CLASSES = [3, 0, 2]


def network():
    """Every kind of layer that matters here; beyond the explained map comes more than a pooling, so gradients vary by place."""
    image = keras.Input((48, 48, 3))
    x = layers.Rescaling(1 / 64, -2)(image)
    x = layers.Conv2D(8, 3, strides=2, padding="same")(x)
    x = layers.BatchNormalization()(x)
    x = layers.Activation("relu")(x)
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(12, 3, padding="same", activation="relu", name="explained")(x)
    x = layers.Conv2D(10, 3, strides=2, padding="same", activation="gelu")(x)
    x = layers.Flatten()(x)
    x = layers.Dense(16, activation="gelu")(x)
    model = keras.Model(image, layers.Dense(5)(x))
    random = np.random.default_rng(2)  # numpy's, so that every backend runs the same network
    for layer in model.layers:
        scale = [1 / np.sqrt(np.prod(weight.shape[:-1])) if weight.ndim > 1 else 0.1 for weight in layer.get_weights()]
        layer.set_weights([random.normal(0, s, weight.shape) for s, weight in zip(scale, layer.get_weights(), strict=True)])
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([random.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    return model


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    if MISSING:
        pytest.skip(f"the references need {', '.join(MISSING)}; install them with make test-backends")
    folder = tmp_path_factory.mktemp("references")
    model, images = network(), np.random.default_rng(3).uniform(0, 255, (3, 48, 48, 3)).astype("float32")
    model.save(folder / "model.keras")
    np.save(folder / "images.npy", images)
    np.save(folder / "classes.npy", CLASSES)
    here = Path(__file__).resolve()
    environment = {**os.environ, "KERAS_BACKEND": "torch", "PYTHONPATH": str(here.parents[2])}
    command = [sys.executable, str(here.with_name("reference_maps.py")), str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(folder / "maps.npz") as archive:
        return model, images, dict(archive)


def relative(found, expected):
    """The largest difference, in units of the largest expected value."""
    assert found.shape == expected.shape
    return np.abs(found - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("method", [explain.gradcam, explain.gradcam_plus_plus], ids=lambda method: method.__name__)
def test_raw_maps_equal_the_references(method, maps):
    model, images, expected = maps
    found = method(model, images, CLASSES, layer="explained", resize=False, relu=False)
    assert found.shape == (3, 12, 12)
    assert relative(found, expected[f"pgc_{method.__name__}"]) <= 1e-5
    if method is explain.gradcam:
        assert relative(found, expected["captum_gradcam"]) <= 1e-5


@pytest.mark.parametrize("method", [explain.gradcam, explain.gradcam_plus_plus], ids=lambda method: method.__name__)
def test_resized_maps_follow_the_convention_of_pytorch_grad_cam(method, maps):
    """It stretches the small map to [0, 1], resizes, stretches again."""
    model, images, expected = maps
    small = explain.normalise_heat(method(model, images, CLASSES, layer="explained", resize=False))
    found = explain.normalise_heat(explain.resize_heat(small, (48, 48)))
    assert np.abs(found - expected[f"pgc_{method.__name__}_final"]).max() <= 1e-3
    direct = explain.normalise_heat(method(model, images, CLASSES, layer="explained"))
    assert np.abs(direct - found).max() <= 1e-5  # stretching and resizing commute


def test_saliency_equals_captum(maps):
    model, images, expected = maps
    assert relative(explain.saliency(model, images, CLASSES), expected["captum_saliency"]) <= 1e-5


@pytest.mark.parametrize("name", ["gradcam", "gradcam_plus_plus", "saliency"])
def test_this_backend_equals_torch(name, maps):
    model, images, expected = maps
    options = {} if name == "saliency" else {"layer": "explained", "resize": False, "relu": False}
    assert relative(getattr(explain, name)(model, images, CLASSES, **options), expected[f"torch_{name}"]) <= 1e-5
