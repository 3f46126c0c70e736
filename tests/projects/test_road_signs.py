"""The project on road signs, small: chapters and figures, planted faults found, signs counted by an eye that knows them, promises held."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest

from projects import road_signs as project
from projects.road_signs import Config
from zoo.data.sign_drive import SignDrive, sign_drive
from zoo.data.signs import SIGNS
from zoo.detect import Detections
from zoo.report import Report
from zoo.run import Run

TINY = Config(
    size=64,
    pictures=40,
    model="yolov8_style_micro",
    width=0.0,
    epochs=1,
    batch_size=8,
    heart=2,
    few=8,
    few_epochs=1,
    crop_epochs=1,
    transfer="mobilenet_micro",
    masks=4,
    formats="litert",
    expect=None,
    expect_counted=None,
)


@pytest.fixture(scope="module")
def looked(tmp_path_factory):
    """The chapters before the first training."""
    config = dataclasses.replace(TINY, out=str(tmp_path_factory.mktemp("runs") / "run"))
    run, report = Run.open(config.out, config, name="road_signs"), Report("signs")
    data = project.collect_and_label(run, report, config)
    project.ask_the_doctor(run, report, config, data)
    pipeline = project.measure_the_objects(run, report, config, data)
    project.know_the_floor(run, report, config, data, pipeline)
    return SimpleNamespace(config=config, run=run, data=data, pipeline=pipeline, page=report.write(run.folder).read_text())


def test_labels_go_through_three_formats_and_the_doctor_finds_every_planted_fault(looked):
    metrics = looked.run.metrics
    assert metrics["images"] == {"train": 40, "validation": 8, "test": 8}
    assert metrics["planted_faults_found"] == 1
    assert (looked.run.folder / "doctor.html").stat().st_size > 10_000
    assert "NOT FOUND" not in looked.page
    for name in ("coco", "yolo", "voc"):
        assert any((looked.run.folder / "labels" / name).rglob("*.*"))
    figures = {path.stem for path in looked.run.figures.glob("*.png")}
    assert figures == {"data", "counts", "sizes", "augmented"}
    assert looked.page.count("<figure>") == len(figures)


def test_a_detector_that_never_looks_is_worth_little(looked):
    assert 0 <= looked.run.metrics["floor"] < 0.2


def test_an_eye_that_knows_the_truth_counts_every_sign(looked, monkeypatch):
    """The truth of the drive in place of the network: video, tracker and lines must then count each sign once, under its name."""
    pytest.importorskip("av", reason="video needs PyAV")
    drive = SignDrive(size=2 * looked.config.size, seed=looked.config.seed, signs=len(SIGNS))
    frames = iter([found for _, found in sign_drive(drive)])

    def locate(images, threshold):
        found = next(frames)
        twice = np.arange(len(found)).repeat(2)  # each sign under a second, less sure name
        kinds = found.classes[twice] + np.tile([0, 1], len(found))
        scores = np.tile([0.9, 0.5], len(found)).astype("float32")
        return [Detections(found.boxes[twice], scores, kinds % len(SIGNS)).kept(np.argsort(-scores, kind="stable"))]

    monkeypatch.setattr(project.locate, "of", lambda model, classes: SimpleNamespace(locate=locate))
    report = Report("drive")
    project.watch_a_drive(looked.run, report, looked.config, looked.data, None, 0.3)
    assert looked.run.metrics["counted"] == dict.fromkeys(SIGNS, 1)
    assert looked.run.metrics["counted_share"] == 1
    assert looked.run.metrics["frames_per_second"]["all"] > 0
    assert (looked.run.folder / "watched.mp4").stat().st_size > 1000
    assert report.write(looked.run.folder).read_text().count("<figure>") == 1


def test_a_broken_promise_is_told_after_the_report(tmp_path):
    reached = {"planted_faults_found": 1.0, "by_heart": 0.95, "AP50": 0.9, "counted_share": 0.8}
    for change, broken in (({}, None), ({"AP50": 0.5}, r"AP50 is 0\.500"), ({"by_heart": 0.2}, "eight pictures is 0.200")):
        config = dataclasses.replace(TINY, out=str(tmp_path / str(len(str(broken)))), expect=0.8, expect_counted=0.7)
        run = Run.open(config.out, config, name="road_signs")
        run.metric(**{**reached, **change})
        if broken is None:
            project.finish(run, Report("promises"), config)
        else:
            with pytest.raises(SystemExit, match=broken):
                project.finish(run, Report("promises"), config)
        assert (run.folder / "report.md").exists()


@pytest.mark.parametrize(("data", "expect"), [(None, 0.8), ("scenes:signs", 0.8), ("bccd", None), ("folder:x", None)])
def test_each_kind_of_data_brings_its_own_numbers(data, expect):
    config = Config.preset(data)
    assert config.expect == expect
    assert config.data == (data or "scenes:signs")
    assert ":" not in config.out


@pytest.mark.slow
def test_the_whole_road_and_again(tmp_path, capsys, monkeypatch):
    config = dataclasses.replace(TINY, out=str(tmp_path / "run"), heart=60)
    run = project.main(config)
    page = (run.folder / "report.html").read_text()
    for chapter in ("Learn eight pictures by heart", "Freeze and transfer", "Choose the threshold", "Send it out", "What was promised"):
        assert chapter in page
    assert page.count("<figure>") == len(list(run.figures.glob("*.png")))
    assert set(run.metrics["transfer"]) == {"all at random", "transferred, frozen", "transferred, free"}
    frozen, free = (run.metrics["transfer"][name]["learning"] for name in ("transferred, frozen", "transferred, free"))
    assert frozen < free
    assert json.loads((run.folder / "labels.json").read_text())["classes"] == list(SIGNS)
    before = run.metrics["AP50"]
    capsys.readouterr()
    assert project.main(config).metrics["AP50"] == before
    assert "Epoch" not in capsys.readouterr().out
