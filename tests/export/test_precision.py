"""float16 and int8 against arithmetic: sizes from the number of weights, errors from the steps of quantisation."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from zoo.export import FORMATS, PRECISIONS, agreement, check_files, export
from zoo.export.agree import outputs
from zoo.export.check import parts_of, sizes_of
from zoo.export.policy import in_float32
from zoo.export.runtimes import load

ROOT = Path(__file__).resolve().parents[2]
SIDE, UNITS = 8, 1024
WEIGHTS = SIDE * SIDE * 3 * UNITS
PAIRS = [(format, precision) for format, precisions in PRECISIONS.items() for precision in precisions if format != "saved_model"]
BYTES = {"fp32": 4, "fp16": 2, "int8": 1, "dynamic": 1}

tensorflow_only = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="written from the TensorFlow backend")


def _images(count: int, seed: int = 0) -> np.ndarray:
    """Every image holds 0 and 255, so that the range of the input is known whatever a calibration does with several images."""
    images = np.random.default_rng(seed).uniform(0, 255, (count, SIDE, SIDE, 3)).astype("float32")
    images[:, 0, 0, 0], images[:, 0, 0, 1] = 0, 255
    return images


@pytest.fixture(scope="module")
def linear():
    """One dense layer on the pixels: its error under quantisation has a closed form, and the weights are nearly the whole file."""
    image = keras.Input((SIDE, SIDE, 3), name="image")
    model = keras.Model(image, layers.Dense(UNITS, name="scores")(layers.Flatten()(image)), name="linear")
    kernel = np.random.default_rng(1).normal(0, 0.01, (SIDE * SIDE * 3, UNITS))
    model.set_weights([kernel, np.random.default_rng(2).normal(0, 1, UNITS)])
    return model


@pytest.fixture(scope="module")
def written(linear, tmp_path_factory):
    """(format, precision) -> file, written when it is first asked for."""
    pytest.importorskip("openvino")
    pytest.importorskip("nncf")
    folder, made = tmp_path_factory.mktemp("linear"), {}

    def give(format: str, precision: str, **options) -> Path:
        key = (format, precision, *options)
        if key not in made:
            path = folder / f"{'_'.join(key)}{FORMATS[format]}"
            images = _images(16) if precision == "int8" else None
            made[key] = export(linear, path, precision=precision, images=images, **options)
        return made[key]

    return give


@tensorflow_only
@pytest.mark.parametrize(("format", "precision"), PAIRS)
def test_the_size_is_the_number_of_weights_times_their_bytes(written, format, precision):
    size, gzipped = sizes_of(written(format, precision))
    assert WEIGHTS * BYTES[precision] <= size <= WEIGHTS * BYTES[precision] + 45_000
    assert 0 < gzipped < size


@tensorflow_only
@pytest.mark.parametrize(("format", "precision"), [pair for pair in PAIRS if pair[1] in ("fp32", "fp16")])
def test_floats_round_as_floats(linear, written, format, precision):
    """Half precision moves a weight or a pixel by 2^-11 of itself at most, and a sum by the sum of that (Higham 2002, section 3.1)."""
    images = _images(8, seed=3)
    (wanted,), (got,) = outputs(linear, images), load(written(format, precision))(images)
    kernel, bias = linear.get_weights()
    magnitude = np.abs(images.reshape(8, -1)) @ np.abs(kernel) + np.abs(bias)
    unit = 2.0**-24 if precision == "fp32" else 2.0**-11
    terms = len(kernel) + 2 if precision == "fp32" or format == "onnx" else 3  # LiteRT and OpenVINO keep their sums in float32
    assert (np.abs(got - wanted) <= 2 * terms * unit * magnitude).all()
    if precision == "fp16":
        assert np.abs(got - wanted).max() > 2.0**-24 * magnitude.max()


@tensorflow_only
@pytest.mark.parametrize(
    ("format", "bits", "quantises_its_output"), [("onnx", (7, 7), True), ("litert", (7, 7), True), ("openvino", (7, 6), False)]
)
def test_int8_errs_by_its_steps(linear, written, format, bits, quantises_its_output):
    """Rounding to a step s errs by s / sqrt(12) on average (Widrow & Kollar 2008, chapter 5), and errors of many terms add in squares.

    The step of the pixels is 255 / 255, that of an output's weights max |w| / 2^bits, that of the outputs their range / 255. OpenVINO
    may spare a bit of the first layer's weights, so that processors without VNNI do not overflow: a range, not a number.
    """
    images = _images(16)
    (wanted,), (got,) = outputs(linear, images), load(written(format, "int8"))(images)
    kernel, _ = linear.get_weights()
    pixels = (kernel**2).sum(0).mean()
    output = ((wanted.max() - wanted.min()) / 255) ** 2 if quantises_its_output else 0
    weights = [(images**2).sum((1, 2, 3)).mean() * ((np.abs(kernel).max(0) / 2**bit) ** 2).mean() for bit in bits]
    least, most = (np.sqrt((pixels + weight + output) / 12) for weight in weights)
    assert least / 1.5 <= np.sqrt(np.mean((got - wanted) ** 2)) <= 1.5 * most


@tensorflow_only
def test_integers_in_and_out_differ_by_one_more_rounding(linear, written):
    """Whole pixels are stored exactly (a step of 1 from 0 to 255), so only the output's rounding is left."""
    images = np.rint(_images(16))
    (floats,), (integers,) = (load(path)(images) for path in (written("litert", "int8"), written("litert", "int8", integer_io=True)))
    from zoo.export.runtimes import _interpreter

    reader = _interpreter()(model_path=str(written("litert", "int8", integer_io=True)))
    (taken,), (given,) = reader.get_input_details(), reader.get_output_details()
    assert taken["dtype"] == given["dtype"] == np.uint8
    assert taken["quantization"][0] == pytest.approx(1, rel=1e-3)
    assert np.abs(floats - integers).max() <= 1.01 * given["quantization"][0]


@tensorflow_only
def test_openvino_is_told_to_keep_float32(linear, written):
    """By itself it computes in bfloat16 where the processor can: three digits, and not a word."""
    path, images = written("openvino", "fp32"), _images(8)
    report = check_files(linear, {path: "fp32"}, images, repeats=0)
    ours, its_own = report.rows[1:]
    assert (ours.problem, ours.judged, its_own.judged) == ("", True, False)
    assert ours.largest <= 1e-4 * ours.scale
    if "avx512_bf16" not in Path("/proc/cpuinfo").read_text() and "amx_bf16" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("this processor has no bfloat16, so OpenVINO has nothing to fall into")
    assert its_own.largest > 2.0**-12 * its_own.scale  # bfloat16 rounds by 2^-9


WITHOUT_KERAS = """
import sys
for name in ("keras", "tensorflow", "jax", "torch"):
    sys.modules[name] = None  # importing it raises ImportError
import numpy as np
from zoo.export.runtimes import load
(answer,) = load(sys.argv[1], threads=1)(np.load(sys.argv[2]))
np.save(sys.argv[3], answer)
"""


@tensorflow_only
@pytest.mark.parametrize("format", ["onnx", "litert", "openvino"])
def test_a_process_without_keras_runs_the_file(linear, written, format, tmp_path):
    if format == "litert":
        pytest.importorskip("ai_edge_litert", reason="without it the interpreter is TensorFlow's")
    images = _images(3, seed=5)
    np.save(tmp_path / "in.npy", images)
    command = [sys.executable, "-c", WITHOUT_KERAS, written(format, "fp32"), tmp_path / "in.npy", tmp_path / "out.npy"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), outputs(linear, images)[0], atol=1e-3)


@tensorflow_only
def test_a_model_of_mixed_precision_is_written_in_float32(tmp_path):
    from zoo import registry

    keras.config.set_dtype_policy("mixed_bfloat16")
    model = registry.build_classifier("small_cnn_micro")
    plain = in_float32(model)
    assert "bfloat16" in {layer.compute_dtype for layer in model.layers[1:]}
    assert {layer.compute_dtype for layer in plain.layers[1:]} == {"float32"}  # all but the input, which computes nothing
    path = export(model, tmp_path / "a.onnx")
    images = np.random.default_rng(0).uniform(0, 255, (3, 32, 32, 3)).astype("float32")
    assert agreement(plain, path, images) < 1e-5


@pytest.mark.backend
def test_float32_and_float64_are_left_as_they_are(linear):
    assert in_float32(linear) is linear


@pytest.mark.parametrize(
    ("path", "options", "message"),
    [
        ("a.keras", {"precision": "fp16"}, "keras is written in fp32, not in 'fp16'; fp16 is written as onnx, litert, openvino"),
        ("a.onnx", {"precision": "dynamic"}, "dynamic is written as litert"),
        ("a.onnx", {"precision": "int4"}, "precisions are fp32, fp16, int8, dynamic"),
        ("a.tflite", {"precision": "int8"}, "int8 needs images .* about a hundred"),
        ("a.tflite", {"precision": "int8", "images": np.zeros((0, SIDE, SIDE, 3))}, "int8 needs images"),
        ("a.onnx", {"precision": "int8", "images": np.zeros((4, 9, 9, 3))}, r"takes images of shape \(None, 8, 8, 3\), got \(4, 9, 9, 3\)"),
        ("a.onnx", {"precision": "int8", "images": np.zeros((2, 8, 8, 3)), "integer_io": True}, "integer_io goes with LiteRT in int8"),
        ("a.tflite", {"integer_io": True}, "integer_io goes with LiteRT in int8"),
    ],
)
def test_what_does_not_go_together_is_refused(linear, tmp_path, path, options, message):
    with pytest.raises(ValueError, match=message):
        export(linear, tmp_path / path, **options)
    assert not list(tmp_path.iterdir())


def test_the_parts_of_a_file(tmp_path):
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    for name in ("a.xml", "a.bin", "b.onnx", "folder/saved_model.pb", "folder/inner/weights"):
        (tmp_path / name).write_bytes(b"0123456789")
    assert [part.name for part in parts_of(tmp_path / "a.xml")] == ["a.xml", "a.bin"]
    assert [sizes_of(tmp_path / name)[0] for name in ("a.xml", "b.onnx", "folder")] == [20, 10, 20]


@pytest.mark.backend
@pytest.mark.skipif(keras.backend.backend() != "jax", reason="the route from JAX through a process with TensorFlow")
@pytest.mark.parametrize(("suffix", "precision"), [(".tflite", "int8"), (".onnx", "fp32")])
def test_jax_writes_by_a_process_with_tensorflow(linear, tmp_path, suffix, precision):
    pytest.importorskip("tensorflow")
    path = export(linear, tmp_path / f"a{suffix}", precision=precision, images=_images(8) if precision == "int8" else None)
    (wanted,), (got,) = outputs(linear, _images(8)), load(path)(_images(8))
    assert np.abs(got - wanted).max() < (1e-3 if precision == "fp32" else 0.1) * np.abs(wanted).max()
