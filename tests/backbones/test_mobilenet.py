"""What makes a MobileNet: filtering and mixing apart, table 1 of the paper, and a border of its own."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo import registry

pytestmark = pytest.mark.backend
PAIRS = [(stage, index) for stage, depth in enumerate((1, 2, 2, 6, 2), start=1) for index in range(depth)]


def _built(name, **options):
    with keras.StatelessScope(initialize_variables=False):
        model = registry.build_classifier(name, **options)
    return model


def test_the_maps_are_those_of_table_1():
    """Howard et al. 2017, table 1, by its input sizes: 112x112x32, 112x112x64, 56x56x128 twice, 28x28x256 twice, 14x14x512 six times."""
    model = _built("mobilenet")
    shapes = [tuple(model.get_layer(f"stage{s}_block{i}_pointwise_conv").output.shape[1:]) for s, i in PAIRS]
    assert shapes == [(112, 112, 64), *[(56, 56, 128)] * 2, *[(28, 28, 256)] * 2, *[(14, 14, 512)] * 6, *[(7, 7, 1024)] * 2]
    assert tuple(model.get_layer("stem_conv").output.shape[1:]) == (112, 112, 32)
    strided = [pair for pair in PAIRS if model.get_layer("stage{}_block{}_depthwise_conv".format(*pair)).strides == (2, 2)]
    assert strided == [(2, 0), (3, 0), (4, 0), (5, 0)]


@pytest.mark.parametrize(
    ("name", "widths"), [("mobilenet_075", (24, 48, 96)), ("mobilenet_050", (16, 32, 64)), ("mobilenet_025", (8, 16, 32))]
)
def test_alpha_scales_every_width(name, widths):
    model = _built(name)
    assert (
        tuple(model.get_layer(f"{layer}_conv").filters for layer in ("stem", "stage1_block0_pointwise", "stage2_block0_pointwise"))
        == widths
    )
    assert model.get_layer("pool").output.shape[-1] == 32 * widths[0]


def test_nearly_all_weights_are_in_the_1x1_convolutions():
    """Table 2 of the paper: 74.59 % of the parameters in 1x1, 1.06 % in depthwise, 24.33 % in the fully connected, 0.02 % in the 3x3."""
    model = _built("mobilenet")
    kinds = {"pointwise_conv": 0, "depthwise_conv": 0, "logits": 0, "stem_conv": 0}
    for layer in model.layers:
        for kind in kinds:
            if layer.name.endswith(kind):
                kinds[kind] += sum(int(np.prod(weight.shape)) for weight in layer.weights)
    total = 4.2e6
    np.testing.assert_allclose([100 * count / total for count in kinds.values()], [74.59, 1.06, 24.33, 0.02], atol=0.35)


def test_a_depthwise_convolution_keeps_maps_apart():
    """A change of one input map changes the same output map and no other."""
    model = registry.build_backbone("mobilenet_micro")
    layer = model.get_layer("stage2_block0_depthwise_conv")
    x = np.random.default_rng(0).normal(size=(1, 9, 9, 8)).astype("float32")
    changed = x.copy()
    changed[..., 3] += 1
    moved = np.abs(*(keras.ops.convert_to_numpy(layer(changed) - layer(x)),)).max((0, 1, 2))
    assert (moved > 1e-3).tolist() == [map == 3 for map in range(8)]


def _strided_size(name: str, side: int) -> int:
    return registry.build_backbone(name, input_shape=(side, side, 3)).get_layer("stage2_block0_depthwise_conv").output.shape[1]


def test_the_two_borders_differ_where_the_map_is_odd():
    """A map of 17: padded at one corner (18 - 3) // 2 + 1 = 8 positions are left, padded at both sides (19 - 3) // 2 + 1 = 9."""
    assert (_strided_size("mobilenet_micro", 34), _strided_size("mobilenet_timm_micro", 34)) == (8, 9)
    assert (_strided_size("mobilenet_micro", 32), _strided_size("mobilenet_timm_micro", 32)) == (8, 8)


def test_settings_are_those_published():
    for name, momentum, epsilon, rate in [("mobilenet_micro", 0.99, 1e-3, 1e-3), ("mobilenet_timm_micro", 0.9, 1e-5, None)]:
        model = registry.build_classifier(name)
        norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
        assert len(norms) == 15
        assert {(norm.momentum, norm.epsilon) for norm in norms} == {(momentum, epsilon)}
        assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == ([rate] if rate else [])
        assert {layer.max_value for layer in model.layers if isinstance(layer, keras.layers.ReLU)} == {6.0}


def test_depthwise_kernels_start_as_large_as_their_nine_inputs_ask():
    """He et al.: variance 2 / 9, whatever the number of maps."""
    keras.utils.set_random_seed(0)
    kernel = registry.build_backbone("mobilenet_025").get_layer("stage5_block1_depthwise_conv").kernel
    assert keras.ops.convert_to_numpy(kernel).var() == pytest.approx(2 / 9, rel=0.1)
