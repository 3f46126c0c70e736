"""`zoo train`: a model, data and a recipe in one line of a terminal; the same line again resumes.

zoo train --model resnet50 --data tfds:imagenette --recipe bag_of_tricks --out runs/imagenette --epochs 10
"""

from __future__ import annotations

import argparse
import dataclasses
import re
import sys
import typing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

NEEDED = ("model", "data", "out")
"""What a training cannot do without."""


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The options of `zoo train`: its own, then one for each field of `Recipe`, explained by the field's own text."""
    command.usage = "zoo train --model NAME --data SOURCE --out FOLDER [--recipe NAME] [--FIELD VALUE ...]"
    command.add_argument("--model", help="a row of `zoo list`")
    command.add_argument("--data", help="folder:PATH, tfds:NAME, a name of `zoo sets`, scenes, scenes:quick, or the path of a folder")
    command.add_argument("--out", "-o", type=Path, metavar="FOLDER", help="the run folder; repeating the command there resumes")
    command.add_argument("--recipe", default="quick", metavar="NAME", help="a published training (default: quick); --recipe list shows all")
    command.add_argument("--weights", help='start from published weights such as "imagenet", or from a file (default: random)')
    command.add_argument("--size", type=int, help="side of the pictures in pixels (default: the recipe's, or the only one the model takes)")
    command.add_argument("--how", default="crop", choices=("squash", "crop", "letterbox"), help="how other shapes become square")
    command.add_argument("--skip-bad", action="store_true", help="leave out pictures that cannot be decoded")
    command.add_argument("--dry-run", action="store_true", help="print the resolved recipe and the steps, and stop")
    fields = command.add_argument_group("fields of the recipe", "each instead of the recipe's own; `none` stands for None")
    for name, text, kind in _fields():
        fields.add_argument(f"--{name.replace('_', '-')}", type=kind, default=argparse.SUPPRESS, metavar=kind.__name__, help=text)


def run(options: argparse.Namespace) -> int:
    """Train as the options say. Returns 0, 1 for a training that cannot go on, 130 for Ctrl-C; raises ValueError, OSError or
    ImportError with one line for what cannot start."""
    from zoo.train import recipes
    from zoo.train.fit import OutOfMemory
    from zoo.train.guard import NotFinite
    from zoo.train.lock import Locked

    if options.recipe == "list":
        for name, row in recipes.RECIPES.items():
            print(f"{name:24}{row.paper}: {row.where}")
        return 0
    absent = [f"--{name}" for name in NEEDED if getattr(options, name) is None]
    if absent:
        raise ValueError(f"{', '.join(absent)} is missing; for example: zoo train --model resnet18 --data scenes --out runs/first")
    plan = resolve(options)
    print(describe(plan))
    if options.dry_run:
        return 0
    try:
        print(train(plan, options.out))
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from the last finished epoch", file=sys.stderr)
        return 130
    except (Locked, NotFinite, OutOfMemory) as error:
        print(f"zoo train: {error}", file=sys.stderr)
        return 1
    return 0


@dataclasses.dataclass(frozen=True)
class Plan:
    """Everything that is decided before the first step. `config` is what the run folder keeps."""

    model: str
    recipe: Any
    dataset: Any
    pipelines: Any
    size: int
    weights: str | None
    differs: tuple[str, ...]
    config: dict


def resolve(options: argparse.Namespace) -> Plan:
    """Options -> plan: the recipe with its overrides, the data, the size and the number of classes."""
    from zoo import data as room
    from zoo import registry
    from zoo.train import recipes

    row = recipes.published(options.recipe)
    given = {field.name for field in dataclasses.fields(row.recipe)}
    recipe = recipes.recipe(options.recipe, **{name: value for name, value in vars(options).items() if name in given})
    variant = registry.row(options.model)[1]
    recipe.changes(options.model)  # refused before the data is read
    size = options.size or (_native(variant, row.size) if options.weights else min(row.size, _native(variant, row.size)))
    source = options.data
    if ":" not in source and Path(source).is_dir():
        source = f"folder:{source}"
    dataset = room.load(source, seed=recipe.seed, skip_bad=options.skip_bad, size=size)
    pipelines = SimpleNamespace(
        **{split: room.Pipeline(dataset[split], size, how=options.how) for split in ("train", "validation", "test")}
    )
    config = {"model": options.model, "data": source, "weights": options.weights, "size": size, "how": options.how}
    config |= {"recipe_name": options.recipe, "recipe": dataclasses.asdict(recipe)}
    return Plan(options.model, recipe, dataset, pipelines, size, options.weights, row.differs, config)


def describe(plan: Plan) -> str:
    """The plan as lines: what is trained on what, every field of the recipe, and what differs from the published training."""
    recipe, steps = plan.recipe, plan.pipelines.train.steps(plan.recipe.batch_size)
    counts = ", ".join(f"{len(plan.dataset[name])} {name}" for name in ("train", "validation", "test"))
    fields = [f"  {name} = {value!r}" for name, value in dataclasses.asdict(recipe).items()]
    updates = recipe.epochs * steps // recipe.accumulation
    return "\n".join(
        [
            f"{plan.model} on {plan.dataset.name}: {len(plan.dataset.classes)} classes, {counts}, pictures of {plan.size} pixels",
            f"recipe {plan.config['recipe_name']}:",
            *fields,
            f"highest rate {recipe.peak:.4g}; {recipe.epochs} epochs of {steps} steps, {updates} updates in all",
            *(f"differs from the source: {sentence}" for sentence in plan.differs),
        ]
    )


def train(plan: Plan, out: Path) -> str:
    """Build, train, evaluate on validation and test, and leave the run folder. Returns the last lines to print."""
    from zoo import create, predict
    from zoo.run import Run
    from zoo.train.fit import fit

    classes = plan.dataset.classes
    folder = Run.open(out, plan.config, name="train")
    shape = (plan.size, plan.size, _channels(plan.model))
    with plan.recipe.building():
        model = create.classifier(
            plan.model,
            weights=plan.weights,
            classes=len(classes),
            input_shape=shape,
            skip=("logits",) if plan.weights else (),
            changes=plan.recipe.changes(plan.model) or None,
        )
    history = fit(model, plan.pipelines, plan.recipe, folder)
    predict.save_labels(folder.folder, classes, (plan.size, plan.size), plan.dataset.name, plan.config["how"])
    reached = {split: _accuracy(model, getattr(plan.pipelines, split), plan.recipe) for split in ("validation", "test")}
    folder.metric(**{f"{split}_accuracy": value for split, value in reached.items()}, best_epoch=history.best_epoch)
    told = ", ".join(f"{split} accuracy {value:.4f}" for split, value in reached.items())
    return f"best epoch {history.best_epoch} of {len(history.rows)}: {told}\nrun folder: {out}"


def _accuracy(model, pipeline, recipe) -> float:
    """Share of the split's pictures whose largest logit is their label."""
    import numpy as np

    right = [
        np.argmax(model.predict_on_batch(images), axis=1) == labels
        for images, labels in pipeline.evaluation(recipe.batch_size).as_numpy_iterator()
    ]
    return float(np.concatenate(right).mean())


def _native(variant, otherwise: int) -> int:
    """The side that the row is made for; by default a small network is not fed larger pictures, and weights get what they know."""
    return variant.input_shape[0] or otherwise


def _channels(model: str) -> int:
    from zoo import registry

    channels = registry.row(model)[1].input_shape[2]
    if channels != 3:
        raise ValueError(f"{model} takes pictures of {channels} channel(s), the data has 3; choose a model for colour")
    return 3


def _fields() -> list[tuple[str, str, Any]]:
    """(name, help, type) of every field of `Recipe`; the help is the field's entry in its docstring."""
    from zoo.train.recipe import Recipe

    texts = explained(Recipe.__doc__ or "")
    hints = typing.get_type_hints(Recipe)
    return [(field.name, texts[field.name].replace("%", "%%"), _reader(hints[field.name])) for field in dataclasses.fields(Recipe)]


def explained(docstring: str) -> dict[str, str]:
    """{field: text} of the entries "    name:  text" of a docstring and the lines that hang below them."""
    entries: dict[str, str] = {}
    name = None
    for line in docstring.splitlines()[1:]:
        found = re.match(r" {4}([a-z_]+): +(.*)", line)
        if found:
            name = found[1]
            entries[name] = found[2]
        elif name and line.startswith(" " * 8):
            entries[name] += " " + line.strip()
        else:
            name = None
    return entries


def _reader(hint) -> Any:
    """A function from text to a value of the type `hint`, named for the help."""
    kinds = typing.get_args(hint) or (hint,)
    plain = [kind for kind in kinds if kind is not type(None)]

    def read(text: str):
        if type(None) in kinds and text.lower() == "none":
            return None
        if bool in plain and text.lower() in ("true", "false", "yes", "no"):
            return text.lower() in ("true", "yes")
        if any(typing.get_origin(kind) is tuple for kind in plain) and "," in text:
            return tuple(float(part) for part in text.split(",") if part.strip())
        for kind in (int, float, str):
            if kind in plain:
                return kind(text)
        raise ValueError(text)

    read.__name__ = "none|" * (type(None) in kinds) + "|".join("list" if typing.get_origin(kind) else kind.__name__ for kind in plain)
    return read
