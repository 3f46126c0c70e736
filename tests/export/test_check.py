"""The check itself: it counts right, it can fail, and `zoo export` tells so."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from PIL import Image

from zoo import predict, registry
from zoo.__main__ import main, parser
from zoo.export import FORMATS, PRECISIONS, check_files, export
from zoo.export.agree import difference
from zoo.export.write import missing

tensorflow_only = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="written from the TensorFlow backend")
COLOURS = np.array([[200, 60, 60], [60, 200, 60], [60, 60, 200]])


def _coloured(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy images of three colours, uint8 (n, 32, 32, 3), and their classes: anybody can tell them apart."""
    random = np.random.default_rng(seed)
    classes = np.arange(count) % 3
    images = COLOURS[classes][:, None, None] + random.normal(0, 40, (count, 32, 32, 3))
    return np.clip(images, 0, 255).astype("uint8"), classes


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """A finished run: a small network that has learnt three colours, and pictures of them in class folders."""
    folder = tmp_path_factory.mktemp("run")
    keras.utils.set_random_seed(0)
    model = registry.build_classifier("small_cnn_micro", classes=3)
    images, classes = _coloured(240, seed=0)
    model.compile(keras.optimizers.Adam(0.02), keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    model.fit(images.astype("float32"), classes, epochs=4, batch_size=24, verbose=0)
    held, truth = _coloured(60, seed=1)
    assert np.mean(model.predict_on_batch(held.astype("float32")).argmax(-1) == truth) > 0.95
    model.save(folder / "model.keras")
    predict.save_labels(folder, ["red", "green", "blue"], (32, 32), "a test")
    for index, (image, label) in enumerate(zip(held, truth, strict=True)):
        (folder / "pictures" / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / "pictures" / str(label) / f"{index}.png")
    return folder


def _int8(run_folder, out, formats, *more) -> int:
    chosen = [part for format in formats for part in ("--format", format)]
    pictures = ["--data", str(run_folder / "pictures"), "--images", "30", "--repeats", "1", "--threads", "1"]
    return main(["export", str(run_folder), *chosen, "--precision", "int8", "--out", str(out), *pictures, *more])


@tensorflow_only
def test_int8_files_keep_the_classes_of_a_trained_network(run_folder, tmp_path, capsys):
    pytest.importorskip("nncf")
    assert _int8(run_folder, tmp_path, ["onnx", "litert", "openvino"]) == 0
    shown = capsys.readouterr().out
    assert "30 pictures" in shown
    assert "30 others to check on" in shown
    names = {"model_int8.onnx", "model_int8.tflite", "model_int8.xml", "model_int8.bin", "check.md", "check.json", "check.png"}
    assert {path.name for path in tmp_path.iterdir()} == names
    report = json.loads((tmp_path / "check.json").read_text())
    assert report["threads"] == 1
    for row in report["rows"][1:]:
        # The colours lie 140 apart, a hundred quantisation steps, so hardly a picture stands between two classes.
        assert row["top1"] >= 0.95
        assert row["gzipped"] < row["bytes"]
        assert set(row["milliseconds"]) == {"1", "32"}
        assert 0 < row["largest"] < 0.5 * row["scale"]


@tensorflow_only
@pytest.mark.slow
def test_everything_at_once(run_folder, tmp_path, capsys):
    pictures = ["--data", str(run_folder / "pictures"), "--images", "30", "--repeats", "2"]
    assert main(["export", str(run_folder), "--format", "all", "--precision", "all", "--out", str(tmp_path), *pictures]) == 0
    rows = json.loads((tmp_path / "check.json").read_text())["rows"]
    written = {(row["format"], row["precision"]) for row in rows if row["bytes"]}
    assert written == {
        (format, p) for format, known in PRECISIONS.items() for p in known if p != "dynamic" and not missing(format, precision=p)
    }
    assert main(["export", str(run_folder), "-f", "litert", "-p", "dynamic", "-o", str(tmp_path), *pictures]) == 0


@tensorflow_only
def test_the_default_goes_into_the_run_folder(run_folder, capsys):
    """Without --data the check uses the photographs that scikit-image ships."""
    pytest.importorskip("skimage")
    assert main(["export", str(run_folder), "--images", "4", "--fold", "--repeats", "0"]) == 0
    assert "2 batch normalisations folded" in capsys.readouterr().out
    assert {path.name for path in (run_folder / "exports").iterdir()} == {"model.keras", "check.md", "check.json"}
    assert main(["export", str(run_folder / "model.keras"), "-o", str(run_folder / "again.keras"), "--images", "2", "--repeats", "0"]) == 0


@tensorflow_only
@pytest.mark.parametrize("suffix", [".onnx", ""])
def test_a_file_that_does_not_agree_is_set_aside(run_folder, tmp_path, suffix, monkeypatch, capsys):
    """A converter that writes other weights: status 1, and nobody can take the file for a good one."""
    other = registry.build_classifier("small_cnn_micro", classes=3)
    monkeypatch.setattr("zoo.export.write.export", lambda model, path, format, **_: export(other, path, format))
    out = tmp_path / f"net{suffix}"
    arguments = ["export", str(run_folder), "-o", str(out), "--data", str(run_folder / "pictures"), "--images", "20", "--repeats", "0"]
    for _ in range(2):  # the second time, the failed file of the first is in the way
        assert main(arguments if suffix else [*arguments, "--format", "saved_model"]) == 1
    shown = capsys.readouterr().out
    assert "DOES NOT AGREE" in shown
    assert f"kept as net{suffix}.failed" in shown
    assert not out.exists()
    assert (tmp_path / f"net{suffix}.failed").exists()


@tensorflow_only
def test_one_format_that_fails_does_not_stop_the_others(run_folder, tmp_path, monkeypatch, capsys):
    def refuse(*_):
        raise RuntimeError("no such operator")

    monkeypatch.setattr("zoo.export.litert_file.write", refuse)
    arguments = ["export", str(run_folder), "-o", str(tmp_path), "--data", str(run_folder / "pictures"), "--images", "4", "--repeats", "0"]
    assert main([*arguments, "-f", "litert", "-f", "keras"]) == 1
    assert "model.tflite could not be written: no such operator" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"model.keras", "check.md", "check.json"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["small_cnn_micro", "-f", "litert", "-p", "int8"], "int8 needs pictures .* --data FOLDER"),
        (["small_cnn_micro", "-f", "keras", "-p", "fp16"], "keras is written in fp32, not in fp16"),
        (["small_cnn_micro", "-f", "onnx", "--uint8"], "--uint8 goes with"),
        (["small_cnn_micro", "-f", "keras", "--images", "0"], "--images must be at least 1"),
        (["small_cnn_micro", "-f", "keras", "-f", "onnx", "-o", "a.onnx"], "a.onnx is one file, but 2 are asked for"),
        (["small_cnn_micro", "-o", "a.pb"], "no export format has the suffix '.pb'"),
        (["small_cnn_micro", "--data", "no/folder"], "there is no folder no/folder"),
        (["missing.keras"], "there is no file missing.keras"),
        (["smal_cnn_micro"], "small_cnn_micro"),
    ],
)
def test_a_wrong_input_is_one_line_and_status_2(arguments, message, capsys, tmp_path, monkeypatch):
    import re

    monkeypatch.chdir(tmp_path)
    assert main(["export", *arguments]) == 2
    error = capsys.readouterr().err
    assert re.search(message, error), error
    assert not list(tmp_path.iterdir())


def test_the_command_offers_what_the_room_can_write():
    options = {action.dest: action for action in parser()._subparsers._group_actions[0].choices["export"]._actions}
    assert set(options["format"].choices) == {*FORMATS, "all"}
    assert set(options["precision"].choices) == {*(p for known in PRECISIONS.values() for p in known), "all"}


def test_differences_are_counted():
    wanted = [np.array([[0.0, 3.0], [4.0, 1.0], [2.0, 1.0], [0.0, 1.0]])]
    got = [np.array([[0.5, 3.0], [4.0, 1.0], [1.0, 2.0], [0.0, 1.5]])]
    found = difference(wanted, got)
    assert (found.largest, found.mean, found.scale, found.top1) == (1.0, 3 / 8, 4.0, 0.75)
    assert difference([np.zeros((2, 4, 4, 3))], [np.zeros((2, 4, 4, 3))]).top1 is None
    assert difference([np.zeros((2, 1))], [np.zeros((2, 1))]).top1 is None
    with pytest.raises(ValueError, match="NaN or infinity"):
        difference([np.zeros((1, 2))], [np.full((1, 2), np.nan)])
    with pytest.raises(ValueError, match="outputs of shapes"):
        difference([np.zeros((1, 2))], [np.zeros((1, 3))])


@pytest.mark.backend
def test_the_verdict_follows_the_difference(tmp_path):
    """The same file judged against its model, a model with slightly other weights, and another one."""
    model = registry.build_classifier("small_cnn_micro", classes=3)
    path, images = export(model, tmp_path / "a.keras"), np.random.default_rng(0).uniform(0, 255, (6, 32, 32, 3)).astype("float32")
    report = check_files(model, {path: "fp32"}, images, repeats=1, batches=(1, 2))
    assert not report.failed
    assert [set(row.milliseconds) for row in report.rows] == [{1, 2}, {1, 2}]
    assert "agrees" in report.markdown()
    scores = model.get_layer("logits")
    kernel, bias = scores.get_weights()
    scores.set_weights([kernel * 1.001, bias])
    (failed,) = check_files(model, {path: "fp32"}, images, repeats=0).failed
    assert "differs by" in failed.problem
    assert not check_files(model, {path: "fp16"}, images, repeats=0).failed
    scores.set_weights([-kernel, bias])
    (failed,) = check_files(model, {path: "int8"}, images, repeats=0).failed
    assert "of the images keep their class, wanted is 90%" in failed.problem
    assert not check_files(model, {path: "int8"}, images, repeats=0, agreement=0.0).failed
    with pytest.raises(ValueError, match="no images"):
        check_files(model, {path: "fp32"}, images[:0])
