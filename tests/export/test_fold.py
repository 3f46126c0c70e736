"""Folding batch normalisation changes the layers, not the function."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from zoo import registry
from zoo.export.fold import fold

pytestmark = pytest.mark.backend

ROWS = {
    "resnet_micro": "all",
    "mobilenet_v2_micro": "all",
    "vgg_bn_micro": "all",
    "vgg_micro": "none",
    "xception_micro": "all",
    "densenet_micro": "some",
}
"""Row -> which of its normalisations stand behind something linear: DenseNet normalises before most of its convolutions."""


def _worn(model, seed: int = 0):
    """The model with weights and statistics as after a training: nothing is 0 or 1 any more, variances are positive."""
    random = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            draws = {True: lambda shape: random.uniform(0.5, 1.5, shape), False: lambda shape: random.normal(0, 0.3, shape)}
            draw = [draws[weight.path.endswith(("gamma", "variance"))](weight.shape) for weight in layer.weights]
            layer.set_weights(draw)
    return model


def _norms(model) -> int:
    return sum(isinstance(layer, layers.BatchNormalization) for layer in model.layers)


def _same(model, folded, images, share: float) -> None:
    wanted, got = (keras.ops.convert_to_numpy(net(images, training=False)) for net in (model, folded))
    assert np.abs(wanted - got).max() <= share * np.abs(wanted).max()
    assert np.abs(wanted).max() > 0


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize(("floats", "share"), [("float32", 1e-5), ("float64", 1e-12)])
def test_the_function_is_kept(row, floats, share):
    keras.config.set_floatx(floats)
    keras.config.set_dtype_policy(floats)
    if floats == "float64" and keras.backend.backend() == "jax":
        pytest.skip("JAX computes in float32 unless its whole process is told otherwise")
    model = _worn(registry.build_classifier(row))
    shape = tuple(model.inputs[0].shape[1:])
    folded, count = fold(model)
    assert _norms(folded) == _norms(model) - count
    if ROWS[row] == "all":
        assert _norms(folded) == 0 < count
    elif ROWS[row] == "none":
        assert count == 0
    else:
        assert 0 < count < _norms(model)
    _same(model, folded, np.random.default_rng(1).uniform(0, 255, (2, *shape)).astype(floats), share)


def _net(build):
    image = keras.Input((8, 8, 4), name="image")
    return _worn(keras.Model(image, build(image)))


def _norm(x, **options):
    return layers.BatchNormalization(**options)(x)


def _branch(x):
    x = layers.Conv2D(4, 3)(x)
    return layers.Add()([x, _norm(x)])


def _shared_layer(x):
    conv = layers.Conv2D(4, 1)
    return layers.Add()([_norm(conv(x)), conv(x)])


def _shared_norm(x):
    norm = layers.BatchNormalization()
    return norm(layers.Conv2D(4, 1)(norm(layers.Conv2D(4, 1)(x))))


def _also_an_output(x):
    x = layers.Conv2D(4, 3)(x)
    return [x, _norm(x)]


FOLDED = {
    "convolution with bias": lambda x: _norm(layers.Conv2D(5, 3, bias_initializer="ones")(x)),
    "convolution in groups": lambda x: _norm(layers.Conv2D(6, 3, groups=2, use_bias=False)(x)),
    "depthwise, two maps per channel": lambda x: _norm(layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False)(x)),
    "separable": lambda x: _norm(layers.SeparableConv2D(5, 3, use_bias=False)(x)),
    "dense": lambda x: _norm(layers.Dense(5)(layers.Flatten()(x))),
    "without gamma": lambda x: _norm(layers.Conv2D(5, 3)(x), scale=False),
    "without beta": lambda x: _norm(layers.Conv2D(5, 3)(x), center=False),
    "axis by number": lambda x: _norm(layers.Conv2D(5, 3)(x), axis=3),
    "padded": lambda x: _norm(layers.Conv2D(5, 3, padding="same", strides=2)(x)),
}
KEPT = {
    "another reader": _branch,
    "shared layer": _shared_layer,
    "shared normalisation": _shared_norm,
    "also an output": _also_an_output,
    "an activation between": lambda x: _norm(layers.Conv2D(4, 3, activation="relu")(x)),
    "another axis": lambda x: _norm(layers.Conv2D(4, 3)(x), axis=1),
    "behind a pooling": lambda x: _norm(layers.MaxPooling2D()(x)),
    "first": lambda x: layers.Conv2D(4, 3)(_norm(x)),
}


@pytest.mark.parametrize("case", FOLDED)
def test_behind_something_linear_it_goes(case):
    model = _net(FOLDED[case])
    folded, count = fold(model)
    assert (count, _norms(folded)) == (1, 0)
    _same(model, folded, np.random.default_rng(0).normal(size=(3, 8, 8, 4)).astype("float32"), 2e-6)


@pytest.mark.parametrize("case", KEPT)
def test_elsewhere_it_stays(case):
    model = _net(KEPT[case])
    folded, count = fold(model)
    assert (count, _norms(folded)) == (0, _norms(model))
    images = np.random.default_rng(0).normal(size=(3, 8, 8, 4)).astype("float32")
    for wanted, got in zip(keras.tree.flatten(model(images)), keras.tree.flatten(folded(images)), strict=True):
        np.testing.assert_allclose(keras.ops.convert_to_numpy(got), keras.ops.convert_to_numpy(wanted), atol=1e-6)


def test_the_model_itself_is_left_alone():
    model = _net(FOLDED["separable"])
    before = model.get_weights()
    fold(model)
    assert _norms(model) == 1
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_sequential_model_is_folded():
    model = _worn(keras.Sequential([keras.Input((8, 8, 4)), layers.Conv2D(5, 3), layers.BatchNormalization(), layers.ReLU()]))
    folded, count = fold(model)
    assert (count, _norms(folded)) == (1, 0)
    _same(model, folded, np.random.default_rng(0).normal(size=(3, 8, 8, 4)).astype("float32"), 2e-6)


def test_a_model_without_a_graph_is_refused():
    class Own(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ValueError, match="functional keras.Model, got Own"):
        fold(Own())
