"""What makes a MobileNetV3: tables 1 and 2 of the paper, gates and hard swish where they say, a head that averages first."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tests.backbones.counts.mobilenet_v3 import LARGE, SMALL, lines
from zoo import registry
from zoo.backbones.mobilenet_v3 import stages

pytestmark = pytest.mark.backend
TABLES = {"large": LARGE, "small": SMALL}
SIDES = {"large": [112] + [56] * 2 + [28] * 3 + [14] * 6 + [7] * 3, "small": [56] + [28] * 2 + [14] * 5 + [7] * 3}
"""Side of the output of every row: the input of the next in the paper's tables."""
SWISH = {"large": 6, "small": 3}
"""The first row with HS in column NL."""


def _built(name, **options):
    with keras.StatelessScope(initialize_variables=False):
        return registry.build_classifier(name, **options)


def _names(name: str) -> list[str]:
    return [f"stage{stage}_block{index}" for stage, index, _ in stages(registry.row(name)[1])]


@pytest.mark.parametrize("suffix", ["", "_torchvision"])
@pytest.mark.parametrize("size", TABLES)
def test_every_row_of_the_papers_tables(size, suffix):
    name = f"mobilenet_v3_{size}{suffix}"
    model = _built(name)
    known = {layer.name for layer in model.layers}
    rows = lines(TABLES[size])
    assert len(_names(name)) == len(rows)
    for number, (block, (kernel, exp, out, gated, stride), side) in enumerate(zip(_names(name), rows, SIDES[size], strict=True)):
        depthwise = model.get_layer(f"{block}_depthwise_conv")
        assert (depthwise.kernel_size[0], depthwise.strides[0], depthwise.output.shape[-1]) == (kernel, stride, exp)
        assert tuple(model.get_layer(f"{block}_project_norm").output.shape[1:]) == (side, side, out)
        assert (f"{block}_se_excite" in known) == gated
        activation = "hard_silu" if number >= SWISH[size] else "relu"
        assert f"{block}_depthwise_{activation}" in known


@pytest.mark.parametrize(("size", "last", "head"), [("large", 960, 1280), ("small", 576, 1024)])
def test_the_head_averages_before_its_widest_layer(size, last, head):
    """The last rows of both tables: 1x1 to 960 (576), pool, 1x1 to 1280 (1024) without normalisation, 1x1 to the classes."""
    model = _built(f"mobilenet_v3_{size}")
    assert tuple(model.get_layer("last_conv").output.shape[1:]) == (7, 7, last)
    assert tuple(model.get_layer("pool").output.shape[1:]) == (last,)
    assert [tuple(model.get_layer(name).kernel.shape) for name in ("fc1", "logits")] == [(last, head), (head, 1000)]
    assert model.get_layer("fc1").get_config()["activation"] == "hard_silu"


def test_the_gate_and_the_swish_are_those_of_the_paper():
    """relu6(x + 3) / 6 and x times that, not the 0.2 x + 0.5 that Keras 2 called hard sigmoid."""
    model = registry.build_classifier("mobilenet_v3_micro")
    x = np.array([-4.0, -3.0, -1.5, 0.0, 1.0, 3.0, 4.0], "float32")
    gate = np.clip(x + 3, 0, 6) / 6
    layer = model.get_layer("stage2_block1_se_expand")
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer.activation(keras.ops.convert_to_tensor(x))), gate, atol=1e-6)
    swish = model.get_layer("stem_hard_silu")
    np.testing.assert_allclose(keras.ops.convert_to_numpy(swish(x)), x * gate, atol=1e-6)
    assert keras.activations.serialize(model.get_layer("stage2_block1_se_reduce").activation) == "relu"


def test_gates_are_a_quarter_wide():
    """Section 5.3: "we replace them all to fixed to be 1/4 of the number of channels in expansion layer", to a multiple of eight."""
    model = _built("mobilenet_v3_large")
    widths = [layer.filters for layer in model.layers if layer.name.endswith("_se_reduce")]
    assert widths == [24, 32, 32, 120, 168, 168, 240, 240]


def test_the_minimalistic_rows_have_no_gates_no_wide_kernels_and_no_swish():
    for size in TABLES:
        model = _built(f"mobilenet_v3_{size}_minimalistic")
        assert {layer.kernel_size[0] for layer in model.layers if isinstance(layer, keras.layers.DepthwiseConv2D)} == {3}
        assert not any("_se_" in layer.name or isinstance(layer, keras.layers.Activation) for layer in model.layers)
        assert model.get_layer("fc1").get_config()["activation"] == "relu"


def test_alpha_leaves_stem_and_head():
    model = _built("mobilenet_v3_large_075")
    assert [model.get_layer(name).output.shape[-1] for name in ("stem_conv", "last_conv", "fc1")] == [16, 720, 1280]
    ends = [model.get_layer(f"{block}_project_conv").filters for block in _names("mobilenet_v3_large_075")]
    assert ends == [16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 88, 88, 120, 120, 120]


def test_settings_are_those_published():
    """Of keras.applications and torchvision; Keras' momentum is one minus torch's."""
    for name, momentum in [("mobilenet_v3_micro", 0.999), ("mobilenet_v3_torchvision_micro", 0.99)]:
        model = registry.build_classifier(name)
        norms = {(layer.momentum, layer.epsilon) for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)}
        assert norms == {(momentum, 1e-3)}
        assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [0.2]


def test_standardising_equals_the_rescaling_of_keras_applications():
    """Its networks rescale inside, ours normalise with mean and std 127.5."""
    images = np.random.default_rng(0).uniform(0, 255, (1, 8, 8, 3)).astype("float32")
    ours = registry.build_backbone("mobilenet_v3_micro").get_layer("normalise")(images)
    theirs = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(images)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(ours), keras.ops.convert_to_numpy(theirs), atol=1e-6)
