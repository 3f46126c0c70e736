"""GoogLeNet: the maps and operations of the paper's table 1, where it normalises, and poolings that round up."""

from __future__ import annotations

from math import ceil

import keras
import numpy as np
import pytest

from zoo import registry

pytestmark = pytest.mark.backend

MAPS = {
    "3a": (28, 256),
    "3b": (28, 480),
    "4a": (14, 512),
    "4b": (14, 512),
    "4c": (14, 512),
    "4d": (14, 528),
    "4e": (14, 832),
    "5a": (7, 832),
    "5b": (7, 1024),
}
"""Table 1, column "output size"."""

MILLIONS = {"3a": 128, "3b": 304, "4a": 73, "4b": 88, "4c": 100, "4d": 119, "4e": 170, "5b": 71}
"""Table 1, column "ops". Its 54 for 5a does not follow from its widths, which give 51."""


def _empty(name: str, **options):
    """The model without values for its weights."""
    with keras.StatelessScope(initialize_variables=False):
        return registry.build_backbone(name, **options)


@pytest.fixture(autouse=True)
def _forget():
    yield
    keras.utils.clear_session()


@pytest.mark.parametrize("name", ["googlenet", "googlenet_torchvision"])
def test_maps_of_table_1(name):
    model = _empty(name)
    for module, (side, maps) in MAPS.items():
        assert model.get_layer(f"inception_{module}_concat").output.shape[1:] == (side, side, maps)
    assert [tuple(level.shape[1:3]) for level in model.output.values()] == [(side, side) for side in (112, 56, 28, 14, 7)]
    assert model.output["c2"].shape[-1] == 192


def test_operations_of_table_1():
    """Multiplications and additions per position times positions; table 1 prints whole millions."""
    model = _empty("googlenet")
    for module, millions in MILLIONS.items():
        convolutions = [layer for layer in model.layers if layer.name.startswith(f"inception_{module}_") and "_conv" in layer.name]
        weights = sum(int(np.prod(layer.kernel.shape)) for layer in convolutions)
        assert weights * MAPS[module][0] ** 2 / 1e6 == pytest.approx(millions, abs=1)
        assert len(convolutions) == 6


def test_the_network_is_22_layers_deep():
    """Section 5: counting only layers with parameters; in a module the deepest branch has two."""
    model = _empty("googlenet")
    stem = sum(layer.name.startswith("stem_conv") for layer in model.layers)
    modules = sum(layer.name.endswith("_concat") for layer in model.layers)
    assert stem + 2 * modules + 1 == 22


def test_the_papers_network_has_5x5_and_torchvisions_has_3x3():
    paper, torchvision = _empty("googlenet"), _empty("googlenet_torchvision")
    assert paper.get_layer("inception_4a_branch3_conv2").kernel_size == (5, 5)
    assert torchvision.get_layer("inception_4a_branch3_conv2").kernel_size == (3, 3)
    kinds = [{type(layer).__name__ for layer in model.layers} for model in (paper, torchvision)]
    assert "LocalResponseNormalisation" in kinds[0]
    assert "BatchNormalization" not in kinds[0]
    assert "BatchNormalization" in kinds[1]
    assert "LocalResponseNormalisation" not in kinds[1]


def test_response_normalisation_sits_where_figure_3_draws_it():
    """After the first pooling, and between the last convolution of the stem and the second pooling."""
    names = [layer.name for layer in _empty("googlenet").layers]
    stem = names[names.index("stem_conv1") : names.index("stem_pool2") + 1]
    assert [name for name in stem if "relu" not in name] == [
        *("stem_conv1", "stem_pool1", "stem_lrn1", "stem_conv2", "stem_conv3", "stem_lrn2", "stem_pool2")
    ]


@pytest.mark.parametrize("shape", [(4, 4), (5, 5), (6, 9), (7, 8), (2, 3), (3, 2)])
@pytest.mark.parametrize("size", [2, 3])
def test_torchvisions_poolings_round_up(shape, size):
    """As many windows as torch documents for ceil_mode, cut off at the border."""
    from zoo.backbones.googlenet import VARIANTS, pool

    image = keras.Input((None, None, 2))
    model = keras.Model(image, pool(image, VARIANTS["googlenet_torchvision"], size, "pool"))
    x = np.random.default_rng(0).uniform(size=(1, *shape, 2)).astype("float32")
    starts = [[2 * window for window in range(ceil((side - size) / 2) + 1)] for side in shape]
    expected = np.array([[x[0, i : i + size, j : j + size].max((0, 1)) for j in starts[1]] for i in starts[0]])
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(model(x))[0], expected)


def test_settings():
    assert registry.row("googlenet")[1].top.dropout == 0.4
    assert registry.row("googlenet_torchvision")[1].top.dropout == 0.2
    norm = _empty("googlenet_torchvision").get_layer("inception_5b_branch2_norm2")
    assert (norm.momentum, norm.epsilon, norm.scale) == (0.9, 1e-3, True)
