"""The house plan as a test: who may import whom, who may name a backend, and how light `import zoo` is."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BELOW_HEADS = {"ops", "layers", "backbones", "heads"}
MODEL = {*BELOW_HEADS, "registry"}

ALLOWED = {
    "__init__": set(),
    "atomic": set(),
    "cores": set(),
    "command": set(),
    "download": set(),
    "ops": set(),
    "layers": {"ops"},
    "backbones": {"ops", "layers"},
    "heads": {"ops", "layers", "backbones"},
    "registry": BELOW_HEADS,
    "losses": {"ops"},
    "metrics": {"ops"},
    "data": {"atomic", "cores", "download"},
    "viz": set(),
    "video": {"atomic", "cores", "metrics", "viz"},
    "gradients": set(),
    "markup": set(),
    "report": {"atomic", "markup"},
    "run": {"atomic", "cores"},
    "catalogue": set(),
    "weights": {*MODEL, "atomic", "download"},
    "detect": {*MODEL, "losses", "metrics", "weights", "atomic", "download"},
    "create": {"registry", "weights", "detect"},
    "train": {*MODEL, "losses", "metrics", "gradients", "run", "atomic", "cores", "download"},
    "explain": {*MODEL, "gradients", "data", "atomic"},
    "export": {*MODEL, "atomic", "cores", "detect", "locate", "metrics", "predict", "data", "viz"},
    "predict": {"create", "registry", "weights", "metrics", "data", "atomic"},
    "serve": {*MODEL, "create", "detect", "locate", "predict", "metrics", "data", "viz", "run", "atomic", "cores"},
    "locate": {"create", "registry", "detect", "weights", "predict", "data", "atomic"},
    "anatomy": {*MODEL, "explain"},
    "verify": {*MODEL, "weights", "atomic"},
    "__main__": {
        *(
            "anatomy",
            "atomic",
            "catalogue",
            "create",
            "data",
            "detect",
            "explain",
            "export",
            "predict",
            "registry",
            "serve",
            "train",
            "verify",
            "video",
            "viz",
        )
    },
}
"""Room -> rooms it may import, besides itself."""

COMMANDS = {
    "zoo/data/labels/command.py": {"atomic", "viz"},
    "zoo/train/command.py": {"create", "data", "predict"},
    "zoo/explain/command.py": {"atomic", "data", "predict", "viz"},
    "zoo/explain/similar_command.py": {"predict", "viz"},
    "zoo/video/command.py": {"locate", "predict"},
}
"""A command of the terminal joins rooms that do not know each other, wherever it lives."""

BACKENDS = {"tensorflow", "jax", "torch"}
MAY_NAME_A_BACKEND = (
    "zoo/gradients.py",
    "zoo/data/",
    "zoo/export/",
    "zoo/layers/depthwise.py",
    "zoo/train/distribute.py",
    "zoo/train/footprint.py",
    "zoo/train/replicas.py",
    "zoo/verify/torch_side.py",
)
"""zoo/export names them as targets: a SavedModel is written and run by TensorFlow whatever trained the model. torch's side of a
comparison runs torch's own networks, in a process without Keras. zoo/layers/depthwise.py asks whether XLA is compiling for a CPU,
zoo/train/footprint.py how much memory a GPU has lent."""


def _modules() -> list[Path]:
    return sorted((ROOT / "zoo").rglob("*.py"))


def _room(path: Path) -> str:
    return path.relative_to(ROOT / "zoo").parts[0].removesuffix(".py")


def _imports(path: Path, skip_type_checking: bool = True) -> list[tuple[str, int]]:
    """(dotted name, line) of everything a file imports, inside functions too; `from zoo import x` counts as zoo.x."""
    tree = ast.parse(path.read_text())
    hidden = {
        id(inner)
        for node in ast.walk(tree)
        if skip_type_checking and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found = []
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write absolute imports"
            names = [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "zoo" else [node.module]
            found += [(name, node.lineno) for name in names]
    return found


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_import_direction(path):
    room = _room(path)
    assert room in ALLOWED, f"{room} is not a room of the plan: add it to docs and to ALLOWED on purpose"
    for name, line in _imports(path):
        parts = name.split(".")
        if parts[0] in ("projects", "apps", "tests", "tools"):
            pytest.fail(f"{path}:{line} imports {name}: nothing in zoo imports {parts[0]}")
        if parts[0] == "zoo" and len(parts) > 1 and parts[1] not in {room, "__version__"}:
            allowed = ALLOWED[room] | COMMANDS.get(path.relative_to(ROOT).as_posix(), set())
            assert parts[1] in allowed, f"{path}:{line}: {room} may not import {name}; allowed: {sorted(allowed)}"


@pytest.mark.parametrize(
    "path",
    [path for path in _modules() if not path.relative_to(ROOT).as_posix().startswith(MAY_NAME_A_BACKEND)],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_few_places_name_a_backend(path):
    relative = path.relative_to(ROOT).as_posix()
    named = [(name, line) for name, line in _imports(path) if name.split(".")[0] in BACKENDS]
    assert not named, f"{relative} names a backend: {named}"


@pytest.mark.parametrize("folder", ["projects", "apps"])
def test_projects_and_apps_import_zoo_and_never_each_other(folder):
    other = {"projects", "apps", "tests", "tools"} - {folder}
    for path in (ROOT / folder).rglob("*.py"):
        for name, line in _imports(path):
            assert name.split(".")[0] not in other, f"{path}:{line} imports {name}"


def test_the_backend_is_never_chosen_inside_zoo():
    for path in _modules():
        tree = ast.parse(path.read_text())
        stores = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store) and "KERAS_BACKEND" in ast.unparse(node)
        ]
        assert not stores, f"{path} sets KERAS_BACKEND"


LIGHT = ("zoo", "zoo.catalogue", "zoo.atomic", "zoo.run", "zoo.report", "zoo.data.decode", "zoo.data.folder", "zoo.viz", "zoo.metrics")


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_import_no_framework(module):
    code = f"import sys, json, {module}; print(json.dumps(sorted(m for m in sys.modules if '.' not in m)))"
    output = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    loaded = set(json.loads(output))
    assert not loaded & {"keras", "tensorflow", "jax", "torch"}, f"{module} imported {loaded & {'keras', 'tensorflow', 'jax', 'torch'}}"


def test_the_page_on_design_names_the_rooms_that_there_are():
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`zoo/([a-z_]+)", page)) == {_room(path) for path in _modules()} - {"__init__"}


def test_import_zoo_loads_only_the_standard_library():
    """What keeps `import zoo` under 0.2 s: not one third-party module. The seconds themselves are in benchmarks/."""
    code = "import sys; before = set(sys.modules); import zoo; print(*sorted({m.split('.')[0] for m in set(sys.modules) - before}))"
    output = subprocess.run(
        [sys.executable, "-S", "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert set(output.split()) <= {"zoo", *sys.stdlib_module_names}


def test_every_public_name_and_every_room_resolves():
    """A room that is listed but not there would only be missed in a fresh clone: an empty folder in the checkout hides it."""
    import zoo

    for name in zoo.__all__:
        assert getattr(zoo, name) is not None
    rooms = {_room(path) for path in _modules()}
    assert set(zoo._ROOMS) <= rooms
    with pytest.raises(AttributeError, match="has no attribute 'clasifier'"):
        _ = zoo.clasifier
