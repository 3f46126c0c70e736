"""The run folder: what is written, what a resumed run finds again, and what every damaged or foreign folder is told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo.run import Run


@dataclass(frozen=True)
class Config:
    seed: int = 3
    size: tuple[int, int] = (96, 96)
    rate: float = 0.1


def test_empty_config_opens_and_resumes(tmp_path):
    Run.open(tmp_path / "run", {}, name="empty")
    again = Run.open(tmp_path / "run", {}, name="empty")
    assert again.config == {}
    assert again.metrics == {}
    assert again.seconds() == {}


def test_dataclass_config_round_trips_and_is_in_the_file(tmp_path):
    run = Run.open(tmp_path / "a" / "run", Config(), name="lesson")
    expected = {"seed": 3, "size": [96, 96], "rate": 0.1}
    assert run.config == expected
    assert json.loads((run.folder / "config.json").read_text()) == {"name": "lesson", "config": expected}
    assert Run.open(run.folder, Config(), name="lesson").config == expected
    assert Run.open(run.folder, expected, name="lesson").config == expected


def test_paths_of_the_folder(tmp_path):
    run = Run.open(tmp_path / "run", {}, name="x")
    assert run.figures == tmp_path / "run/figures"
    assert run.figures.is_dir()
    assert run.checkpoints == tmp_path / "run/checkpoints"
    assert run.checkpoints.is_dir()
    assert run.history == tmp_path / "run/history.csv"
    assert run.model == tmp_path / "run/model.keras"
    assert sorted(path.name for path in run.folder.iterdir()) == ["checkpoints", "config.json", "environment.json", "figures"]


def test_environment_says_where_it_ran_and_records_resumes(tmp_path):
    run = Run.open(tmp_path / "run", {"seed": 7}, name="x")
    environment = run.environment
    assert environment["seed"] == 7
    assert environment["python"] == ".".join(map(str, sys.version_info[:3]))
    assert environment["versions"]["numpy"] == np.__version__
    assert environment["cpus"] >= 1
    assert "resumed" not in environment
    resumed = Run.open(run.folder, {"seed": 7}, name="x").environment
    assert len(resumed["resumed"]) == 1
    assert {key: value for key, value in resumed.items() if key != "resumed"} == environment


def test_a_resume_elsewhere_says_what_changed(tmp_path, monkeypatch):
    run = Run.open(tmp_path / "run", {}, name="x")
    monkeypatch.setattr("zoo.run.platform.python_version", lambda: "9.9.9")
    (resumed,) = Run.open(run.folder, {}, name="x").environment["resumed"]
    assert sorted(resumed) == ["date", "python"]
    assert resumed["python"] == "9.9.9"


def test_opening_a_run_imports_no_framework(tmp_path):
    code = f"""
import sys
from zoo.run import Run
Run.open({str(tmp_path / "run")!r}, {{}}, name="x")
print([name for name in ("keras", "tensorflow", "jax", "torch", "matplotlib") if name in sys.modules])
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parent.parent)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("config", "parts"),
    [
        ({"seed": 4, "rate": 0.1}, ["seed: 3 then, 4 now"]),
        ({"seed": 3}, ["rate: 0.1 then, absent now"]),
        ({"seed": 3, "rate": 0.1, "new": "x"}, ["new: absent then, 'x' now"]),
        ({"seed": 4, "rate": 0.2}, ["seed: 3 then, 4 now", "rate: 0.1 then, 0.2 now"]),
        ({"seed": 3, "rate": 0.1, "new": None}, ["new: absent then, None now"]),
    ],
)
def test_another_config_is_refused_naming_the_keys_and_the_cure(tmp_path, config, parts):
    Run.open(tmp_path / "run", {"seed": 3, "rate": 0.1}, name="x").metric(accuracy=0.5)
    with pytest.raises(ValueError, match="another config") as caught:
        Run.open(tmp_path / "run", config, name="x")
    for part in [*parts, f"choose another folder or delete {tmp_path / 'run'}"]:
        assert part in str(caught.value)
    assert Run.read(tmp_path / "run").metrics == {"accuracy": 0.5}


def test_another_name_is_refused(tmp_path):
    Run.open(tmp_path / "run", {}, name="first_cnn")
    with pytest.raises(ValueError, match="a run of 'first_cnn', not of 'other'"):
        Run.open(tmp_path / "run", {}, name="other")


@pytest.mark.parametrize("file", ["config.json", "metrics.json", "progress.json", "environment.json"])
@pytest.mark.parametrize("content", ["", '{"name": "x", "conf', "[1]", "\x00\x01"])
def test_a_damaged_file_is_named_and_kept(tmp_path, file, content):
    run = Run.open(tmp_path / "run", {}, name="x")
    (run.folder / file).write_text(content)
    with pytest.raises(ValueError, match="is damaged") as caught:
        Run.open(run.folder, {}, name="x")
    assert str(run.folder / file) in str(caught.value)
    assert (run.folder / file).read_text() == content


def test_bytes_that_are_no_text_are_named(tmp_path):
    run = Run.open(tmp_path / "run", {}, name="x")
    (run.folder / "metrics.json").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ValueError, match=r"metrics\.json is damaged"):
        Run.open(run.folder, {}, name="x")


def test_a_config_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model": "y"}')
    with pytest.raises(ValueError, match="it has no name and config"):
        Run.open(tmp_path, {}, name="x")


def test_results_without_a_config_are_not_overwritten(tmp_path):
    (tmp_path / "model.keras").write_bytes(b"precious")
    with pytest.raises(ValueError, match=r"model\.keras but no config\.json"):
        Run.open(tmp_path, {}, name="x")
    assert (tmp_path / "model.keras").read_bytes() == b"precious"


@pytest.mark.parametrize("place", ["file", "file/run"])
def test_a_folder_that_cannot_be_made_is_an_error_at_once(tmp_path, place):
    (tmp_path / "file").write_text("I am a file")
    with pytest.raises(OSError, match="cannot write in the run folder .*choose a folder that you may write in"):
        Run.open(tmp_path / place, {}, name="x")


def test_a_read_only_folder_is_an_error_at_once(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("zoo.atomic.tempfile.mkstemp", refuse)
    with pytest.raises(OSError, match="cannot write in the run folder .*Permission denied"):
        Run.open(tmp_path / "run", {}, name="x")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"data": {"loss": object()}}, r"config\['data'\]\['loss'\] is a object"),
        ({1: 2}, "config has the key 1"),
        (["seed"], "config must be a mapping or a dataclass instance, got list"),
        (Config, "config must be a mapping or a dataclass instance, got type"),
        ({"a": [1, {2}]}, r"config\['a'\]\[1\] is a set"),
    ],
)
def test_a_config_that_json_cannot_hold_names_the_place(tmp_path, config, message):
    with pytest.raises(TypeError, match=message):
        Run.open(tmp_path / "run", config, name="x")
    assert not (tmp_path / "run").exists()


def test_metrics_merge_and_hold_numpy(tmp_path):
    run = Run.open(tmp_path / "run", {}, name="x")
    run.metric(accuracy=np.float32(0.5), counts=np.arange(3), best=np.int64(4))
    run.metric(accuracy=0.75, recall=[0.5, float("nan")], path=Path("a/b"))
    assert run.metrics == {"accuracy": 0.75, "counts": [0, 1, 2], "best": 4, "recall": [0.5, None], "path": "a/b"}
    json.loads((run.folder / "metrics.json").read_text(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_a_metric_that_cannot_be_kept_loses_nothing(tmp_path):
    run = Run.open(tmp_path / "run", {}, name="x")
    run.metric(accuracy=0.5)
    with pytest.raises(TypeError, match=r"metric\['model'\] is a object"):
        run.metric(model=object())
    assert run.metrics == {"accuracy": 0.5}


def test_steps_print_progress_and_are_kept(tmp_path, capsys):
    run = Run.open(tmp_path / "run", {}, name="x", steps=["look", "train"])
    with run.step("look") as done:
        assert not done
    with pytest.raises(RuntimeError, match="boom"), run.step("train"):
        raise RuntimeError("boom")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "[1/2] look ..."
    assert lines[1].startswith("[1/2] look: ")
    assert lines[1].endswith(" s")
    assert lines[2:] == ["[2/2] train ..."]
    again = Run.open(run.folder, {}, name="x", steps=["look", "train"])
    assert again.done("look")
    assert not again.done("train")
    assert list(again.seconds()) == ["look"]
    with again.step("look") as done:
        assert done
    assert "[1/2] look ... (done before)" in capsys.readouterr().out


def test_a_step_done_before_keeps_the_seconds_of_the_real_work(tmp_path):
    run = Run.open(tmp_path / "run", {}, name="x")
    run.mark("train", 120.5)
    with run.step("train"):
        pass
    assert run.seconds() == {"train": 120.5}


def test_without_a_plan_steps_are_numbered_as_they_come(tmp_path, capsys):
    run = Run.open(tmp_path / "run", {}, name="x")
    for name in ("b", "a", "b"):
        with run.step(name):
            pass
    assert [line for line in capsys.readouterr().out.splitlines() if "..." in line] == ["[1] b ...", "[2] a ...", "[1] b ... (done before)"]


def test_an_unplanned_step_is_refused(tmp_path):
    run = Run.open(tmp_path / "run", {}, name="x", steps=["look", "train"])
    with pytest.raises(ValueError, match="no step 'trian' in this run; its steps are look, train"), run.step("trian"):
        pass


def test_remember_returns_what_recall_will(tmp_path):
    run = Run.open(tmp_path / "run", {}, name="x")
    assert run.recall("evaluate") is None
    first = run.remember("evaluate", {"recall": np.array([0.5, np.nan]), "names": ("a", "b")})
    assert not run.done("evaluate")
    run.mark("evaluate", 2)
    again = Run.open(run.folder, {}, name="x")
    assert again.recall("evaluate") == first == {"recall": [0.5, None], "names": ["a", "b"]}
    np.testing.assert_array_equal(np.array(first["recall"], float), [0.5, np.nan])
    assert again.seconds() == {"evaluate": 2.0}


def test_once_computes_once(tmp_path):
    run = Run.open(tmp_path / "run", {}, name="x")
    calls = []
    for _ in range(2):
        assert run.once("sum", lambda: calls.append(1) or {"sum": 4}) == {"sum": 4}
    assert calls == [1]


def test_read_finds_a_run_and_writes_nothing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"is not a run folder: it has no config\.json"):
        Run.read(tmp_path)
    Run.open(tmp_path / "run", {"seed": 1}, name="x").metric(accuracy=0.5)
    before = {path: path.stat().st_mtime_ns for path in sorted((tmp_path / "run").rglob("*"))}
    run = Run.read(tmp_path / "run")
    assert (run.name, run.config, run.metrics) == ("x", {"seed": 1}, {"accuracy": 0.5})
    assert {path: path.stat().st_mtime_ns for path in sorted((tmp_path / "run").rglob("*"))} == before


def test_figures_are_saved_exactly_and_leak_nothing(tmp_path):
    import matplotlib.pyplot as plt
    from matplotlib.figure import Figure

    run = Run.open(tmp_path / "run", {}, name="x")
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    path = run.figure("pixels", pixels)
    assert path == run.figures / "pixels.png"
    for name, saved in (("pixels", pixels), ("gray", pixels[..., 0])):
        with Image.open(run.figure(name, saved)) as image:
            np.testing.assert_array_equal(np.asarray(image), saved)
    with Image.open(run.figure("plain", Figure(figsize=(2, 1)))) as image:
        assert image.size == (300, 150)
    run.figure("global", plt.figure(figsize=(1, 1)))
    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b", "a.png"])
def test_a_figure_name_is_a_plain_file_name(tmp_path, name):
    run = Run.open(tmp_path / "run", {}, name="x")
    with pytest.raises(ValueError, match="a figure's name"):
        run.figure(name, np.zeros((1, 1, 3), np.uint8))


@pytest.mark.parametrize(
    "pixels", [np.zeros((2, 2, 3), np.float32), np.zeros((2,), np.uint8), np.zeros((0, 2, 3), np.uint8), np.zeros((2, 2, 2), np.uint8)]
)
def test_a_figure_array_is_an_uint8_image(tmp_path, pixels):
    run = Run.open(tmp_path / "run", {}, name="x")
    with pytest.raises(ValueError, match="wanted an uint8 image"):
        run.figure("x", pixels)
    assert list(run.figures.iterdir()) == []


def test_a_killed_run_resumes_with_all_that_was_finished(tmp_path):
    """A process that is killed in the second step leaves a folder which opens again, with the first step done."""
    code = f"""
import os, signal
from zoo.run import Run
run = Run.open({str(tmp_path / "run")!r}, {{"seed": 1}}, name="x")
with run.step("look"):
    run.remember("look", {{"images": 12}})
    run.metric(images=12)
with run.step("train"):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=Path(__file__).parent.parent, env={**os.environ})
    assert killed.returncode == -signal.SIGKILL
    run = Run.open(tmp_path / "run", {"seed": 1}, name="x")
    assert run.done("look")
    assert not run.done("train")
    assert run.recall("look") == {"images": 12}
    assert run.metrics == {"images": 12}
