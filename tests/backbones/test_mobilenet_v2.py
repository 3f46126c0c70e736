"""What makes a MobileNetV2: thin ends without a rectifier, the width inside, table 2 of the paper."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo import registry

pytestmark = pytest.mark.backend
DEPTHS = (1, 2, 3, 4, 3, 3, 1)
BLOCKS = [(stage, index) for stage, depth in enumerate(DEPTHS, start=1) for index in range(depth)]


def _built(name, **options):
    with keras.StatelessScope(initialize_variables=False):
        return registry.build_classifier(name, **options)


@pytest.mark.parametrize("name", ["mobilenet_v2", "mobilenet_v2_torchvision"])
def test_the_maps_are_those_of_table_2(name):
    """Sandler et al. 2018, table 2: the output of a row is the input of the next."""
    model = _built(name)
    ends = [tuple(model.get_layer(f"stage{stage}_block{depth - 1}_project_conv").output.shape[1:]) for stage, depth in enumerate(DEPTHS, 1)]
    assert ends == [(112, 112, 16), (56, 56, 24), (28, 28, 32), (14, 14, 64), (14, 14, 96), (7, 7, 160), (7, 7, 320)]
    assert tuple(model.get_layer("stem_conv").output.shape[1:]) == (112, 112, 32)
    assert tuple(model.get_layer("last_conv").output.shape[1:]) == (7, 7, 1280)


def test_a_block_is_thin_wide_thin():
    """Every block but the first is six times as wide inside as its input, and its end is linear."""
    model = _built("mobilenet_v2")
    names = {layer.name for layer in model.layers}
    for stage, index in BLOCKS:
        name = f"stage{stage}_block{index}"
        assert f"{name}_project_relu" not in names
        if stage == 1:
            assert f"{name}_expand_conv" not in names
            continue
        expand = model.get_layer(f"{name}_expand_conv")
        assert expand.filters == 6 * expand.input.shape[-1] == model.get_layer(f"{name}_depthwise_conv").output.shape[-1]


def test_the_shortcut_is_where_shapes_agree():
    """The paper's section 3.3: ten of the seventeen blocks add their input."""
    added = {layer.name for layer in _built("mobilenet_v2").layers if isinstance(layer, keras.layers.Add)}
    assert added == {f"stage{stage}_block{index}_add" for stage, index in BLOCKS if index > 0}
    assert len(added) == 10


@pytest.mark.parametrize(
    ("name", "widths"),
    [
        ("mobilenet_v2_035", (16, 8, 8, 16, 24, 32, 56, 112, 1280)),
        ("mobilenet_v2_140", (48, 24, 32, 48, 88, 136, 224, 448, 1792)),
    ],
)
def test_alpha_rounds_to_multiples_of_eight_and_leaves_the_last_width_below_1(name, widths):
    """The widths of the checkpoints that TensorFlow's model garden publishes."""
    model = _built(name)
    layers = ("stem", *(f"stage{stage}_block0_project" for stage in range(1, 8)), "last")
    assert tuple(model.get_layer(f"{layer}_conv").filters for layer in layers) == widths


@pytest.mark.parametrize("name", ["mobilenet_v2_micro", "mobilenet_v2_torchvision_micro"])
def test_a_linear_end_lets_negative_values_through(name):
    """What a ReLU there would cut off."""
    model = registry.build_backbone(name)
    end = keras.Model(model.inputs[0], model.get_layer("stage2_block1_add").output)
    images = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype("float32")
    assert keras.ops.convert_to_numpy(end(images)).min() < 0


def test_the_two_borders_see_other_pixels():
    """Of an even map, TensorFlow's rule never looks left of it, torch's always does."""
    for name, corner in [("mobilenet_v2_micro", True), ("mobilenet_v2_torchvision_micro", False)]:
        model = registry.build_backbone(name)
        model.get_layer("stem_conv").kernel.assign(np.ones((3, 3, 3, 8)))
        stem = keras.Model(model.get_layer("normalise").output, model.get_layer("stem_conv").output)
        first = keras.ops.convert_to_numpy(stem(np.ones((1, 64, 64, 3), "float32")))[0, 0, 0, 0]
        assert first == (27 if corner else 12)


def test_settings_are_those_published():
    """Of keras.applications and torchvision; Keras' momentum is one minus torch's."""
    for name, momentum, epsilon, rates in [("mobilenet_v2_micro", 0.999, 1e-3, []), ("mobilenet_v2_torchvision_micro", 0.9, 1e-5, [0.2])]:
        model = registry.build_classifier(name)
        norms = {(layer.momentum, layer.epsilon) for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)}
        assert norms == {(momentum, epsilon)}
        assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == rates
        assert {layer.max_value for layer in model.layers if isinstance(layer, keras.layers.ReLU)} == {6.0}
