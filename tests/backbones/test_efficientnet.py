"""What makes an EfficientNet: table 1, gates of the block's input, rates that rise, and one normalisation of the image."""

from __future__ import annotations

import inspect

import keras
import numpy as np
import pytest

from zoo import registry

pytestmark = pytest.mark.backend
TABLE_1 = [
    # kernel, resolution at the entrance, maps, layers
    (3, 112, 16, 1),
    (3, 112, 24, 2),
    (5, 56, 40, 2),
    (3, 28, 80, 3),
    (5, 14, 112, 3),
    (5, 14, 192, 4),
    (3, 7, 320, 1),
]


def _drawing(build, *arguments, **options):
    """A model without values: shapes and settings only."""
    with keras.StatelessScope(initialize_variables=False):
        model = build(*arguments, **options)
    keras.utils.clear_session()
    return model


def _dropped(model) -> list[float]:
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout) and layer.noise_shape is not None]
    assert all(layer.noise_shape == (None, 1, 1, 1) for layer in layers), "whole blocks of single images are dropped"
    return [layer.rate for layer in layers]


@pytest.mark.parametrize("name", ["efficientnet_b0", "efficientnet_b0_torchvision"])
def test_the_stages_are_those_of_table_1(name):
    model = _drawing(registry.build_backbone, name)
    for stage, (kernel, resolution, width, depth) in enumerate(TABLE_1, start=1):
        first, last = f"stage{stage}_block0", f"stage{stage}_block{depth - 1}"
        entrance = model.get_layer(f"{first}_depthwise_conv" if stage == 1 else f"{first}_expand_conv").input
        filtering = model.get_layer(f"{first}_depthwise_conv")
        assert tuple(entrance.shape[1:3]) == (resolution, resolution)
        assert filtering.kernel_size == (kernel, kernel)
        assert model.get_layer(f"{last}_project_conv").output.shape[-1] == width
        assert f"stage{stage}_block{depth}_project_conv" not in {layer.name for layer in model.layers}
    assert {key: tuple(level.shape[1:]) for key, level in model.output.items()} == {
        "c1": (112, 112, 16),
        "c2": (56, 56, 24),
        "c3": (28, 28, 40),
        "c4": (14, 14, 112),
        "c5": (7, 7, 1280),
    }


def test_the_gates_squeeze_to_a_quarter_of_the_blocks_input():
    model = _drawing(registry.build_backbone, "efficientnet_b0")
    assert model.get_layer("stage1_block0_se_reduce").filters == 8  # of 32
    assert model.get_layer("stage2_block0_se_reduce").filters == 4  # of 16, though the map has 96
    assert model.get_layer("stage2_block0_se_expand").filters == 96


@pytest.mark.parametrize("size", range(8))
def test_blocks_are_dropped_at_the_rates_of_the_reference(size):
    ours = _dropped(_drawing(registry.build_backbone, f"efficientnet_b{size}"))
    theirs = _dropped(_drawing(getattr(keras.applications, f"EfficientNetB{size}"), weights=None, include_top=False))
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    assert 0 < ours[0] < ours[-1] < 0.2
    assert registry.row(f"efficientnet_b{size}")[1].top.dropout in (0.2, 0.3, 0.4, 0.5)


def test_convolutions_with_a_stride_pad_both_sides_only_in_the_rows_of_torchvision():
    for name, count in [("efficientnet_b0", 0), ("efficientnet_b0_torchvision", 5)]:
        model = _drawing(registry.build_backbone, name)
        kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
        strided = [layer for layer in model.layers if isinstance(layer, kinds) and layer.strides[0] == 2]
        assert len(strided) == 5
        assert len([layer for layer in model.layers if isinstance(layer, keras.layers.ZeroPadding2D)]) == count
        assert {layer.padding for layer in strided} == {"valid" if count else "same"}


@pytest.mark.parametrize(
    ("name", "momentum", "epsilon"),
    [
        ("efficientnet_b0", 0.99, 1e-3),
        ("efficientnet_b7", 0.99, 1e-3),
        ("efficientnet_b4_torchvision", 0.9, 1e-5),
        ("efficientnet_b5_torchvision", 0.99, 1e-3),
    ],
)
def test_batch_statistics_move_as_published(name, momentum, epsilon):
    model = _drawing(registry.build_backbone, name)
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert {(norm.momentum, norm.epsilon) for norm in norms} == {(momentum, epsilon)}


def test_our_constants_do_what_the_published_graph_does(monkeypatch):
    """Its file stores the standard deviations as variances, and the graph built for it scales once more."""
    source = inspect.getmodule(keras.applications.EfficientNetB0)
    monkeypatch.setattr(source.file_utils, "get_file", lambda *arguments, **options: "no.h5")
    monkeypatch.setattr(keras.Model, "load_weights", lambda self, path: None)
    model = keras.applications.EfficientNetB0(weights="imagenet", include_top=False, input_shape=(32, 32, 3))
    normalisation = next(layer for layer in model.layers if isinstance(layer, keras.layers.Normalization))
    mean, variance, count = normalisation.weights
    mean.assign(np.reshape([0.485, 0.456, 0.406], mean.shape))
    variance.assign(np.reshape([0.229, 0.224, 0.225], variance.shape))
    normalisation.finalize_state()
    prepared = keras.Model(model.inputs[0], model.get_layer("stem_conv_pad").input)
    images = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3)).astype("float32")
    ours = registry.build_backbone("efficientnet_micro").get_layer("normalise")(images)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(prepared(images)), keras.ops.convert_to_numpy(ours), rtol=1e-5, atol=1e-5)
