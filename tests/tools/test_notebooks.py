"""The notebook generator on a miniature project: what a learner gets, drift, and one real run in a kernel."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="the notebook generator's own needs; install with the extra 'dev'")

from tools import notebooks  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[2]

PROJECT = '''\
"""A tiny lesson about means.

Question: what is the mean
    of three numbers?
Expect: 2

It needs no network.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from zoo.run import Run

# How many numbers there are.
COUNT = 3


@dataclass(frozen=True)
class Config:
    """What can be chosen."""

    folder: str = "runs/tiny"
    scale: int = 1

    @classmethod
    def quick(cls) -> Config:
        return cls(scale=10)


def main(config: Config) -> Run:
    """First look, then judge."""
    run = Run.open(config.folder, dataclasses.asdict(config), name="tiny")
    # The data come first.
    numbers = look_at_the_data(run, config)
    judge(run, numbers)
    return run


def look_at_the_data(run, config):
    """Before any mean, *look*.

    Every number is shown.
    """
    run.figure("numbers", _picture(COUNT))
    return np.arange(1, COUNT + 1) * config.scale


def judge(run, numbers):
    """The mean is what we expect."""

    run.metric(mean=numbers.mean(), lesson=look_at_the_data.__doc__)


def _picture(count):
    """A picture of `count` pixels."""
    return np.full((4, count, 3), _shade(), np.uint8)


def _shade():
    return 200


if __name__ == "__main__":
    main(Config())
'''


@pytest.fixture
def root(tmp_path):
    (tmp_path / "projects").mkdir()
    (tmp_path / "projects" / "__init__.py").write_text("")
    (tmp_path / "projects" / "tiny.py").write_text(PROJECT)
    return tmp_path


def cells(root) -> dict[str, str]:
    content = notebooks.notebook(notebooks.Project.read(root / "projects" / "tiny.py"))
    return {cell["id"][4:] + ("" if cell["id"][4:] != "call" else cell["id"][:3]): "".join(cell["source"]) for cell in content["cells"]}


def test_a_checkout_without_projects_has_no_notebooks(tmp_path, capsys):
    assert notebooks.generate(tmp_path) == {}
    assert notebooks.main(["--check"], tmp_path) == 0
    assert notebooks.main([], tmp_path) == 0


def test_the_notebook_is_valid_and_without_outputs(root):
    (text,) = notebooks.generate(root).values()
    document = nbformat.reads(text, as_version=4)
    nbformat.validate(document)
    assert document.nbformat_minor == 5
    assert len({cell.id for cell in document.cells}) == len(document.cells)
    for cell in document.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
            compile(cell.source, cell.id, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_it_tells_the_story_in_the_order_of_main(root):
    found = cells(root)
    assert [name for name in found if not name.startswith("call")] == [
        "brief", "setup", "imports", "constants", "config", "config-class", "config-quick", "road",
        "look_at_the_data", "look_at_the_data-source", "judge", "judge-source", "next",
    ]  # fmt: skip
    assert found["brief"].startswith("# A tiny lesson about means\n\n*Generated from `projects/tiny.py`")
    assert "**Question:** what is the mean\nof three numbers?\n\n**Expect:** 2\n\nIt needs no network." in found["brief"]
    assert found["imports"].startswith("from __future__ import annotations\nimport dataclasses\n")
    assert found["constants"] == "# How many numbers there are.\nCOUNT = 3"
    assert found["config-quick"] == "config = Config.quick()\nconfig"
    assert found["look_at_the_data"] == "## Before any mean, *look*\n\nEvery number is shown."


def test_a_step_is_its_source_with_its_helpers_then_its_call(root):
    found = cells(root)
    source = found["look_at_the_data-source"]
    assert [node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)] == ["look_at_the_data", "_picture", "_shade"]
    assert "Every number is shown" not in source
    assert source.startswith('def look_at_the_data(run, config):\n    run.figure("numbers"')
    body = "    run.metric(mean=numbers.mean(), lesson=look_at_the_data.__doc__)"
    assert found["judge-source"] == f'def judge(run, numbers):\n{body}\n\n\njudge.__doc__ = prose("judge")'
    calls = [text for name, text in found.items() if name.startswith("call")]
    assert calls == [
        'run = Run.open(config.folder, dataclasses.asdict(config), name="tiny")\nshow(run)',
        "# The data come first.\nnumbers = look_at_the_data(run, config)\nshow(run)",
        "judge(run, numbers)\nshow(run)",
    ]
    assert not any("__main__" in text for text in found.values())


def test_writing_is_deterministic_and_checked(root, capsys):
    assert notebooks.main(["--check"], root) == 1
    assert "tiny.ipynb is missing" in capsys.readouterr().out
    assert notebooks.main([], root) == 0
    path = root / "notebooks" / "tiny.ipynb"
    first = path.read_bytes()
    assert notebooks.main([], root) == 0
    assert path.read_bytes() == first
    assert notebooks.main(["--check"], root) == 0

    project = root / "projects" / "tiny.py"
    project.write_text(PROJECT.replace("return 200", "return 201"))
    capsys.readouterr()
    assert notebooks.main(["--check"], root) == 1
    assert "tiny.ipynb differs from projects/tiny.py" in capsys.readouterr().out
    assert path.read_bytes() == first
    project.unlink()
    assert notebooks.main(["--check"], root) == 1
    assert "tiny.ipynb has no project" in capsys.readouterr().out


def test_the_project_is_read_not_imported(root):
    (root / "projects" / "tiny.py").write_text(PROJECT.replace("COUNT = 3", "COUNT = 3\nraise SystemExit('imported')"))
    assert len(notebooks.generate(root)) == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"""A tiny lesson', 'x = """A tiny lesson', "has no module docstring"),
        ("def main(config: Config)", "def main()", r"needs `def main\(config\)`"),
        ("def quick(cls)", "def fast(cls)", "needs `class Config` with a method `quick`"),
        ("COUNT = 3", "COUNT = len(__file__)", "uses __file__"),
        ('    """The mean is what we expect."""\n', "", "the step judge has no docstring"),
    ],
)
def test_a_project_of_another_shape_is_told_what_it_lacks(root, old, new, message, capsys):
    assert old in PROJECT
    (root / "projects" / "tiny.py").write_text(PROJECT.replace(old, new))
    with pytest.raises(notebooks.Shape, match=message):
        notebooks.generate(root)
    assert notebooks.main([], root) == 1
    assert "tiny.py" in capsys.readouterr().err
    assert not list(root.glob("notebooks/*"))


def test_an_unknown_project_is_named(root, capsys):
    assert notebooks.main(["--execute", "tyni"], root) == 1
    assert "there is no project 'tyni'; there are: tiny" in capsys.readouterr().err


@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("nbclient", "ipykernel")), reason="needs nbclient and ipykernel (extra 'dev')"
)
@pytest.mark.filterwarnings("ignore:There is no current event loop:DeprecationWarning")
def test_it_runs_in_a_kernel_and_shows_its_figures(root, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("IPYTHONDIR", str(root / "ipython"))
    document = notebooks.execute("tiny", root, timeout=120)
    outputs = {cell["id"][4:] + cell["source"][:12]: cell["outputs"] for cell in document["cells"] if cell["cell_type"] == "code"}
    pictures = {name: sum("image/png" in output.get("data", {}) for output in found) for name, found in outputs.items()}
    assert {name: count for name, count in pictures.items() if count} == {"call# The data c": 1}
    assert json.loads((root / "runs/tiny/metrics.json").read_text()) == {
        "mean": 20.0,
        "lesson": "Before any mean, *look*.\n\nEvery number is shown.",
    }
    assert not (root / "notebooks").exists()
