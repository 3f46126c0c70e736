"""The CIFAR ResNets: structure from the paper, and the published weights end to end where they and the pictures are at hand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import zoo
from tests import references
from zoo import registry
from zoo.weights import class_names, records

pytestmark = pytest.mark.backend
PUBLISHED = {"cifar_resnet20": 80.4, "cifar_resnet56": 82.5, "resnet8": 75.1}
"""Accuracy in percent on 1000 CIFAR-10 test pictures stored as JPEG, measured independently of this project."""


@pytest.mark.parametrize(("name", "millions"), [("20", 0.27), ("32", 0.46), ("44", 0.66), ("56", 0.85), ("110", 1.7)])
def test_the_papers_table_6(name, millions):
    variant = registry.row(f"cifar_resnet{name}")[1]
    assert round(variant.parameters / 1e6, 2 if millions < 1 else 1) == millions
    with keras.StatelessScope(initialize_variables=False):
        layers = registry.build_classifier(f"cifar_resnet{name}").layers
    keras.utils.clear_session()
    assert sum(isinstance(layer, keras.layers.Conv2D | keras.layers.Dense) for layer in layers) == int(name), "its depth is its name"


@pytest.mark.parametrize("name", ["cifar_resnet20", "cifar_resnet20_b", "resnet8"])
def test_the_papers_maps(name):
    """Section 4.2: 32x32, 16x16 and 8x8 with 16, 32 and 64 maps."""
    shapes = {key: tuple(level.shape[1:]) for key, level in registry.build_backbone(name).output.items()}
    assert shapes == {"c1": (32, 32, 16), "c2": (16, 16, 32), "c3": (8, 8, 64)}


@pytest.mark.parametrize("size", [(8, 8), (9, 9), (10, 13)])
def test_option_a_takes_every_second_pixel_and_adds_empty_maps(size):
    """numpy's x[:, ::2, ::2] with a quarter of the new maps in front, at even and odd sizes."""
    model = registry.build_backbone("cifar_resnet_micro", input_shape=(*size, 3))
    ends = [model.get_layer(name).output for name in ("stage1_block0_relu2", "stage2_block0_shortcut_pad")]
    image = 255 * np.random.default_rng(0).uniform(size=(2, *size, 3)).astype("float32")
    before, after = (keras.ops.convert_to_numpy(x) for x in keras.Model(model.inputs[0], ends)(image))
    np.testing.assert_array_equal(after, np.pad(before[:, ::2, ::2], ((0, 0), (0, 0), (0, 0), (2, 2))))
    assert before.any()


def test_only_resnet8_has_biases_and_asymmetric_padding():
    eight, twenty = (registry.build_backbone(name) for name in ("resnet8", "cifar_resnet20_b"))
    assert not any("pad" in layer.name for layer in eight.layers)
    for model, wanted in ((eight, {(True, 0.99, 1e-3)}), (twenty, {(False, 0.9, 1e-5)})):
        biases = {layer.use_bias for layer in model.layers if isinstance(layer, keras.layers.Conv2D)}
        norms = {(layer.momentum, layer.epsilon) for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)}
        assert {(bias, *norm) for bias in biases for norm in norms} == wanted
    assert {layer.name for layer in eight.layers if "shortcut" in layer.name} == {f"stage{i}_block0_shortcut_conv" for i in (2, 3)}


def test_the_records_say_how_they_are_evaluated():
    for name in PUBLISHED:
        (record,) = records(name)
        variant = registry.row(name)[1]
        assert (record.mean, record.std) == (variant.mean, variant.std)
        assert class_names(record)[3] == "cat"
        assert len(class_names(record)) == record.classes == 10


def _published(name):
    mirror = os.environ.get("ZOO_MIRROR", "")
    if not (Path(mirror) / records(name)[0].url.removeprefix("https://")).is_file() or not mirror:
        pytest.skip("ZOO_MIRROR does not hold the published weights")
    return zoo.classifier(name, weights="cifar10")


def _pictures():
    from PIL import Image

    folder = Path(os.environ.get("ZOO_DATA", ""), "cifar10_jpg", "test")
    if not os.environ.get("ZOO_DATA") or not folder.is_dir():
        pytest.skip("ZOO_DATA does not hold cifar10_jpg")
    files = [(file, label) for label, name in enumerate(class_names("cifar10")) for file in sorted((folder / name).glob("*.*"))]
    return np.stack([np.asarray(Image.open(file).convert("RGB")) for file, _ in files]), np.array([label for _, label in files])


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_weights_recognise_pictures(name):
    model = _published(name)
    pictures, labels = _pictures()
    assert len(pictures) == 1000
    found = np.concatenate([keras.ops.convert_to_numpy(model(pictures[i : i + 250], training=False)) for i in range(0, 1000, 250)])
    assert abs(100 * (found.argmax(1) == labels).mean() - PUBLISHED[name]) < 0.15


REBUILT = """
import sys, numpy as np, torch, torch.nn.functional as F
state = torch.load(sys.argv[1], map_location="cpu", weights_only=True)["state_dict"]
state = {name.removeprefix("module."): value.double() for name, value in state.items()}
images = torch.from_numpy(np.load(sys.argv[2])).permute(0, 3, 1, 2).double() / 255
mean, std = (torch.tensor(v, dtype=torch.float64).view(1, 3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
def unit(x, conv, norm, stride=1):
    x = F.conv2d(x, state[conv + ".weight"], stride=stride, padding=1)
    return F.batch_norm(x, *(state[f"{norm}.{n}"] for n in ("running_mean", "running_var", "weight", "bias")))
x = F.relu(unit((images - mean) / std, "conv1", "bn1"))
for stage in (1, 2, 3):
    for index in range(int(sys.argv[3])):
        stride, name = 2 if stage > 1 and index == 0 else 1, f"layer{stage}.{index}"
        y = unit(F.relu(unit(x, name + ".conv1", name + ".bn1", stride)), name + ".conv2", name + ".bn2")
        if stride == 2:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, x.shape[1] // 2, x.shape[1] // 2))
        x = F.relu(x + y)
np.save(sys.argv[4], (F.adaptive_avg_pool2d(x, 1).flatten(1) @ state["linear.weight"].T + state["linear.bias"]).numpy())
"""


@pytest.mark.parametrize("name", ["cifar_resnet20", "cifar_resnet56"])
def test_logits_are_those_of_a_torch_network_from_the_same_file(tmp_path, name):
    """torch reads the file its own way and computes with functions only; 32x32 and an odd, oblong size."""
    references.require("torch")
    weights = _published(name).get_weights()
    for size in ((32, 32), (35, 50)):
        images = 255 * np.random.default_rng(0).uniform(size=(4, *size, 3)).round(2)
        np.save(tmp_path / "images.npy", images)
        file = Path(os.environ["ZOO_MIRROR"]) / records(name)[0].url.removeprefix("https://")
        case = [str(file), str(tmp_path / "images.npy"), str(registry.row(name)[1].depth), str(tmp_path / "out.npy")]
        done = subprocess.run([sys.executable, "-W", "ignore", "-c", REBUILT, *case], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        model = registry.build_classifier(name, input_shape=(*size, 3))
        model.set_weights(weights)
        wanted = np.load(tmp_path / "out.npy")
        assert np.abs(wanted).max() > 3
        np.testing.assert_allclose(keras.ops.convert_to_numpy(model(images.astype("float32"))), wanted, atol=2e-4 * np.abs(wanted).max())
