"""Detectors as files: boxes and scores apart, suppression inside or not, int8 that keeps its pixels, and a check that can fail."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from PIL import Image

from tests.export import coloured_squares
from zoo.__main__ import main
from zoo.detect import detect
from zoo.export import export
from zoo.export.check_boxes import check_boxes
from zoo.export.deploy import deployed, for_one, is_detector, is_ready
from zoo.export.runtimes import load
from zoo.export.tail import Node, behind

tensorflow_only = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="written from the TensorFlow backend")
IMAGES, TRUTHS = coloured_squares.pictures(6)


@pytest.fixture(scope="module")
def model():
    return coloured_squares.detector()


def test_behind_the_last_convolution():
    """conv -> relu -> conv -> reshape -> add -> boxes; conv -> sigmoid -> scores."""
    makers = {
        "a": Node("conv1", "Conv", ["image", "w1"]),
        "b": Node("relu", "Relu", ["a"]),
        "c": Node("conv2", "Conv", ["b", "w2"]),
        "d": Node("reshape", "Reshape", ["c"]),
        "boxes": Node("add", "Add", ["d", "anchors"]),
        "e": Node("conv3", "Conv", ["b", "w3"]),
        "scores": Node("sigmoid", "Sigmoid", ["e"]),
    }
    assert sorted(behind(makers, ["boxes", "scores"], ("Conv",))) == ["add", "reshape", "sigmoid"]
    assert sorted(behind(makers, ["scores"], ("Relu",))) == ["conv3", "sigmoid"]


@pytest.mark.backend
def test_probabilities_and_boxes_are_outputs_of_their_own(model):
    raw, ready = model.predict_on_batch(IMAGES), deployed(model).predict_on_batch(IMAGES)
    np.testing.assert_allclose(ready["scores"], 1 / (1 + np.exp(-np.float64(raw["scores"]))), atol=1e-6)
    np.testing.assert_array_equal(ready["boxes"], raw["boxes"])
    assert is_detector(model)
    assert is_ready(deployed(model))
    assert is_ready(deployed(model, nms=True))
    assert for_one(deployed(model)).output["boxes"].shape == (1, 144, 4)


@pytest.mark.backend
def test_with_suppression_it_finds_what_was_painted(model):
    found = deployed(model, nms=True, threshold=0.5, most=7).predict_on_batch(IMAGES)
    assert found["count"].tolist() == [5] * 6
    assert found["boxes"].shape == (6, 7, 4)
    for row, truth in enumerate(TRUTHS):
        order = np.lexsort(found["boxes"][row, :5, :2].round(-1).T)
        wanted = np.lexsort(truth.boxes[:, :2].T)
        np.testing.assert_allclose(found["boxes"][row, order], truth.boxes[wanted], atol=2.1)
        np.testing.assert_array_equal(found["classes"][row, order], truth.classes[wanted])


@tensorflow_only
@pytest.mark.parametrize("suffix", [".onnx", ".tflite", "", pytest.param(".xml", marks=pytest.mark.slow)])
@pytest.mark.parametrize("nms", [False, True], ids=["raw", "nms"])
def test_float_files_agree(model, tmp_path, suffix, nms):
    if suffix == ".xml":
        pytest.importorskip("openvino", reason="OpenVINO is an extra")
    path = export(model, tmp_path / f"net{suffix}", nms=nms, suppression={"threshold": 0.25} if nms else None)
    outputs = load(path)(IMAGES[:1])
    assert [values.shape for values in outputs] == ([(1, 100, 4), (1, 100), (1,), (1, 100)] if nms else [(1, 144, 4), (1, 144, 3)])
    report = check_boxes(model, {path: "fp32"}, IMAGES, truths=TRUTHS, repeats=0)
    keras_row, row = report.rows
    assert not report.failed, row.problem
    assert report.boxes == 30
    assert (row.found, row.score) == (1.0, pytest.approx(0, abs=1e-5))
    assert row.iou > 0.9999
    assert row.ap == keras_row.ap > 0.5
    assert row.ap50 == keras_row.ap50 == 1.0


@tensorflow_only
@pytest.mark.parametrize("suffix", [".onnx", ".tflite", pytest.param(".xml", marks=pytest.mark.slow)])
def test_int8_keeps_the_pixels_of_the_boxes(model, tmp_path, suffix):
    """The numbers of an int8 tensor would be 0.75 pixels apart here, so boxes in one would be off by up to 0.37; and no score is lost."""
    if suffix == ".xml":
        pytest.importorskip("nncf", reason="NNCF is an extra")
    path = export(model, tmp_path / f"net{suffix}", precision="int8", images=coloured_squares.pictures(8, seed=1)[0])
    boxes, scores = load(path)(IMAGES[:1])
    wanted = deployed(model).predict_on_batch(IMAGES[:1])
    assert np.abs(boxes - wanted["boxes"]).max() < 0.1, "steps of the offsets, 4 pixels by 255, and not of the boxes"
    assert (scores.max(-1) > 0.5).sum() == 5
    (_, row) = check_boxes(model, {path: "int8"}, IMAGES, truths=TRUTHS, repeats=1).rows
    assert not row.problem
    assert row.ap50 == 1.0
    assert set(row.milliseconds) == {1}


@tensorflow_only
def test_what_the_page_tells_the_makers_of_phone_programs(model, tmp_path):
    """Outputs by name, one image, and built-in operators only: what begins with Flex is TensorFlow's, and on no phone by itself."""
    interpreter = pytest.importorskip("ai_edge_litert.interpreter", reason="LiteRT's own package is not installed").Interpreter
    for nms, names in ((False, {"boxes", "scores"}), (True, {"boxes", "scores", "classes", "count"})):
        path = export(model, tmp_path / "net.tflite", nms=nms)
        assert b"Flex" not in path.read_bytes()
        run = interpreter(str(path)).get_signature_runner()
        assert set(run.get_output_details()) == names
        assert [tuple(details["shape"]) for details in run.get_input_details().values()] == [(1, 192, 192, 3)]


@tensorflow_only
def test_the_check_can_fail(model, tmp_path):
    other = coloured_squares.detector()
    kernel, bias = other.get_layer("offsets").get_weights()
    other.get_layer("offsets").set_weights([kernel, bias + 7])  # every box half a cell away
    moved = export(other, tmp_path / "moved.onnx")
    other.get_layer("logits").set_weights([-(18 * np.eye(3) - 6)[None, None], np.full(3, -6.0)])
    blind = export(other, tmp_path / "blind.onnx")
    report = check_boxes(model, {moved: "fp32", blind: "fp32"}, IMAGES, repeats=0)
    assert [row.name for row in report.failed] == ["moved.onnx", "blind.onnx"]
    assert "of the boxes are found" in report.failed[1].problem
    assert "DOES NOT AGREE" in report.markdown()
    with pytest.raises(ValueError, match="finds no box with a score above 1.25"):
        check_boxes(model, {}, IMAGES, threshold=1.0)


def test_what_does_not_go_together(model, tmp_path):
    classifier = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="is none; leave nms out"):
        export(classifier, tmp_path / "net.keras", nms=True)
    with pytest.raises(ValueError, match="belong to the suppression"):
        export(model, tmp_path / "net.onnx", suppression={"iou": 0.3})
    with pytest.raises(ValueError, match="leave integer_io out for a detector"):
        export(model, tmp_path / "net.tflite", precision="int8", integer_io=True, images=IMAGES)
    assert not list(tmp_path.iterdir())


@pytest.mark.backend
def test_as_keras_it_stays_a_detector_unless_suppression_is_asked(model, tmp_path):
    again = keras.saving.load_model(export(model, tmp_path / "net.keras"))
    assert is_detector(again)
    inside = keras.saving.load_model(export(model, tmp_path / "inside.keras", nms=True, suppression={"most": 9}))
    wanted = detect(model, IMAGES[:2], most=9)
    got = inside.predict_on_batch(IMAGES[:2])
    np.testing.assert_allclose(got["boxes"][1][:5], wanted[1].boxes, atol=1e-4)


@tensorflow_only
def test_the_command(model, tmp_path, capsys):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index, image in enumerate(IMAGES):
        Image.fromarray(image.astype("uint8")).save(folder / f"{index}.png")
    model.save(tmp_path / "net.keras")
    out = ["-o", str(tmp_path / "out"), "--data", str(folder), "--images", "3", "--repeats", "1", "--threads", "1"]
    assert main(["export", str(tmp_path / "net.keras"), "-f", "onnx", "-f", "litert", "--nms", "--threshold", "0.3", *out]) == 0
    shown = capsys.readouterr().out
    assert "AP is against the model's own boxes" in shown
    rows = json.loads((tmp_path / "out" / "check.json").read_text())["rows"]
    assert [(row["name"], row["found"]) for row in rows[1:]] == [("net.onnx", 1.0), ("net.tflite", 1.0)]
    assert main(["export", str(tmp_path / "net.keras"), "-f", "onnx", "--fold", *out]) == 2
    assert "go with a classifier" in capsys.readouterr().err


@pytest.mark.slow
@tensorflow_only
@pytest.mark.parametrize("row", ["retinanet_micro", "yolov3_micro", "yolov5_style_micro", "yolov8_style_micro"])
def test_a_row_of_every_family(row, tmp_path):
    """Random weights with louder classes, so that scores differ and boxes are found."""
    import zoo

    keras.utils.set_random_seed(0)
    model = zoo.detector(row, classes=3, input_shape=(64, 64, 3))
    random = np.random.default_rng(0)
    for layer in model.layers:
        if "output" in layer.name and len(layer.get_weights()) == 2:
            kernel, bias = layer.get_weights()
            layer.set_weights([random.normal(0, 1 / np.sqrt(kernel[..., 0].size), kernel.shape), np.zeros_like(bias)])
    images = random.integers(0, 256, (4, 64, 64, 3)).astype("float32")
    files = {}
    for suffix in (".onnx", ".tflite"):
        for nms in (False, True):
            files[export(model, tmp_path / f"{nms}{suffix}", nms=nms, suppression={"threshold": 0.25} if nms else None)] = "fp32"
        export(model, tmp_path / f"int8{suffix}", precision="int8", images=images)
    report = check_boxes(model, files, images, repeats=0)
    assert not report.failed, report.markdown()
    for suffix in (".onnx", ".tflite"):
        boxes, _ = load(tmp_path / f"int8{suffix}")(images[:1])
        assert len(np.unique(boxes)) > 256  # what an int8 tensor could hold
