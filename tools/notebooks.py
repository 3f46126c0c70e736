"""Generate notebooks/NAME.ipynb from projects/NAME.py: the project is the truth, the notebook is a reading of it.

    python -m tools.notebooks                      write every notebook
    python -m tools.notebooks --check              exit 1 and name the notebooks that differ from their project
    python -m tools.notebooks --execute first_cnn  run one in a kernel, on its quick config

The project is read, never imported. Its shape: a module docstring (the brief), imports, `class Config` with `quick()`,
`def main(config)` whose statements are the steps in order, step functions with docstrings (the prose), the main guard.
In the notebook each step is its docstring as prose, its source in one cell, and its call, as main has it, in the next.
The output is deterministic: stable cell ids, no outputs, no dates.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_TIMEOUT = 1800

_SETUP = '''\
# The project is read from the checkout, wherever the notebook was opened from.
import os
import sys
import time
from pathlib import Path

from IPython.display import Image, display

ROOT = next((folder for folder in (Path.cwd(), *Path.cwd().parents) if (folder / "projects").is_dir()), None)
assert ROOT is not None, f"open this notebook inside a checkout of the zoo; {Path.cwd()} is in none"
os.chdir(ROOT)
sys.path.insert(0, str(ROOT))
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

shown_until = time.time_ns()


def show(run):
    """Display the figures that were saved since the last call."""
    global shown_until
    fresh = sorted((path.stat().st_mtime_ns, path) for path in run.figures.glob("*.png") if path.stat().st_mtime_ns > shown_until)
    for saved, path in fresh:
        display(Image(filename=path, width=900))
        shown_until = saved
'''

# Only for projects that use the docstrings of their steps (`report.lesson(step)` does), which the notebook shows as prose instead of code.
_DOCSTRINGS = '''

def prose(step):
    """The docstring of a step, which stands above its code in this notebook."""
    import ast

    tree = ast.parse((ROOT / "projects" / "{name}.py").read_text(encoding="utf-8"))
    return next(ast.get_docstring(node) for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == step)
'''


class Shape(ValueError):
    """A project does not have the shape that a notebook can be generated from."""


@dataclass(frozen=True)
class Project:
    """A project's source, parsed: its name, its lines, and its functions by name."""

    name: str
    lines: list[str]
    tree: ast.Module
    functions: dict[str, ast.FunctionDef]

    @classmethod
    def read(cls, path: Path) -> Project:
        """Parse `path`. Raises `Shape` naming what the project lacks."""
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source, str(path))
        functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        project = cls(path.stem, source.splitlines(), tree, functions)
        if ast.get_docstring(tree) is None:
            raise Shape(f"{path} has no module docstring; it is the brief and the notebook's first cell")
        if "main" not in functions or len(functions["main"].args.args) != 1:
            raise Shape(f"{path} needs `def main(config)`, whose statements are the steps")
        if project.config() is None:
            raise Shape(f"{path} needs `class Config` with a method `quick`")
        if any(isinstance(node, ast.Name) and node.id == "__file__" for node in ast.walk(tree)):
            raise Shape(f"{path} uses __file__, which a notebook does not have")
        for name in project.steps(functions["main"]):
            if ast.get_docstring(functions[name]) is None:
                raise Shape(f"{path}: the step {name} has no docstring; it is the lesson's prose")
        return project

    def config(self) -> ast.ClassDef | None:
        """The class `Config`, if it has `quick`."""
        for node in self.tree.body:
            if isinstance(node, ast.ClassDef) and node.name == "Config":
                methods = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
                return node if "quick" in methods else None
        return None

    def uses_docstrings(self) -> bool:
        """Whether the project reads the docstring of something, for example for its report."""
        return any(isinstance(node, ast.Attribute) and node.attr in ("__doc__", "lesson") for node in ast.walk(self.tree))

    def steps(self, node: ast.AST) -> list[str]:
        """Functions of the project that `node` names, in the order of the text."""
        names = [item for item in ast.walk(node) if isinstance(item, ast.Name) and item.id in self.functions and item.id != "main"]
        names.sort(key=lambda item: (item.lineno, item.col_offset))
        return list(dict.fromkeys(item.id for item in names))

    def needs(self, node: ast.AST, defined: set[str]) -> list[str]:
        """Functions that `node` needs, directly or through others, that are not yet defined; in the order of the module."""
        found: set[str] = set()
        waiting = self.steps(node)
        while waiting:
            name = waiting.pop()
            if name not in found and name not in defined:
                found.add(name)
                waiting += self.steps(self.functions[name])
        return [name for name in self.functions if name in found]

    def source(self, node: ast.stmt, docstring: bool = True) -> str:
        """The text of a top-level statement with its decorators and the comments directly above; maybe without its docstring."""
        first = min([node.lineno, *(item.lineno for item in getattr(node, "decorator_list", []))])
        while first > 1 and self.lines[first - 2].startswith("#"):
            first -= 1
        kept = list(range(first, _end(node) + 1))
        if (
            not docstring
            and isinstance(node, ast.FunctionDef | ast.ClassDef)
            and ast.get_docstring(node) is not None
            and len(node.body) > 1
        ):
            text = node.body[0]
            kept = [line for line in kept if not text.lineno <= line <= _end(text)]
            if not self.lines[_end(text)].strip():
                kept.remove(_end(text) + 1)
        return "\n".join(self.lines[line - 1] for line in kept)


def notebook(project: Project) -> dict:
    """The notebook of a project as nbformat 4.5 JSON."""
    cells: list[dict] = [
        {"cell_type": kind, "id": f"{index:03d}-{slug}"[:64], "metadata": {}, "source": text.strip("\n").splitlines(keepends=True)}
        | ({"execution_count": None, "outputs": []} if kind == "code" else {})
        for index, (kind, slug, text) in enumerate(_cells(project))
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": cells, "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}


def _cells(project: Project) -> Iterator[tuple[str, str, str]]:
    """(kind, slug, text) of each cell, in order."""
    yield "markdown", "brief", _brief(project)
    yield "code", "setup", _SETUP + (_DOCSTRINGS.format(name=project.name) if project.uses_docstrings() else "")
    defined: set[str] = set()
    yield from _preamble(project, defined)
    main = project.functions["main"]
    if main.args.args[0].arg != "config":
        yield "code", "config", f"{main.args.args[0].arg} = config"
    yield from _road(project, main, defined)
    command = f"    python -m projects.{project.name}"
    yield (
        "markdown",
        "next",
        f"## In full\n\nThis notebook ran the quick config. The whole project, resumable, with its report:\n\n{command}",
    )


def _preamble(project: Project, defined: set[str]) -> Iterator[tuple[str, str, str]]:
    """Imports, then constants and classes in the order of the module; Config in its own cell."""
    imports = [node for node in project.tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    if imports:
        yield "code", "imports", "\n".join(project.source(node) for node in imports)
    config = project.config()
    waiting: list[str] = []
    for node in project.tree.body[1:]:
        if node in imports or isinstance(node, ast.FunctionDef) or _guard(node):
            continue
        helpers = project.needs(node, defined)
        defined.update(helpers)
        parts = [*(project.source(project.functions[name]) for name in helpers), project.source(node, docstring=node is not config)]
        if node is not config:
            waiting.append("\n\n\n".join(parts) if len(parts) > 1 or isinstance(node, ast.ClassDef) else parts[0])
            continue
        if waiting:
            yield "code", "constants", "\n".join(waiting)
            waiting = []
        yield "markdown", "config", f"## The config\n\n{_prose(ast.get_docstring(node) or 'What can be chosen.')}"
        yield "code", "config-class", "\n\n\n".join(parts)
        yield "code", "config-quick", "config = Config.quick()\nconfig"
    if waiting:
        yield "code", "constants", "\n".join(waiting)


def _road(project: Project, main: ast.FunctionDef, defined: set[str]) -> Iterator[tuple[str, str, str]]:
    """The statements of main: for each step its prose, its source and its call."""
    body, last = main.body, main.lineno
    if ast.get_docstring(main) is not None:
        yield "markdown", "road", f"## The road\n\n{_prose(ast.get_docstring(main))}"
        body, last = body[1:], _end(body[0])
    else:
        last = body[0].lineno - 1
    running = False
    for node in body:
        text = inspect.cleandoc("\n".join(project.lines[last : _end(node)]))
        last = _end(node)
        if isinstance(node, ast.Return):
            if node.value is None or isinstance(node.value, ast.Name):
                continue
            text = re.sub(r"^return\s+", "", text, flags=re.MULTILINE)
        for name in project.steps(node):
            if name in defined:
                continue
            function = project.functions[name]
            helpers = [other for other in project.needs(function, {*defined, name}) if other not in project.steps(main)]
            defined.update([name, *helpers])
            head, _, rest = _prose(ast.get_docstring(function)).partition("\n\n")
            yield "markdown", name, f"## {head.replace(chr(10), ' ').rstrip('.')}\n\n{rest}"
            sources = [project.source(function, docstring=False), *(project.source(project.functions[other]) for other in helpers)]
            if project.uses_docstrings():
                sources.append(f'{name}.__doc__ = prose("{name}")')
            yield "code", f"{name}-source", "\n\n\n".join(sources)
        running = running or any(
            isinstance(item, ast.Name) and item.id == "run" and isinstance(item.ctx, ast.Store) for item in ast.walk(node)
        )
        yield "code", "call", f"{text}\nshow(run)" if running else text


def _brief(project: Project) -> str:
    title, _, rest = ast.get_docstring(project.tree).partition("\n")
    source = f"*Generated from `projects/{project.name}.py`, which is the truth: change that file, then run `make notebooks`.*"
    return f"# {title.rstrip('.')}\n\n{source}\n\n{_prose(rest)}".rstrip()


def _prose(docstring: str | None) -> str:
    """A docstring as Markdown: `Question: ...` and the like become paragraphs with a bold head, their continuation is kept flush."""
    lines: list[str] = []
    fact = False
    for line in inspect.cleandoc(docstring or "").splitlines():
        head = re.match(r"(Question|Data|Time|Expect|Limits|Needs|Source):\s*(.*)", line)
        if head:
            lines += ["", f"**{head[1]}:** {head[2]}"]
            fact = True
        elif fact and line.startswith(" "):
            lines.append(line.strip())
        else:
            fact = False
            lines.append(line.rstrip())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _end(node: ast.stmt) -> int:
    """The last line of a statement; ast leaves it open only for nodes that were not parsed from text."""
    return node.end_lineno or node.lineno


def _guard(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Compare)
        and isinstance(node.test.left, ast.Name)
        and node.test.left.id == "__name__"
    )


def generate(root: Path = ROOT) -> dict[Path, str]:
    """The text of every notebook by its path. A project is a file in projects/ that defines main and is not private."""
    found = {}
    for path in sorted((root / "projects").glob("[!_]*.py")):
        content = notebook(Project.read(path))
        found[root / "notebooks" / f"{path.stem}.ipynb"] = json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    return found


def differing(root: Path = ROOT) -> list[str]:
    """What is wrong with notebooks/, one sentence each: missing, differing, or without a project."""
    wanted = generate(root)
    wrong = []
    for path, text in wanted.items():
        if not path.exists():
            wrong.append(f"{path.name} is missing")
        elif path.read_text(encoding="utf-8") != text:
            wrong.append(f"{path.name} differs from projects/{path.stem}.py")
    return wrong + [f"{path.name} has no project" for path in sorted((root / "notebooks").glob("*.ipynb")) if path not in wanted]


def execute(name: str, root: Path = ROOT, timeout: int = _TIMEOUT) -> dict:
    """Run the notebook of project `name` in a fresh kernel and return it with its outputs. Nothing in notebooks/ changes.

    Raises nbclient's CellExecutionError with the failing cell, FileNotFoundError for an unknown project.
    """
    import nbformat
    from nbclient import NotebookClient

    path = root / "projects" / f"{name}.py"
    if not path.exists():
        known = ", ".join(sorted(item.stem for item in (root / "projects").glob("[!_]*.py")))
        raise FileNotFoundError(f"there is no project {name!r}; there are: {known}")
    document = nbformat.reads(json.dumps(notebook(Project.read(path))), as_version=4)
    NotebookClient(document, timeout=timeout, kernel_name="python3", resources={"metadata": {"path": str(root)}}).execute()
    return document


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.notebooks", description="Generate notebooks/ from projects/.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a notebook differs from its project")
    parser.add_argument("--execute", metavar="NAME", help="run the notebook of one project in a kernel")
    options = parser.parse_args(arguments)
    try:
        if options.check:
            wrong = differing(root)
            print("\n".join([*wrong, "run: python -m tools.notebooks"]) if wrong else "the notebooks agree with their projects")
            return 1 if wrong else 0
        if options.execute:
            document = execute(options.execute, root)
            print(f"{options.execute}: {sum(cell['cell_type'] == 'code' for cell in document['cells'])} cells ran")
            return 0
        (root / "notebooks").mkdir(exist_ok=True)
        for path, text in generate(root).items():
            path.write_text(text, encoding="utf-8")
            print(path.relative_to(root))
    except (Shape, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    except Exception as error:
        if type(error).__name__ not in ("CellExecutionError", "CellTimeoutError", "DeadKernelError"):
            raise
        print(f"{options.execute}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
