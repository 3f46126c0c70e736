"""What makes an EfficientNetV2: early stages fused and without gates, rates that do not overshoot, two ways to see an image."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo import registry

pytestmark = pytest.mark.backend
TABLE_4 = [
    # fused, expansion, stride, maps, layers
    (True, 1, 1, 24, 2),
    (True, 4, 2, 48, 4),
    (True, 4, 2, 64, 4),
    (False, 4, 2, 128, 6),
    (False, 6, 1, 160, 9),
    (False, 6, 2, 256, 15),
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


@pytest.mark.parametrize("name", ["efficientnet_v2_s", "efficientnet_v2_s_torchvision"])
def test_the_stages_are_those_of_table_4(name):
    model = _drawing(registry.build_backbone, name)
    names = [layer.name for layer in model.layers]
    before = 24
    for stage, (fused, expansion, stride, width, depth) in enumerate(TABLE_4, start=1):
        blocks = [f"stage{stage}_block{index}" for index in range(depth)]
        assert f"stage{stage}_block{depth}_project_conv" not in names
        for index, block in enumerate(blocks):
            assert (f"{block}_depthwise_conv" in names) == (f"{block}_se_reduce" in names) == (not fused)
            assert model.get_layer(f"{block}_project_conv").filters == width
            filtering = model.get_layer(f"{block}_{'depthwise' if not fused else 'project' if expansion == 1 else 'expand'}_conv")
            assert filtering.kernel_size == (3, 3)
            assert filtering.strides == ((stride, stride) if index == 0 else (1, 1))
            if expansion > 1:
                assert model.get_layer(f"{block}_expand_conv").filters == expansion * before
            before = width
    assert [tuple(level.shape[1:]) for level in model.output.values()] == [
        *((192, 192, 24), (96, 96, 48), (48, 48, 64), (24, 24, 160), (12, 12, 1280))
    ]


def test_only_a_block_that_widens_nothing_ends_in_an_activation():
    names = {layer.name for layer in _drawing(registry.build_backbone, "efficientnet_v2_s").layers}
    assert {"stage1_block0_project_swish", "stage2_block0_expand_swish", "stage4_block0_expand_swish"} <= names
    assert not {"stage2_block0_project_swish", "stage4_block0_project_swish"} & names


@pytest.mark.parametrize("size", ["B0", "B1", "B2", "B3", "S", "M", "L"])
def test_blocks_are_dropped_at_rates_below_a_fifth(size):
    """Where keras.applications deepens the network after it has counted its blocks, its rates overshoot; the others are equal."""
    ours = _dropped(_drawing(registry.build_backbone, f"efficientnet_v2_{size.lower()}"))
    theirs = _dropped(_drawing(getattr(keras.applications, f"EfficientNetV2{size}"), weights=None, include_top=False))
    assert len(ours) == len(theirs)
    assert 0 < ours[0] < ours[-1] < 0.2
    np.testing.assert_allclose(np.divide(theirs, ours), theirs[-1] / ours[-1], rtol=1e-12)
    overshoot = {"B1": 0.2476, "B2": 0.2571, "B3": 0.2952}.get(size)
    if overshoot:
        assert theirs[-1] == pytest.approx(overshoot, abs=1e-4)
    else:
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize(("size", "rtol"), [("B0", 1e-5), ("S", 1e-5)])
def test_images_are_normalised_as_the_reference_does(size, rtol):
    reference = getattr(keras.applications, f"EfficientNetV2{size}")(weights=None, include_top=False, input_shape=(32, 32, 3))
    prepared = keras.Model(reference.inputs[0], reference.get_layer("stem_conv").input)
    images = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3)).astype("float32")
    ours = registry.build_backbone(f"efficientnet_v2_{size.lower()}", input_shape=(32, 32, 3)).get_layer("normalise")(images)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(ours), keras.ops.convert_to_numpy(prepared(images)), rtol=rtol, atol=1e-5)


def test_widths_are_rounded_to_the_nearest_eight():
    """16 maps times 1.2 are 19.2: the first version would take 24, because 16 is less by more than a tenth."""
    assert [stage[3] for stage in registry.row("efficientnet_v2_b3")[1].stages] == [16, 40, 56, 112, 136, 232]
    assert registry.row("efficientnet_b3")[1].stages[0][3] == 24


@pytest.mark.parametrize("name", ["efficientnet_v2_b0", "efficientnet_v2_s", "efficientnet_v2_s_torchvision"])
def test_batch_statistics_move_as_published(name):
    model = _drawing(registry.build_backbone, name)
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert {(norm.momentum, norm.epsilon) for norm in norms} == {(0.9, 1e-3)}
