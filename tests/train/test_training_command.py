"""`zoo train`: from a folder of pictures to a run folder, again to resume it, and one line for what cannot work."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo.__main__ import main
from zoo.train import Recipe
from zoo.train.command import explained

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Red and blue pictures of two sizes, twenty of each class."""
    root, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for channel, name in ((0, "red"), (2, "blue")):
        (root / name).mkdir()
        for index in range(20):
            picture = rng.integers(0, 120, (18 + index % 2, 22, 3))
            picture[..., channel] += 120
            Image.fromarray(picture.astype("uint8")).save(root / name / f"{index}.png")
    return root


def _arguments(folder, out, *more):
    tiny = ["--size", "16", "--epochs", "2", "--batch-size", "8", "--crop", "0"]
    return ["train", "--model", "small_cnn_micro", "--data", str(folder), "--out", str(out), *tiny, *more]


def test_from_pictures_to_a_run_and_back(folder, tmp_path):
    """As a person would type it, in a process of its own; then the same command again."""
    out = tmp_path / "run"
    command = [sys.executable, "-m", "zoo", *_arguments(folder, out, "--mixup", "0.2", "--milestones", "0.25,0.5")]
    first = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "ZOO_OFFLINE": "1"}, check=False)
    assert first.returncode == 0, first.stderr
    assert "2 classes" in first.stdout
    assert "mixup = 0.2" in first.stdout
    assert f"run folder: {out}" in first.stdout.splitlines()[-1]
    config = json.loads((out / "config.json").read_text())["config"]
    assert config["recipe"]["mixup"] == 0.2
    assert config["recipe"]["milestones"] == [0.25, 0.5]
    assert (config["recipe_name"], config["size"], config["data"]) == ("quick", 16, f"folder:{folder}")
    assert len((out / "history.csv").read_text().splitlines()) == 3
    metrics = json.loads((out / "metrics.json").read_text())
    assert f"test accuracy {metrics['test_accuracy']:.4f}" in first.stdout
    assert json.loads((out / "labels.json").read_text())["classes"] == ["blue", "red"]

    assert main(_arguments(folder, out, "--mixup", "0.2", "--milestones", "0.25,0.5")) == 0
    assert json.loads((out / "metrics.json").read_text()) == metrics
    assert main(["predict", str(folder / "red" / "0.png"), "--run", str(out)]) == 0


def test_another_recipe_in_the_same_folder_is_refused(folder, tmp_path, capsys):
    assert main(_arguments(folder, tmp_path / "run", "--epochs", "1")) == 0
    assert main(_arguments(folder, tmp_path / "run", "--epochs", "1", "--learning-rate", "0.5")) == 2
    assert "learning_rate" in capsys.readouterr().err


def test_a_dry_run_decides_everything_and_writes_nothing(folder, tmp_path, capsys):
    more = ("--dry-run", "--recipe", "bag_of_tricks", "--accumulation", "2", "--ema", "none", "--jit", "false")
    assert main(_arguments(folder, tmp_path / "run", *more)) == 0
    printed = capsys.readouterr().out
    for line in ("  optimizer = 'sgd'", "  accumulation = 2", "  ema = None", "  jit = False", "differs from the source: "):
        assert line in printed
    assert "highest rate 0.00625; 2 epochs of 4 steps, 4 updates in all" in printed  # 0.1 * 8 * 2 / 256; 80 % of 40 pictures
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--model", "resnet51"], "there is no model called 'resnet51'"),
        (["--recipe", "bag"], "there is no recipe called 'bag'; recipes: quick"),
        (["--epochs", "0"], "epochs must be a whole number >= 1, got 0"),
        (["--data", "tfds"], "no data is called 'tfds'"),
        (["--data", "folder:nowhere"], "nowhere"),
        (["--model", "lenet_micro"], "1 channel"),
        (["--drop-path", "0.1"], "stochastic depth, which small_cnn_micro does not have"),
        (["--weights", "imagenet"], "imagenet"),
    ],
)
def test_what_cannot_work_is_one_line(folder, tmp_path, capsys, change, message):
    assert main([*_arguments(folder, tmp_path / "run"), *change]) == 2
    said = capsys.readouterr().err.strip()
    assert message in said
    assert said.startswith("zoo train: ")
    assert "\n" not in said


def test_a_value_of_the_wrong_kind_names_its_option(folder, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(_arguments(folder, tmp_path, "--momentum", "much"))
    assert stop.value.code == 2
    assert "argument --momentum: invalid float value: 'much'" in capsys.readouterr().err


def test_every_field_has_an_option_with_its_text(capsys):
    names = {field.name for field in dataclasses.fields(Recipe)}
    assert names == set(explained(Recipe.__doc__)) & names
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    printed = capsys.readouterr().out
    for name in names:
        assert f"--{name.replace('_', '-')} " in printed, name


def test_the_recipes_are_listed(capsys):
    assert main(["train", "--recipe", "list"]) == 0
    assert "bag_of_tricks" in capsys.readouterr().out


def test_what_is_missing_is_named(capsys):
    assert main(["train", "--model", "small_cnn"]) == 2
    assert "--data, --out is missing" in capsys.readouterr().err


@pytest.mark.slow
def test_generated_scenes_train(tmp_path):
    tiny = ["--size", "16", "--epochs", "1", "--batch-size", "64"]
    assert main(["train", "--model", "small_cnn_micro", "--data", "scenes:quick", "--out", str(tmp_path / "run"), *tiny]) == 0
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["test_accuracy"] > 0
