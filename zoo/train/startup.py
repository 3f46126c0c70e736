"""What ran and where, said in one line at the start of a training and recorded in the run folder."""

from __future__ import annotations

import dataclasses
import json
from importlib import metadata
from pathlib import Path

import keras

import zoo
from zoo import atomic
from zoo.train.recipe import Recipe


def line(model: keras.Model, recipe: Recipe, steps: int, fused: int, done: int) -> str:
    """One line: backend, device, versions, precision, jit, seed, size of the work, and from which epoch it resumes."""
    backend = keras.backend.backend()
    parts = [
        f"{backend} {_version(backend)} on {device()}",
        f"keras {keras.__version__}",
        f"zoo {zoo.__version__}",
        f"precision {recipe.precision}",
        f"jit {'on' if model.jit_compile else 'off'}",
        f"seed {recipe.seed}",
        f"{model.count_params():,} parameters",
        f"{recipe.epochs} epochs of {steps} steps of {recipe.batch_size} images",
    ]
    if recipe.accumulation > 1:
        parts.append(f"an update after {recipe.accumulation} steps, {recipe.batch_size * recipe.accumulation} images")
    if fused != recipe.steps_per_execution:
        parts.append(f"steps_per_execution {fused} instead of {recipe.steps_per_execution}: it must divide {steps}")
    if done:
        parts.append(f"resumed after epoch {done}")
    return " | ".join(parts)


def facts(model: keras.Model, steps: int) -> dict:
    """What must not change between a start and a resume, besides the recipe."""
    shapes = [list(variable.shape) for variable in model.weights]
    known = {
        "backend": keras.backend.backend(),
        "steps_per_epoch": steps,
        "weights": f"{len(shapes)} arrays, {model.count_params()} numbers",
    }
    criterion = getattr(model, "criterion", None)  # of a detector: the loss is no field of the recipe there
    return known if criterion is None else {**known, "detector": f"{type(criterion).__name__}({criterion.get_config()})"}


def contract(model: keras.Model, recipe: Recipe, steps: int) -> dict:
    """Recipe and facts as a checkpoint keeps them: JSON, which knows lists but no tuples."""
    return json.loads(json.dumps({**dataclasses.asdict(recipe), **facts(model, steps)}))


def defaults() -> dict:
    """The recipe's defaults in the same form."""
    return json.loads(json.dumps(dataclasses.asdict(Recipe())))


def record(folder: Path, model: keras.Model, recipe: Recipe) -> None:
    """Add {"training": ...} to environment.json of the run folder."""
    path = Path(folder) / "environment.json"
    content = json.loads(path.read_text()) if path.exists() else {}
    backend = keras.backend.backend()
    content["training"] = {
        "backend": backend,
        "backend_version": _version(backend),
        "keras": keras.__version__,
        "zoo": zoo.__version__,
        "device": device(),
        "precision": recipe.precision,
        "jit": bool(model.jit_compile),
        "seed": recipe.seed,
    }
    atomic.write(path, json.dumps(content, indent=2) + "\n")


def device() -> str:
    """The device Keras computes on, as it names it: "cpu:0", "gpu:0", "cuda"."""
    try:
        names = keras.distribution.list_devices()
    except (AttributeError, NotImplementedError):  # torch has no list of devices in Keras 3.15
        return str(keras.ops.zeros(1).device)
    return next((name for name in names if not name.lower().startswith("cpu")), names[0]).lower()


def _version(package: str) -> str:
    names = (package, f"{package}-cpu") if package == "tensorflow" else (package,)
    for name in names:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return "?"
