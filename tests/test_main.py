"""The command line, as a newcomer types it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo.__main__ import main

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """A finished run of an untrained model: what `zoo predict --run` needs."""
    import zoo
    from zoo import predict

    folder = tmp_path_factory.mktemp("run")
    model = zoo.classifier("small_cnn_micro", classes=3, input_shape=(32, 32, 3))
    model.save(folder / "model.keras")
    predict.save_labels(folder, ["cat", "dog", "newt"], (32, 32), "a test")
    return folder


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "picture.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)).save(path)
    return path


def test_list_filters_by_pattern(capsys):
    assert main(["list", "resnet*"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["model", "parameters"]
    assert {line.split()[0] for line in lines[1:]} >= {"resnet18", "resnet50", "resnet50_v1"}
    assert all(line.startswith("resnet") for line in lines[1:])


def test_list_filters_by_licence_and_size(capsys):
    assert main(["list", "--weights", "--licence", "commercial", "--params", ">20M,<30M", "--gmacs", "<5G", "--json"]) == 0
    names = {entry["name"] for entry in json.loads(capsys.readouterr().out)}
    assert "resnet50_v1" in names
    assert not names & {"vgg16", "resnet101_v1"}


def test_list_as_json_carries_the_published_count(capsys):
    assert main(["list", "resnet18", "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry["parameters"] == 11_689_512  # torchvision's model table


def test_info_names_paper_and_count(capsys):
    assert main(["info", "vgg16"]) == 0
    shown = capsys.readouterr().out
    assert "1409.1556" in shown
    assert "138,357,544" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["info", "resnet81"], r"resnet(18|101)"),
        (["list", "nothing*"], "no model matches 'nothing\\*'"),
        (["list", "--params", "10M"], 'written like "<10M"'),
        (["list", "--params", "<1k"], "no model matches .* with parameters <1k"),
        (["predict", "missing.jpg", "--model", "small_cnn"], "no such picture: missing.jpg"),
        (["project", "no_such"], "there is no project called 'no_such'; projects: .*first_cnn"),
        (["doctor", "no/such/folder"], "no/such/folder"),
    ],
)
def test_a_wrong_input_is_one_line_and_status_2(arguments, message, capsys):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert re.search(message, error), error
    assert "Traceback" not in error


def test_predict_with_a_run_folder(run_folder, picture, capsys):
    assert main(["predict", str(picture), "--run", str(run_folder), "--json"]) == 0
    (answer,) = json.loads(capsys.readouterr().out)
    names, probabilities = zip(*answer["top"], strict=True)
    assert set(names) == {"cat", "dog", "newt"}
    assert sum(probabilities) == pytest.approx(1, abs=1e-5)
    assert list(probabilities) == sorted(probabilities, reverse=True)


def test_predict_says_when_weights_are_random(picture, capsys):
    assert main(["predict", str(picture), "--model", "small_cnn_micro", "--top", "2"]) == 0
    captured = capsys.readouterr()
    assert "random weights" in captured.err
    assert len(captured.out.splitlines()) == 3


def test_predict_names_a_folder_that_is_no_run(picture, tmp_path, capsys):
    assert main(["predict", str(picture), "--run", str(tmp_path)]) == 2
    assert "not the folder of a finished run: model.keras is missing" in capsys.readouterr().err


def test_a_run_whose_model_file_carries_code_is_refused(picture, tmp_path, capsys):
    """Keras' safe mode, which nothing here can switch off: a lambda in a .keras file is never read."""
    import keras

    from zoo import predict

    image = keras.Input((8, 8, 3))
    x = keras.layers.Lambda(lambda x: 2 * x, output_shape=(8, 8, 3))(image)
    keras.Model(image, keras.layers.GlobalAveragePooling2D()(x)).save(tmp_path / "model.keras")
    predict.save_labels(tmp_path, ["cat", "dog", "newt"], (8, 8), "a test")
    assert main(["predict", str(picture), "--run", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "Lambda" in error
    assert "unsafe" in error
    assert "safe_mode" not in error
    assert "Traceback" not in error
    assert len(error.splitlines()) == 1


def flipped(content):
    return content[:200] + bytes([content[200] ^ 1]) + content[201:]


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("model.keras", flipped, "CRC"),
        ("model.keras", lambda content: content[: len(content) // 2], "damaged or cut short"),
        ("model.keras", lambda content: b"", "damaged or cut short"),
        ("labels.json", lambda content: content[:-9], "not JSON"),
        ("labels.json", lambda content: b"\xff\xfe", "not JSON"),
        ("labels.json", lambda content: b"[]", "wanted an object, got a list"),
        ("labels.json", lambda content: content.replace(b'"size"', b'"site"'), "'size' is missing"),
        ("labels.json", lambda content: content.replace(b"squash", b"squeeze"), "'how' cannot be 'squeeze'"),
    ],
)
def test_a_damaged_run_is_one_line_that_names_the_file(run_folder, picture, tmp_path, capsys, name, damage, message):
    folder = shutil.copytree(run_folder, tmp_path / "copy")
    (folder / name).write_bytes(damage((folder / name).read_bytes()))
    assert main(["predict", str(picture), "--run", str(folder)]) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert re.search(rf"{re.escape(str(folder / name))} cannot be opened \(.*{message}.*\); run the project again in a new folder", error)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "--weights", "imagenet"], "--weights goes with --model"),
        (["explain", "--weights", "imagenet"], "--weights goes with --model"),
        (["explain", "--method", "saliency", "--layer", "stage1_pool"], "a layer goes with gradcam"),
    ],
)
def test_options_that_would_be_ignored_are_refused(run_folder, picture, tmp_path, capsys, arguments, message):
    command, *options = arguments
    assert main([command, str(picture), "--run", str(run_folder), *options]) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert message in error


def test_explain_writes_an_overlay_of_the_models_size(run_folder, picture, tmp_path, capsys):
    assert main(["explain", str(picture), "--run", str(run_folder), "--target", "newt", "--out", str(tmp_path / "out")]) == 0
    with Image.open(tmp_path / "out" / "picture_gradcam_plus_plus.png") as overlay:
        assert overlay.size == (32, 32)
    assert main(["explain", str(picture), "--run", str(run_folder), "--target", "horse"]) == 2
    assert "there is no class 'horse'; classes: cat, dog, newt" in capsys.readouterr().err


def explained(arguments, folder):
    assert main(["explain", *map(str, arguments), "--out", str(folder)]) == 0
    (out,) = folder.glob("*.png")
    return out.read_bytes()


@pytest.mark.parametrize(
    "asked",
    [
        ["--method", "gradcam", "--layer", "stage1_pool", "--alpha", "0.3", "--colormap", "viridis", "--side", "200"],
        ["--method", "smoothgrad", "--options", '{"samples": 4, "seed": 7}', "--target", "dog", "--contrast", "cat"],
    ],
)
def test_the_parameters_draw_the_same_picture_again(run_folder, picture, tmp_path, asked):
    which = ["--run", run_folder] if "gradcam" in asked else ["--model", "small_cnn_micro", "--side", "90"]
    if "--model" in which:
        asked = [{"dog": "2", "cat": "0"}.get(word, word) for word in asked]
    first = explained([picture, *which, *asked, "--json", tmp_path / "p.json"], tmp_path / "first")
    assert explained([picture, "--from", tmp_path / "p.json"], tmp_path / "again") == first
    facts = json.loads((tmp_path / "p.json").read_text())
    assert facts["question"]["method"] == asked[1]
    facts["drawn"]["alpha"] = 1.0
    (tmp_path / "other.json").write_text(json.dumps(facts))
    assert explained([picture, "--from", tmp_path / "other.json"], tmp_path / "other") != first


def test_another_picture_or_model_than_that_of_the_parameters(run_folder, picture, tmp_path, capsys):
    written = tmp_path / "p.json"
    explained([picture, "--run", run_folder, "--json", written], tmp_path / "first")
    other = tmp_path / "other.png"
    Image.new("RGB", (9, 9), "red").save(other)
    explained([other, "--from", written], tmp_path / "second")
    assert "other.png is not the picture of" in capsys.readouterr().err
    facts = json.loads(written.read_text())
    facts["model"]["sha256"] = "0" * 64
    written.write_text(json.dumps(facts))
    assert main(["explain", str(picture), "--from", str(written)]) == 2
    assert "it was trained again" in capsys.readouterr().err


def test_cost_trust_and_field(run_folder, picture, tmp_path, capsys):
    command = ["explain", str(picture), "--run", str(run_folder), "--out", str(tmp_path)]
    assert main([*command, "--method", "occlusion", "--estimate"]) == 0
    assert re.search(r"about [\d.]+ s: \d+ forward passes", capsys.readouterr().out)
    assert main([*command, "--method", "smoothgrad", "--options", '{"samples": 3}']) == 0
    assert "1 forward pass and 3 gradients" in capsys.readouterr().err
    (tmp_path / "picture_smoothgrad.png").unlink()
    assert not list(tmp_path.glob("*.png")) or [path.name for path in tmp_path.glob("*.png")] == ["picture.png"]
    plain = explained([*command[1:4], "--method", "gradcam", "--side", "96"], tmp_path / "plain")
    boxed = explained([*command[1:4], "--method", "gradcam", "--side", "96", "--field"], tmp_path / "boxed")
    assert plain != boxed
    assert main([*command, "--method", "gradcam", "--trust"]) == 0
    out, told = capsys.readouterr()
    assert "gradient" not in told  # one gradient is not worth a word
    assert "Sobel edges" in out
    assert "Insertion (more is better)" in out
    assert main(["explain", "--method", "list"]) == 0
    assert "integrated_gradients" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method", "gradcm"], "did you mean gradcam"),
        (["--contrast", "cat", "--target", "cat"], "a contrast needs two classes"),
        (["--method", "saliency", "--field"], "--field goes with methods that look at a layer"),
        (["--method", "gradcam", "--options", '{"steps": 3}'], "gradcam has no option steps"),
        (["--options", "[1]"], "--options is a JSON object"),
        (["--options", "{"], "--options is a JSON object"),
        (["--layer", "nowhere"], "no layer 'nowhere'"),
        (["--alpha", "2"], "alpha must be between 0"),
    ],
)
def test_a_wrong_question_is_one_line(run_folder, picture, tmp_path, capsys, arguments, message):
    assert main(["explain", str(picture), "--run", str(run_folder), "--out", str(tmp_path), *arguments]) == 2
    (error,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("zoo explain")]
    assert message in error


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"question": {"method": "gradcam"}}', '{"question": {"method": "no", "target": 1}}'])
def test_a_damaged_parameters_file_is_named(picture, tmp_path, capsys, content):
    (tmp_path / "p.json").write_text(content)
    assert main(["explain", str(picture), "--from", str(tmp_path / "p.json")]) == 2
    assert "p.json is no file of parameters" in capsys.readouterr().err
    assert main(["explain", str(picture), "--from", str(tmp_path / "p.json"), "--method", "gradcam"]) == 2
    assert "--from brings its own method; leave out --method" in capsys.readouterr().err
    assert main(["explain", str(picture)]) == 2
    assert "whose answer?" in capsys.readouterr().err


def test_doctor_finds_what_is_broken(tmp_path, capsys):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for index in range(3):
            pixels = np.random.default_rng([index, len(name), ord(name[0])]).integers(0, 256, (20, 20, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{index}.png")
    assert main(["doctor", str(tmp_path)]) == 0
    (tmp_path / "dog" / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 not much")
    assert main(["doctor", str(tmp_path)]) == 1
    assert "torn.jpg" in capsys.readouterr().out


def test_sets_and_projects_are_listed(capsys):
    assert main(["sets"]) == 0
    assert "CC0" in capsys.readouterr().out
    assert main(["project"]) == 0
    assert "first_cnn" in capsys.readouterr().out.split()


@pytest.mark.parametrize(
    ("arguments", "started"),
    [
        (["project", "first_cnn", "--quick", "--epochs", "2"], ["-m", "projects.first_cnn", "--quick", "--epochs", "2"]),
        (
            ["app", "--port", "9000"],
            ["-m", "streamlit", "run", "apps/main.py", "--server.port=9000", "--server.address=127.0.0.1"],
        ),
    ],
)
def test_projects_and_the_app_are_started_in_the_checkout(arguments, started, monkeypatch, tmp_path):
    """With their options as typed, from any folder, and their exit status is ours."""
    calls = []
    monkeypatch.setattr("zoo.__main__.subprocess.call", lambda command, cwd: calls.append((command, cwd)) or 7)
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 7
    assert calls == [([sys.executable, *started], ROOT)]


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["info", "resnet18"], ["project"]])
def test_looking_around_imports_no_framework(arguments):
    code = f"import sys; from zoo.__main__ import main\ntry: main({arguments!r})\nexcept SystemExit: pass\nprint('keras' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert output.splitlines()[-1] == "False"
