"""The tables of other libraries' names, complete in both directions against the libraries themselves."""

from __future__ import annotations

import h5py
import keras
import numpy as np
import pytest
from safetensors.numpy import save_file

import zoo
from tests import references
from zoo import registry
from zoo.weights import find, foreign, load_weights, names
from zoo.weights.record import APPLICATIONS_H5, TIMM_SAFETENSORS
from zoo.weights.stored import Opened, Stored
from zoo.weights.tree import shapes, tree

TORCHVISION = {
    **{f"vgg{depth}{norm}": f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")},
    **{f"resnet{depth}": f"resnet{depth}" for depth in (18, 34, 50, 101, 152)},
    "alexnet_torchvision": "alexnet",
}
TIMM = {name: name for name in TORCHVISION if not name.startswith("alexnet")}


def _deep_ones_slow(rows):
    return [pytest.param(row, marks=pytest.mark.slow) if row in ("resnet101", "resnet152", "vgg13_bn", "vgg16_bn") else row for row in rows]


def _renamed(file, row):
    return names._renamed(file, names._table(file, row))


def check_names(row, state):
    """Every parameter of the library has one name here, and every layer of ours has its parameters there."""
    variant = registry.row(row)[1]
    tensors = {name: Stored(tuple(value.shape), "float32", lambda: None) for name, value in state.items()}
    renamed = _renamed(Opened(None, TIMM_SAFETENSORS, tensors), row)
    left = [name for name in tensors if name not in renamed and not name.endswith("num_batches_tracked")]
    assert left == []
    assert len(set(renamed.values())) == len(renamed)
    backbone = registry.build_backbone(row, input_shape=variant.input_shape)
    ours = set(tree(backbone)) | {f"{layer}/{weight}" for layer in _head(variant) for weight in ("kernel", "bias")}
    assert set(renamed.values()) == ours


def _head(variant):
    return [*(f"fc{index}" for index in range(1, len(variant.top.hidden) + 1)), "logits"]


@pytest.mark.parametrize("row", _deep_ones_slow(TORCHVISION))
def test_every_name_of_torchvision(row):
    models = references.torchvision().models
    import torch

    with torch.device("meta"):
        state = getattr(models, TORCHVISION[row])(weights=None).state_dict()
    check_names(row, state)


@pytest.mark.parametrize("row", _deep_ones_slow(TIMM))
def test_every_name_of_timm(row):
    library = references.timm()
    import torch

    with torch.device("meta"):
        state = library.create_model(TIMM[row]).state_dict()
    check_names(row, state)


def legacy(model, path):
    """A weights-only file in the layout of keras.applications, written by Keras' own legacy code."""
    from keras.src.legacy.saving import legacy_h5_format

    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)


APPLICATIONS = {"vgg16": "VGG16", "vgg19": "VGG19", "resnet50_v1": "ResNet50", "resnet101_v1": "ResNet101", "resnet152_v1": "ResNet152"}


@pytest.mark.slow
@pytest.mark.parametrize("row", APPLICATIONS)
def test_every_name_of_keras_applications(row, tmp_path):
    original = getattr(keras.applications, APPLICATIONS[row])(weights=None, include_top=False, input_shape=(64, 64, 3))
    legacy(original, tmp_path / "a.h5")
    ours = zoo.backbone(row, weights=tmp_path / "a.h5")
    theirs = sorted(value.shape for value in original.get_weights())
    assert theirs == sorted(shapes(tree(ours)).values())


def test_an_applications_file_becomes_an_rgb_model(tmp_path):
    """Same pictures, same answers: the original sees BGR minus the mean, ours RGB in [0, 255]."""
    original = keras.applications.ResNet50(weights=None, include_top=False, input_shape=(64, 64, 3))
    random = np.random.default_rng(0)
    for weight in original.weights:
        if weight.path.endswith("moving_variance"):
            weight.assign(random.uniform(0.5, 2, weight.shape))
    legacy(original, tmp_path / "a.h5")
    source = find("resnet50_v1", tmp_path / "a.h5", top=False)
    assert (source.mean, source.std, source.format) == ((123.68, 116.779, 103.939), (1.0, 1.0, 1.0), APPLICATIONS_H5)
    ours = zoo.backbone("resnet50_v1", weights=tmp_path / "a.h5", input_shape=(64, 64, 3))
    images = references.smooth_images(2, 64, 64).astype("float32")
    wanted = keras.ops.convert_to_numpy(original(keras.applications.resnet.preprocess_input(images.copy())))
    got = keras.ops.convert_to_numpy(ours(images)["c5"])
    assert np.abs(wanted).max() > 1e-3
    np.testing.assert_allclose(got, wanted, atol=1e-3 * np.abs(wanted).max())


def old_names(path, model):
    """The names of 2016: W_1 and b_1; read by rank, since nothing else tells them apart."""
    stages = [name for name in dict.fromkeys(path.rpartition("/")[0] for path in tree(model)) if name.startswith("stage")]
    with h5py.File(path, "w") as file:
        layers = [name.replace("stage", "block") for name in stages] + ["fc1", "fc2", "predictions"]
        file.attrs["layer_names"] = [name.encode() for name in layers]
        for ours, theirs in zip([*stages, "fc1", "fc2", "logits"], layers, strict=True):
            kernel, bias = (keras.ops.convert_to_numpy(tree(model)[f"{ours}/{weight}"].value) for weight in ("kernel", "bias"))
            group = file.create_group(theirs)
            group.attrs["weight_names"] = [f"{theirs}_W_1:0".encode(), f"{theirs}_b_1:0".encode()]
            group.create_dataset(f"{theirs}_W_1:0", data=kernel[:, :, ::-1] if ours == stages[0] else kernel)
            group.create_dataset(f"{theirs}_b_1:0", data=bias)


@pytest.mark.backend
def test_the_old_names_of_vgg(tmp_path):
    source = registry.build_classifier("vgg_micro")
    old_names(tmp_path / "a.h5", source)
    ours = zoo.classifier("vgg_micro", weights=tmp_path / "a.h5")
    for left, right in zip(source.get_weights(), ours.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.backend
@pytest.mark.parametrize(
    ("row", "style"), [("alexnet_torchvision_micro", "torchvision"), ("vgg_micro", "torchvision"), ("vgg_micro", "timm")]
)
def test_dense_layers_after_a_map_are_reordered(tmp_path, row, style):
    """torch flattens (c, h, w), we flatten (h, w, c): on any map both must give the same numbers; here torch's rule written out."""
    model = registry.build_classifier(row)
    assert model.get_layer("flatten").input.shape[1:3] == (2, 2), "a map of one pixel has no order to get wrong"
    state = {}
    for ours, theirs in foreign.table(row.partition("_")[0], registry.row(row)[1], TIMM_SAFETENSORS).items():
        kernel, bias = (keras.ops.convert_to_numpy(tree(model)[f"{ours}/{weight}"].value) for weight in ("kernel", "bias"))
        name = theirs[-1 if style == "timm" else 0]
        kernel = kernel.transpose(3, 2, 0, 1) if kernel.ndim == 4 else kernel.T
        if ours == "fc1":
            high, wide, deep = model.get_layer("flatten").input.shape[1:]
            kernel = np.stack([[unit.reshape(high, wide, deep)[:, :, c] for c in range(deep)] for unit in kernel])  # (out, c, h, w)
            kernel = kernel if style == "timm" else kernel.reshape(len(kernel), -1)
        state |= {f"{name}.weight": np.ascontiguousarray(kernel), f"{name}.bias": bias}
    save_file(state, tmp_path / "a.safetensors")
    ours = zoo.classifier(row, weights=tmp_path / "a.safetensors")
    for left, right in zip(model.get_weights(), ours.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize(
    ("row", "format"), [("resnet50", APPLICATIONS_H5), ("resnet50_v1", TIMM_SAFETENSORS), ("vgg16_bn", APPLICATIONS_H5)]
)
def test_weights_of_the_other_network_of_that_name_are_refused(row, format):
    with pytest.raises(ValueError, match="no network like this row"):
        foreign.table(registry.family(row), registry.row(row)[1], format)


def test_a_leftover_parameter_is_named(tmp_path):
    save_file({"conv1.weight": np.zeros((2, 3, 7, 7), "float32"), "surprise.weight": np.zeros(3, "float32")}, tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match=r"absent in the file: stem_norm/gamma(.|\n)*left over in the file: surprise.weight"):
        load_weights(registry.build_classifier("resnet_bottleneck_micro"), tmp_path / "a.safetensors")
