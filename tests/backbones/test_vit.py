"""Facts of the ViT paper: the sequence, the order of a block, positions at any size, and what attention can be asked."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo import registry
from zoo.layers import Attention

pytestmark = pytest.mark.backend
SIZES = {
    "vit_tiny_16": (12, 192, 3, 768),
    "vit_small_16": (12, 384, 6, 1536),
    "vit_base_16": (12, 768, 12, 3072),
    "vit_large_32": (24, 1024, 16, 4096),
}
"""Layers, hidden size, heads, MLP size: Dosovitskiy et al. 2020, table 1; Steiner et al. 2021, table 2."""


def _structure(name: str, **options):
    """The row's model without memory for its weights."""
    with keras.StatelessScope(initialize_variables=False):
        model = registry.build_classifier(name, **options)
    keras.utils.clear_session()
    return model


def _image(height: int, width: int, count: int = 1):
    return 255 * np.random.default_rng(0).uniform(size=(count, height, width, 3)).astype("float32")


def _numpy(x):
    return keras.ops.convert_to_numpy(x)


@pytest.mark.parametrize(("name", "size"), SIZES.items())
def test_sizes_of_table_1(name, size):
    depth, width, heads, hidden = size
    model = _structure(name)
    attentions = [layer for layer in model.layers if isinstance(layer, Attention)]
    assert len(attentions) == depth
    assert {layer.heads for layer in attentions} == {heads}
    patch = int(name.rpartition("_")[2])
    assert model.get_layer("tokens").output.shape == (None, 1 + (224 // patch) ** 2, width)
    assert model.get_layer("tokens").embedding.shape == (1 + (224 // patch) ** 2, width)
    last = f"block{depth - 1}"
    assert [model.get_layer(f"{last}_{part}").units for part in ("qkv", "project", "mlp1", "mlp2")] == [3 * width, width, hidden, width]


def test_a_block_normalises_first_and_adds_twice():
    """Figure 1 and equations 2 and 3; the last normalisation is equation 4."""
    model = registry.build_classifier("vit_micro")
    names = [layer.name.removeprefix("block1_") for layer in model.layers if layer.name.startswith("block1_")]
    assert names == ["norm1", "qkv", "attention", "project", "add1", "norm2", "mlp1", "mlp2", "add2"]
    assert [layer.name for layer in model.layers][-3:] == ["norm", "split", "logits"]
    assert {layer.epsilon for layer in model.layers if isinstance(layer, keras.layers.LayerNormalization)} == {1e-6}


def test_the_class_token_is_scored_and_the_patches_are_the_map():
    backbone, classifier = (build("vit_micro") for build in (registry.build_backbone, registry.build_classifier))
    assert {key: tuple(level.shape) for key, level in backbone.output.items()} == {"c1": (None, 3, 3, 12)}
    image = _image(48, 48, 2)
    tokens = keras.Model(classifier.inputs[0], classifier.get_layer("norm").output)
    sequence, head = _numpy(tokens(image)), classifier.get_layer("logits")
    np.testing.assert_allclose(_numpy(classifier(image)), sequence[:, 0] @ _numpy(head.kernel) + _numpy(head.bias), rtol=1e-4, atol=1e-5)
    backbone.set_weights(classifier.get_weights()[:-2])
    np.testing.assert_array_equal(_numpy(backbone(image)["c1"]).reshape(2, 9, 12), sequence[:, 1:])


@pytest.mark.parametrize("size", [(16, 16), (33, 48), (50, 64)])
def test_an_image_is_filled_up_to_whole_patches_with_the_mean_colour(size):
    """What is filled in is 0 after normalisation."""
    model = registry.build_backbone("vit_micro", input_shape=(None, None, 3))
    whole = tuple(-(-side // 16) * 16 for side in size)
    filled = np.broadcast_to(np.float32(registry.row("vit_micro")[1].mean), (1, *whole, 3)).copy()
    filled[:, : size[0], : size[1]] = _image(*size)
    out = _numpy(model(_image(*size))["c1"])
    assert out.shape == (1, whole[0] // 16, whole[1] // 16, 12)
    np.testing.assert_allclose(out, _numpy(model(filled)["c1"]), rtol=1e-4, atol=1e-5)


def test_positions_belong_to_places_not_to_indices():
    """With positions that say only which column it is, a wider image still counts its columns from left to right."""
    model = registry.build_backbone("vit_micro", input_shape=(None, None, 3))
    tokens = model.get_layer("tokens")
    columns = np.repeat(np.tile(np.arange(3.0), 3)[:, None], 12, axis=1)
    tokens.set_weights([np.zeros(12), np.concatenate([np.zeros((1, 12)), columns])])
    positions = _numpy(tokens(np.zeros((1, 4, 9, 12), "float32")))[0, 1:, 0].reshape(4, 9)
    np.testing.assert_allclose(positions, np.broadcast_to(positions[:1], (4, 9)), atol=1e-5)  # every row the same
    assert (np.diff(positions[0]) > -0.1).all()  # cubic interpolation overshoots a little at the border
    np.testing.assert_allclose(positions[:, 4], 1, atol=1e-5)  # the middle stays the middle


def test_without_positions_the_class_token_does_not_see_the_order_of_patches():
    model = registry.build_classifier("vit_micro")
    image = _image(48, 48)
    swapped = np.concatenate([image[:, 32:], image[:, 16:32], image[:, :16]], axis=1)
    scale = np.abs(_numpy(model(image))).max()
    assert np.abs(_numpy(model(swapped)) - _numpy(model(image))).max() > 1e-4 * scale
    tokens = model.get_layer("tokens")
    tokens.set_weights([_numpy(tokens.token), np.zeros((10, 12))])
    np.testing.assert_allclose(_numpy(model(swapped)), _numpy(model(image)), rtol=0, atol=1e-5 * scale)


def test_attention_can_be_read_from_a_built_model():
    """(b, heads, tokens, tokens): row 0 is what the class token looks at."""
    model = registry.build_classifier("vit_micro")
    layer = model.get_layer("block1_attention")
    qkv = keras.Model(model.inputs[0], layer.input)(_image(48, 48, 2))
    shares = _numpy(layer.attention(qkv))
    assert shares.shape == (2, 2, 10, 10)
    np.testing.assert_allclose(shares.sum(-1), 1, rtol=1e-5)
    assert shares.min() > 0


def test_regularisation_is_off_and_can_be_turned_on():
    plain, regular = (
        registry.build_backbone("vit_micro", changes=changes) for changes in (None, {"dropout": 0.1, "stochastic_depth": 0.2})
    )
    assert not [layer for layer in plain.layers if isinstance(layer, keras.layers.Dropout)]
    rates = {layer.name: layer.rate for layer in regular.layers if isinstance(layer, keras.layers.Dropout)}
    block = ("dropout", "mlp1_dropout", "mlp2_dropout")
    assert rates == {
        "tokens_dropout": 0.1,
        **{f"block{index}_{name}": 0.1 for index in (0, 1) for name in block},
        **{f"block1_drop{index}": 0.2 for index in (1, 2)},
    }
    regular.set_weights(plain.get_weights())
    np.testing.assert_array_equal(_numpy(regular(_image(48, 48))["c1"]), _numpy(plain(_image(48, 48))["c1"]))
