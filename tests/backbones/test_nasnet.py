"""What makes a NASNet: the cells of figure 4, what each of them sees, and how the map shrinks."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo import registry

pytestmark = pytest.mark.backend


def _kinds(model, cell: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for layer in model.layers:
        if layer.name.startswith(f"{cell}_block") and isinstance(layer, keras.layers.SeparableConv2D | keras.layers.Add):
            key = "add" if isinstance(layer, keras.layers.Add) else f"separable{layer.kernel_size[0]}"
            found[key] = found.get(key, 0) + 1
    return found


def _sources(model, layer: str) -> list[str]:
    """Names of the layers that a layer reads."""
    (node,) = model.get_layer(layer)._inbound_nodes
    return [tensor._keras_history.operation.name for tensor in node.input_tensors]


@pytest.mark.parametrize(
    ("name", "size", "maps"),
    [
        ("nasnet_mobile", 224, [(111, 32), (56, 44), (28, 264), (14, 528), (7, 1056)]),
        ("nasnet_large", 331, [(165, 96), (83, 168), (42, 1008), (21, 2016), (11, 4032)]),
    ],
)
def test_maps_of_the_published_networks(name, size, maps):
    """NASNet-A (4 @ 1056) and (6 @ 4032): the number is the maps into the head, six widths of the last stage side by side."""
    with keras.StatelessScope(initialize_variables=False):
        model = registry.build_backbone(name)
        found = [(level.shape[1], level.shape[3]) for level in model.output.values()]
        cells = {layer.name.rpartition("_concat")[0] for layer in model.layers if layer.name.endswith("_concat")}
    keras.utils.clear_session()
    assert model.input_shape == (None, size, size, 3)
    assert found == maps
    normal = [cell for cell in cells if "_cell" in cell and not cell.endswith("previous")]
    assert len(normal) == 3 * {"nasnet_mobile": 4, "nasnet_large": 6}[name]
    assert len([cell for cell in cells if "_reduction" in cell and not cell.endswith("previous")]) == 4


def test_the_cells_are_those_of_figure_4():
    """Five sums each; every separable convolution is applied twice."""
    model = registry.build_backbone("nasnet_micro")
    assert _kinds(model, "stage3_cell0") == {"add": 5, "separable3": 6, "separable5": 4}
    assert _kinds(model, "stage4_reduction") == {"add": 5, "separable3": 2, "separable5": 4, "separable7": 4}
    width = model.get_layer("stage4_cell0_block1_add").output.shape[-1]
    assert model.get_layer("stage4_cell0_concat").output.shape[-1] == 6 * width
    assert model.get_layer("stage4_reduction_concat").output.shape[-1] == 4 * width
    strides = {layer.strides[0] for layer in model.layers if "separable2" in layer.name}
    assert strides == {1}, "only the first of the two halves the map"


@pytest.mark.parametrize(("name", "seen"), [("nasnet_micro", "stage3_cell0_concat"), ("nasnet_skip_micro", "stem_reduction2_concat")])
def test_what_the_cell_after_a_reduction_sees(name, seen):
    """The reduction's own input (mobile), or the cell before that (large, `skip_reduction`)."""
    model = registry.build_backbone(name)
    assert _sources(model, "stage4_cell0_current_relu") == ["stage4_reduction_concat"]
    assert _sources(model, "stage4_cell0_previous_relu") == [seen]
    assert _sources(model, "stage4_reduction_previous_relu") == ["stem_reduction2_concat"]


def test_halving_keeps_every_second_pixel_and_its_lower_right_neighbour():
    """With kernels that pick the first map and a normalisation that does nothing; beyond the border there is zero."""
    from zoo.backbones.nasnet import VARIANTS, halve

    image = keras.Input((None, None, 2))
    model = keras.Model(image, halve(image, VARIANTS["nasnet_micro"], 2, "test"))
    for index in (1, 2):
        model.get_layer(f"test_conv{index}").set_weights([np.array([1, 0], "float32").reshape(1, 1, 2, 1)])
    x = np.random.default_rng(0).uniform(1, 2, (1, 4, 5, 2)).astype("float32")
    out = keras.ops.convert_to_numpy(model(x)) * np.sqrt(1 + 1e-3)
    np.testing.assert_allclose(out[0, :, :, 0], x[0, ::2, ::2, 0], rtol=1e-5)
    np.testing.assert_allclose(out[0, :, :, 1], np.pad(x[0, 1::2, 1::2, 0], ((0, 0), (0, 1))), rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "operation", "stride", "corner"),
    [
        ("nasnet_micro", "max", 2, 0),  # every value is -1: keras.applications lets the zeros outside win, timm does not
        ("nasnet_timm_micro", "max", 2, -1),
        ("nasnet_micro", "average", 2, -4 / 9),
        ("nasnet_timm_micro", "average", 2, -4 / 9),
        ("nasnet_micro", "average", 1, -1),
        ("nasnet_timm_micro", "average", 1, -1),
    ],
)
def test_what_a_pooling_sees_outside_the_map(name, operation, stride, corner):
    from zoo.backbones.nasnet import VARIANTS, operate

    image = keras.Input((5, 5, 1))
    model = keras.Model(image, operate(image, VARIANTS[name], 1, operation, stride, "test"))
    out = keras.ops.convert_to_numpy(model(-np.ones((1, 5, 5, 1), "float32")))
    assert out.shape == (1, -(-5 // stride), -(-5 // stride), 1)
    assert out[0, 0, 0, 0] == pytest.approx(corner)
    assert out[0, 1, 1, 0] == pytest.approx(-1)


def test_batch_statistics_move_as_published():
    for name, momentum in [("nasnet_mobile", 0.9997), ("nasnet_large_timm", 0.9)]:
        with keras.StatelessScope(initialize_variables=False):
            model = registry.build_backbone(name)
            norms = {(layer.momentum, layer.epsilon) for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)}
        keras.utils.clear_session()
        assert norms == {(momentum, 1e-3)}
