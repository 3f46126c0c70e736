"""A run folder: everything that one training or one guided project leaves behind, safe against a kill at any moment.

    runs/first_cnn/
      config.json        {"name": ..., "config": {...}}: what was asked for
      environment.json   where it ran: python, machine, versions, git commit, date, seed
      progress.json      the finished steps, their seconds and their small results
      metrics.json       the numbers of this run
      history.csv        one row per epoch
      checkpoints/       last and best
      figures/           NAME.png
      model.keras        the trained model
      report.md, report.html

Every file is replaced atomically. Opening the folder again with the same config resumes it; with another config it refuses.
No framework is imported here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import importlib.metadata
import json
import math
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo import atomic
from zoo.cores import cores

_OUTPUTS = ("metrics.json", "progress.json", "history.csv", "model.keras")
_PACKAGES = ("vision-zoo-keras", "keras", "tensorflow", "jax", "torch", "numpy", "pillow")
_FIGURE_DPI = 150


class Run:
    """One run folder. Make it with `Run.open` (create or resume) or `Run.read` (look at a finished one)."""

    def __init__(self, folder: Path, name: str, config: dict, steps: Sequence[str] = ()):
        self.folder = folder
        self.name = name
        self.config = config
        self.steps = tuple(steps)
        self._entered: list[str] = []

    @classmethod
    def open(cls, folder: str | os.PathLike, config: Any, *, name: str, steps: Sequence[str] = ()) -> Run:
        """Create the run folder, or resume the one that is there.

        config: a mapping with string keys, or a dataclass instance; its values must be expressible in JSON.
        name:   what runs, for example "first_cnn".
        steps:  the names of the steps in order, if known, so that progress reads "[3/12] train ...".

        Raises OSError when the folder cannot be written, ValueError when it holds a run with another config or name, or a
        file of it is damaged, TypeError when the config cannot be written as JSON.
        """
        run = cls(Path(folder), name, _config(config), steps)
        run._writable()
        if run._path("config").exists():
            run._same()
            run._read("progress")
            run._read("metrics")
        else:
            left = [file for file in _OUTPUTS if (run.folder / file).exists()]
            if left:
                held = f"{run.folder} holds {', '.join(left)} but no config.json, so nobody knows which run they belong to"
                raise ValueError(f"{held}; choose another folder or delete {run.folder}")
            run._write("config", {"name": name, "config": run.config})
        run._environment()
        return run

    @classmethod
    def read(cls, folder: str | os.PathLike) -> Run:
        """The run in `folder` as it was left; nothing is written. Raises FileNotFoundError when there is none."""
        path = Path(folder) / "config.json"
        if not path.exists():
            raise FileNotFoundError(
                f"{folder} is not a run folder: it has no config.json; a run folder is what a training or a project leaves behind"
            )
        run = cls(Path(folder), "", {})
        stored = run._stored_config()
        run.name, run.config = stored["name"], stored["config"]
        return run

    # The files

    @property
    def figures(self) -> Path:
        return self.folder / "figures"

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def history(self) -> Path:
        return self.folder / "history.csv"

    @property
    def model(self) -> Path:
        return self.folder / "model.keras"

    @property
    def environment(self) -> dict:
        """Where it ran: the content of environment.json."""
        return self._read("environment")

    # Numbers and figures

    @property
    def metrics(self) -> dict:
        """The numbers of this run so far. A value that was not finite is None: JSON knows no NaN."""
        return self._read("metrics")

    def metric(self, **numbers) -> None:
        """Add or replace numbers (or strings, or lists of them) in metrics.json."""
        self._write("metrics", {**self.metrics, **_plain(numbers, "metric")})

    def figure(self, name: str, figure) -> Path:
        """Save a matplotlib Figure, or an array (h, w) or (h, w, 3) of uint8, as figures/NAME.png and return its path.

        The figure is closed. Raises ValueError for a name that is no plain file name, or an array that is no uint8 image.
        """
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
            raise ValueError(f"a figure's name may hold letters, digits, '_' and '-' only, got {name!r}; it becomes a file name")
        path = self.figures / f"{name}.png"
        if isinstance(figure, np.ndarray):
            if (
                figure.dtype != np.uint8
                or figure.ndim not in (2, 3)
                or (figure.ndim == 3 and figure.shape[2] not in (3, 4))
                or not figure.size
            ):
                raise ValueError(f"figure {name!r}: wanted an uint8 image (h, w) or (h, w, 3), got {figure.dtype} {figure.shape}")
            from PIL import Image

            with atomic.replacing(path) as part:
                Image.fromarray(figure).save(part, "PNG")
            return path
        with atomic.replacing(path) as part:
            figure.savefig(part, format="png", dpi=_FIGURE_DPI)
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is not None:
            pyplot.close(figure)
        return path

    # Steps: what is finished stays finished

    def done(self, step: str) -> bool:
        """Whether `step` was finished, in this process or an earlier one."""
        return "seconds" in self._read("progress").get(step, {})

    def mark(self, step: str, seconds: float = 0.0) -> None:
        """Record that `step` is finished."""
        self._progress(step, seconds=round(float(seconds), 3))

    def seconds(self) -> dict[str, float]:
        """Seconds that each finished step took, in the order of finishing."""
        return {step: entry["seconds"] for step, entry in self._read("progress").items() if "seconds" in entry}

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[bool]:
        """`with run.step("train") as done:` prints progress, and records the step and its seconds when the block succeeds.

        Yields whether the step was already finished by an earlier process: its block may then `recall` instead of compute,
        and the seconds of the real work are kept. A step that raises is not recorded.
        """
        before = self.done(name)
        label = self._label(name)
        print(f"{label} {name} ..." + (" (done before)" if before else ""), flush=True)
        start = time.perf_counter()
        yield before
        elapsed = time.perf_counter() - start
        if not before:
            self.mark(name, elapsed)
        print(f"{label} {name}: {elapsed:.1f} s", flush=True)

    def remember(self, step: str, result: dict) -> dict:
        """Keep a small result of `step`, and return it as `recall` will: tuples and arrays as lists, NaN and inf as None."""
        result = _plain(result, f"the result of step {step!r}")
        self._progress(step, result=result)
        return result

    def recall(self, step: str) -> dict | None:
        """What `step` remembered, or None."""
        return self._read("progress").get(step, {}).get("result")

    def once(self, step: str, compute: Callable[[], dict]) -> dict:
        """What `step` remembered; the first time, compute and remember it."""
        result = self.recall(step)
        return self.remember(step, compute()) if result is None else result

    def _label(self, name: str) -> str:
        if self.steps and name not in self.steps:
            raise ValueError(f"there is no step {name!r} in this run; its steps are {', '.join(self.steps)}")
        if name not in self._entered:
            self._entered.append(name)
        return f"[{self.steps.index(name) + 1}/{len(self.steps)}]" if self.steps else f"[{self._entered.index(name) + 1}]"

    def _progress(self, step: str, **fields) -> None:
        progress = self._read("progress")
        progress[step] = {**progress.get(step, {}), **fields}
        self._write("progress", progress)

    # Opening

    def _writable(self) -> None:
        try:
            for folder in (self.folder, self.figures, self.checkpoints):
                folder.mkdir(parents=True, exist_ok=True)
                atomic.write(folder / ".writable", "")
                (folder / ".writable").unlink(missing_ok=True)
        except OSError as error:
            raise OSError(
                f"cannot write in the run folder {self.folder}: {error.strerror or error}; choose a folder that you may write in"
            ) from error

    def _same(self) -> None:
        stored = self._stored_config()
        if stored["name"] != self.name:
            raise ValueError(
                f"{self.folder} holds a run of {stored['name']!r}, not of {self.name!r}; choose another folder or delete {self.folder}"
            )
        old, new = stored["config"], self.config
        absent = object()
        differing = [key for key in dict.fromkeys([*old, *new]) if old.get(key, absent) != new.get(key, absent)]
        if differing:
            shown = "; ".join(f"{key}: {_shown(old, key)} then, {_shown(new, key)} now" for key in differing)
            raise ValueError(
                f"{self.folder} holds a run with another config ({shown}); choose another folder or delete {self.folder} to start again"
            )

    def _environment(self) -> None:
        now = _surroundings(self.config)
        path = self._path("environment")
        if not path.exists():
            self._write("environment", now)
            return
        first = self.environment
        changed = {key: value for key, value in now.items() if key != "date" and value != first.get(key)}
        first.setdefault("resumed", []).append({"date": now["date"], **changed})
        self._write("environment", first)

    # JSON

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _stored_config(self) -> dict:
        stored = self._read("config")
        if not isinstance(stored.get("config"), dict) or "name" not in stored:
            raise ValueError(f"{self._path('config')} is damaged: it has no name and config; choose another folder or delete {self.folder}")
        return stored

    def _read(self, name: str) -> dict:
        path = self._path(name)
        if not path.exists():
            return {}
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is damaged ({error}); repair it, or choose another folder or delete {self.folder}") from error
        if not isinstance(content, dict):
            raise ValueError(
                f"{path} is damaged: wanted a JSON object, got {type(content).__name__}; choose another folder or delete {self.folder}"
            )
        return content

    def _write(self, name: str, content: dict) -> None:
        atomic.write(self._path(name), json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _config(config: Any) -> dict:
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        config = dataclasses.asdict(config)
    if not isinstance(config, Mapping):
        raise TypeError(f"config must be a mapping or a dataclass instance, got {type(config).__name__}")
    return _plain(dict(config), "config")


def _shown(config: dict, key: str) -> str:
    return repr(config[key]) if key in config else "absent"


def _plain(value: Any, where: str) -> Any:
    """`value` as JSON holds it. Raises TypeError naming the place of what JSON cannot hold."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    if isinstance(value, Mapping):
        wrong = [key for key in value if not isinstance(key, str)]
        if wrong:
            raise TypeError(f"{where} has the key {wrong[0]!r}; the keys must be strings")
        return {key: _plain(item, f"{where}[{key!r}]") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    raise TypeError(f"{where} is a {type(value).__name__}, which JSON cannot hold; use numbers, strings, lists or dicts")


def _surroundings(config: dict) -> dict:
    keras = sys.modules.get("keras")
    backend = keras.config.backend() if keras is not None and hasattr(keras, "config") else os.environ.get("KERAS_BACKEND")
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": cores(),
        "backend": backend,
        "versions": {package: version for package in _PACKAGES if (version := _version(package)) is not None},
        "commit": _commit(),
        "seed": config.get("seed"),
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The git commit of this checkout of the zoo, with "-dirty" when files differ from it; None outside a checkout."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    try:
        commit = subprocess.run(
            ["git", "-C", root, "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=True
        ).stdout.strip()
        changes = subprocess.run(
            ["git", "-C", root, "status", "--porcelain"], capture_output=True, text=True, timeout=10, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return commit + ("-dirty" if changes.strip() else "")
