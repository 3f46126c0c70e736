"""Exports: valid, atomic, and equal to the model when their own runtime runs them."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from zoo import registry
from zoo.export import agreement, export, format_of
from zoo.export.check_onnx import require_valid

IMAGES = np.random.default_rng(0).uniform(0, 255, (3, 32, 32, 3)).astype("float32")
SUFFIXES = [".keras", ".onnx", ".tflite", ""]
WITH_OPENVINO = [*SUFFIXES, pytest.param(".xml", id="openvino")]

tensorflow_only = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="written from the TensorFlow backend")


@pytest.fixture(scope="module")
def model():
    return registry.build_classifier("small_cnn_micro")


@tensorflow_only
@pytest.mark.parametrize("suffix", WITH_OPENVINO)
def test_the_file_agrees_and_takes_other_batch_sizes(tmp_path, model, suffix):
    if suffix == ".xml":
        pytest.importorskip("openvino")
    path = export(model, tmp_path / f"out{suffix}")
    assert agreement(model, path, IMAGES) < 1e-5
    assert agreement(model, path, IMAGES[:1]) < 1e-5
    assert {one.name for one in tmp_path.iterdir()} == {path.name, path.with_suffix(".bin").name if suffix == ".xml" else path.name}


@tensorflow_only
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_other_weights_do_not_agree(tmp_path, model, suffix):
    """The measurement itself can fail."""
    path = export(registry.build_classifier("small_cnn_micro"), tmp_path / f"out{suffix}")
    assert agreement(model, path, IMAGES) > 1e-2


@tensorflow_only
@pytest.mark.parametrize("suffix", WITH_OPENVINO)
def test_a_pyramid_keeps_its_levels(tmp_path, suffix):
    if suffix == ".xml":
        pytest.importorskip("openvino")
    backbone = registry.build_backbone("small_cnn_micro", input_shape=(32, 32, 3))
    assert agreement(backbone, export(backbone, tmp_path / f"out{suffix}"), IMAGES) < 1e-4


@tensorflow_only
def test_exact_gelu_becomes_valid_onnx(tmp_path):
    """tf2onnx copies an operator that ONNX does not have, logs an error and returns normally."""
    image = keras.Input((32, 32, 3))
    x = layers.Dense(8, activation=lambda x: keras.ops.gelu(x, approximate=False))(layers.Rescaling(1 / 255)(image))
    net = keras.Model(image, layers.GlobalAveragePooling2D()(x))
    assert agreement(net, export(net, tmp_path / "a.onnx"), IMAGES) < 1e-6


def test_erfc_is_written_as_one_minus_erf(tmp_path):
    import math

    import onnx
    import onnxruntime
    from onnx import TensorProto, helper

    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [5]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Erfc", ["x"], ["y"], name="e")], "g", [x], [y])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8), tmp_path / "a.onnx")
    net = keras.Model(*2 * (keras.Input((5,)),))
    require_valid(tmp_path / "a.onnx", net)
    points = np.array([-3, -1, 0, 0.5, 2], "float32")
    session = onnxruntime.InferenceSession(tmp_path / "a.onnx", providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"x": points})[0], [math.erfc(value) for value in points], atol=1e-6)


@pytest.mark.parametrize(
    ("operator", "inputs", "message"), [("Nonsense", 1, "operators that ONNX does not have"), ("Add", 2, "asks for the inputs")]
)
def test_invalid_onnx_is_refused(tmp_path, operator, inputs, message):
    import onnx
    from onnx import TensorProto, helper

    given = [helper.make_tensor_value_info(f"x{index}", TensorProto.FLOAT, [5]) for index in range(inputs)]
    node = helper.make_node(operator, [value.name for value in given], ["y"])
    graph = helper.make_graph([node], "g", given, [helper.make_tensor_value_info("y", TensorProto.FLOAT, [5])])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8), tmp_path / "a.onnx")
    with pytest.raises(ValueError, match=message):
        require_valid(tmp_path / "a.onnx", keras.Model(*2 * (keras.Input((5,)),)))


@tensorflow_only
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_failed_export_keeps_the_old_file(tmp_path, model, suffix, monkeypatch):
    path = export(model, tmp_path / f"out{suffix}")
    broken = registry.build_classifier("small_cnn_micro")

    def fail(*_, **__):
        raise RuntimeError("simulated")

    monkeypatch.setattr(type(broken), "export", fail)
    monkeypatch.setattr(type(broken), "save", fail)
    monkeypatch.setattr("zoo.export.onnx_file.by_tensorflow", fail)
    with pytest.raises(RuntimeError, match="simulated"):
        export(broken, path)
    monkeypatch.undo()
    assert agreement(model, path, IMAGES) < 1e-5
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@tensorflow_only
def test_a_folder_that_is_no_saved_model_is_left_alone(tmp_path, model):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"x")
    with pytest.raises(ValueError, match="is no SavedModel"):
        export(model, tmp_path / "photos")
    assert (tmp_path / "photos" / "a.jpg").exists()


@tensorflow_only
def test_exports_are_quiet(tmp_path, model, capfd):
    for suffix in SUFFIXES:
        agreement(model, export(model, tmp_path / f"out{suffix}"), IMAGES)
    assert capfd.readouterr() == ("", "")


def test_formats_follow_the_suffix(model, tmp_path):
    assert [format_of(f"a{suffix}") for suffix in (".keras", ".onnx", ".tflite", ".litert", "")] == [
        "keras",
        "onnx",
        "litert",
        "litert",
        "saved_model",
    ]
    with pytest.raises(ValueError, match="known are .keras"):
        format_of("a.pb")
    with pytest.raises(ValueError, match="no export format 'pb'"):
        export(model, tmp_path / "a.onnx", format="pb")


def test_a_missing_tool_is_named(model, tmp_path, monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr("keras.backend.backend", lambda: "tensorflow")
    with pytest.raises(ImportError, match="pip install onnx tf2onnx"):
        export(model, tmp_path / "a.onnx")


@tensorflow_only
def test_another_backend_goes_through_a_process_with_tensorflow(model, tmp_path, monkeypatch):
    """The real backends take this way in `test_precision`; here only the name of the backend is another."""
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    path = export(model, tmp_path / "a.tflite")
    monkeypatch.undo()
    assert agreement(model, path, IMAGES) < 1e-5
    assert [one.name for one in tmp_path.iterdir()] == ["a.tflite"]


@tensorflow_only
@pytest.mark.slow
def test_what_that_process_says_is_passed_on(tmp_path, monkeypatch):
    class Unknown(layers.Layer):
        def call(self, x):
            return x

    image = keras.Input((4, 4, 3))
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    with pytest.raises(ValueError, match="could not be written as litert by a process with KERAS_BACKEND=tensorflow: .*Unknown"):
        export(keras.Model(image, Unknown()(image)), tmp_path / "a.tflite")
    assert not list(tmp_path.iterdir())


def test_another_backend_without_tensorflow_says_what_is_missing(model, tmp_path, monkeypatch):
    import importlib.util

    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install tensorflow openvino"):
        export(model, tmp_path / "a.xml")


@pytest.mark.backend
def test_keras_files_agree_on_every_backend(model, tmp_path):
    assert agreement(model, export(model, tmp_path / "a.keras"), IMAGES) < 1e-5


@pytest.mark.backend
@pytest.mark.skipif(keras.backend.backend() != "jax", reason="the route from JAX to TensorFlow's format")
@pytest.mark.filterwarnings("ignore:The `native_serialization` parameter is deprecated:DeprecationWarning")  # Keras passes it to JAX
def test_saved_model_from_jax(model, tmp_path):
    pytest.importorskip("tensorflow")
    assert agreement(model, export(model, tmp_path / "out"), IMAGES) < 1e-5


@tensorflow_only
def test_different_outputs_are_refused(model, tmp_path):
    path = export(registry.build_classifier("small_cnn_micro", classes=3), tmp_path / "a.onnx")
    with pytest.raises(ValueError, match=r"gives outputs of shapes \[\(3, 3\)\]"):
        agreement(model, path, IMAGES)
