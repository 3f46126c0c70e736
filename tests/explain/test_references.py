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
OCCLUSIONS = {"overlapping": {"window": (9, 12), "stride": (5, 4)}, "cut_off": {"window": 10, "stride": 10}}
"""As in reference_maps.py."""


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
    np.save(folder / "noise.npy", noise(images))
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


CAMS = ["gradcam", "gradcam_plus_plus", "hirescam", "layercam", "scorecam"]


def cam(name, model, images, **options):
    """The map of the layer by the method of that name; masks multiply the image, as in pytorch-grad-cam."""
    options |= {"fill": 0} if name == "scorecam" else {}
    return getattr(explain, name)(model, images, CLASSES, layer="explained", **options)


@pytest.mark.parametrize("name", CAMS)
def test_raw_maps_equal_the_references(name, maps):
    model, images, expected = maps
    found = cam(name, model, images, resize=False, relu=False)
    assert found.shape == (3, 12, 12)
    assert relative(found, expected[f"pgc_{name}"]) <= 1e-5
    if name == "gradcam":
        assert relative(found, expected["captum_gradcam"]) <= 1e-5


def test_eigencam_equals_the_reference_up_to_its_sign(maps):
    """A principal component has no sign of its own: ours is fixed, pytorch-grad-cam's is the one that its decomposition gave."""
    model, images, expected = maps
    for found, reference in zip(cam("eigencam", model, images, resize=False, relu=False), expected["pgc_eigencam"], strict=True):
        assert min(relative(found, reference), relative(found, -reference)) <= 1e-5


@pytest.mark.parametrize("name", CAMS)
def test_resized_maps_follow_the_convention_of_pytorch_grad_cam(name, maps):
    """It stretches the small map to [0, 1], resizes with half-pixel centres wherever the cells looked, and stretches again."""
    model, images, expected = maps
    small = explain.normalise_heat(cam(name, model, images, resize=False))
    found = explain.normalise_heat(explain.resize_heat(small, (48, 48)))
    assert np.abs(found - expected[f"pgc_{name}_final"]).max() <= 1e-3
    direct = explain.normalise_heat(cam(name, model, images, placement="stretch"))
    assert np.abs(direct - found).max() <= 1e-5  # stretching and resizing commute


@pytest.mark.parametrize(("name", "options"), OCCLUSIONS.items())
def test_occlusion_equals_captum(name, options, maps):
    model, images, expected = maps
    found = explain.occlusion(model, images, CLASSES, **options, batch_size=50)
    assert relative(found, expected[f"captum_occlusion_{name}"]) <= 1e-5
    assert relative(found, expected[f"torch_occlusion_{name}"]) <= 1e-5


def test_saliency_equals_captum(maps):
    model, images, expected = maps
    assert relative(explain.saliency(model, images, CLASSES), expected["captum_saliency"]) <= 1e-5


@pytest.mark.parametrize("name", [*CAMS, "eigencam", "saliency"])
def test_this_backend_equals_torch(name, maps):
    model, images, expected = maps
    found = explain.saliency(model, images, CLASSES) if name == "saliency" else cam(name, model, images, resize=False, relu=False)
    assert relative(found, expected[f"torch_{name}"]) <= 1e-5


def test_infidelity_and_sensitivity_equal_captum(maps):
    """The same noise, drawn from the same seed. Captum's normalised error is in squared scores, ours a share of the mean change."""
    model, images, expected = maps
    heat = expected["captum_grey_gradient"]
    options = {"noise": 5.0, "samples": 20}
    found = explain.infidelity(model, images, heat, CLASSES, normalise=False, **options)
    np.testing.assert_allclose(found, expected["captum_infidelity"], rtol=1e-3)
    change = explain.infidelity(model, images, np.zeros_like(heat), CLASSES, normalise=False, **options)  # of the score alone
    share = explain.infidelity(model, images, heat, CLASSES, **options)
    np.testing.assert_allclose(share * change, expected["captum_infidelity_normalised"], rtol=2e-3)
    moved = explain.max_sensitivity(model, images, "saliency", CLASSES, radius=2, samples=6)
    np.testing.assert_allclose(moved, expected["captum_sensitivity"], rtol=1e-3)


SAMPLES = {"samples": 4, "noise": 0.1, "seed": 5}
GRADIENTS = {  # what is passed on, and the largest difference to others: a ReLU may switch between two points of a sum
    "gradient": ({}, 1e-5),
    "input_x_gradient": ({}, 1e-5),
    "smoothgrad": (SAMPLES, 1e-5),
    "vargrad": (SAMPLES, 1e-4),
    "integrated_gradients": ({}, 5e-4),
    "guided_backprop": ({}, 1e-5),
}


def noise(images):
    """The noise that the smoothing methods promise to draw: for each image the same draws, scaled by its range."""
    draws = [np.random.default_rng([SAMPLES["seed"], copy]).standard_normal(images.shape[1:]) for copy in range(SAMPLES["samples"])]
    return np.concatenate([SAMPLES["noise"] * np.ptp(image) * np.stack(draws) for image in images]).astype("float32")


@pytest.mark.filterwarnings("ignore:guided backpropagation fails")
@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_equal_the_references_and_torch(name, maps):
    """Captum, with our noise in its NoiseTunnel; pytorch-grad-cam's guided ReLU; and this backend beside torch."""
    model, images, expected = maps
    options, bar = GRADIENTS[name]
    found = getattr(explain, name)(model, images, CLASSES, channels="keep", **options)
    found = getattr(found, "heat", found)
    other = "pgc" if name == "guided_backprop" else "captum"
    assert relative(found, expected[f"{other}_{name}"]) <= bar
    assert relative(found, expected[f"torch_{name}"]) <= bar
