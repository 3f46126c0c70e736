"""The first guided project, small: every chapter, every figure, a promise that is held, and a folder of photographs."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from PIL import Image

from projects import first_cnn
from projects.first_cnn import Config
from zoo import predict
from zoo.data.scenes import Scenes, classification

TINY = Scenes(size=32, train=48, validation=12, test=18, counter=12)

pytestmark = [
    pytest.mark.filterwarnings("ignore:the heat is zero everywhere:UserWarning"),  # an untrained network may have nothing to say
    pytest.mark.filterwarnings("ignore:Please import `zoom` from the `scipy.ndimage`:DeprecationWarning"),  # tf-keras-vis 0.8.7
    pytest.mark.filterwarnings("ignore:lbfgs failed to converge"),  # nor has a straight line between 48 pictures
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One run over tiny scenes; the report breaks its promise, which must not lose it."""
    folder = tmp_path_factory.mktemp("runs") / "first_cnn"
    config = Config(
        out=str(folder), size=32, model="small_cnn_micro", epochs=1, batch_size=16, learning_rate=0.01, expect=1.01, expect_gap=None
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(first_cnn, "load", lambda *_, **__: classification(TINY))
        patch.setattr(first_cnn, "scenes_of", lambda _: TINY)
        with pytest.raises(SystemExit, match=r"broken promise: accuracy is 0\.\d+, promised was at least 1\.01"):
            first_cnn.main(config)
    return folder, config


def test_every_chapter_and_every_figure_is_in_the_report(finished):
    folder, _ = finished
    page = (folder / "report.html").read_text()
    figures = {path.stem for path in (folder / "figures").glob("*.png")}
    assert figures >= {
        "data", "counts", "co_occurrence", "augmentation", "history", "confusion", "calibration", "word",
        "why", "moved", "concepts", "distances", "neighbours", "maps_first", "maps_middle",
    }  # fmt: skip
    assert page.count("<figure>") == len(figures)
    for chapter in (
        "Look at the data",
        "Know the floor",
        "Augment with care",
        "Catch the shortcut",
        "Search by similarity",
        "What was promised",
    ):
        assert chapter in page
    assert "Expectation not met" in page


def test_numbers_of_the_report_are_those_of_the_run(finished):
    folder, _ = finished
    metrics = json.loads((folder / "metrics.json").read_text())
    text = (folder / "report.md").read_text()
    assert f"{metrics['accuracy']:.3f}" in text
    assert f"{metrics['counter_accuracy']:.3f}" in text
    assert metrics["gap"] == pytest.approx(metrics["accuracy"] - metrics["counter_accuracy"])
    assert metrics["images"] == {"train": 48, "validation": 12, "test": 18, "counter": 12}


def test_the_exports_agree_and_the_model_is_ready_for_use(finished):
    folder, _ = finished
    differences = json.loads((folder / "metrics.json").read_text())["export_differences"]
    assert set(differences) == {".keras", ".onnx", ".tflite"}
    assert max(differences.values()) < 1e-4
    predictor = predict.from_run(folder)
    dataset = classification(TINY)
    probabilities = predictor.probabilities([dataset["test"].image(i) for i in range(18)])
    accuracy = np.mean(probabilities.argmax(axis=1) == dataset["test"].labels)
    assert accuracy == pytest.approx(json.loads((folder / "metrics.json").read_text())["accuracy"])


def test_the_same_command_again_trains_nothing_and_keeps_the_numbers(finished, monkeypatch, capsys):
    folder, config = finished
    before = json.loads((folder / "metrics.json").read_text())
    monkeypatch.setattr(first_cnn, "load", lambda *_, **__: classification(TINY))
    monkeypatch.setattr(first_cnn, "scenes_of", lambda _: TINY)
    with pytest.raises(SystemExit, match="broken promise"):
        first_cnn.main(config)
    assert "Epoch" not in capsys.readouterr().out
    after = json.loads((folder / "metrics.json").read_text())
    assert {k: after[k] for k in ("accuracy", "gap", "recall")} == {k: before[k] for k in ("accuracy", "gap", "recall")}


@pytest.mark.slow
def test_a_folder_of_photographs_needs_no_planted_bias(tmp_path):
    random = np.random.default_rng(0)
    for shade, name in ((60, "dusk"), (200, "noon")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for index in range(16):
            pixels = random.normal(shade, 20, (24, 30, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{index}.png")
    config = Config(
        data=f"folder:{tmp_path / 'photos'}",
        out=str(tmp_path / "run"),
        size=24,
        model="small_cnn_micro",
        epochs=1,
        batch_size=8,
        sweep=12,
        expect=None,
        expect_gap=None,
    )
    run = first_cnn.main(config)
    text = (run.folder / "report.md").read_text()
    assert "brightness of the frame" in text
    assert "Catch the shortcut" not in text
    assert "carries no promise" in text
    assert re.search(r"\| linear on 8x8 thumbnails \| 1\.000 \|", text)  # dusk and noon differ in light alone


@pytest.mark.parametrize(
    ("data", "size", "expect"),
    [(None, 96, 0.85), ("scenes", 96, 0.85), ("scenes:quick", 64, 0.85), ("clothing", 64, 0.80), ("folder:x", 96, None)],
)
def test_each_kind_of_data_brings_its_own_numbers(data, size, expect):
    config = Config.preset(data)
    assert (config.size, config.expect) == (size, expect)
    assert config.data == (data or "scenes")
