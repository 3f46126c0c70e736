"""Facts of the SqueezeNet paper, what its poolings do at borders, and the published Keras weights against a network built by hand."""

from __future__ import annotations

import os
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import zoo
from zoo import registry
from zoo.weights import records

pytestmark = pytest.mark.backend
REAL = ["squeezenet1_0", "squeezenet1_1", "squeezenet1_1_keras"]


def _shapes(name, side):
    with keras.StatelessScope(initialize_variables=False):
        shapes = [tuple(level.shape[1:]) for level in registry.build_backbone(name, input_shape=(side, side, 3)).output.values()]
    keras.utils.clear_session()
    return shapes


def test_the_maps_of_table_1():
    """Table 1: 111x111x96 after conv1, 55 pixels at fire4 (256 maps), 27 at fire8 (512 maps), 13 at fire9."""
    assert _shapes("squeezenet1_0", 227) == [(111, 111, 96), (55, 55, 256), (27, 27, 512), (13, 13, 512)]


def test_version_1_1_pools_earlier():
    assert _shapes("squeezenet1_1", 224) == [(111, 111, 64), (55, 55, 128), (27, 27, 256), (13, 13, 512)]
    assert _shapes("squeezenet1_1_keras", 224) == _shapes("squeezenet1_1", 224)


def test_where_the_two_versions_of_1_1_differ():
    """At 227x227 the map of conv1 is 113 pixels wide, the next 56, which is even: one window more, or one less."""
    assert [shape[0] for shape in _shapes("squeezenet1_1", 227)] == [113, 56, 28, 14]
    assert [shape[0] for shape in _shapes("squeezenet1_1_keras", 227)] == [113, 56, 27, 13]


@pytest.mark.parametrize("name", REAL)
def test_fire_modules(name):
    """Section 3.2 and table 1: eight modules, squeezed to an eighth of what they put out, half of that from 3x3 filters."""
    with keras.StatelessScope(initialize_variables=False):
        model = registry.build_classifier(name)
        for number in range(2, 10):
            squeeze, small, large = (model.get_layer(f"fire{number}_{part}") for part in ("squeeze", "expand1", "expand3"))
            assert (squeeze.kernel_size, small.kernel_size, large.kernel_size) == ((1, 1), (1, 1), (3, 3))
            assert small.filters == large.filters == 4 * squeeze.filters
        assert not any(isinstance(layer, layers.Dense) for layer in model.layers)
        assert model.get_layer("dropout").rate == 0.5  # section 3.1, after fire9
    keras.utils.clear_session()


@pytest.mark.parametrize(("name", "minimum"), [("squeezenet1_0_micro", 21), ("squeezenet1_1_micro", 17), ("squeezenet1_1_keras_micro", 31)])
def test_the_minimum_is_the_smallest_that_works(name, minimum):
    """21 and 17 are what torchvision states for its two networks."""
    assert registry.row(name)[1].minimum == registry.row(name.removesuffix("_micro"))[1].minimum == minimum
    with pytest.raises(ValueError, match=r"(?i)negative|too small|non-positive"):
        registry.build_backbone(name, changes={"minimum": 1}, input_shape=(minimum - 1, minimum - 1, 3))


@pytest.mark.parametrize("side", [6, 7])
@pytest.mark.parametrize("ceil", [True, False])
def test_the_last_window_of_a_pooling(side, ceil):
    """Windows start at 0, 2, 4, ...; over the border only with `ceil`, and then never wholly outside."""
    module, config = registry.row("squeezenet1_1_micro" if ceil else "squeezenet1_1_keras_micro")
    image = keras.Input((side, side, 1))
    values = np.random.default_rng(0).uniform(size=(1, side, side, 1)).astype("float32")
    got = keras.ops.convert_to_numpy(keras.Model(image, module.pool(image, config, "pool"))(values))[0, :, :, 0]
    starts = [start for start in range(0, side, 2) if start + 3 <= side or (ceil and start + 2 == side)]
    wanted = [[values[0, y : y + 3, x : x + 3, 0].max() for x in starts] for y in starts]
    np.testing.assert_array_equal(got, np.array(wanted, "float32"))


def original(weights, shape):
    """SqueezeNet 1.1 as keras-squeezenet describes it: no border but around the 3x3 of a fire module. weights: {layer: [kernel, bias]}."""

    def convolve(x, layer, **fields):
        kernel, bias = weights[layer]
        made = layers.Conv2D(kernel.shape[-1], kernel.shape[:2], activation="relu", **fields)
        out = made(x)
        made.set_weights([kernel, bias])
        return out

    image = keras.Input(shape)
    x = convolve(image, "conv1", strides=2)
    for number in range(2, 10):
        if number in (2, 4, 6):
            x = layers.MaxPooling2D(3, strides=2)(x)
        squeezed = convolve(x, f"fire{number}/squeeze1x1")
        left = convolve(squeezed, f"fire{number}/expand1x1")
        right = convolve(squeezed, f"fire{number}/expand3x3", padding="same")
        x = layers.Concatenate()([left, right])
    return keras.Model(image, x)


def test_the_published_keras_weights():
    """The real file, read here by h5py and by our loader, through two networks."""
    import h5py

    mirror = os.environ.get("ZOO_MIRROR")
    if not mirror or not Path(mirror).is_dir():
        pytest.skip("ZOO_MIRROR is not set to a folder: the real weights are not at hand")
    (record,) = records("squeezenet1_1_keras")
    path = Path(mirror, record.url.removeprefix("https://"))
    if not path.is_file():
        pytest.skip("the mirror does not hold this file")
    with h5py.File(path) as file:
        names = {layer: file[layer].attrs["weight_names"] for layer in file.attrs["layer_names"]}
        weights = {layer.decode(): [file[layer][name][()] for name in each] for layer, each in names.items() if len(each)}
    assert len(weights) == 25
    assert sum(array.size for pair in weights.values() for array in pair) == record.parameters
    ours = zoo.backbone("squeezenet1_1_keras", weights="imagenet", input_shape=(None, None, 3))
    for side in (96, 99, 115):
        images = np.random.default_rng(side).uniform(0, 255, (2, side, side + 8, 3)).astype("float32")
        theirs = original(weights, images.shape[1:])(images[..., ::-1] - np.array([103.939, 116.779, 123.68], "float32"))
        got, wanted = keras.ops.convert_to_numpy(ours(images)["c4"]), keras.ops.convert_to_numpy(theirs)
        assert wanted.max() > 1
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5 * wanted.max())
