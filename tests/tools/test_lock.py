"""The lock file holds what pyproject.toml asks for and what the code imports, so that a fresh clone finds everything."""

from __future__ import annotations

import ast
import re
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from sys import stdlib_module_names

ROOT = Path(__file__).resolve().parents[2]
OWN = {"zoo", "projects", "apps", "tests", "tools", "benchmarks", "nets"}
OTHERS = {"jax", "torch", "torchvision", "timm", "captum", "pytorch_grad_cam", "ai_edge_litert", "umap", "cv2", "keras_hub", "yaml"}
"""Installed by `make test-backends`, or optional: whoever imports them says what to do without."""


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[<>=\[;! ]", name)[0]).lower()


LOCKED = {plain(line) for line in (ROOT / "requirements.lock").read_text().splitlines() if re.match(r"[A-Za-z0-9]", line)}


def test_every_dependency_of_dev_is_locked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = {plain(name) for extra in ("tf", "plots", "export", "concepts", "projects", "apps", "dev") for name in extras[extra]}
    asked |= {plain(name) for name in project["dependencies"]}
    assert asked - {"vision-zoo-keras"} <= LOCKED, "run `make lock`"


def test_every_import_is_locked():
    homes = packages_distributions()
    wrong = set()
    for folder in sorted(OWN - {"nets"}):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
                for top in {name.split(".")[0] for name in names} - OWN - OTHERS - stdlib_module_names:
                    if not {plain(home) for home in homes.get(top, [])} & LOCKED:
                        wrong.add(f"{path.relative_to(ROOT)}: {top}")
    assert not wrong, "add it to pyproject.toml and run `make lock`"
