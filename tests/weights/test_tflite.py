"""Quantised TensorFlow Lite files: what their integers stand for, which layer is which, and the published ones on real photos."""

from __future__ import annotations

import os
import struct
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest

import zoo
from zoo import predict, registry
from zoo.__main__ import main
from zoo.data.decode import decode
from zoo.export.quiet import quiet
from zoo.weights import class_names, find, tflite
from zoo.weights.record import TFLITE_INT8
from zoo.weights.tree import tree

PUBLISHED = ("mobilenet_v2", "mobilenet_025")
PHOTOS = (
    *("cat.bmp", "bird.bmp", "parrot.jpg", "owl.jpg", "pets.jpg", "hot_dog.jpg", "dragonfly.bmp", "sunflower.bmp"),
    *("dog_segmentation.bmp", "grace_hopper.bmp"),
)
SHOWN = {"cat.bmp": "Egyptian cat", "parrot.jpg": "macaw", "bird.bmp": "chickadee", "dragonfly.bmp": "dragonfly"}
"""What MobileNetV2 must see."""

EVERY_FAMILY = pytest.mark.parametrize("row", ["mobilenet_micro", "mobilenet_v2_micro"])


def _random(row: str, **options) -> keras.Model:
    """Small weights with live statistics, so that folding a normalisation changes every number."""
    keras.utils.set_random_seed(1)
    model = registry.build_classifier(row, **options)
    random = np.random.default_rng(0)
    for path, variable in tree(model).items():
        kind = path.rpartition("/")[2]
        if kind in ("gamma", "moving_variance"):
            variable.assign(random.uniform(0.5, 1.5, variable.shape))
        elif kind != "kernel":
            variable.assign(random.normal(0, 0.2, variable.shape))
    return model


def _quantised(model: keras.Model, path: Path) -> Path:
    """Written by TensorFlow's own converter: int8 kernels, int32 biases, ranges from a few images."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    shape = (1, *model.inputs[0].shape[1:])
    images = np.random.default_rng(0).uniform(0, 255, (4, *shape)).astype("float32")
    with quiet("tensorflow", "absl"):
        run = tf.function(lambda image: model(image, training=False), input_signature=[tf.TensorSpec(shape, tf.float32)])
        frozen = convert_variables_to_constants_v2(run.get_concrete_function())
        warnings.simplefilter("ignore")  # it would rather have the variables, which it cannot read while it measures ranges
        converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image] for image in images)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        path.write_bytes(converter.convert())
    return path


def _interpreter(path: Path):
    import tensorflow as tf

    with quiet("tensorflow"):
        warnings.simplefilter("ignore")  # it says that it will move to a package of its own
        interpreter = tf.lite.Interpreter(str(path))
        interpreter.allocate_tensors()
    return interpreter


def _values(model) -> dict[str, np.ndarray]:
    return {path: keras.ops.convert_to_numpy(variable) for path, variable in tree(model).items()}


def _folded(model) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """{layer: (kernel, bias)} with the normalisation behind a convolution multiplied into it."""
    values, folded = _values(model), {}
    for layer in model.layers:
        if not hasattr(layer, "kernel"):
            continue
        kernel, norm = values[f"{layer.name}/kernel"], layer.name.removesuffix("conv") + "norm"
        if f"{norm}/gamma" not in values:
            folded[layer.name] = kernel, values[f"{layer.name}/bias"]
            continue
        gamma, beta, mean, variance = (values[f"{norm}/{kind}"] for kind in ("gamma", "beta", "moving_mean", "moving_variance"))
        gain = gamma / np.sqrt(variance + model.get_layer(norm).epsilon)
        turned = gain[:, None] if isinstance(layer, keras.layers.DepthwiseConv2D) else gain
        folded[layer.name] = kernel * turned, beta - gain * mean
    return folded


@EVERY_FAMILY
def test_every_kernel_is_the_folded_one_to_half_a_step_of_its_scale(row, tmp_path):
    original = _random(row)
    loaded = zoo.classifier(row, weights=_quantised(original, tmp_path / "a.tflite"))
    expected, got = _folded(original), _folded(loaded)
    assert list(expected) == list(got)
    for layer, (kernel, bias) in expected.items():
        step = np.abs(kernel).max() / 127
        np.testing.assert_allclose(got[layer][0], kernel, atol=0.51 * step, rtol=1e-5, err_msg=layer)
        np.testing.assert_allclose(got[layer][1], bias, atol=1e-3 * np.abs(bias).max(), err_msg=layer)  # int32


def test_a_folded_normalisation_adds_its_shift_and_nothing_else(tmp_path):
    loaded = zoo.classifier("mobilenet_v2_micro", weights=_quantised(_random("mobilenet_v2_micro"), tmp_path / "a.tflite"))
    norm = loaded.get_layer("stage2_block0_depthwise_norm")
    x = np.random.default_rng(0).normal(size=(1, 4, 4, norm.gamma.shape[0])).astype("float32")
    np.testing.assert_allclose(norm(x, training=False), x + keras.ops.convert_to_numpy(norm.beta), atol=1e-6)


@EVERY_FAMILY
def test_the_first_of_one_output_too_many_is_the_background(row, tmp_path):
    """TensorFlow's ImageNet networks have 1001 outputs; here 11 where the row has 10."""
    original = _random(row, classes=11)
    loaded = zoo.classifier(row, weights=_quantised(original, tmp_path / "a.tflite"))
    assert loaded.output_shape == (None, 10)
    kernel = _values(original)["logits/kernel"][:, 1:]
    np.testing.assert_allclose(_values(loaded)["logits/kernel"], kernel, atol=np.abs(kernel).max() / 200)


def test_a_backbone_leaves_the_head_out(tmp_path):
    path = _quantised(_random("mobilenet_micro"), tmp_path / "a.tflite")
    whole, bare = _values(zoo.classifier("mobilenet_micro", weights=path)), _values(zoo.backbone("mobilenet_micro", weights=path))
    assert set(whole) - set(bare) == {"logits/kernel", "logits/bias"}
    for name, value in bare.items():
        np.testing.assert_array_equal(value, whole[name])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("mobilenet_v2_micro", "runs 16 convolutions and fully connected layers, mobilenet_v2_micro has 29"),
        ("mobilenet_timm_micro", "in which order .* runs the layers of mobilenet_timm_micro is not known"),
        ("resnet_micro", "in which order .* runs the layers of resnet_micro is not known"),
    ],
)
def test_a_file_of_another_network_is_refused(row, message, tmp_path):
    path = _quantised(_random("mobilenet_micro"), tmp_path / "a.tflite")
    with pytest.raises(ValueError, match=message):
        zoo.classifier(row, weights=path, skip=("logits",))


def test_other_widths_are_named(tmp_path):
    wide = registry.build_classifier("mobilenet_micro", changes={"alpha": 2.0})
    with pytest.raises(ValueError, match=r"misshapen \(file, model\): stem_conv/kernel: \[3, 3, 3, 8\], \[3, 3, 3, 4\]"):
        zoo.classifier("mobilenet_micro", weights=_quantised(wide, tmp_path / "a.tflite"))


def test_dequantising_by_hand():
    """(q - z) * s: one scale with a zero point, as old files have, and one per output map, as new ones have."""
    np.testing.assert_allclose(tflite.dequantised(np.uint8([[0, 128, 255]]), [0.5], [128], 0), [[-64, 0, 63.5]])
    stored = np.int8([[[[-127, 127]]], [[[10, 0]]]])  # (out, h, w, in)
    np.testing.assert_allclose(tflite.dequantised(stored, [1.0, 0.1], [], 0), [[[[-127, 127]]], [[[1, 0]]]], rtol=1e-6)
    depthwise = np.int8([[[[1, 1, 1]]]])
    np.testing.assert_allclose(tflite.dequantised(depthwise, [1, 2, 3], [0, 0, 1], 3), [[[[1, 2, 0]]]])


def test_damaged_files_are_refused_and_end_no_process(tmp_path):
    """TensorFlow's own interpreter reads beyond the end of such files."""
    good = _quantised(_random("mobilenet_micro"), tmp_path / "good.tflite").read_bytes()
    path, random = tmp_path / "bad.tflite", np.random.default_rng(0)
    for size in (8, 20, 100, len(good) // 2):
        path.write_bytes(good[:size])
        with pytest.raises(ValueError, match="bad.tflite.*(damaged|refused)"):
            zoo.classifier("mobilenet_micro", weights=path)
    refused = 0
    for _ in range(200):  # wrong pointers, lengths and types: some change nothing that is read, none may do worse than ValueError
        bad = bytearray(good)
        struct.pack_into("<i", bad, 4 * int(random.integers(2, len(good) // 4)), int(random.integers(-(2**31), 2**31)))
        path.write_bytes(bad)
        try:
            tflite.tensors(path)
        except ValueError:
            refused += 1
    assert refused


def _mirror(row: str) -> Path:
    record = find(row, "imagenet_int8").record
    assert record.format == TFLITE_INT8
    path = Path(os.environ.get("ZOO_MIRROR", "/no mirror")) / record.url.removeprefix("https://")
    if not path.is_file():
        pytest.skip(f"ZOO_MIRROR has no {path.name}: point it at a mirror with the published file")
    return path


def _softmax_of_the_file(path: Path, images: np.ndarray) -> np.ndarray:
    """What the published network itself says, computed in integers by TensorFlow Lite; without the background class."""
    interpreter = _interpreter(path)
    (given,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
    rows = []
    for image in images.astype("uint8"):
        interpreter.set_tensor(given["index"], image[None])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(answer["index"])[0, 1:] * answer["quantization"][0])
    return np.stack(rows)


@pytest.mark.parametrize("row", PUBLISHED)
def test_the_published_files_answer_as_tensorflow_lite_does(row):
    """Ten photos: the same first class on each, probabilities within the rounding of 8 bits (by the median 0.03, at most 0.3)."""
    path = _mirror(row)
    predictor = predict.from_registry(row, "imagenet_int8")
    photos = [path.parent / photo for photo in PHOTOS]
    assert predictor.size == find(row, "imagenet_int8").record.size
    ours = predictor.probabilities(photos)
    theirs = _softmax_of_the_file(path, predictor.prepare([decode(photo) for photo in photos]))
    np.testing.assert_array_equal(ours.argmax(1), theirs.argmax(1))
    largest = np.abs(ours - theirs).max(1)
    assert np.median(largest) < 0.03
    assert largest.max() < 0.3
    if row == "mobilenet_v2":
        seen = dict(zip(PHOTOS, ours.argmax(1), strict=True))
        assert {photo: class_names()[seen[photo]] for photo in SHOWN} == SHOWN


def test_a_newcomer_asks_what_a_photo_shows(capsys):
    photo = _mirror("mobilenet_v2").parent / "parrot.jpg"
    assert main(["predict", str(photo), "--model", "mobilenet_v2", "--weights", "imagenet_int8"]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == str(photo)
    assert len(lines) == 5
    probability, name = lines[0].split("%")
    assert (float(probability) > 80, name.strip()) == (True, "macaw")
