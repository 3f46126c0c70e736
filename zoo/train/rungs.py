"""Several ways to train one classifier, timed in turns: the training step, the call on a batch, and what else is asked for.

    rungs, left_out = switched(build, recipe, fuse=16)      # plain, + XLA, + bfloat16, + fused steps, each with all before it
    timings = measure(rungs, (images, labels))

What is timed is Keras' own `fit` on one batch that stays in memory (`stopwatch`), and one compiled call, `predict_on_batch`. In turns,
so that a machine that slows down for a while slows all of them.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import keras
import numpy as np

from zoo.layers.depthwise import lowering
from zoo.train import machine
from zoo.train.recipe import Recipe
from zoo.train.stopwatch import Stopwatch, one_batch
from zoo.train.switches import Switches

XLA, PRECISION, FUSING = "+ XLA", "+ mixed precision", "+ step fusing"
"""The names of the switches, as rungs."""
NATIVE = "+ XLA, native depthwise"


@dataclass(frozen=True)
class Rung:
    """One way to train.

    build:    makes the model anew on each call, in whatever precision Keras' policy says.
    recipe:   how it is trained, its switches included.
    lowering: of the depthwise convolutions, see `zoo.layers.depthwise.lowering`.
    predicts: whether a call on a batch is timed too; a training aid, such as a teacher, is no part of what is shipped.
    """

    name: str
    build: Callable[[], keras.Model]
    recipe: Recipe
    lowering: str = "auto"
    predicts: bool = True


@dataclass(frozen=True)
class Timing:
    """Medians over the turns, in seconds, or None for what was not asked.

    first: of the first call of training: tracing and compiling. step: of a training step. call: of a call on the batch.
    """

    first: float | None = None
    step: float | None = None
    call: float | None = None


def switched(build: Callable[[], keras.Model], recipe: Recipe, fuse: int) -> tuple[list[Rung], dict[str, str]]:
    """The three switches thrown one after the other on one network, each with all before it, and {rung left out: why}.

    recipe: the plain one. fuse: steps per call of the last rung.
    """
    backend = keras.backend.backend()
    switches = Switches(recipe.precision, backend == "jax", 1)
    left_out: dict[str, str] = {}
    rungs: list[Rung] = []
    if backend == "tensorflow":
        switches = dataclasses.replace(switches, jit=True)
        rungs.append(Rung(XLA, build, switches.into(recipe)))
        if not machine.accelerated():
            rungs.append(Rung(NATIVE, build, switches.into(recipe), lowering="native"))
    else:
        always = "JAX compiles every step with XLA, so all rungs have it"
        left_out[XLA] = always if backend == "jax" else "torch.compile takes most of a minute to compile and then loses in Keras"
    switches = dataclasses.replace(switches, precision="mixed_bfloat16")
    rungs.append(Rung(PRECISION, build, switches.into(recipe)))
    if backend == "torch":
        left_out[FUSING] = "Keras fuses steps on TensorFlow and JAX only"
    else:
        rungs.append(Rung(FUSING, build, dataclasses.replace(switches, steps_per_execution=fuse).into(recipe)))
    return rungs, left_out


def measure(
    rungs: Sequence[Rung],
    batch: tuple[np.ndarray, np.ndarray],
    *,
    steps: int = 6,
    turns: int = 5,
    calls: Mapping[str, Callable[[np.ndarray], object]] | None = None,
) -> dict[str, Timing]:
    """Time all rungs in turns: {name: Timing}.

    batch: images (b, h, w, c) in [0, 255] and labels (b,), of the recipes' batch size.
    steps: training steps of one measurement, rounded up to whole calls. turns: measurements of each, after one that does not count.
    calls: further functions of the images, timed in the same turns: files in their own runtimes. One may have the name of a rung that
           does not predict, as the way to make it.

    Raises ValueError for two rungs of one name, and what `Stopwatch` raises.
    """
    names = [*(rung.name for rung in rungs), *(name for name in calls or {} if name not in {r.name for r in rungs if not r.predicts})]
    if len(set(names)) < len(names):
        raise ValueError(f"every rung needs a name of its own, got {', '.join(names)}")
    images = np.asarray(batch[0], "float32")
    first: dict[str, float] = {}
    training: dict[str, Callable[[], float]] = {}
    calling: dict[str, Callable[[], float]] = {}
    for rung in rungs:
        watch = watch_of(rung.build, rung.recipe, (images, np.asarray(batch[1])), rung.lowering)
        with lowering(rung.lowering):
            first[rung.name] = watch.first()
        training[rung.name] = _lowered(rung.lowering, partial(watch.measure, steps))
        if rung.predicts:
            calling[rung.name] = _lowered(rung.lowering, partial(_seconds, watch.model.predict_on_batch, images))
    for name, call in (calls or {}).items():
        calling[name] = partial(_seconds, call, images)
    stepped, called = in_turns(training, turns), in_turns(calling, turns)
    return {name: Timing(first.get(name), stepped.get(name), called.get(name)) for name in names}


def watch_of(build: Callable[[], keras.Model], recipe: Recipe, batch: tuple, how: str = "auto") -> Stopwatch:
    """A stopwatch on one batch for the recipe's own switches."""
    switches = Switches(recipe.precision, cast(bool, recipe.jit), recipe.steps_per_execution)  # "auto" goes to Keras as it is
    with lowering(how):
        return Stopwatch(build, one_batch(batch, recipe)[0], switches, recipe)


def in_turns(contenders: Mapping[str, Callable[[], float]], turns: int) -> dict[str, float]:
    """The median of what each contender returns, asked in turns; the first turn does not count."""
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(turns + 1):
        for name, contender in contenders.items():
            seconds = contender()
            if turn:
                taken[name].append(seconds)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def _lowered(how: str, contender: Callable[[], float]) -> Callable[[], float]:
    def inside() -> float:
        with lowering(how):
            return contender()

    return inside


def _seconds(call: Callable, images: np.ndarray) -> float:
    start = time.perf_counter()
    call(images)
    return time.perf_counter() - start
