"""Search the fields of a recipe with KerasTuner's oracles; every trial is a training of this zoo in a run folder of its own.

    found = search(lambda: zoo.classifier("small_cnn", classes=10), data, Recipe(epochs=27), folder="runs/search",
                   space={"learning_rate": (1e-4, 1e-1, "log"), "label_smoothing": [0, 0.1], "clip_norm": [None, 1.0]})
    fit(model, data, found.best, ...)

    runs/search/
      search.json       what was asked for
      trials/HASH/      one run folder per set of values, with result.json when it is done
      trials.csv, .md   one row per trial, best first

Running the same lines again resumes: the oracle, which follows from its seed and from the scores, is asked again from the start, and a
trial whose result is on disk is not repeated. So nothing depends on the files that KerasTuner writes, which a kill can tear. More
`trials` than before go on from there.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import hashlib
import importlib.util
import io
import json
import math
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo import atomic
from zoo.run import Run
from zoo.train.fit import fit
from zoo.train.recipe import Recipe

METHODS = ("hyperband", "random", "bayesian")
_NEEDED = {"keras_tuner": "keras-tuner", "tensorboard": "tensorboard", "sklearn": "scikit-learn"}
_FAILURES = 3


class SearchFailed(RuntimeError):
    """No trial, or too many in a row, could be trained."""


@dataclass(frozen=True)
class Found:
    """rows: one per trial, best first, those that failed last: "trial", the searched fields, "epochs", the monitored value, "seconds",
    "error". best: the recipe of the first row, with the epochs of the search's own recipe."""

    rows: list[dict]
    best: Recipe


def search(build: Callable[[], Any], data: Any, recipe: Recipe, space: Mapping[str, Any], folder, **keywords) -> Found:
    """Train trials of `recipe` with fields drawn from `space`; see `explore` for space, folder and keywords.

    build: function without arguments that returns a fresh model; it is called inside `recipe.building()` of each trial.
    data:  as `fit` accepts it.
    """

    def train(trial: Recipe, run: Run) -> float:
        with trial.building():
            model = build()
        return fit(model, data, trial, run, verbose=0).best[recipe.monitor]

    return explore(train, recipe, space, folder, **keywords)


def explore(
    train: Callable[[Recipe, Run], float],
    recipe: Recipe,
    space: Mapping[str, Any],
    folder,
    *,
    method: str = "hyperband",
    trials: int = 20,
    seed: int = 0,
) -> Found:
    """Look for the fields that make `train(recipe, run)`, the value of `recipe.monitor`, best.

    space:  field of Recipe -> (low, high), (low, high, "log") or a list of values. Two whole numbers draw whole numbers.
    method: "random" (Bergstra & Bengio 2012), "bayesian" (Gaussian process), or "hyperband" (Li et al. 2018, arXiv:1603.06560): many
            trials of few epochs, of which the best third goes on to three times the epochs, up to `recipe.epochs`. A schedule spans all
            epochs of its training, so going on means to train anew with the longer one.
    trials: at most so many; hyperband may need fewer.

    A trial that fails is named in a warning and in the table and counts as the worst; it is tried again when the search is resumed.
    Raises ImportError naming the packages that are not there, ValueError for a wrong space and for a folder that holds another
    search, SearchFailed when no trial succeeded or three in a row did not.
    """
    _require_packages()
    _check(space, recipe, method, trials)
    folder = Path(folder)
    _same(folder, {"recipe": dataclasses.asdict(recipe), "space": {name: list(each) for name, each in space.items()},
                   "method": method, "seed": seed})  # fmt: skip
    rows: list[dict] = []
    try:
        with tempfile.TemporaryDirectory() as scratch, _quiet():
            _tuner(train, recipe, space, folder, rows, method, trials, seed, scratch).search(verbose=0)
    except RuntimeError as error:
        if not rows or any(row["error"] is None for row in rows[-_FAILURES:]):
            raise
        raise SearchFailed(f"{_FAILURES} trials in a row failed, the last with {rows[-1]['error']}; see {folder / 'trials'}") from error
    finally:
        rows.sort(key=lambda row: _rank(row, recipe.monitor))
        _write_tables(folder, rows)
    if not rows or rows[0]["error"] is not None:
        raise SearchFailed(f"none of {len(rows)} trials could be trained{': ' + rows[0]['error'] if rows else ''}; see {folder / 'trials'}")
    return Found(rows, dataclasses.replace(recipe, **{name: rows[0][name] for name in space}))


def _tuner(train, recipe, space, folder: Path, rows: list[dict], method: str, trials: int, seed: int, scratch: str):
    import keras_tuner
    from keras_tuner.engine.base_tuner import BaseTuner

    class Tuner(BaseTuner):
        """KerasTuner's loop around our training; its Tuner, which writes logs and models of its own, is not needed."""

        def run_trial(self, trial, **_):
            drawn = trial.hyperparameters.values
            values = {name: _value(space[name], drawn[name]) for name in space}
            row = _trial(train, dataclasses.replace(recipe, epochs=drawn.get("tuner/epochs", recipe.epochs)), values, folder)
            rows.append({"trial": trial.trial_id, **row})
            if row["error"] is not None:
                raise keras_tuner.errors.FailedTrialError(row["error"])
            return {recipe.monitor: row[recipe.monitor]}

    parameters = keras_tuner.HyperParameters()
    for name, each in space.items():
        if isinstance(each, list):
            parameters.Int(name, 0, len(each) - 1)  # of the place in the list, so that None and mixed types can be chosen
        elif all(isinstance(end, int) for end in each[:2]):
            parameters.Int(name, *each[:2], sampling="log" if len(each) == 3 else "linear")
        else:
            parameters.Float(name, *map(float, each[:2]), sampling="log" if len(each) == 3 else "linear")
    common = {
        "objective": keras_tuner.Objective(recipe.monitor, "min" if recipe.monitor == "val_loss" else "max"),
        "hyperparameters": parameters,
        "seed": seed + 1,  # 0 would mean a random one
        "max_consecutive_failed_trials": _FAILURES,
    }
    if method == "hyperband":
        oracle = keras_tuner.oracles.HyperbandOracle(max_epochs=recipe.epochs, **common)
        oracle.max_trials = trials
    elif method == "bayesian":
        oracle = keras_tuner.oracles.BayesianOptimizationOracle(max_trials=trials, **common)
    else:
        oracle = keras_tuner.oracles.RandomSearchOracle(max_trials=trials, **common)
    return Tuner(oracle, directory=scratch, project_name="search")


def _trial(train, recipe: Recipe, values: dict, folder: Path) -> dict:
    """The row of one trial, from its result.json or by training."""
    identity = json.dumps([recipe.epochs, values], sort_keys=True)
    place = folder / "trials" / hashlib.sha256(identity.encode()).hexdigest()[:12]
    done = place / "result.json"
    if done.exists():
        return json.loads(done.read_text())
    row = {**values, "epochs": recipe.epochs, recipe.monitor: None, "seconds": None, "error": None}
    started = time.perf_counter()
    try:
        trial = dataclasses.replace(recipe, **values)
        score = float(train(trial, Run.open(place, trial, name="trial")))
        if not math.isfinite(score):
            raise ValueError(f"{recipe.monitor} is {score}")
    except Exception as error:
        row["error"] = f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
        warnings.warn(f"the trial with {values} in {place} failed: {row['error']}", RuntimeWarning, stacklevel=2)
        return row
    row |= {recipe.monitor: score, "seconds": round(time.perf_counter() - started, 3)}
    atomic.write(done, json.dumps(row) + "\n")
    return row


def _value(each, drawn):
    return each[drawn] if isinstance(each, list) else drawn


def _rank(row: dict, monitor: str) -> tuple:
    """Best first; of equals the longer training, then the earlier trial. Failed trials last."""
    score = row[monitor]
    if score is None:
        return (1, 0.0, 0, row["trial"])
    return (0, score if monitor == "val_loss" else -score, -row["epochs"], row["trial"])


def _write_tables(folder: Path, rows: list[dict]) -> None:
    if not rows:
        return
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    atomic.write(folder / "trials.csv", text.getvalue())
    atomic.write(folder / "trials.md", markdown(rows))


def markdown(rows: list[dict]) -> str:
    """The rows as a table for a report: numbers with four significant digits."""
    lines = ["| " + " | ".join(rows[0]) + " |", "|" + "---|" * len(rows[0])]
    for row in rows:
        cells = [f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value) for value in row.values()]
        lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _require_packages() -> None:
    """KerasTuner does not declare two packages it needs: without them every trial fails, and its search may still return normally."""
    absent = [package for module, package in _NEEDED.items() if importlib.util.find_spec(module) is None]
    if absent:
        raise ImportError(f"a search needs {', '.join(absent)}: pip install {' '.join(absent)}")


def _check(space, recipe: Recipe, method: str, trials: int) -> None:
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    if trials < 1:
        raise ValueError(f"trials must be at least 1, got {trials}")
    names = {field.name for field in dataclasses.fields(recipe)} - {"epochs", "monitor", "seed"}
    if not space or set(space) - names:
        raise ValueError(f"space must name fields of the recipe out of {', '.join(sorted(names))}, got {sorted(space)}")
    for name, each in space.items():
        listed = isinstance(each, list) and len(each) > 1
        ends = isinstance(each, tuple) and (len(each) == 2 or (len(each) == 3 and each[2] == "log"))
        ends = ends and all(isinstance(end, int | float) for end in each[:2]) and each[0] < each[1] and (len(each) == 2 or each[0] > 0)
        if not (listed or ends):
            raise ValueError(
                f"space[{name!r}] must be (low, high) with low < high, (low, high, 'log') with low > 0, or a list of two values or more, "
                f"got {each!r}"
            )


def _same(folder: Path, asked: dict) -> None:
    path = folder / "search.json"
    text = json.dumps(asked, indent=2) + "\n"
    if path.exists():
        before, now = json.loads(path.read_text()), json.loads(text)
        changed = [name for name in now if before.get(name) != now[name]]
        if changed:
            raise ValueError(f"the search in {folder} was started with another {' and '.join(changed)}; use a new folder")
    else:
        atomic.write(path, text)


@contextlib.contextmanager
def _quiet():
    """KerasTuner 1.4.8 calls `threading.currentThread().getName()`, which Python has renamed twice."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="currentThread|getName", category=DeprecationWarning)
        yield
