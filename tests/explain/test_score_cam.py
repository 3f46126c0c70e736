"""Score-CAM against its formula on a network whose masked scores are known, and where tf-keras-vis is silently wrong: one logit."""

import keras
import numpy as np
import pytest
from keras import layers

from zoo import explain

pytestmark = pytest.mark.backend

KERNEL = np.array([[0.02, -0.01, 0.03, 0.005], [0.01, 0.02, -0.02, 0.03], [-0.03, 0.01, 0.02, 0.01]])
HEAD = np.array([[0.9], [-1.1], [2.0], [0.3]])


def network(head=HEAD, activation=None, channels=4):
    """A 1x1 convolution, global pooling, one logit: everything linear, so masked scores are sums."""
    image = keras.Input((6, 7, 3))
    conv = layers.Conv2D(channels, 1, use_bias=False, name="conv")
    dense = layers.Dense(1, use_bias=False, activation=activation)
    model = keras.Model(image, dense(layers.GlobalAveragePooling2D()(conv(image))))
    conv.set_weights([KERNEL[None, None, :, :channels]])
    dense.set_weights([head[:channels]])
    return model


PICTURES = np.random.default_rng(1).uniform(0, 255, (3, 6, 7, 3))


def formula(pictures, cover=0.0, head=HEAD):
    maps = pictures @ KERNEL  # (b, h, w, c); of the image's size, so nothing is enlarged
    low, high = maps.min((1, 2), keepdims=True), maps.max((1, 2), keepdims=True)
    masks = (maps - low) / (high - low)
    masked = cover + masks[..., None] * (pictures - cover)[:, :, :, None]  # (b, h, w, mask, colour)
    scores = ((masked @ KERNEL).mean((1, 2)) @ head)[..., 0]  # (b, mask)
    weights = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    return np.einsum("bhwc,bc->bhw", maps, weights), maps


@pytest.mark.parametrize("activation", [None, "sigmoid"])
@pytest.mark.parametrize("fill", [0, "grey"])
def test_one_logit_follows_algorithm_1(fill, activation):
    expected, maps = formula(PICTURES, 127.5 if fill == "grey" else 0.0)
    for target in (None, 0):
        found = explain.scorecam(network(activation=activation), PICTURES, target, fill=fill, relu=False, batch_size=5)
        np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
    assert np.abs(expected - maps.mean(-1)).max() > 0.1 * np.abs(expected).max()  # not the plain mean, which a softmax over one class gives


@pytest.mark.parametrize("activation", [None, "sigmoid"])
def test_redrawn_head_changes_the_map(activation):
    one, other = (explain.scorecam(network(head, activation), PICTURES, relu=False) for head in (HEAD, HEAD[::-1]))
    assert np.abs(one - other).max() > 0.1 * np.abs(one).max()


def test_few_channels_are_those_that_vary_most():
    """Blue is flat, red varies most: two of the three channels, each of which shows one colour."""
    pictures = np.random.default_rng(2).uniform([0, 100, 50], [255, 150, 50 + 1e-3], (2, 6, 7, 3))
    model = network(channels=3)
    model.get_layer("conv").set_weights([0.02 * np.eye(3)[None, None]])
    found = explain.scorecam(model, pictures, relu=False, channels=2, fill=0)
    maps = 0.02 * pictures[..., :2]
    masks = (maps - maps.min((1, 2), keepdims=True)) / np.ptp(maps, axis=(1, 2), keepdims=True)
    scores = np.einsum("bhwm,bhwc,c->bm", masks, 0.02 * pictures, HEAD[:3, 0]) / 42
    weights = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    np.testing.assert_allclose(found, np.einsum("bhwc,bc->bhw", maps, weights), rtol=1e-5)
    counts = []
    explain.scorecam(model, pictures, channels=2, progress=lambda done, total: counts.append(total))
    assert set(counts) == {2 * 2}
    every = explain.scorecam(model, pictures, relu=False)
    np.testing.assert_array_equal(explain.scorecam(model, pictures, relu=False, channels=9), every)


def test_flat_channel_hides_everything(images):
    """A channel that never fires has no shape; its mask is zero, not zero divided by zero."""
    image = keras.Input((16, 16, 3))
    conv = layers.Conv2D(3, 3, activation="relu", name="conv", bias_initializer="ones")
    model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(conv(image))))
    kernel, bias = conv.get_weights()
    kernel[..., 0], bias[0] = 0, -1
    conv.set_weights([kernel / 255, bias])
    assert not explain.feature_maps(model, images)[..., 0].any()
    assert np.isfinite(explain.scorecam(model, images, 1)).all()


def test_dead_layer_is_a_zero_map_and_a_warning(images):
    image = keras.Input((16, 16, 3))
    conv = layers.Conv2D(3, 3, activation="relu", kernel_initializer="zeros")
    model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(conv(image))))
    with pytest.warns(UserWarning, match="the map of the layer is zero"):
        np.testing.assert_array_equal(explain.scorecam(model, images, 1), np.zeros((5, 16, 16)))


def test_map_of_the_layer_itself(cnn, images):
    small = explain.scorecam(cnn, images, 2, layer="first", resize=False)
    assert small.shape == (5, 8, 8)
    large = explain.scorecam(cnn, images, 2, layer="first", placement="stretch")
    np.testing.assert_array_equal(large, explain.resize_heat(small, (16, 16)))
    field = explain.receptive_field(cnn, "first", (16, 16))
    np.testing.assert_array_equal(explain.scorecam(cnn, images, 2, layer="first"), explain.place_heat(small, (16, 16), field))


@pytest.mark.parametrize("channels", [0, -3, 1.5, True])
def test_wrong_number_of_channels_is_named(channels, cnn, images):
    with pytest.raises(ValueError, match="channels must be an int of at least 1"):
        explain.scorecam(cnn, images, 0, channels=channels)


def test_one_place_is_refused(images):
    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 16, name="last")(image)
    model = keras.Model(image, layers.Dense(2)(layers.Flatten()(x)))
    with pytest.raises(ValueError, match="is 1x1: with one place only"):
        explain.scorecam(model, images, 0, layer="last")
