"""Shifted products against the backend's own convolution, which shares no code with them, and where each is chosen."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

from zoo.gradients import value_and_grad
from zoo.layers.depthwise import DepthwiseConv2D, SeparableConv2D, compiled_by_xla_for_a_cpu, lowering, shifted

BACKEND = keras.backend.backend()
backend = pytest.mark.backend

CASES = {  # name: (h, w, channels, multiplier), kernel, strides, padding, dilation
    "one pixel": ((1, 1, 3, 1), (3, 3), (1, 1), "same", (1, 1)),
    "kernel larger than the image": ((2, 3, 2, 1), (5, 5), (2, 2), "same", (1, 1)),
    "same": ((6, 7, 3, 1), (3, 3), (1, 1), "same", (1, 1)),
    "valid": ((6, 7, 3, 1), (3, 3), (1, 1), "valid", (1, 1)),
    "even kernel": ((6, 5, 2, 1), (2, 4), (1, 1), "same", (1, 1)),
    "stride 2, odd": ((7, 9, 3, 1), (3, 3), (2, 2), "same", (1, 1)),
    "stride 2, even": ((8, 6, 3, 1), (3, 3), (2, 2), "same", (1, 1)),
    "stride 2, valid": ((8, 7, 3, 1), (5, 5), (2, 2), "valid", (1, 1)),
    "dilation": ((9, 8, 2, 1), (3, 3), (1, 1), "same", (2, 2)),
    "dilation, valid": ((9, 8, 2, 1), (3, 3), (1, 1), "valid", (3, 3)),
    "two maps each": ((5, 6, 3, 2), (3, 3), (2, 2), "same", (1, 1)),
}


def _numbers(name: str, dtype="float64"):
    (high, wide, channels, multiplier), kernel, *how = CASES[name]
    random = np.random.default_rng(sum(map(ord, name)))
    return (
        random.normal(size=(2, high, wide, channels)).astype(dtype),
        random.normal(size=(*kernel, channels, multiplier)).astype(dtype),
        how,
    )


def _native(image, kernel, strides, padding, dilation):
    return ops.depthwise_conv(image, kernel, strides=strides, padding=padding, dilation_rate=dilation, data_format="channels_last")


def _wide(x):
    return ops.convert_to_tensor(x, "float64")


@pytest.fixture
def sixty_four_bits():
    """JAX computes in float64 only where it is told to."""
    if BACKEND != "jax":
        yield
        return
    import jax

    with jax.enable_x64(True):
        yield


@backend
@pytest.mark.parametrize("name", CASES)
def test_the_sum_of_shifted_products_is_the_convolution(name, sixty_four_bits):
    image, kernel, how = _numbers(name)
    ours, theirs = (ops.convert_to_numpy(function(_wide(image), _wide(kernel), *how)) for function in (shifted, _native))
    assert ours.dtype == np.float64
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


@backend
@pytest.mark.parametrize("name", ["one pixel", "stride 2, even", "dilation", "two maps each"])
def test_its_gradients_are_those_of_the_convolution(name, sixty_four_bits):
    image, kernel, how = _numbers(name)
    gradients = []
    for function in (shifted, _native):

        def energy(pair, function=function):
            return ops.sum(ops.square(function(*pair, *how)))

        gradients.append([ops.convert_to_numpy(g) for g in value_and_grad(energy)([_wide(image), _wide(kernel)])[1]])
    for ours, theirs in zip(*gradients, strict=True):
        assert np.abs(theirs).max() > 0.1
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-11)


@backend
def test_sixteen_bit_numbers_are_summed_in_float32():
    """256 + eight ones: bfloat16 has no 257, so a sum that rounds at each place would stay at 256."""
    kernel = ops.cast(np.array([256.0] + [1.0] * 8).reshape(3, 3, 1, 1), "bfloat16")
    out = shifted(ops.ones((1, 3, 3, 1), "bfloat16"), kernel)
    assert keras.backend.standardize_dtype(out.dtype) == "bfloat16"
    assert float(ops.cast(out, "float32")[0, 0, 0, 0]) == 264.0


def _pair(kind: str, **options):
    """(our layer, Keras' layer) with the same weights, for images of 3 channels."""
    ours, theirs = {
        "depthwise": (DepthwiseConv2D, layers.DepthwiseConv2D),
        "separable": (SeparableConv2D, layers.SeparableConv2D),
    }[kind]
    given = ((5,) if kind == "separable" else ()) + (3,)
    one, other = ours(*given, name="it", **options), theirs(*given, name="it", **options)
    for layer in (one, other):
        layer.build((None, None, None, 3))
    random = np.random.default_rng(1)
    weights = [random.normal(size=weight.shape) for weight in other.weights]
    one.set_weights(weights)
    other.set_weights(weights)
    return one, other


@backend
@pytest.mark.parametrize("kind", ["depthwise", "separable"])
@pytest.mark.parametrize(
    "options", [{}, {"strides": 2, "padding": "same", "activation": "relu"}, {"use_bias": False, "depth_multiplier": 2}]
)
def test_the_layers_are_keras_layers_with_another_call(kind, options):
    one, other = _pair(kind, **options)
    assert one.get_config() == other.get_config()
    assert [(weight.path, weight.shape) for weight in one.weights] == [(weight.path, weight.shape) for weight in other.weights]
    assert type(one).__name__ == type(other).__name__, "the name of the class is part of the paths in a weights file"
    image = np.random.default_rng(2).normal(size=(2, 9, 8, 3)).astype("float32")
    with lowering("shifted"):
        ours = ops.convert_to_numpy(one(image))
    assert ours.shape == tuple(one.compute_output_shape(image.shape))
    np.testing.assert_allclose(ours, ops.convert_to_numpy(other(image)), rtol=1e-5, atol=1e-5)


@backend
def test_a_saved_model_loads_and_takes_the_weights_of_keras_own_layers(tmp_path):
    models = []
    for one, two in ((DepthwiseConv2D, SeparableConv2D), (layers.DepthwiseConv2D, layers.SeparableConv2D)):
        image = keras.Input((8, 8, 3))
        models.append(keras.Model(image, two(4, 3, name="separable")(one(3, name="depthwise")(image))))
    ours, theirs = models
    theirs.save_weights(tmp_path / "their.weights.h5")
    ours.load_weights(tmp_path / "their.weights.h5")
    ours.save(tmp_path / "ours.keras")
    loaded = keras.models.load_model(tmp_path / "ours.keras")
    assert isinstance(loaded.get_layer("depthwise"), DepthwiseConv2D)
    images = np.random.default_rng(3).normal(size=(2, 8, 8, 3)).astype("float32")
    np.testing.assert_allclose(ops.convert_to_numpy(loaded(images)), ops.convert_to_numpy(theirs(images)), atol=1e-5)


@backend
def test_sizes_that_are_known_only_at_run_time():
    with lowering("shifted"):
        image = keras.Input((None, None, 3))
        layer = DepthwiseConv2D(3, strides=2, padding="same")
        model = keras.Model(image, layer(image))
        model.compile()
        for high, wide in ((1, 1), (8, 5)):
            images = np.random.default_rng(4).normal(size=(2, high, wide, 3)).astype("float32")
            wanted = _native(images, layer.kernel, 2, "same", 1) + layer.bias
            np.testing.assert_allclose(model.predict_on_batch(images), ops.convert_to_numpy(wanted), atol=1e-5)


@backend
def test_the_block_decides_and_ends():
    with pytest.raises(ValueError, match="auto, native, shifted, got 'fast'"), lowering("fast"):
        pass
    calls = []
    one, _ = _pair("depthwise")
    one.activation = lambda x: calls.append(1) or x
    image = np.ones((1, 4, 4, 3), "float32")
    with lowering("shifted"):
        with lowering("native"):
            native = ops.convert_to_numpy(one(image))
        sums = ops.convert_to_numpy(one(image))
    assert len(calls) == 2
    np.testing.assert_allclose(native, sums, atol=1e-5)


# --- where auto chooses what


@pytest.mark.skipif(BACKEND != "tensorflow", reason="about TensorFlow's compiler")
def test_tensorflow_shifts_only_what_xla_compiles(monkeypatch):
    import tensorflow as tf

    one, _ = _pair("separable")

    def operations(**options) -> set[str]:
        graph = tf.function(one, **options).get_concrete_function(tf.TensorSpec((None, 8, 8, 3))).graph
        return {operation.type for operation in graph.get_operations()}

    assert not compiled_by_xla_for_a_cpu()
    assert "DepthwiseConv2dNative" in operations()
    assert "DepthwiseConv2dNative" not in operations(jit_compile=True)
    with lowering("native"):
        assert "DepthwiseConv2dNative" in operations(jit_compile=True)
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["GPU:0"])
    assert "DepthwiseConv2dNative" in operations(jit_compile=True), "a GPU has a kernel of its own"


@pytest.mark.filterwarnings(r"ignore:\s*Warning. tf.lite.Interpreter is deprecated:UserWarning")  # moving to a package of its own
@pytest.mark.skipif(BACKEND != "tensorflow", reason="these formats are written on TensorFlow")
def test_what_tensorflow_exports_holds_the_native_operation(tmp_path):
    import onnx
    import tensorflow as tf

    from zoo.export.write import export

    image = keras.Input((8, 8, 3), name="image")
    model = keras.Model(image, DepthwiseConv2D(3, padding="same", name="depthwise")(image))
    model.compile(jit_compile=True)
    model.predict_on_batch(np.zeros((1, 8, 8, 3), "float32"))  # what was compiled must not be what is exported
    served = tf.saved_model.load(export(model, tmp_path / "saved")).signatures["serving_default"].graph
    functions = [function.node_def for function in served.as_graph_def().library.function]
    assert any(node.op == "DepthwiseConv2dNative" for nodes in functions for node in nodes)
    assert [node.op_type for node in onnx.load(export(model, tmp_path / "it.onnx")).graph.node].count("Conv") == 1
    interpreter = tf.lite.Interpreter(str(export(model, tmp_path / "it.tflite")))
    assert "DEPTHWISE_CONV_2D" in {operation["op_name"] for operation in interpreter._get_ops_details()}


@pytest.mark.skipif(BACKEND != "jax", reason="about JAX' compiler")
def test_jax_shifts_on_a_cpu_and_not_on_a_gpu(monkeypatch):
    import jax

    one, _ = _pair("depthwise")

    def program() -> str:
        return str(jax.make_jaxpr(lambda image: one(image))(np.zeros((1, 8, 8, 3), "float32")))

    assert "conv_general_dilated" not in program()
    with lowering("native"):
        assert "conv_general_dilated" in program()
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert "conv_general_dilated" in program(), "a GPU has a kernel of its own"


@pytest.mark.skipif(BACKEND != "torch", reason="about torch")
def test_torch_always_uses_its_own():
    assert not compiled_by_xla_for_a_cpu()
