"""`python -m benchmarks.ladder`: the course's optimisation ladder and ours beyond it, timed rung by rung on this machine.

    python -m benchmarks.ladder                                            64 pixels; writes benchmarks/results/ladder.md and .json
    KERAS_BACKEND=jax python -m benchmarks.ladder --size 224 --batch 64    on a GPU; writes ladder_jax_gpu.md and .json
    python -m benchmarks.ladder --micro --turns 1 --seconds 0              small; prints only

Generated pixels and random weights: what is measured is work, so accuracy stands in the report of `projects/optimising_models.py`, which
trains the same rungs. All programs take turns; a training step is Keras' `fit` on one batch in memory, inference one compiled call on
it, memory the peak of a process that does nothing else. The LiteRT rungs need TensorFlow and a LiteRT runtime and are left out without
them; what compresses (pruning, clustering) is timed as the fine-tuning that it needs.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
from pathlib import Path

from benchmarks import workers

ROWS = {"naive": "course_cnn_flatten", "+ pooling": "course_cnn", "+ separable": "course_cnn_separable"}
CHOSEN, RECIPE, EMA, DISTILLED = "measured switches", "+ better recipe", "+ EMA", "+ distillation"
PRUNED, CLUSTERED, LITERT, INT8 = "+ pruning", "+ clustering", "+ LiteRT", "+ int8"
CLASSES, SPARSITY, CLUSTERS = 6, 0.7, 32
SAVED, TRAINING, INFERENCE, AS_INT8 = 0.9, 2.5, 3.0, 10.0
"""The bars: share of weights saved; times faster than naive per epoch, to run in Keras, and to run as int8."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=64, help="side of the images (default 64)")
    parser.add_argument("--batch", type=int, default=32, help="images per step (default 32)")
    parser.add_argument("--pictures", type=int, default=2048, help="images of an epoch (default 2048)")
    parser.add_argument("--fuse", type=int, default=16, help="steps per call of the fused rung (default 16)")
    parser.add_argument("--turns", type=int, default=7, help="measurements of each (default 7)")
    parser.add_argument("--seconds", type=float, default=60.0, help="time for choosing the switches (default 60)")
    parser.add_argument("--micro", action="store_true", help="the micro rows at 32 pixels, to see whether it runs; prints only")
    options = parser.parse_args(arguments)
    measured = climb(options)
    text = page(measured, options)
    print(text)
    if not options.micro:
        workers.write(measured["name"], text, {"asked": vars(options), **measured})
    return 0


def climb(options) -> dict:
    """{"name" of the result, "machine", "kept" switches, "left_out", "rungs": {name: numbers}, "native": s or None}."""
    import keras
    import numpy as np

    from zoo.train import machine, tune
    from zoo.train.rungs import NATIVE, measure

    random = np.random.default_rng(0)
    size = 32 if options.micro else options.size
    images = random.uniform(0, 255, (options.batch, size, size, 3)).astype("float32")
    batch = (images, random.integers(0, CLASSES, options.batch))
    build = {name: builder(row, size, options.micro) for name, row in ROWS.items()}
    simple = plain(options.batch)
    tuned = tune(build["+ separable"], batch, simple, seconds=options.seconds, refresh=True)
    print(tuned.table(), file=sys.stderr, flush=True)
    made, left_out = ways(build, simple, tuned.recipe, options.fuse)
    with tempfile.TemporaryDirectory() as folder:
        files, calls, reason = written(build["+ separable"], build, images, Path(folder))
        times = measure(made, batch, turns=options.turns, calls=calls)
    memory = weights_in_memory(made, size, options.micro)
    if reason:
        left_out |= {LITERT: reason, INT8: reason}
    names = [*(way.name for way in made if way.name != NATIVE), *calls]
    steps = -(-options.pictures // options.batch)
    found = {}
    for name in names:
        counted = name if name in files else "+ separable"
        step = (times[name] if times[name].step is not None else times[CLUSTERED]).step
        called = times[name].call or times[CHOSEN].call
        found[name] = {"epoch": steps * step, "call": called, "memory": memory.get(name), "first": times[name].first, **files[counted]}
    native = times[NATIVE].step / times["+ XLA"].step if NATIVE in times else None
    device = "gpu" if machine.accelerated() else "cpu"
    usual = (keras.backend.backend(), device) == ("tensorflow", "cpu")
    name = "ladder" if usual else f"ladder_{keras.backend.backend()}_{device}"
    kept = next(str(row.switches) for row in tuned.rows if row.switches.into(simple) == tuned.recipe)
    return {"name": name, "machine": tuned.device, "kept": kept, "left_out": left_out, "rungs": found, "native": native}


def builder(row: str, size: int, micro: bool):
    import zoo

    return lambda: zoo.classifier(f"{row}_micro" if micro else row, classes=CLASSES, input_shape=(size, size, 3))


def plain(batch: int):
    """Adam at a constant rate, which everybody begins with."""
    from zoo.train import Recipe

    return Recipe(epochs=1000, batch_size=batch, optimizer="adam", schedule="constant", warmup=0.0, weight_decay=0.0)


def ways(build: dict, simple, chosen, fuse: int):
    """(every program that is timed, {rung: why it is none on this backend})."""
    from zoo.export.compress import cluster, prune
    from zoo.train.distil import pupil_of
    from zoo.train.rungs import Rung, switched

    separable = build["+ separable"]
    thrown, left_out = switched(separable, simple, fuse)
    recipe = dataclasses.replace(chosen, optimizer="adamw", schedule="one_cycle", warmup=0.3, weight_decay=0.05, label_smoothing=0.1)
    averaged = dataclasses.replace(recipe, ema=0.98)
    made = [*(Rung(name, build[name], simple) for name in ROWS), *thrown, Rung(CHOSEN, separable, chosen)]
    made += [Rung(RECIPE, separable, recipe, predicts=False), Rung(EMA, separable, averaged, predicts=False)]
    made.append(Rung(DISTILLED, lambda: pupil_of(build["+ pooling"](), separable()), averaged, predicts=False))
    made.append(Rung(PRUNED, lambda: prune(separable(), SPARSITY, updates=1000), simple, predicts=False))
    made.append(Rung(CLUSTERED, lambda: cluster(separable(), CLUSTERS), simple, predicts=False))
    return made, left_out


def written(separable, build: dict, images, folder: Path):
    """({rung: weights, weights that are not zero, bytes after gzip}, {LiteRT rung: its call}, why there is none or "")."""
    import keras
    import numpy as np

    from zoo.export import export, runtimes
    from zoo.export.check import sizes_of
    from zoo.export.compress import cluster, prune, strip
    from zoo.train import machine

    keras.utils.set_random_seed(0)
    models = {name: make() for name, make in build.items()}
    models[PRUNED] = strip(prune(models["+ separable"], SPARSITY, updates=1))
    models[CLUSTERED] = strip(cluster(models[PRUNED], CLUSTERS))
    files, calls, reason = {}, {}, ""
    for index, (name, model) in enumerate(models.items()):
        path = export(model, folder / f"{index}.keras")
        nonzero = sum(int(np.count_nonzero(weight)) for weight in model.get_weights())
        files[name] = {"parameters": model.count_params(), "nonzero": nonzero, "gzip": sizes_of(path)[1]}
    try:
        for name, precision in ((LITERT, "fp32"), (INT8, "int8")):
            pictures = images if precision == "int8" else None
            path = export(models[CLUSTERED], folder / f"{precision}.tflite", precision=precision, images=pictures)
            calls[name] = runtimes.load(path, threads=machine.facts()["cores"])
            files[name] = {**files[CLUSTERED], "gzip": sizes_of(path)[1]}
    except ImportError as error:
        files, calls, reason = {name: files[name] for name in models}, {}, str(error)
    return files, calls, reason


def weights_in_memory(made: list, size: int, micro: bool) -> dict[str, int]:
    """Peak bytes of training, of the rungs that differ in it."""
    from zoo.train.footprint import footprint
    from zoo.train.rungs import PRECISION, XLA

    found = {}
    for way in made:
        if way.name in (*ROWS, XLA, PRECISION, EMA):
            row = ROWS.get(way.name, ROWS["+ separable"])
            found[way.name] = footprint(f"{row}_micro" if micro else row, way.recipe, classes=CLASSES, size=size)
            print(way.name, found[way.name], file=sys.stderr, flush=True)
    return found


def page(measured: dict, options) -> str:
    from zoo.train.effect import effect

    rungs = measured["rungs"]
    size = 32 if options.micro else options.size
    lines = [
        "# The optimisation ladder, measured",
        "",
        f"`python -m benchmarks.ladder`, {workers.today()}, {measured['machine']}.",
        f"The course's network at {size} x {size}, {CLASSES} classes, batches of {options.batch}, epochs of {options.pictures:,} pictures;",
        f"medians of {options.turns} measurements in turns, generated pixels. Every rung has all before it; the measured switches begin",
        f"again at the separable network. Kept here by `zoo.train.tune`: {measured['kept']}.",
        "",
        "| rung | weights | not zero | train s/epoch | ratio to naive | inference ms | ratio to naive | peak memory | file, gzip |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    naive = rungs["naive"]
    for name, rung in rungs.items():
        memory = "-" if rung["memory"] is None else f"{rung['memory'] / 2**20:,.0f} MiB"
        cells = [name, f"{rung['parameters']:,}", f"{rung['nonzero']:,}", f"{rung['epoch']:.2f}", f"{naive['epoch'] / rung['epoch']:.2f}"]
        cells += [f"{1000 * rung['call']:.2f}", f"{naive['call'] / rung['call']:.2f}", memory, f"{rung['gzip'] / 1e6:.3f} MB"]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "A ratio above 1 means faster than naive. The effect of each rung alone:", ""]
    names = list(rungs)
    for index, name in enumerate(names[1:], start=1):
        last = "+ separable" if name == CHOSEN else names[index - 1]
        lines.append(f"- {name}, after {last.removeprefix('+ ')}: {effect(rungs[last], rungs[name])}")
    lines += [f"- {name} is left out: {reason}." for name, reason in measured["left_out"].items()]
    if measured["native"]:
        lines += ["", f"With XLA's own depthwise convolution the step takes {measured['native']:.1f} times as long as in the XLA row."]
    return "\n".join([*lines, "", *bars(rungs), ""])


def bars(rungs: dict) -> list[str]:
    naive, chosen, trained, last = rungs["naive"], rungs[CHOSEN], rungs[EMA], rungs.get(INT8)
    reached = {
        "weights that are not zero, less than naive by": (1 - (last or rungs[CLUSTERED])["nonzero"] / naive["parameters"], SAVED),
        "an epoch, times as fast": (naive["epoch"] / trained["epoch"], TRAINING),
        "inference in Keras, times as fast": (naive["call"] / chosen["call"], INFERENCE),
    }
    if last:
        reached["inference as LiteRT int8, times as fast"] = (naive["call"] / last["call"], AS_INT8)
    return ["Bars:", ""] + [
        f"- {name} {value:.2f}, wanted {bar:g}: {'met' if value >= bar else 'missed'}" for name, (value, bar) in reached.items()
    ]


if __name__ == "__main__":
    sys.exit(main())
