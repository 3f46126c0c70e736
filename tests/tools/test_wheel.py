"""The inspection of the wheel, on archives made by hand: what it accepts, what it refuses and what it names."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tools import wheel

ROOT = Path(__file__).resolve().parents[2]
INFO = ["vision_zoo_keras-1.dist-info/METADATA", "vision_zoo_keras-1.dist-info/licenses/LICENSE"]
DATA = ["zoo/index.json", "zoo/py.typed", "zoo/report.css", "zoo/weights/imagenet_classes.txt"]
GOOD = ["zoo/__init__.py", "zoo/weights/__init__.py", *DATA, *INFO]


@pytest.fixture
def pack(tmp_path):
    """Member names -> the path of a wheel that holds them, empty."""

    def packed(names):
        path = tmp_path / "vision_zoo_keras-1-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, "")
        return path

    return packed


def test_a_whole_wheel_passes(pack, capsys):
    assert wheel.inspect(pack(GOOD)) == 0
    output = capsys.readouterr()
    assert "8 files" in output.out
    assert not output.err


@pytest.mark.parametrize("foreign", ["tests/test_run.py", "projects/__init__.py", "conftest.py", "zoology/__init__.py", "x.dist-info.py"])
def test_a_second_top_level_is_refused_and_named(foreign, pack, capsys):
    assert wheel.inspect(pack([*GOOD, foreign])) == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1
    assert repr(foreign.split("/")[0]) in errors[0]


@pytest.mark.parametrize("absent", DATA)
def test_a_missing_data_file_is_named(absent, pack, capsys):
    assert wheel.inspect(pack([name for name in GOOD if name != absent])) == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1
    assert absent in errors[0]


def test_a_data_file_in_another_place_does_not_count():
    moved = ["zoo/data/" + name.split("/")[-1] if name == "zoo/report.css" else name for name in GOOD]
    assert any("zoo/report.css" in problem for problem in wheel.problems(moved))


def test_every_problem_is_told_at_once():
    found = wheel.problems([*INFO, "tests/a.py", "apps/b.py"])
    assert len(found) == 2 + 1 + len(DATA)  # two foreign packages, no zoo, no data


def test_no_data_file_of_the_package_is_forgotten():
    """Whatever in zoo/ is not Python is data that some module opens, so the check must ask for it."""
    files = (path for path in (ROOT / "zoo").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    assert {path.relative_to(ROOT).as_posix() for path in files if path.suffix != ".py"} == set(wheel.DATA)
