"""Training for int8: the rounding by its formula and by TensorFlow's own operator, the file by LiteRT's own runtime."""

from __future__ import annotations

import gzip

import keras
import numpy as np
import pytest
from keras import layers

import zoo
from zoo.export.compress import cluster, kernels_of, prune, quantise_aware, size_of, strip, table, write_int8
from zoo.export.compress.int8 import _interpreter
from zoo.export.compress.quantise_aware import separated
from zoo.export.compress.rounding import Rounded, RoundedKernel
from zoo.export.fold import fold
from zoo.gradients import value_and_grad

backend = pytest.mark.backend
tensorflow_only = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="LiteRT is written from the TensorFlow backend")
RNG = np.random.default_rng(0)
X, Y = RNG.uniform(0, 255, (64, 12, 12, 3)).astype("float32"), np.arange(64) % 4


def net():
    """One of every kind: folded and separable convolutions, both fused ReLUs, a shortcut, hard swish, an average."""
    keras.utils.set_random_seed(0)
    image = keras.Input((12, 12, 3), name="image")
    x = layers.Rescaling(1 / 127.5, -1.0, name="rescale")(image)
    x = layers.Conv2D(8, 3, padding="same", use_bias=False, name="conv")(x)
    x = layers.ReLU(name="relu")(layers.BatchNormalization(name="norm")(x))
    y = layers.ReLU(6.0, name="relu6")(layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x))
    x = layers.Add(name="add")([x, layers.Conv2D(8, 1, name="narrow")(y)])
    x = layers.SeparableConv2D(16, 3, strides=2, padding="same", name="separable")(x)
    x = layers.GlobalAveragePooling2D(name="average")(layers.Activation("hard_swish", name="swish")(x))
    return keras.Model(image, layers.Dense(4, name="logits")(x), name="net")


def trained(model, epochs=2):
    model.compile(keras.optimizers.Adam(0.003), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(X, Y, batch_size=16, epochs=epochs, shuffle=False, verbose=0)
    return model


def numpy(value):
    return keras.ops.convert_to_numpy(value)


def litert(path, images):
    run = _interpreter(path).get_signature_runner()
    return next(iter(run(**{next(iter(run.get_input_details())): images}).values()))


@backend
@pytest.mark.parametrize("axis", [None, 3])
def test_a_kernel_is_rounded_to_whole_steps_of_its_largest_weight(axis):
    kernel = np.random.default_rng(1).normal(size=(3, 3, 4, 5)).astype("float32")
    kernel[..., 1] *= 0.01
    layer = RoundedKernel(axis)
    layer.build(kernel.shape)
    step = np.abs(kernel).max(axis=None if axis is None else (0, 1, 2)) / 127
    got = numpy(layer(kernel)) / step
    np.testing.assert_allclose(got, np.round(got), atol=1e-3)
    assert np.abs(got).max() == pytest.approx(127, abs=1e-3)
    assert np.abs(got - kernel / step).max() <= 0.501
    np.testing.assert_array_equal(numpy(layer(np.zeros_like(kernel))), 0)


@backend
def test_the_rounding_is_tensorflows_own():
    tf = pytest.importorskip("tensorflow", reason="TensorFlow's operator is the reference")
    kernel = np.random.default_rng(3).normal(size=(3, 3, 2, 4)).astype("float32")
    largest = np.abs(kernel).max(axis=(0, 1, 2))
    layer = RoundedKernel(3)
    layer.build(kernel.shape)
    wanted = tf.quantization.fake_quant_with_min_max_vars_per_channel(kernel, -largest, largest, narrow_range=True).numpy()
    np.testing.assert_allclose(numpy(layer(kernel)), wanted, atol=1e-6)


@backend
def test_the_gradient_passes_the_rounding_and_stops_where_values_are_cut():
    layer = Rounded(fixed=(-1.0, 1.0))
    layer.build((5,))
    factor = np.array([1.0, 2.0, 3.0, 4.0, 5.0], "float32")
    function = value_and_grad(lambda x: keras.ops.sum(layer(x) * factor))
    _, gradient = function(np.array([-3.0, -0.7, 0.011, 0.9, 1.5], "float32"))
    np.testing.assert_allclose(numpy(gradient), [0, 2, 3, 4, 0], atol=1e-6)

    kernel = RoundedKernel(1)
    kernel.build((2, 3))
    _, gradient = value_and_grad(lambda x: keras.ops.sum(kernel(x) * 2.0))(np.array([[1.0, -2, 3], [0.5, 1, -3]], "float32"))
    np.testing.assert_allclose(numpy(gradient), 2.0)


@backend
def test_ranges_are_moving_averages_that_the_first_batch_sets():
    layer = Rounded(momentum=0.9)
    batches = [np.array([-1.0, 3.0], "float32"), np.array([-5.0, 2.0], "float32"), np.array([0.5, 9.0], "float32")]
    for batch in batches:
        layer(batch, training=True)
    layer(np.array([100.0], "float32"), training=False)
    assert float(numpy(layer.low.value)) == pytest.approx(0.9 * (0.9 * -1 + 0.1 * -5) + 0.1 * 0.5)
    assert float(numpy(layer.high.value)) == pytest.approx(0.9 * (0.9 * 3 + 0.1 * 2) + 0.1 * 9)


@backend
def test_training_goes_on_after_a_save_and_strip_is_the_folded_network(tmp_path):
    model = trained(quantise_aware(net()))
    assert [layer.name for layer in model.layers if isinstance(layer, Rounded)] == [
        f"{name}_range"
        for name in (
            "rescale",
            "relu",
            "relu6",
            "narrow",
            "add",
            "separable_depthwise",
            "separable_pointwise",
            "swish",
            "average",
            "logits",
        )
    ]
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    for a, b in zip(trained(model, 1).weights, trained(loaded, 1).weights, strict=True):
        np.testing.assert_allclose(numpy(a), numpy(b), rtol=1e-4, atol=1e-6, err_msg=a.path)
    plain = strip(model)
    assert not any(isinstance(layer, Rounded) for layer in plain.layers)
    for layer in model.layers:
        if hasattr(layer, "kernels"):
            np.testing.assert_array_equal(numpy(plain.get_layer(layer.name).kernel), layer.kernels()["kernel"])


@tensorflow_only
def test_the_file_computes_in_int8_and_agrees_within_two_steps(tmp_path):
    model = trained(quantise_aware(net()))
    path = write_int8(model, tmp_path / "small.tflite")
    assert [one.name for one in tmp_path.iterdir()] == ["small.tflite"]
    kernels = kernels_of(path)
    assert [kernel.operator for kernel in kernels] == [
        *("CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D", "FULLY_CONNECTED")
    ]
    assert all(kernel.integer for kernel in kernels)
    assert [kernel.scales.size for kernel in kernels[:5]] == [8, 8, 8, 8, 16]
    rounded = model.get_layer("conv").kernels()["kernel"]
    stored = np.moveaxis(kernels[0].values, 0, -1) * kernels[0].scales
    np.testing.assert_allclose(stored, rounded, atol=1e-6)
    wanted, got = numpy(model(X, training=False)), litert(path, X)
    last = model.get_layer("logits_range")
    step = (float(last.high.numpy()) - float(last.low.numpy())) / 255
    assert np.abs(wanted - got).max() <= 2.01 * step
    assert len(np.unique(got)) > 20
    clear = np.sort(wanted, axis=1)[:, -1] - np.sort(wanted, axis=1)[:, -2] > 4 * step
    np.testing.assert_array_equal(wanted.argmax(axis=1)[clear], got.argmax(axis=1)[clear])


@pytest.mark.slow
@tensorflow_only
def test_pruned_clustered_and_rounded_keeps_all_three(tmp_path):
    """The chain of the page: the int8 file has the zeros, the few values, and agrees."""
    plain, _ = fold(net())
    pruned = strip(trained(prune(plain, 0.7, updates=4), 1))
    sizes = {}
    for keep, start in (("zeros", pruned), ("clusters", strip(trained(cluster(pruned, 8), 1)))):
        model = trained(quantise_aware(start, keep=keep))
        path = write_int8(model, tmp_path / f"{keep}.tflite")
        kernels = kernels_of(path)
        assert all(kernel.integer for kernel in kernels)
        for kernel in kernels:
            assert (kernel.values == 0).mean() >= 0.7 - 0.5 / kernel.values.size
            if keep == "clusters":
                assert len(np.unique(kernel.values)) <= 8
        last = model.get_layer("logits_range")
        step = (float(last.high.numpy()) - float(last.low.numpy())) / 255
        assert np.abs(numpy(model(X, training=False)) - litert(path, X)).max() <= 2.01 * step
        sizes[keep] = size_of(keep, path, accuracy=0.5)
    rows = table(sizes.values())
    assert rows[1]["distinct"] <= 8 < rows[0]["distinct"]
    assert rows[0]["sparsity"] >= 0.69
    assert rows[0]["parameters"] == 3 * 3 * 3 * 8 + 9 * 8 + 64 + 9 * 8 + 8 * 16 + 16 * 4
    path = tmp_path / "zeros.tflite"
    assert rows[0]["file_bytes"] == path.stat().st_size
    assert gzip.decompress(gzip.compress(path.read_bytes(), 9, mtime=0)) == path.read_bytes()
    assert rows[0]["gzip_bytes"] == size_of("again", path).gzip_bytes < rows[0]["file_bytes"]


@backend
def test_what_cannot_work_is_told(tmp_path):
    with pytest.raises(ValueError, match="tears the clusters apart"):
        quantise_aware(net(), keep="clusters")
    with pytest.raises(ValueError, match="keep must be one of"):
        quantise_aware(net(), keep="sparsity")
    model = quantise_aware(fold(net())[0])
    said = "seen no training batch" if keras.backend.backend() == "tensorflow" else "written on the tensorflow backend"
    with pytest.raises(ValueError, match=said):
        write_int8(model, tmp_path / "x.tflite")
    with pytest.raises(ValueError, match="ends in .tflite"):
        write_int8(model, tmp_path / "x.onnx")
    with pytest.raises(ValueError, match="give the model too"):
        size_of("x", tmp_path / "x.keras")


@backend
def test_the_separable_layers_of_the_zoo_are_taken_apart_too():
    """They are subclasses of Keras' layer, and what flows between their halves must be rounded as well."""
    model = zoo.classifier("course_cnn_separable_micro")
    apart = separated(model)
    kinds = [type(layer).__name__ for layer in apart.layers]
    assert (kinds.count("SeparableConv2D"), kinds.count("DepthwiseConv2D")) == (0, 10)
    images = RNG.uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    np.testing.assert_allclose(numpy(apart(images)), numpy(model(images)), rtol=1e-4, atol=1e-4)
