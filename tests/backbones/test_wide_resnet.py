"""What makes a Wide ResNet: the sizes of the paper's tables, and the order of layers in a block before its activation."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo import registry

pytestmark = pytest.mark.backend


@pytest.mark.parametrize(("name", "millions"), [("wide_resnet28_10", 36.5), ("wide_resnet40_4", 8.9)])
def test_the_paper_prints_the_same_number_of_parameters(name, millions):
    """Zagoruyko & Komodakis 2016, table 4."""
    assert abs(registry.row(name)[1].parameters / 1e6 - millions) < 0.1


@pytest.mark.parametrize(("name", "count", "k"), [("wide_resnet16_4", 16, 4), ("wide_resnet28_10", 28, 10), ("wide_resnet40_4", 40, 4)])
def test_the_groups_are_those_of_table_1(name, count, k):
    """32, 16 and 8 pixels with 16 k, 32 k and 64 k maps; N counts the convolutions, shortcuts included."""
    with keras.StatelessScope(initialize_variables=False):
        model = registry.build_backbone(name)
    keras.utils.clear_session()
    assert [tuple(level.shape[1:]) for level in model.output.values()] == [(32, 32, 16 * k), (16, 16, 32 * k), (8, 8, 64 * k)]
    convolutions = [layer.name for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    shortcuts = [layer for layer in convolutions if "shortcut" in layer]
    assert len(shortcuts) == 3
    assert len(convolutions) == count
    dropouts = [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert dropouts == {16: 6 * [0.4], 28: 12 * [0.3], 40: []}[count]


def test_bottlenecks_for_imagenet_are_twice_as_wide_inside_only():
    with keras.StatelessScope(initialize_variables=False):
        model = registry.build_backbone("wide_resnet50_2")
    keras.utils.clear_session()
    for stage in range(4):
        widths = [model.get_layer(f"stage{stage + 2}_block0_conv{i}").filters for i in (1, 2, 3)]
        assert widths == [128 * 2**stage, 128 * 2**stage, 256 * 2**stage]


def _convolve(x, kernel, stride=1):
    """(b, h, w, c), (k, k, c, m): padded by k // 2 on every side."""
    k = kernel.shape[0]
    x = np.pad(x, ((0, 0), (k // 2, k // 2), (k // 2, k // 2), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), (1, 2))[:, ::stride, ::stride]  # (b, h', w', c, k, k)
    return np.einsum("bhwcij,ijcm->bhwm", windows, kernel)


@pytest.mark.parametrize("size", [(16, 16), (15, 22)])
def test_the_network_for_32x32_is_the_papers_written_out(size):
    """Figure 1(d) and table 1 in numpy, with live statistics: the shortcut of a changing shape sees the activated map."""
    model = registry.build_classifier("wide_resnet_cifar_micro", input_shape=(*size, 3))
    random, weights = np.random.default_rng(0), {}
    for weight in model.weights:
        name = weight.path.rpartition("/")[2]
        value = random.uniform(0.5, 1.5, weight.shape) if name in ("gamma", "moving_variance") else random.normal(size=weight.shape) * 0.3
        weight.assign(value)
        weights[weight.path] = np.asarray(value, "float32").astype("float64")

    def activate(x, name):
        gamma, beta, mean, variance = (weights[f"{name}/{part}"] for part in ("gamma", "beta", "moving_mean", "moving_variance"))
        return np.maximum(gamma * (x - mean) / np.sqrt(variance + 1e-5) + beta, 0)

    image = 255 * random.uniform(size=(2, *size, 3)).astype("float32")
    variant = registry.row("wide_resnet_cifar_micro")[1]
    x = _convolve((image - np.array(variant.mean)) / np.array(variant.std), weights["stem_conv/kernel"])
    for stage in (1, 2, 3):
        for block in (0, 1):
            name, stride = f"stage{stage}_block{block}", 2 if stage > 1 and block == 0 else 1
            active = activate(x, f"{name}_norm1")
            if block == 0:
                x = _convolve(active, weights[f"{name}_shortcut_conv/kernel"], stride)
            y = activate(_convolve(active, weights[f"{name}_conv1/kernel"], stride), f"{name}_norm2")
            x = x + _convolve(y, weights[f"{name}_conv2/kernel"])
    expected = activate(x, "head_norm").mean((1, 2)) @ weights["logits/kernel"] + weights["logits/bias"]
    logits = keras.ops.convert_to_numpy(model(image))
    assert np.abs(expected[0] - expected[1]).max() > 1e-2 * np.abs(expected).max()
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def test_only_the_deepest_level_is_activated():
    model = registry.build_backbone("wide_resnet_cifar_micro")
    levels = model(255 * np.random.default_rng(0).uniform(size=(1, 32, 32, 3)).astype("float32"))
    assert [bool(keras.ops.convert_to_numpy(levels[key]).min() < 0) for key in ("c1", "c2", "c3")] == [True, True, False]
