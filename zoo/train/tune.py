"""Which precision, whether to compile, how many steps to fuse: measured on this device, for this model and batch.

    recipe = Recipe(epochs=20)
    tuned = tune(lambda: zoo.classifier("small_cnn", classes=10), data, recipe)
    history = fit(tuned.build(), data, tuned.recipe, run)

`Recipe(jit="auto")` is something else: Keras' fixed rule, which looks at the kind of device and measures nothing. None of the switches
is good everywhere. On one CPU, XLA made a convolution net 1.8 times slower and a separable one 4.4 times; bfloat16 made the first 1.2
times faster and the second slower; fusing 32 steps made a tiny net 1.5 times faster and would do nothing for a large one.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras

import zoo
from zoo import atomic
from zoo.download import cache_folder
from zoo.train import machine
from zoo.train.race import Row, race
from zoo.train.recipe import Recipe
from zoo.train.stopwatch import Stopwatch, one_batch
from zoo.train.switches import Switches, offer

_RATE = ("learning_rate", "reference_batch", "schedule", "warmup", "final_rate", "power", "milestones", "factor")
FREE = (*_RATE, "epochs", "mix_off_epochs", "patience", "monitor", "seed", "precision", "jit", "steps_per_execution")
"""Fields of a recipe that change neither the work of a step nor what is measured."""


@dataclass(frozen=True)
class Tuned:
    """What was measured and what was chosen.

    recipe: the given one with the precision, jit and steps_per_execution that are kept.
    rows:   one per candidate, `race.Row`.
    device: the machine in one line.
    cached: whether the rows were measured by an earlier call.
    """

    recipe: Recipe
    rows: tuple[Row, ...]
    device: str
    builder: Callable[[], keras.Model]
    cached: bool = False

    def build(self) -> keras.Model:
        """A fresh model in the precision of the recipe, with the initial weights of its seed."""
        with self.recipe.building():
            return self.builder()

    def table(self) -> str:
        """Every candidate with its ratio to the plain one (above 1 is faster), the noise of that ratio, and why it was kept or not."""
        head = ("", "precision, jit, fusing", "ms a step", "first call", "ratio", "noise", "why")
        lines: list[tuple[str, ...]] = [head]
        for row in self.rows:
            kept = "->" if row.switches.into(self.recipe) == self.recipe else ""
            numbers = [f"{1000 * row.seconds:.1f}" if row.seconds else "-", f"{row.first:.1f} s" if row.first else "-"]
            numbers += [f"{row.ratio:.2f}", f"{row.spread:.2f}"] if row.ratio else ["-", "-"]
            lines.append((kept, str(row.switches), *numbers, row.why))
        widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
        cells = [
            [cell.rjust(w) if 2 <= i <= 5 else cell.ljust(w) for i, (cell, w) in enumerate(zip(x, widths, strict=True))] for x in lines
        ]
        return "\n".join("  ".join(line).rstrip() for line in cells)


def tune(
    build: Callable[[], keras.Model],
    data: Any,
    recipe: Recipe,
    *,
    seconds: float = 60.0,
    steps: int = 10,
    precisions: Sequence[str] | None = None,
    jits: Sequence[bool] | None = None,
    fusings: Sequence[int] | None = None,
    refresh: bool = False,
    open: Callable[..., Any] = Stopwatch,
) -> Tuned:
    """Time the training step for every promising combination of the three switches, in turns, and keep the fastest.

    build:      makes the model anew on each call, in whatever precision Keras' policy says: a model cannot change its own. A model that
                you hold is never touched. The seeds are set to the recipe's, as `fit` sets them.
    data:       what `fit` takes, or one batch (images (b, h, w, c), labels (b,)) of the recipe's batch size. One batch is used over and
                over, so that the step is measured and not what reads the pictures.
    seconds:    time for the timed steps; building and compiling come on top. steps: of one measurement.
    precisions: default float32 and mixed_bfloat16, on a GPU mixed_float16 too. jits: default both on TensorFlow, on for JAX, off for
                torch. fusings: default 8 and 32, none on torch. The first precision and jit are the reference of the ratios.
    refresh:    measure again what an earlier call measured with the same machine, versions, model, batch and recipe. The results are
                kept in `tuned.json` in the folder ZOO_CACHE.
    open:       makes the stopwatch of a candidate.

    A gain is believed when it exceeds the distance between the quartiles of its ratio, and 2 %; so the recipe is never slower than the
    best fixed choice by more than the noise and 2 %. Raises ValueError for a batch that does not fit the recipe or a builder that
    ignores the precision.
    """
    feed, about, epoch = one_batch(data, recipe)
    offered = offer(keras.backend.backend(), machine.accelerated(), precisions=precisions, jits=jits, fusings=fusings, epoch=epoch)
    here = machine.facts()
    with offered.plain.into(recipe).building():
        shape = fingerprint(build())
    question = {"machine": here, "zoo": zoo.__version__, "model": shape, "batch": about, "recipe": _work(recipe)}
    question["offered"] = [dataclasses.asdict(each) for each in offered.steps] + [list(offered.fusings)]
    key = hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()
    known = _remembered()
    if key in known and not refresh:
        rows = tuple(Row(Switches(**row.pop("switches")), **row) for row in known[key]["rows"])
        return Tuned(Switches(**known[key]["kept"]).into(recipe), rows, machine.line(here), build, cached=True)
    kept, measured = race(offered, lambda switches: open(build, feed, switches, recipe), seconds=seconds, steps=steps)
    answer = {"kept": dataclasses.asdict(kept), "rows": [dataclasses.asdict(row) for row in measured]}
    atomic.write(_memory(), json.dumps({**_remembered(), key: answer}, indent=1) + "\n")
    return Tuned(kept.into(recipe), tuple(measured), machine.line(here), build)


def fingerprint(model: keras.Model) -> str:
    """What decides the work of a step: the kinds of layers with the shapes of their weights and of what they put out."""
    parts = []
    for layer in model._flatten_layers(include_self=False):
        try:
            out = str(keras.tree.map_structure(lambda tensor: tensor.shape, layer.output))
        except (AttributeError, ValueError):  # not part of a functional graph
            out = ""
        parts.append([type(layer).__name__, [list(weight.shape) for weight in layer.weights], out, layer.trainable])
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _work(recipe: Recipe) -> dict:
    return {name: value for name, value in dataclasses.asdict(recipe).items() if name not in FREE}


def _memory():
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "tuned.json"


def _remembered() -> dict:
    """Earlier answers; a damaged file is as good as none, for everything in it can be measured again."""
    try:
        known = json.loads(_memory().read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
