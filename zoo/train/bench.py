"""`zoo bench train MODEL`: what each switch of a training step gives on this machine, and the recipe that follows from it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np

from zoo import atomic, registry
from zoo.train import machine
from zoo.train.recipe import PRECISIONS, Recipe
from zoo.train.tune import Tuned, tune


def train(
    name: str, *, size: int | None = None, batch: int = 32, seconds: float = 60.0, every: bool = False, refresh: bool = False
) -> Tuned:
    """Tune the row `name` on noise.

    size:  side of the images in pixels; default the row's. batch: images per step.
    every: measure also what is refused because it hardly ever wins: float16 on a CPU, torch.compile.

    Raises ValueError for an unknown row.
    """
    variant = registry.row(name)[1]
    height, width, channels = variant.input_shape if size is None else (size, size, variant.input_shape[2])
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (batch, height, width, channels)).astype("float32")
    labels = random.integers(0, variant.classes, batch)
    return tune(
        lambda: registry.build_classifier(name, input_shape=(height, width, channels)),
        (images, labels),
        Recipe(batch_size=batch),
        seconds=seconds,
        refresh=refresh,
        precisions=PRECISIONS if every else None,
        jits=(False, True) if every else None,
    )


def report(name: str, tuned: Tuned) -> str:
    """The device, the table and the choice, for a terminal."""
    kept = tuned.recipe
    chosen = f'precision="{kept.precision}", jit={kept.jit}, steps_per_execution={kept.steps_per_execution}'
    measured = "measured by an earlier call (--refresh measures again)" if tuned.cached else "measured now, in turns"
    lines = [tuned.device, f"{name}, batches of {tuned.recipe.batch_size}: a training step, {measured}", "", tuned.table(), ""]
    if not tuned.cached:
        lines.append(f"most memory of this process, all candidates together: {machine.peak_memory() / 2**20:,.0f} MiB")
    return "\n".join([*lines, f"the recipe: {chosen}"])


def write(tuned: Tuned, path: Path) -> None:
    """The whole recipe as JSON: `Recipe(**json.load(file))` reads it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, json.dumps(dataclasses.asdict(tuned.recipe), indent=2) + "\n")
