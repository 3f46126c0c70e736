"""Optimising models: eleven times smaller, how much faster, and at what price.

Question: what do pooling, separable convolutions, XLA, mixed precision and fused steps really give on *this* machine, and what does a
    better recipe, a teacher, pruning, clustering and int8 add? Which of them help training, which inference, which only the file?
Data: generated scenes over real photographs (no network), a folder of your own (`--data folder:PATH`), the public CC0 clothing photos
    (`--data clothing`), or anything in TensorFlow Datasets (`--data tfds:cifar10`).
Time: quick 21 minutes on 2 CPU cores that other programs used too (measured); scenes some hours (estimated).
Expect: at least 90 % fewer weights that are not zero than the naive network, and the course's totals exactly; in the quick run also an
    int8 file that runs 3 times as fast as the naive network and loses at most a point of accuracy, and an epoch 1.3 times as fast.
    The run checks them all. Other data promises no accuracy and no speed: `--expect-gain`, `--expect-inference` and
    `--expect-training` ask for them.
Limits: times are of this machine while it ran, medians in turns. Accuracies on generated pictures say nothing about the course's, which
    are quoted from memory of its page. XLA, mixed precision and fused steps are timed, not trained again: they change rounding only.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
from PIL import Image

import zoo
from zoo import viz
from zoo.command import start
from zoo.cores import cores
from zoo.data import Dataset, Examples, load, pace
from zoo.data.pipeline import Pipeline
from zoo.export import export, runtimes
from zoo.export.check import sizes_of
from zoo.export.compress import cluster, prune, strip
from zoo.export.policy import in_float32
from zoo.report import Report
from zoo.run import Run
from zoo.train import Recipe, fit, machine, tune
from zoo.train.distil import distil, pupil_of
from zoo.train.effect import effect
from zoo.train.footprint import footprint
from zoo.train.rungs import FUSING, NATIVE, PRECISION, XLA, Rung, measure, switched


@dataclass(frozen=True)
class Config:
    """What this run is. Every field is an option of the command line."""

    data: str = field(default="scenes", metadata={"help": "scenes, scenes:quick, folder:PATH, clothing or tfds:NAME"})
    out: str = field(default="runs/optimising", metadata={"help": "run folder; running the same command again resumes it"})
    size: int = field(default=96, metadata={"help": "side of the images in pixels"})
    naive: str = field(default="course_cnn_flatten", metadata={"help": "row of `zoo list` to begin with"})
    pooling: str = field(default="course_cnn", metadata={"help": "row with pooling instead of flattening; the teacher too"})
    separable: str = field(default="course_cnn_separable", metadata={"help": "row with separable convolutions"})
    widths: str = field(default="", metadata={"help": "channels of the five stages, with commas; default: the rows' own"})
    epochs: int = field(default=20, metadata={"help": "of every training from scratch"})
    fine_tune: int = field(default=6, metadata={"help": "epochs after pruning, clustering and rounding"})
    seeds: int = field(default=3, metadata={"help": "how often everything is trained"})
    batch_size: int = 32
    learning_rate: float = field(default=1e-3, metadata={"help": "of the plain recipe: Adam at a constant rate"})
    peak: float = field(default=4e-3, metadata={"help": "of the better recipe: AdamW in one cycle"})
    ema: float = field(default=0.98, metadata={"help": "momentum of the moving average of the weights"})
    sparsity: float = field(default=0.7, metadata={"help": "share of weights that pruning sets to zero"})
    clusters: int = field(default=32, metadata={"help": "different values per kernel"})
    fuse: int = field(default=16, metadata={"help": "training steps per call"})
    turns: int = field(default=7, metadata={"help": "measurements of every time"})
    steps: int = field(default=6, metadata={"help": "training steps of one measurement"})
    seconds: float = field(default=60.0, metadata={"help": "time for choosing the switches on this machine"})
    files: int = field(default=400, metadata={"help": "pictures of the chapter on tf.data"})
    seed: int = 0
    skip_bad: bool = field(default=False, metadata={"help": "leave unreadable files out, and count them"})
    expect_saved: float | None = field(default=0.9, metadata={"help": "share of the naive network's weights that must be gone"})
    expect_gain: float | None = field(default=None, metadata={"help": "accuracy of the int8 file, less that of the naive network"})
    expect_inference: float | None = field(default=None, metadata={"help": "how many times faster the int8 file must run"})
    expect_training: float | None = field(default=None, metadata={"help": "how many times faster an epoch must be"})

    @classmethod
    def preset(cls, data: str | None) -> Config:
        """The numbers that fit a kind of data; data of your own has no expectation."""
        if data is None or data == "scenes":
            return cls()
        if data == "scenes:quick":
            return cls.quick()
        nothing = {"expect_saved": None, "expect_gain": None, "expect_inference": None, "expect_training": None}
        return cls(data=data, out="runs/optimising_own", **nothing)

    @classmethod
    def quick(cls) -> Config:
        """The lesson in minutes on two cores."""
        small = {"size": 48, "widths": "32,64,128,128,256", "epochs": 6, "fine_tune": 3, "seeds": 2}
        fast = {"fuse": 4, "turns": 5, "steps": 2, "seconds": 15.0, "files": 200}
        promised = {"expect_gain": -0.01, "expect_inference": 3.0, "expect_training": 1.3}
        return cls(data="scenes:quick", out="runs/optimising_quick", **small, sparsity=0.5, **fast, **promised)


NAIVE, POOLING, SEPARABLE, CHOSEN = "naive", "+ pooling", "+ separable", "measured switches"
RECIPE, EMA, DISTILLED, PRUNED, CLUSTERED = "+ better recipe", "+ EMA", "+ distillation", "+ pruning", "+ clustering"
LITERT, INT8 = "+ LiteRT", "+ int8"
AFTER = {
    NAIVE: None, POOLING: NAIVE, SEPARABLE: POOLING, XLA: SEPARABLE, PRECISION: XLA, FUSING: PRECISION, CHOSEN: SEPARABLE, RECIPE: CHOSEN,
    EMA: RECIPE, DISTILLED: EMA, PRUNED: DISTILLED, CLUSTERED: PRUNED, LITERT: CLUSTERED, INT8: LITERT,
}  # fmt: skip
"""Every rung, and the one that it builds on. The measured switches start again from the separable network."""

COURSE = {
    NAIVE: (7_476_742, 0.82, 171, 52), POOLING: (5_873_478, None, 164, 51), SEPARABLE: (679_137, None, 250, 36),
    XLA: (679_137, None, 89, 19), PRECISION: (679_137, None, 67, 22), FUSING: (679_137, 0.79, 66, 22),
}  # fmt: skip
"""The course's table, on its GPU: weights, accuracy, seconds per epoch, milliseconds per step of inference. From memory of its page."""

WHY = {
    POOLING: "The dense layer behind a flattened map has a weight for every place of it; an average has none. Convolutions do nearly all "
    "of the arithmetic, so the clock hardly notices. The larger the picture, the more weights are saved.",
    SEPARABLE: "A 3x3 convolution is split into one filter per channel and a 1x1 mix of channels: about a ninth of the weights and of the "
    "arithmetic. Less arithmetic is not as much less time: a filter per channel reads much memory for little work.",
    XLA: {
        "cpu": "XLA fuses many small operations into few kernels, which saves launches and memory traffic where launches are dear. A "
        "processor launches for nothing, and TensorFlow's own convolutions are better than those that XLA generates there.",
        "gpu": "XLA fuses many small operations into few kernels: fewer launches, and less traffic between the chip and its memory.",
    },
    PRECISION: {
        "cpu": "bfloat16 halves what is read and written, and some processors multiply it faster; others only convert it back and forth. "
        "Layers that wait for memory in small pieces, as depthwise ones do, gain little. Weights stay float32.",
        "gpu": "bfloat16 runs on the matrix units at twice or more the speed of float32, and halves the memory of the maps.",
    },
    FUSING: "Several steps in one call save the 1 or 2 milliseconds of Python between steps: much for a tiny step, nothing for a long one.",
    CHOSEN: "Nothing is believed: `zoo.train.tune` timed the switches on this machine and kept what was faster by more than the noise.",
    RECIPE: "One-cycle AdamW, label smoothing and mirrored pictures cost nothing at inference and next to nothing in training. A rate that "
    "climbs and falls learns faster than a constant one and ends in a calmer place.",
    EMA: "The average of the last weights is less noisy than the last ones. It costs one more copy of the weights.",
    DISTILLED: "A large network's probabilities tell the small one which mistakes are small. In training the teacher must answer too.",
    PRUNED: "Small weights are set to zero. The zeros lie scattered, and no common processor skips them: only the compressed file shrinks.",
    CLUSTERED: "All weights of a kernel share a few values, which gzip finds. Again only the file shrinks.",
    LITERT: "The same float32 numbers in a runtime that is made for inference: batch normalisation melted into its neighbours, no Python.",
    INT8: "A quarter of the bytes, and integer arithmetic of which a processor does four times as much at once.",
}
"""What every rung does, and why it helps or does not; by device where that matters."""


def main(config: Config) -> Run:
    run = Run.open(config.out, config, name="optimising_models")
    report = Report(
        "Optimising models", intro=f"Data: **{config.data}**, {config.size}x{config.size} pixels. {machine.line(machine.facts())}."
    )
    data = count_the_weights(run, report, config)
    pipelines = {name: Pipeline(data[name], (config.size, config.size)) for name in ("train", "validation", "test")}
    train_the_three_networks(run, report, config, pipelines)
    ask_the_machine(run, report, config, pipelines)
    train_it_better(run, report, config, pipelines)
    make_it_small(run, report, config, pipelines)
    time_everything_in_turns(run, report, config, pipelines)
    climb_the_ladder(run, report, config, pipelines)
    tell_the_efficiencies_apart(run, report, config)
    feed_the_network(run, report, config, data)
    return finish(run, report, config)


def count_the_weights(run: Run, report: Report, config: Config) -> Dataset:
    """Count the weights.

    The course's network is five times "two 3x3 convolutions, normalise, halve", then a decision among six classes. It tells only the
    totals of its three forms: 7,476,742, 5,873,478 and 679,137. With 64, 128, 256, 256 and 512 channels, 64 units behind the flattened
    map and pictures of 224 pixels they come out exactly, so this is the setting. **Parameter efficiency** is the first of the four to be
    told apart here: it decides what is stored and sent, and how much data a network needs; not how long it takes.

    The flattened map grows with the area of the picture, the convolutions do not care. At a smaller size pooling therefore saves less.
    """
    with run.step("count the weights"):
        report.lesson(count_the_weights)
        data = load(config.data, seed=config.seed, size=config.size, skip_bad=config.skip_bad)
        rows, totals = [], {}
        for name, course, own in (
            (NAIVE, "course_cnn_flatten", config.naive),
            (POOLING, "course_cnn", config.pooling),
            (SEPARABLE, "course_cnn_separable", config.separable),
        ):
            totals[name] = zoo.classifier(course, classes=6, input_shape=(224, 224, 3)).count_params()
            here = builder(config, own, len(data.classes))().count_params()
            rows.append([name, COURSE[name][0], totals[name], here])
        report.table(["network", "the course says", "at 224 pixels, 6 classes", f"here: {config.size} pixels"], rows, caption="Weights.")
        for note in data.notes:
            report.text(note)
        exact = all(totals[name] == COURSE[name][0] for name in totals)
        run.metric(data=data.name, images={name: len(part) for name, part in data.splits.items()}, totals=totals, exact=float(exact))
    return data


def train_the_three_networks(run: Run, report: Report, config: Config, pipelines: dict[str, Pipeline]) -> None:
    """Train the three networks.

    All three with the recipe that everybody begins with: Adam at a constant rate, nothing else. The seeds differ in the first weights
    and in the order of the pictures; the distance between them is how much of a difference is luck.
    """
    with run.step("train the three"):
        report.lesson(train_the_three_networks)
        for name, row in ((NAIVE, config.naive), (POOLING, config.pooling), (SEPARABLE, config.separable)):
            for seed in seeds(config):
                train(run, config, pipelines, name, row, plain(config, seed))
        report.table(["network", "test accuracy"], [[name, spread(run, config, name)] for name in (NAIVE, POOLING, SEPARABLE)])


def ask_the_machine(run: Run, report: Report, config: Config, pipelines: dict[str, Pipeline]) -> None:
    """Ask the machine.

    The course throws XLA, mixed precision and step fusing one after the other, on its GPU. None of them is good everywhere. So they
    are measured here, on this device, with this network and batch: every combination in turns, and a gain is believed only when it
    exceeds the noise. What is kept is what everything after this is trained with.
    """
    with run.step("ask the machine"):
        report.lesson(ask_the_machine)

        def measured() -> dict:
            build = builder(config, config.separable, classes_of(pipelines))
            tuned = tune(build, SimpleNamespace(**pipelines), plain(config, config.seed), seconds=config.seconds)
            names = ("precision", "jit", "steps_per_execution")
            return {"switches": {name: getattr(tuned.recipe, name) for name in names}, "table": tuned.table(), "device": tuned.device}

        found = run.once("tune", measured)
        report.code(found["table"])
        report.text(f"Kept on {found['device']}: **{said(found['switches'])}**.")
        run.metric(switches=found["switches"])


def train_it_better(run: Run, report: Report, config: Config, pipelines: dict[str, Pipeline]) -> None:
    """Train it better.

    The cheapest optimisation changes nothing that is shipped. The same small network gets a **recipe**: AdamW whose rate climbs and
    falls in one cycle (Smith & Topin 2018, arXiv:1708.07120), label smoothing, mirrored pictures. Then an **average** of its weights
    (Polyak & Juditsky 1992). Then a **teacher** (Hinton et al. 2015, arXiv:1503.02531): the large pooling network, trained equally
    well, whose probabilities the small one learns beside the labels. The epochs are as many as before.
    """
    with run.step("train it better"):
        report.lesson(train_it_better)
        teaching = dataclasses.replace(better(run, config, config.seed), ema=config.ema, precision="float32", jit="auto")
        train(run, config, pipelines, "teacher", config.pooling, teaching)
        for seed in seeds(config):
            recipe = better(run, config, seed)
            averaged = dataclasses.replace(recipe, ema=config.ema)
            train(run, config, pipelines, RECIPE, config.separable, recipe)
            train(run, config, pipelines, EMA, config.separable, averaged)
            train(run, config, pipelines, DISTILLED, config.separable, averaged, teacher=loaded(config, "teacher", config.seed))
        names = (SEPARABLE, RECIPE, EMA, DISTILLED)
        rows = [[name, spread(run, config, name)] for name in names] + [
            ["the teacher, one seed", f"{accuracies(run, config, 'teacher')[0]:.3f}"]
        ]
        report.table(["network", "test accuracy"], rows, caption="The same separable network four times, and its teacher.")
        report.question(
            "The teacher is worse than its pupil without it. Should it teach?",
            "It can still help, because soft labels regularise; but look at the spread of the seeds before you believe it.",
        )


def make_it_small(run: Run, report: Report, config: Config, pipelines: dict[str, Pipeline]) -> None:
    """Make it small.

    Three ways that work together. **Pruning** sets the smallest weights to zero (Zhu & Gupta 2017, arXiv:1710.01878) and **clustering**
    lets the others share a few values (Han et al. 2016, arXiv:1510.00149), each with a few epochs of repair; zeros stay zeros on the way.
    The last two rungs leave Keras: the same network as a LiteRT file, in float32 and in **int8** (Jacob et al. 2018, arXiv:1712.05877),
    where every tensor's range is measured on a hundred training pictures.
    """
    with run.step("make it small"):
        report.lesson(make_it_small)
        for seed in seeds(config):
            shrink(config, pipelines, seed)
        names = (DISTILLED, PRUNED, CLUSTERED, LITERT, INT8)
        rows = [[name, spread(run, config, name), measured_of(config, name)["gzip"] / 1e6] for name in names]
        report.table(["network", "test accuracy", "file, gzip, MB"], rows, caption="The same network, smaller and smaller.")


def time_everything_in_turns(run: Run, report: Report, config: Config, pipelines: dict[str, Pipeline]) -> None:
    """Time everything in turns.

    A clock that runs first for one network and then for another compares two hours of the day. Here all take turns: one measurement of
    each, then again, and the median counts. A training step is Keras' own `fit` on one batch in memory; inference is one compiled call
    on it. The peak of memory is that of a process which does nothing else.

    XLA, mixed precision and fused steps need no training of their own: they compute the same numbers up to rounding.
    """
    with run.step("time everything"):
        report.lesson(time_everything_in_turns)
        made, left_out = ways(run, config, pipelines)
        images, labels = (np.asarray(part) for part in next(iter(pipelines["train"].training(config.batch_size, config.seed, 0))))

        def timed() -> dict:
            calls = {name: runtimes.load(file_of(config, name, config.seed), threads=cores()) for name in (LITERT, INT8)}
            times = measure(made, (images, labels), steps=config.steps, turns=config.turns, calls=calls)
            return {name: dataclasses.asdict(timing) for name, timing in times.items()}

        def weighed() -> dict:
            network = {NAIVE: config.naive, POOLING: config.pooling}
            asked = {"classes": classes_of(pipelines), "size": config.size, "changes": changes(config)}
            names = (NAIVE, POOLING, SEPARABLE, XLA, PRECISION, EMA)
            return {way.name: footprint(network.get(way.name, config.separable), way.recipe, **asked) for way in made if way.name in names}

        times, memory = run.once("times", timed), run.once("memory", weighed)
        header = ["program", "first call s", "training step ms", f"inference ms for {config.batch_size}", "peak memory MB"]
        rows = [
            [name, time["first"], milliseconds(time["step"]), milliseconds(time["call"]), (memory[name] / 1e6 if name in memory else None)]
            for name, time in times.items()
        ]
        report.table(header, rows, caption=f"Medians of {config.turns} turns.")
        for name, reason in left_out.items():
            report.text(f"{name} is not a rung here: {reason}.")
        if NATIVE in times:
            slower = times[NATIVE]["step"] / times[XLA]["step"]
            report.text(
                f"XLA's own depthwise convolution on a processor makes the step {slower:.1f} times as long as the sum of shifted "
                "products that the zoo's layers put in its place; the rungs below have the latter."
            )


def climb_the_ladder(run: Run, report: Report, config: Config, pipelines: dict[str, Pipeline]) -> None:
    """Climb the ladder.

    Each rung has all before it, but for the measured switches, which begin again at the separable network. A change of less than a
    tenth in a time counts as none, and one of accuracy within the spread of the seeds too.
    """
    with run.step("climb the ladder"):
        report.lesson(climb_the_ladder)
        rows = table_of(run, config, pipelines)
        header = ["rung", "weights", "not zero", "accuracy", "train s/epoch", f"inference ms/{config.batch_size}", "peak MB", "gzip MB"]
        report.table(header, [line(name, row) for name, row in rows.items()], caption="The ladder on this machine.")
        shown = [[name, f"{count:,}", right and f"{right:.0%}", train, call] for name, (count, right, train, call) in COURSE.items()]
        report.table(
            ["rung", "weights", "accuracy", "train s/epoch", "inference ms"], shown, caption="The course's, on its GPU, as published."
        )
        device = "gpu" if machine.accelerated() else "cpu"
        for name, row in rows.items():
            if AFTER[name] is not None:
                why = WHY[name] if isinstance(WHY[name], str) else WHY[name][device]
                report.text(f"**{name}**: {effect(rows[before(name, rows)], row)} *{why}*")
        names = list(rows)
        after = [None if AFTER[name] is None else names.index(before(name, rows)) for name in names]
        panels = {
            "train, s per epoch": [rows[name]["epoch"] for name in names],
            f"inference, ms per {config.batch_size}": [1000 * rows[name]["call"] for name in names],
            "test accuracy": [mean(rows[name]["accuracy"]) for name in names],
        }
        figure = viz.waterfall(names, panels, after=after, rising=["test accuracy"])
        report.figure(
            run.figure("waterfall", figure),
            "What every rung changes, from the rung that it builds on. Behind distillation the epochs are those of the repair.",
        )
        costs = {
            "training, seconds per epoch": panels["train, s per epoch"],
            f"inference, milliseconds per {config.batch_size}": panels[f"inference, ms per {config.batch_size}"],
            "file after gzip, MB": [rows[name]["gzip"] / 1e6 for name in names],
        }
        trained = [index for index, name in enumerate(names) if name not in (XLA, PRECISION, FUSING)]  # the others are the same network
        errors = [(min(rows[names[index]]["accuracy"]), max(rows[names[index]]["accuracy"])) for index in trained]
        heights = [panels["test accuracy"][index] for index in trained]
        costs = {axis: [values[index] for index in trained] for axis, values in costs.items()}
        figure = viz.pareto([names[index] for index in trained], heights, costs, ylabel="test accuracy", errors=errors)
        report.figure(
            run.figure("pareto", figure), "Circles on the line: nothing is better and cheaper. Bars: from the worst to the best seed."
        )
        run.metric(ladder=rows, effects={name: effect(rows[before(name, rows)], row) for name, row in rows.items() if AFTER[name]})


def tell_the_efficiencies_apart(run: Run, report: Report, config: Config) -> None:
    """Tell the efficiencies apart.

    "More efficient" means four things. **Parameter** efficiency: what is stored and sent. **Training** efficiency: what an epoch costs,
    paid once. **Inference** efficiency: what an answer costs, paid every time. **Memory** efficiency: what must fit at once, which
    decides the batch and whether it runs at all; in training it is the maps that are kept for the backward pass, not the weights. A rung
    can serve one and harm another: a teacher costs training and gives accuracy, pruning serves the file alone.
    """
    with run.step("tell the efficiencies apart"):
        report.lesson(tell_the_efficiencies_apart)
        rows = run.metrics["ladder"]
        first, last, trained = rows[NAIVE], rows[INT8], rows[EMA]
        saved = {
            "parameters (not zero)": (first["nonzero"], last["nonzero"], "91 %"),
            "training, seconds per epoch": (first["epoch"], trained["epoch"], "61 %"),
            f"inference, ms per {config.batch_size}": (1000 * first["call"], 1000 * last["call"], "57 %"),
            "memory of training, MB": (first["memory"] / 1e6, trained["memory"] / 1e6, "not told"),
            "file after gzip, MB": (first["gzip"] / 1e6, last["gzip"] / 1e6, "not told"),
        }
        table = [[name, old, new, f"{1 - new / old:.0%}", course] for name, (old, new, course) in saved.items()]
        report.table(
            ["what", "naive", "optimised", "less by", "the course's"],
            table,
            caption="Training and its memory: with EMA; the others: as int8.",
        )
        gain = mean(last["accuracy"]) - mean(first["accuracy"])
        report.text(
            f"Accuracy: {mean(first['accuracy']):.3f} before, {mean(last['accuracy']):.3f} after ({gain:+.3f}). "
            "The course's went from 0.82 to 0.79."
        )
        run.metric(
            saved=1 - last["nonzero"] / first["parameters"],
            gain=gain,
            inference=first["call"] / last["call"],
            training=first["epoch"] / trained["epoch"],
        )


def feed_the_network(run: Run, report: Report, config: Config, data: Dataset) -> None:
    """Feed the network.

    The fastest step waits for its pictures. Here the same files go through `tf.data` five times, one improvement after the other: one
    picture at a time; several at once (**parallel**); decoded once and kept (**cached**); changed a batch at a time (**vectorised**);
    prepared while the step works (**prefetched**). The step is a real one of the separable network. Look at what the bar is made of:
    once nobody waits, a faster pipeline gives nothing more.
    """
    with run.step("feed the network"):
        report.lesson(feed_the_network)

        def paced() -> dict:
            examples = pictures(run, config, data)
            model = builder(config, config.separable, len(data.classes))()
            model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
            answers = np.zeros(config.batch_size, "int64")
            rows = pace.ladder(
                examples,
                config.size,
                batch_size=config.batch_size,
                step=lambda images: model.train_on_batch(images, answers[: len(images)]),
            )
            pieces = pace.parts(examples.take(range(min(100, len(examples)))), config.size)
            plan = str(Pipeline(examples, (config.size, config.size)).plan())
            return {"rows": [dataclasses.asdict(row) for row in rows], "parts": pieces, "plan": plan, "count": len(examples)}

        found = run.once("pace", paced)
        rows = found["rows"]
        header = ["pipeline", "what", "first epoch, pictures/s", "later", "waiting s", "working s"]
        table = [[row["name"], row["what"], round(row["first"]), round(row["later"]), row["waiting"], row["working"]] for row in rows]
        report.table(header, table, caption=f"{found['count']} files; medians of the epochs after the first.")
        shares = {"waiting for pictures": [row["waiting"] for row in rows], "training step": [row["working"] for row in rows]}
        figure = viz.stacked([row["name"] for row in rows], shares, "seconds per epoch")
        report.figure(run.figure("pipeline", figure), "Where the time of an epoch goes.")
        pieces = found["parts"]
        figure = viz.stacked(["one picture, one core"], {name: [1000 * seconds] for name, seconds in pieces.items()}, "milliseconds")
        report.figure(run.figure("picture", figure), "What one picture costs before the network sees it; the cache saves all but the last.")
        report.text("What the zoo's own pipeline decided for these files:")
        report.code(found["plan"])
        run.metric(pipeline={row["name"]: row["later"] for row in rows})


def finish(run: Run, report: Report, config: Config) -> Run:
    """Hold the run against its promise, and write the report."""
    named = {
        "saved": "share of weights saved",
        "gain": "accuracy gained",
        "inference": "times faster inference",
        "training": "times faster training",
    }
    reached = {text: run.metrics[key] for key, text in named.items()} | {"the course's totals are exact": run.metrics["exact"]}
    expected = {text: getattr(config, f"expect_{key}") for key, text in named.items()} | {"the course's totals are exact": 1.0}
    report.close(run, expected, reached, seed=config.seed)
    return run


# The networks and their recipes


def builder(config: Config, row: str, classes: int) -> Callable[[], keras.Model]:
    """What makes a row of the zoo anew, at this run's size and widths."""
    return lambda: zoo.classifier(row, classes=classes, input_shape=(config.size, config.size, 3), changes=changes(config))


def changes(config: Config) -> dict:
    return {"widths": tuple(int(width) for width in config.widths.split(","))} if config.widths else {}


def plain(config: Config, seed: int) -> Recipe:
    """What everybody begins with."""
    constant = {"optimizer": "adam", "schedule": "constant", "warmup": 0.0, "weight_decay": 0.0}
    return Recipe(epochs=config.epochs, batch_size=config.batch_size, learning_rate=config.learning_rate, seed=seed, **constant)


def better(run: Run, config: Config, seed: int) -> Recipe:
    """What costs nothing at inference, with the switches that were measured."""
    cycle = {"optimizer": "adamw", "learning_rate": config.peak, "schedule": "one_cycle", "warmup": 0.3, "weight_decay": 0.05}
    return dataclasses.replace(plain(config, seed), **cycle, label_smoothing=0.1, flip=True, **run.recall("tune")["switches"])


def repair(config: Config, seed: int) -> Recipe:
    """A few epochs at a low rate, in float32: what pruning, clustering and rounding have broken."""
    low = {"epochs": config.fine_tune, "learning_rate": config.learning_rate / 2, "schedule": "cosine"}
    return dataclasses.replace(plain(config, seed), **low, label_smoothing=0.1, flip=True)


def seeds(config: Config) -> range:
    return range(config.seed, config.seed + config.seeds)


def classes_of(pipelines: dict[str, Pipeline]) -> int:
    return int(max(pipeline.examples.labels.max() for pipeline in pipelines.values())) + 1


# One training, and what is kept of it


def train(run, config, pipelines, name: str, row: str, recipe: Recipe, teacher: keras.Model | None = None) -> None:
    """Train a row once, with a teacher or without, in a run folder of its own that keeps its numbers."""
    own = Run.open(
        folder_of(config, name, recipe.seed), {"network": row, "teacher": teacher is not None, **dataclasses.asdict(recipe)}, name=name
    )

    def measured() -> dict:
        with recipe.building():
            model = builder(config, row, classes_of(pipelines))()
        data = SimpleNamespace(**pipelines)
        fit(model, data, recipe, own) if teacher is None else distil(teacher, model, data, recipe, own)
        return numbers(config, pipelines, model, own.model)

    own.once("measure", measured)


def shrink(config: Config, pipelines: dict[str, Pipeline], seed: int) -> None:
    """Prune the distilled network, cluster what is left, and write it as float32 and as int8 with measured ranges."""
    student, recipe = in_float32(loaded(config, DISTILLED, seed)), repair(config, seed)
    updates = max(1, 3 * config.fine_tune * pipelines["train"].steps(config.batch_size) // 4)
    every = max(1, updates // 10)
    sparse = shrunk(config, pipelines, PRUNED, recipe, lambda: prune(student, config.sparsity, updates=updates, every=every))
    shared = shrunk(config, pipelines, CLUSTERED, recipe, lambda: cluster(sparse, config.clusters))
    seen = pipelines["train"].pixels()[:100]
    written(config, pipelines, LITERT, seed, lambda path: export(shared, path))
    written(config, pipelines, INT8, seed, lambda path: export(shared, path, precision="int8", images=seen))


def shrunk(config, pipelines, name: str, recipe: Recipe, rewrite: Callable[[], keras.Model]) -> keras.Model:
    """Rewrite the kernels of a model, repair it, and return it as a plain model again."""
    own = Run.open(folder_of(config, name, recipe.seed), {"rung": name, **dataclasses.asdict(recipe)}, name=name)

    def measured() -> dict:
        model = rewrite()
        fit(model, SimpleNamespace(**pipelines), recipe, own)
        small = strip(model)
        path = export(small, own.folder / "small.keras")
        return numbers(config, pipelines, small, path)

    own.once("measure", measured)
    return keras.saving.load_model(own.folder / "small.keras", compile=False)


def written(config, pipelines, name: str, seed: int, write: Callable[[Path], object]) -> None:
    """Write a LiteRT file and measure it, in its own runtime. Its weights are those of the clustered network."""
    own = Run.open(folder_of(config, name, seed), {"rung": name, "seed": seed}, name=name)

    def measured() -> dict:
        path = file_of(config, name, seed)
        write(path)
        call, images = runtimes.load(path, threads=cores()), pipelines["test"].pixels().astype("float32")
        logits = np.concatenate([call(images[index : index + 50])[0] for index in range(0, len(images), 50)])
        right = float(np.mean(logits.argmax(axis=1) == pipelines["test"].examples.labels))
        same = {key: measured_of(config, CLUSTERED, seed)[key] for key in ("parameters", "nonzero")}
        return {"accuracy": right, **same, "gzip": sizes_of(path)[1]}

    own.once("measure", measured)


def numbers(config, pipelines, model: keras.Model, path: Path) -> dict:
    """Accuracy on the test pictures, weights, weights that are not zero, and bytes of the file after gzip."""
    logits = model.predict(pipelines["test"].evaluation(config.batch_size), verbose=0)
    right = float(np.mean(logits.argmax(axis=1) == pipelines["test"].examples.labels))
    nonzero = sum(int(np.count_nonzero(weight)) for weight in model.get_weights())
    return {"accuracy": right, "parameters": model.count_params(), "nonzero": nonzero, "gzip": sizes_of(path)[1]}


def folder_of(config: Config, name: str, seed: int) -> Path:
    return Path(config.out) / "networks" / f"{name.replace('+ ', '').replace(' ', '_')}_{seed}"


def file_of(config: Config, name: str, seed: int) -> Path:
    return folder_of(config, name, seed) / "network.tflite"


def loaded(config: Config, name: str, seed: int) -> keras.Model:
    return keras.saving.load_model(folder_of(config, name, seed) / "model.keras", compile=False)


def measured_of(config: Config, name: str, seed: int | None = None) -> dict:
    """What was kept of one training; by default of the first seed."""
    found = Run.read(folder_of(config, name, config.seed if seed is None else seed)).recall("measure")
    if found is None:
        raise RuntimeError(f"{name} has not been trained in {config.out}")
    return found


def accuracies(run: Run, config: Config, name: str) -> list[float]:
    chosen = seeds(config) if name != "teacher" else [config.seed]
    return [measured_of(config, name, seed)["accuracy"] for seed in chosen]


# The ways to train, timed


def ways(run: Run, config: Config, pipelines: dict[str, Pipeline]) -> tuple[list[Rung], dict[str, str]]:
    """Every program that is timed, and what cannot be on this backend."""
    classes = classes_of(pipelines)
    naive, pooling, separable = (builder(config, row, classes) for row in (config.naive, config.pooling, config.separable))
    simple, recipe, low = plain(config, config.seed), better(run, config, config.seed), repair(config, config.seed)
    averaged = dataclasses.replace(recipe, ema=config.ema)
    thrown, left_out = switched(separable, simple, config.fuse)
    chosen = dataclasses.replace(simple, **run.recall("tune")["switches"])
    made = [Rung(NAIVE, naive, simple), Rung(POOLING, pooling, simple), Rung(SEPARABLE, separable, simple), *thrown]
    by_rule = keras.backend.backend() == "jax" or machine.accelerated()  # what "auto", Keras' rule, comes to
    if chosen == dataclasses.replace(simple, jit=by_rule):
        left_out[CHOSEN] = "the measurement kept the plain switches, so it is the separable network itself"
    else:
        made.append(Rung(CHOSEN, separable, chosen))
    made += [
        Rung(RECIPE, separable, recipe, predicts=False),
        Rung(EMA, separable, averaged, predicts=False),
    ]
    made.append(Rung(DISTILLED, lambda: pupil_of(pooling(), separable()), averaged, predicts=False))
    made.append(Rung(PRUNED, lambda: prune(separable(), config.sparsity, updates=1000), low, predicts=False))
    made.append(Rung(CLUSTERED, lambda: cluster(separable(), config.clusters), low, predicts=False))
    return made, left_out


def table_of(run: Run, config: Config, pipelines: dict[str, Pipeline]) -> dict[str, dict]:
    """The ladder as numbers: {rung: {"parameters", "nonzero", "accuracy" per seed, "epoch" s, "call" s, "memory", "gzip" bytes}}."""
    times, memory = run.recall("times"), run.recall("memory")
    shipped = times.get(CHOSEN, times[SEPARABLE])["call"]  # the same network, whatever it was trained with
    steps = pipelines["train"].steps(config.batch_size)
    rows = {}
    for name in AFTER:
        if name not in times and name != LITERT:
            continue
        trained = SEPARABLE if name in (XLA, PRECISION, FUSING, CHOSEN) else name  # the same weights up to rounding
        kept = measured_of(config, trained)
        step = times[name]["step"] if times[name]["step"] is not None else times[CLUSTERED]["step"]
        rows[name] = {
            **{key: kept[key] for key in ("parameters", "nonzero", "gzip")},
            "accuracy": accuracies(run, config, trained),
            "epoch": steps * step,
            "call": times[name]["call"] or shipped,
            "memory": memory.get(name),
        }
    return rows


def before(name: str, rows: dict) -> str:
    """The rung that `name` builds on; one that is left out here is passed over."""
    found = AFTER[name]
    while found not in rows:
        found = AFTER[found]
    return found


# Words and pictures


def line(name: str, row: dict) -> list:
    """One row of the ladder's table."""
    zeros = row["nonzero"] if row["nonzero"] < 0.99 * row["parameters"] else None
    memory = None if row["memory"] is None else round(row["memory"] / 1e6)
    return [
        name,
        row["parameters"],
        zeros,
        ranged(row["accuracy"]),
        f"{row['epoch']:.2f}",
        f"{1000 * row['call']:.1f}",
        memory,
        row["gzip"] / 1e6,
    ]


def spread(run: Run, config: Config, name: str) -> str:
    return ranged(accuracies(run, config, name))


def ranged(values: list[float]) -> str:
    """Mean of the seeds, with the worst and the best."""
    return f"{mean(values):.3f}" + (f" ({min(values):.3f} to {max(values):.3f})" if len(values) > 1 else "")


def mean(values: list[float]) -> float:
    return float(np.mean(values))


def milliseconds(seconds: float | None) -> str:
    return "–" if seconds is None else f"{1000 * seconds:.1f}"


def said(switches: dict) -> str:
    steps = switches["steps_per_execution"]
    return f"{switches['precision']}, XLA {'on' if switches['jit'] is True else 'off'}, {steps} step{'s' * (steps > 1)} a call"


def pictures(run: Run, config: Config, data: Dataset) -> Examples:
    """Files to decode: those of the data, or generated pictures written as JPEG of the size of a photograph."""
    chosen = data["train"].take(range(min(config.files, len(data["train"]))))
    if not isinstance(chosen.items[0], np.ndarray):
        return chosen
    folder = run.folder / "files"
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{index}.jpg" for index in range(len(chosen))]
    for path, item in zip(paths, chosen.items, strict=True):
        Image.fromarray(item).resize((768, 768), Image.Resampling.BICUBIC).save(path, quality=90)
    return Examples(paths, chosen.labels)


if __name__ == "__main__":
    sys.exit(start(main, Config, __doc__))
