"""Beyond basic architectures: from 1986 to 2022 on one afternoon.

Question: what did thirty-six years of architectures buy: accuracy, or the same accuracy for less? And how much of it was the
    architecture, how much the recipe of the training?
Data: generated scenes over real photographs (no network), a folder of your own (`--data folder:PATH`), or anything in TensorFlow
    Datasets (`--data tfds:cifar10`, `--data tfds:imagenette/160px-v2`).
Time: quick 26 minutes on 2 CPU cores without a GPU, while other programs ran on them (measured); scenes some hours (estimated).
Expect: on quick scenes the best network is right on at least 0.60 of the test pictures and beats the plain multilayer perceptron by at
    least 0.10; three 3x3 convolutions have 27/49 of the weights of one 7x7. The run itself checks these numbers.
Limits: the quick ladder goes down, not up, and its chapter says why. Every network sees the same pictures equally often with one recipe
    for all, so this compares how fast they learn from little, not what they reach at their best. One seed; the intervals say how much a
    difference of a few points means. Accuracies on generated pictures say nothing about ImageNet.
"""

from __future__ import annotations

import dataclasses
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np

import zoo
from zoo import anatomy, metrics, viz
from zoo.command import start
from zoo.data import Dataset, load
from zoo.data.augment import Augment
from zoo.data.mixup import Mixed
from zoo.data.pipeline import Pipeline
from zoo.report import Report
from zoo.run import Run
from zoo.train import Recipe, fit


@dataclass(frozen=True)
class Config:
    """What this run is. Every field is an option of the command line."""

    data: str = field(default="scenes", metadata={"help": "scenes, scenes:quick, folder:PATH, clothing or tfds:NAME"})
    out: str = field(default="runs/beyond_basic", metadata={"help": "run folder; running the same command again resumes it"})
    size: int = field(default=64, metadata={"help": "side of the images in pixels"})
    models: str = field(
        default="mlp,lenet5_modern,all_cnn_c,squeezenet1_1,resnet18,densenet121,mobilenet_v2_035,mobilenet_v3_small,efficientnet_b0,"
        "convnext_v2_atto",
        metadata={"help": "rows of `zoo list`, separated by commas"},
    )
    epochs: int = field(default=20, metadata={"help": "how often every network sees every picture"})
    batch_size: int = 32
    learning_rate: float = field(default=1e-3, metadata={"help": "peak of AdamW, the same for all"})
    rungs: int = field(default=20, metadata={"help": "epochs of each rung of the ladder; 0 leaves the ladder out"})
    seed: int = 0
    skip_bad: bool = field(default=False, metadata={"help": "leave unreadable files out, and count them"})
    expect: float | None = field(default=0.80, metadata={"help": "test accuracy that the best network must reach"})
    expect_gap: float | None = field(default=0.1, metadata={"help": "by how much it must beat the multilayer perceptron"})

    @classmethod
    def preset(cls, data: str | None) -> Config:
        """The numbers that fit a kind of data; data of your own has no expectation."""
        if data is None or data == "scenes":
            return cls()
        if data == "scenes:quick":
            return cls.quick()
        return cls(data=data, out="runs/beyond_own", expect=None, expect_gap=None)

    @classmethod
    def quick(cls) -> Config:
        """The lesson in minutes on two cores."""
        return cls(
            data="scenes:quick",
            out="runs/beyond_basic_quick",
            size=48,
            models="mlp,lenet5_modern,squeezenet1_1,resnet18,mobilenet_v2_035,convnext_v2_atto",
            epochs=6,
            rungs=4,
            expect=0.60,
        )


LADDER = (
    ("plain ResNet", {}),
    ("warm-up", {"warmup": 0.2}),
    ("linear scaling rule", {"batch_size": 4, "learning_rate": 4}),
    ("label smoothing", {"label_smoothing": 0.1}),
    ("mixup", {"alpha": 0.2}),
    ("cosine", {"schedule": "cosine"}),
    ("ResNet-D", {"late_stride": True, "deep_stem": True, "average_shortcut": True}),
)
"""The rungs, each added to all before it. Batch size and learning rate are factors, the others are values."""

PLAIN = {"late_stride": False, "deep_stem": False, "average_shortcut": False}


def main(config: Config) -> Run:
    run = Run.open(config.out, config, name="beyond_basic_architectures")
    report = Report("Beyond basic architectures", intro=f"Data: **{config.data}**, {config.size}x{config.size} pixels.")
    data = choose_the_stations(run, report, config)
    weigh_three_small_against_one_large(run, report, config)
    results = train_all_on_one_budget(run, report, config, data)
    draw_what_was_bought(run, report, config, results)
    travel_through_time(run, report, config, results)
    climb_the_ladder(run, report, config, data)
    return finish(run, report, config)


def choose_the_stations(run: Run, report: Report, config: Config) -> Dataset:
    """Choose the stations.

    Every network here answered a complaint about the one before. The perceptron forgets that pixels have neighbours; LeNet shares
    its weights over the image; VGG and the all-convolutional net drop everything but 3x3 convolutions; SqueezeNet asks how few
    weights are enough; ResNet lets a hundred layers train; DenseNet keeps every map; MobileNet splits a convolution into space and
    channels; EfficientNet scales everything at once; ConvNeXt asks what of it all was needed. Read each file: it is one sitting long.
    """
    with run.step("choose the stations"):
        report.lesson(choose_the_stations)
        data = load(config.data, seed=config.seed, size=config.size, skip_bad=config.skip_bad)
        shape = (config.size, config.size, 3)
        rows = []
        for name in names_of(config):
            entry = zoo.info(name)
            body = anatomy.measure(zoo.classifier(name, classes=len(data.classes), input_shape=shape))
            rows.append([name, str(entry.year), entry.paper or "-", f"{body.parameters:,}", f"{body.multiply_adds / 1e6:,.1f}"])
        report.table(["network", "year", "paper", "parameters", "million multiply-adds"], rows, caption=f"At {config.size} pixels.")
        for note in data.notes:
            report.text(note)
        run.metric(data=data.name, images={name: len(part) for name, part in data.splits.items()})
    return data


def weigh_three_small_against_one_large(run: Run, report: Report, config: Config) -> None:
    """Weigh three small kernels against one large.

    Three 3x3 convolutions see as far as one 7x7: 3 + 2 + 2 = 7 pixels. With C channels in and out they have 3 x 9 x C x C = 27 C^2
    weights instead of 49 C^2, and two more non-linearities (Simonyan & Zisserman 2014, arXiv:1409.1556, section 2.3). On paper that
    is a saving of 45 %. The clock says what it is worth on this machine.
    """
    with run.step("three small against one large"):
        report.lesson(weigh_three_small_against_one_large)
        channels, side = 64, 32
        image = np.random.default_rng(config.seed).normal(size=(8, side, side, channels)).astype("float32")
        rows, counts = [], {}
        for name, kernels in {"three 3x3": (3, 3, 3), "one 7x7": (7,)}.items():
            x = entry = keras.Input((side, side, channels))
            for kernel in kernels:
                x = keras.layers.Conv2D(channels, kernel, padding="same", use_bias=False)(x)
            model = keras.Model(entry, x)
            body = anatomy.measure(model)
            counts[name] = body.parameters
            seen = 1 + sum(kernel - 1 for kernel in kernels)
            rows.append([name, seen, f"{body.parameters:,}", f"{body.multiply_adds / 1e6:.1f}", f"{1000 * seconds_of(model, image):.1f}"])
        header = ["block", "pixels seen", "weights", "million multiply-adds", "ms for 8 maps"]
        report.table(header, rows, caption=f"{channels} channels on maps of {side} x {side}.")
        report.question(
            "Why is the ratio of the times not 27 to 49?", "Three calls read and write the map three times; only the sums are saved."
        )
        run.metric(small_kernels=counts["three 3x3"] / counts["one 7x7"])


def train_all_on_one_budget(run: Run, report: Report, config: Config, data: Dataset) -> dict[str, dict]:
    """Train all on one budget.

    The same pictures, equally often, in the same order, with the same optimiser, schedule and augmentation. That is fair in one sense only:
    nobody was tuned. A network that needs long training or strong augmentation, as ConvNeXt does, shows here what it can do without.
    """
    with run.step("train all"):
        report.lesson(train_all_on_one_budget)
        budget = {"epochs": config.epochs, "batch_size": config.batch_size, "learning_rate": config.learning_rate}
        recipe = Recipe(**budget, label_smoothing=0.1, seed=config.seed)
        pipelines = pipelines_of(config, data)
        results = {}
        for name in names_of(config):
            own = Run.open(Path(config.out) / "networks" / name, {"network": name, **dataclasses.asdict(recipe)}, name=name)
            results[name] = own.once("measure", lambda name=name, own=own: trained(name, own, recipe, pipelines, data, config))
        columns = [
            "accuracy",
            "95 % interval",
            "calibration error",
            "parameters",
            "multiply-adds",
            "ms, 1 picture",
            "ms, 16",
            "MB",
            "train s",
        ]
        report.table(["network", *columns], [line(name, result) for name, result in results.items()])
        best = max(results, key=lambda name: results[name]["accuracy"])
        gap = results[best]["accuracy"] - results["mlp"]["accuracy"] if "mlp" in results else None
        run.metric(networks=results, best=best, accuracy=results[best]["accuracy"], **({} if gap is None else {"gap": gap}))
    return results


def draw_what_was_bought(run: Run, report: Report, config: Config, results: dict[str, dict]) -> None:
    """Draw what was bought.

    A network is **Pareto-optimal** when no other is both better and cheaper. Which ones are depends on the currency: weights to
    store, multiply-adds to compute, or milliseconds to wait. A depthwise convolution is cheap in multiply-adds and dear in
    milliseconds, because it reads much memory for little arithmetic.
    """
    with run.step("draw what was bought"):
        report.lesson(draw_what_was_bought)
        names = list(results)
        costs = {
            "parameters": [results[name]["parameters"] for name in names],
            "million multiply-adds": [results[name]["multiply_adds"] / 1e6 for name in names],
            "milliseconds for one picture": [results[name]["ms_1"] for name in names],
            "seconds of training": [results[name]["training_seconds"] for name in names],
        }
        accuracy, bounds = [results[name]["accuracy"] for name in names], [results[name]["interval"] for name in names]
        figure = viz.pareto(names, accuracy, costs, ylabel="test accuracy", errors=bounds)
        report.figure(run.figure("pareto", figure), "Circles on the line: nobody is better and cheaper. Bars: 95 % intervals.")
        report.question(
            "Which network would you put on a phone, and which into a nightly job on a server?",
            "On the phone the leftmost good one of the third panel; at night accuracy counts alone. No network is best without a price.",
        )


def travel_through_time(run: Run, report: Report, config: Config, results: dict[str, dict]) -> None:
    """Travel through time.

    In the order of their years, accuracy does not simply rise: on little data and little time a small old network may beat a large new one.
    What does change is the price, and how sure a network is of itself: the calibration error tells whether its 80 % are 80 %.
    """
    with run.step("travel through time"):
        report.lesson(travel_through_time)
        names = sorted(results, key=lambda name: zoo.info(name).year)
        labels = [f"{zoo.info(name).year}  {name}" for name in names]
        accuracy = viz.bars(labels, [results[n]["accuracy"] for n in names], [results[n]["interval"] for n in names], "test accuracy")
        report.figure(run.figure("accuracy_by_year", accuracy), "Accuracy by year of publication.")
        errors = viz.bars(labels, [results[name]["ece"] for name in names], xlabel="expected calibration error")
        report.figure(run.figure("calibration_by_year", errors), "Smaller is more honest.")


def climb_the_ladder(run: Run, report: Report, config: Config, data: Dataset) -> None:
    """Climb the bag-of-tricks ladder.

    He et al. 2018 (arXiv:1812.01187) took one ResNet from 75.3 to 79.3 % on ImageNet without a new idea, by adding what everybody
    half knew. Each rung here is one line of configuration on top of all before it: a **warm-up** for the first steps; the **linear
    scaling rule**, a batch k times larger with a rate k times higher; **label smoothing**; **mixup** of pictures and labels; a **cosine**
    instead of a constant rate; and **ResNet-D**, which no longer throws three quarters of a map away. In a short training on easy pictures
    some rungs cost more than they give: a batch four times larger leaves a quarter of the updates, which an hour of training does not miss
    and a minute does; and regularisation pays when a network can already memorise its data. So look for the rung where your curve bends.
    """
    if not config.rungs:
        return
    with run.step("climb the ladder"):
        report.lesson(climb_the_ladder)
        pipelines, results, so_far = pipelines_of(config, data), {}, {}
        for name, change in LADDER:
            so_far |= change
            own = Run.open(
                Path(config.out) / "ladder" / name.replace(" ", "_"), {"rung": name, "epochs": config.rungs, **so_far}, name=name
            )
            results[name] = own.once("measure", lambda own=own, now=dict(so_far): rung(own, now, pipelines, data, config))
        names = list(results)
        rows = [[name, str(dict(LADDER)[name] or "-"), f"{results[name]['accuracy']:.3f}", f"{results[name]['ece']:.3f}"] for name in names]
        report.table(["rung", "what was added", "test accuracy", "calibration error"], rows)
        figure = viz.bars(names, [results[n]["accuracy"] for n in names], [results[n]["interval"] for n in names], "test accuracy")
        report.figure(run.figure("ladder", figure), f"Each rung has all before it; {config.rungs} epochs each.")
        report.question(
            "A rung lowered the accuracy by two points. Do you throw it away?",
            "Look at the interval first: with a few hundred test pictures two points are noise. Then repeat with another seed.",
        )
        run.metric(ladder=results)


def finish(run: Run, report: Report, config: Config) -> Run:
    """Hold the run against its promise, and write the report."""
    reached = {**run.metrics, "three 3x3 save weights": float(abs(run.metrics["small_kernels"] - 27 / 49) < 1e-9)}
    expected = {"accuracy": config.expect, "gap": config.expect_gap if "gap" in reached else None, "three 3x3 save weights": 1.0}
    report.close(run, expected, reached, seed=config.seed)
    return run


def names_of(config: Config) -> list[str]:
    """The chosen rows; an unknown one raises with the closest names."""
    names = [name.strip() for name in config.models.split(",") if name.strip()]
    for name in names:
        zoo.info(name)
    return names


def pipelines_of(config: Config, data: Dataset) -> dict[str, Pipeline]:
    """One cache of pixels for all networks; small changes of the training pictures that keep their label."""
    augment = Augment(flip=True, shift=0.1, zoom=0.15, brightness=0.15, contrast=0.15)
    size = (config.size, config.size)
    return {name: Pipeline(part, size, augment if name == "train" else None) for name, part in data.splits.items()}


def trained(name: str, own: Run, recipe: Recipe, pipelines: dict[str, Pipeline], data: Dataset, config: Config) -> dict:
    """Train one row and measure everything that is compared."""
    with recipe.building():
        model = zoo.classifier(name, classes=len(data.classes), input_shape=(config.size, config.size, 3))
    body = anatomy.measure(model)
    history = fit(model, SimpleNamespace(**pipelines), recipe, own)
    images = np.zeros((16, config.size, config.size, 3), "float32")
    return {
        **scored(model, pipelines, data, recipe.batch_size),
        "parameters": body.parameters,
        "multiply_adds": body.multiply_adds,
        "megabytes": (body.weight_bytes + body.peak_bytes) / 1e6,
        "ms_1": 1000 * seconds_of(model, images[:1]),
        "ms_16": 1000 * seconds_of(model, images),
        "training_seconds": round(history.seconds, 1),
    }


def rung(own: Run, settings: dict, pipelines: dict[str, Pipeline], data: Dataset, config: Config) -> dict:
    """Train the small ResNet with everything up to one rung."""
    batch = config.batch_size * settings.get("batch_size", 1)
    recipe = Recipe(
        epochs=config.rungs,
        batch_size=min(batch, len(pipelines["train"])),
        optimizer="sgd",
        learning_rate=0.1 * config.batch_size / 256 * settings.get("learning_rate", 1),  # Goyal et al. 2017, arXiv:1706.02677
        schedule=settings.get("schedule", "constant"),
        warmup=settings.get("warmup", 0.0),
        weight_decay=1e-4,
        label_smoothing=settings.get("label_smoothing", 0.0),
        seed=config.seed,
    )
    shape = (config.size, config.size, 3)
    with recipe.building():
        switches = {key: settings.get(key, value) for key, value in PLAIN.items()}
        model = zoo.classifier("resnet_d_small", classes=len(data.classes), input_shape=shape, changes=switches)
    mixed = {name: Mixed(pipelines[name], len(data.classes), settings.get("alpha", 0.0)) for name in ("train", "validation")}
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing)
    fit(model, SimpleNamespace(**mixed), recipe, own, loss=loss, metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")])
    return scored(model, pipelines, data, config.batch_size)


def scored(model: keras.Model, pipelines: dict[str, Pipeline], data: Dataset, batch_size: int) -> dict:
    """Accuracy on the test split with its interval, and how honest the probabilities are."""
    truth = data["test"].labels
    probabilities = metrics.softmax(model.predict(pipelines["test"].evaluation(batch_size), verbose=0))
    right = int(np.sum(probabilities.argmax(axis=1) == truth))
    return {
        "accuracy": right / len(truth),
        "interval": metrics.wilson(right, len(truth)),
        "ece": metrics.calibration(truth, probabilities).ece,
    }


def line(name: str, result: dict) -> list:
    """One row of the table of results."""
    low, high = result["interval"]
    numbers = [f"{result['parameters']:,}", f"{result['multiply_adds'] / 1e6:,.1f} M", f"{result['ms_1']:.1f}", f"{result['ms_16']:.1f}"]
    end = [f"{result['megabytes']:.1f}", f"{result['training_seconds']:.0f}"]
    return [name, f"{result['accuracy']:.3f}", f"{low:.3f} to {high:.3f}", f"{result['ece']:.3f}", *numbers, *end]


def seconds_of(model: keras.Model, images: np.ndarray, repeats: int = 15) -> float:
    """Median seconds of one compiled call on a batch, after two unmeasured ones."""
    taken = []
    for _ in range(repeats + 2):
        begin = time.perf_counter()
        model.predict_on_batch(images)
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken[2:])


if __name__ == "__main__":
    sys.exit(start(main, Config, __doc__))
