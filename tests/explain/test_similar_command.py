"""`zoo similar` as it is typed."""

import shutil

import numpy as np
import pytest
from PIL import Image

from zoo import predict, registry
from zoo.__main__ import main
from zoo.data import backgrounds


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A run of a micro model, and a folder of two classes with a copy and no bad file; the current folder is `tmp_path`."""
    import keras

    keras.utils.set_random_seed(2)
    (tmp_path / "run").mkdir()
    registry.build_classifier("small_cnn_micro", classes=2).save(tmp_path / "run" / "model.keras")
    predict.save_labels(tmp_path / "run", ("a", "b"), (32, 32), trained_on="nothing, for a test")
    for name in ("photos/animals/chelsea.png", "photos/things/coffee.png", "photos/things/rocket.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(backgrounds.folder() / name.rpartition("/")[2], tmp_path / name)
    shutil.copy(tmp_path / "photos/animals/chelsea.png", tmp_path / "photos/again.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def similar(*arguments: str) -> int:
    return main(["similar", "photos/animals/chelsea.png", "photos", "--run", "run", *arguments])


def test_the_nearest_are_printed(place, capsys):
    assert similar("-k", "3") == 0
    out, err = capsys.readouterr()
    lines = [line.split() for line in out.splitlines()]
    assert len(lines) == 3
    assert {name for _, name in lines[:2]} == {"again.png", "animals/chelsea.png"}
    assert lines[0][0] == lines[1][0] == "1.0000"
    assert "trained on nothing" in err


def test_pictures_are_drawn(place, capsys):
    assert similar("--strip", "strip.png", "--map", "map.png", "--method", "tsne", "--duplicates", "0.99999") == 0
    out = capsys.readouterr().out
    assert "1 group of near duplicates" in out
    assert "again.png  animals/chelsea.png" in out
    for name in ("strip.png", "map.png"):
        assert name in out
        assert np.asarray(Image.open(place / name).convert("L")).std() > 5


def test_the_index_is_used_until_the_folder_changes(place, capsys):
    similar("--index", "index.npz")
    before = (place / "index.npz").stat().st_mtime_ns
    similar("--index", "index.npz")
    assert (place / "index.npz").stat().st_mtime_ns == before
    (place / "photos" / "again.png").unlink()
    capsys.readouterr()
    similar("--index", "index.npz")
    assert "has changed since index.npz was written" in capsys.readouterr().err
    assert (place / "index.npz").stat().st_mtime_ns > before


def test_a_refusal_is_one_line(place, capsys):
    (place / "photos" / "broken.png").write_bytes(b"broken")
    assert similar() == 2
    assert "broken.png: not a picture" in capsys.readouterr().err
    assert similar("--skip-bad") == 0
    assert "skipped broken.png: not a picture" in capsys.readouterr().err
    assert main(["similar", "lost.png", "photos", "--run", "run"]) == 2
    assert "no such picture: lost.png" in capsys.readouterr().err
    assert similar("--weights", "imagenet") == 2
    assert "a run folder brings its own weights" in capsys.readouterr().err
    assert similar("--index", "index.npz", "--skip-bad") == 0
    assert main(["similar", "photos/again.png", "photos", "--model", "small_cnn_micro", "--index", "index.npz"]) == 2
    assert "build the index again" in capsys.readouterr().err
