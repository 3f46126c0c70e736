"""What makes an SE-ResNet: every channel of a block is multiplied by one number that the whole map decides."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo import registry

pytestmark = pytest.mark.backend


def _image(size: int = 32):
    return 255 * np.random.default_rng(0).uniform(size=(1, size, size, 3)).astype("float32")


def test_the_gates_are_those_of_table_1():
    """Hu et al. 2018, table 1: fully connected [16, 256], [32, 512], [64, 1024] and [128, 2048] in SE-ResNet-50."""
    with keras.StatelessScope(initialize_variables=False):
        model = registry.build_backbone("se_resnet50")
    keras.utils.clear_session()
    for stage, depth in enumerate((3, 4, 6, 3)):
        for block in range(depth):
            widths = [model.get_layer(f"stage{stage + 2}_block{block}_se_{part}").filters for part in ("reduce", "expand")]
            assert widths == [16 * 2**stage, 256 * 2**stage]


def test_a_block_is_its_last_normalisation_times_the_gate_plus_the_shortcut():
    """Section 3, written out in numpy."""
    model = registry.build_backbone("se_resnet_micro")
    name = "stage4_block1"
    ends = ("stage4_block0_relu", f"{name}_norm3", f"{name}_relu")
    before, u, after = map(
        keras.ops.convert_to_numpy, keras.Model(model.inputs[0], [model.get_layer(end).output for end in ends])(_image())
    )
    reduce, expand = (
        [keras.ops.convert_to_numpy(w) for w in model.get_layer(f"{name}_se_{part}").weights] for part in ("reduce", "expand")
    )
    squeezed = u.mean((1, 2))
    hidden = np.maximum(squeezed @ reduce[0][0, 0] + reduce[1], 0)
    gate = 1 / (1 + np.exp(-(hidden @ expand[0][0, 0] + expand[1])))
    assert gate.shape == (1, 64)
    np.testing.assert_allclose(after, np.maximum(u * gate[:, None, None] + before, 0), rtol=1e-4, atol=1e-5)


def test_a_closed_gate_leaves_the_shortcut():
    model = registry.build_backbone("se_resnet_micro")
    gate = model.get_layer("stage4_block1_se_expand")
    gate.set_weights([np.zeros_like(gate.get_weights()[0]), np.full_like(gate.get_weights()[1], -100)])
    ends = [model.get_layer(f"stage4_block{i}_relu").output for i in (0, 1)]
    before, after = keras.Model(model.inputs[0], ends)(_image())
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(after), keras.ops.convert_to_numpy(before))


def test_half_open_gates_halve_what_is_added():
    """Without weights a gate is sigmoid(0): the block adds half of what a ResNet of the same weights adds."""
    model = registry.build_backbone("se_resnet_micro")
    layers = {layer.name: layer for layer in model.layers}
    for name, layer in layers.items():
        if name.endswith(("_se_reduce", "_se_expand")):
            layer.set_weights([np.zeros_like(weight) for weight in layer.get_weights()])
    ends = [layers[f"stage3_block0_{end}"].output for end in ("norm3", "se_excite")]
    whole, half = map(keras.ops.convert_to_numpy, keras.Model(model.inputs[0], ends)(_image()))
    np.testing.assert_allclose(half, whole / 2, rtol=1e-6)
