"""Which explainer lies?

Question: fifteen methods say where a network looked. One more contestant never asked the network at all. Can you tell it from the others,
    and what would have to be measured so that nobody is fooled?
Data: generated patches in noise, where the evidence is known (always); then generated scenes with a planted bias (no network), or
    photographs: the public CC0 clothing photos (`--data clothing`), a folder (`--data folder:PATH`), or `--data tfds:NAME`.
Time: quick took 22 minutes on 2 CPU cores without a GPU while other programs ran on them, 5 of them computing (measured).
Expect: on the patches, Grad-CAM points at the evidence in 90 % of the pictures and keeps half of its heat there, a third better than random
    in deletion and insertion, above Sobel edges; shuffled weights change it and HiResCAM (rank correlation at most 0.3). The run checks it.
Limits: a small network and one kind of evidence. A method that is right here may be wrong elsewhere; one that is wrong here has no excuse.
"""

from __future__ import annotations

import csv
import dataclasses
import functools
import io
import itertools
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import keras
import numpy as np

import zoo
from zoo import atomic, explain, metrics, viz
from zoo.command import start
from zoo.data import Dataset, Examples, load
from zoo.data.patches import Patches, classification
from zoo.data.pipeline import Pipeline
from zoo.data.scenes import Scenes, moved
from zoo.data.scenes import classification as scenes
from zoo.explain.baselines import BASELINES
from zoo.explain.blur import gaussian_blur
from zoo.explain.league import NUMBERS, mean_of
from zoo.report import Report
from zoo.run import Run
from zoo.train import Recipe, fit


@dataclass(frozen=True)
class Config:
    """What this run is. Every field is an option of the command line."""

    data: str = field(default="scenes", metadata={"help": "after the patches: scenes, scenes:quick, clothing, folder:PATH or tfds:NAME"})
    out: str = field(default="runs/which_explainer_lies", metadata={"help": "run folder; running the same command again resumes it"})
    size: int = field(default=64, metadata={"help": "side of the images in pixels"})
    bed: int = field(default=1200, metadata={"help": "patches to train on"})
    bed_epochs: int = field(default=4, metadata={"help": "epochs on the patches"})
    epochs: int = field(default=12, metadata={"help": "epochs on the scenes or photographs"})
    images: int = field(default=48, metadata={"help": "pictures that are explained"})
    few: int = field(default=16, metadata={"help": "of them, those explained again with shuffled weights and for another class"})
    steps: int = field(default=28, metadata={"help": "points of a deletion or insertion curve"})
    masks: int = field(default=2000, metadata={"help": "masks of RISE"})
    samples: int = field(default=32, metadata={"help": "noisy copies of SmoothGrad and VarGrad, steps of Integrated Gradients"})
    batch_size: int = 32
    seed: int = 0
    reveal: bool = field(default=False, metadata={"help": "name the liar in the open, instead of behind a click"})
    skip_bad: bool = field(default=False, metadata={"help": "leave unreadable files out, and count them"})
    expect: bool = field(default=True, metadata={"help": "hold the run against its promises"})

    @classmethod
    def preset(cls, data: str | None) -> Config:
        """The numbers that fit a kind of data."""
        if data == "scenes:quick":
            return cls.quick()
        if data is None or data == "scenes":
            return cls()
        return cls(data=data, out=f"runs/which_explainer_lies_{data.partition(':')[0]}", epochs=25)

    @classmethod
    def quick(cls) -> Config:
        """The lesson in minutes on two cores."""
        return cls(data="scenes:quick", out="runs/which_explainer_lies_quick", epochs=6, few=8, steps=14, masks=400, samples=16)


LIAR = "the impostor"
CAMS = ("Grad-CAM", "HiResCAM")
"""Of them, shuffled weights must leave little. No promise is made of those that weigh activity by positive numbers only (Grad-CAM++,
Layer-CAM, Score-CAM), of Eigen-CAM, which never asks, and of RISE, which shows its masks."""
SHOWN = ("Grad-CAM", "HiResCAM", "Integrated Gradients", "Occlusion", "Guided backprop", LIAR)
"""Contestants that the later chapters show: each stands for a kind."""
PROMISES = {
    "accuracy on the patches": 0.99,
    "Grad-CAM: pointing": 0.9,
    "Grad-CAM: mass inside": 0.5,
    "Grad-CAM: mass inside, Sobel edges = 1": 1.0,
    "Grad-CAM: random deletion / its own": 1 / 0.75,
    "Grad-CAM: insertion / random insertion": 1.3,
    "Grad-CAM, HiResCAM: 1 - likeness under shuffled weights": 0.7,
}


def main(config: Config) -> Run:
    run = Run.open(config.out, config, name="which_explainer_lies")
    report = Report("Which explainer lies?", intro=f"Data: **patches**, then **{config.data}**. Every method of the zoo, and one more.")
    bed = build_a_bed_of_known_truth(run, report, config)
    model = train_a_network_that_must_look_there(run, report, config, bed)
    letters = ask_every_method(run, report, config, model, bed)
    numbers = hold_them_against_the_truth(run, report, config, model, bed, letters)
    destroy_what_was_learned(run, report, config, model, bed, letters)
    unmask_them(run, report, config, numbers, letters)
    ask_a_network_that_cheats(run, report, config)
    leave_the_laboratory(run, report, config)
    return finish(run, report, config, numbers)


def build_a_bed_of_known_truth(run: Run, report: Report, config: Config) -> Dataset:
    """Build a bed of known truth.

    To find out who lies you must know the truth, and on photographs nobody knows what a network *ought* to look at. So the pictures are
    made: grey noise, and one patch of 16 by 16 pixels whose texture is the class. Its place, brightness and contrast say nothing. All
    the evidence that there is lies in the box, which covers a sixteenth of the picture: that is how often chance points at it.
    """
    with run.step("build the bed"):
        report.lesson(build_a_bed_of_known_truth)
        data = classification(Patches(size=config.size, train=config.bed, seed=config.seed))
        test = data["test"]
        pictures = [picture for i in range(8) for picture in (test.image(i), boxed(test.image(i), test.attributes["box"][i]))]
        titles = [title for i in range(8) for title in (data.classes[test.labels[i]], "its evidence")]
        figure = viz.images(pictures, titles, columns=8)
        report.figure(run.figure("bed", figure), "Two of each class, and where the class can be seen.")
        report.question(
            "Sobel edges know nothing of any network. How often will the strongest edge of a picture lie in its patch?",
            "Far more often than chance, because the patch is a place of many edges. So beating *random* proves nothing here: a method "
            "must beat Sobel.",
        )
    return data


def train_a_network_that_must_look_there(run: Run, report: Report, config: Config, bed: Dataset) -> keras.Model:
    """Train a network that must look there.

    Four convolutions, seconds of training, and no mistake on pictures it has never seen. A network that is always right about the class
    must have used the patch: there is no other way to know it. Whoever says that it looked elsewhere is wrong.
    """
    with run.step("train on the bed"):
        report.lesson(train_a_network_that_must_look_there)
        changes = {"widths": (16, 32), "depth": 2}
        model = trained(run, config, bed, config.bed_epochs, changes)
        test = bed["test"]
        accuracy = metrics.accuracy(test.labels, model.predict(pixels(test, config), verbose=0).argmax(axis=1))
        report.numbers({"test accuracy": accuracy, "parameters": model.count_params(), "chance": 1 / len(bed.classes)})
        run.metric(**{"accuracy on the patches": accuracy})
    return model


def ask_every_method(run: Run, report: Report, config: Config, model: keras.Model, bed: Dataset) -> dict[str, str]:
    """Ask every method.

    Each method of the zoo draws its map of the same pictures, for the same class. The names are hidden: you see letters, in an order that
    the seed decides. One letter is an impostor. It is handed the network and never asks it anything.
    """
    with run.step("ask every method"):
        report.lesson(ask_every_method)
        contestants = entrants(config)
        names = np.random.default_rng([config.seed, 7]).permutation(list(contestants))
        letters = {chr(ord("A") + place): str(name) for place, name in enumerate(names)}
        some = bed["test"].take(range(3))
        images = pixels(some, config)
        rows = {letter: drawn(contestants[name], model, images, some.labels) for letter, name in letters.items()}
        rows |= {name: baseline(images, config.seed) for name, baseline in BASELINES.items()}
        for i in range(len(some)):
            box = some.attributes["box"][i]
            panels = [boxed(viz.overlay(images[i], heat[i], 0.75), box) for heat in rows.values()]
            titles = ["the picture", *rows]
            figure = viz.images([boxed(images[i], box), *panels], titles, columns=7)
            report.figure(run.figure(f"gallery_{i}", figure), f"Who looked into the box? Class: {bed.classes[some.labels[i]]}.")
        report.question(
            "Write down the letter that you trust most, and the one that you believe to be the impostor.",
            "Compare them with the tables below. A beautiful map is no proof: the eye is easily pleased.",
        )
    return letters


def hold_them_against_the_truth(run, report: Report, config: Config, model, bed: Dataset, letters: dict[str, str]) -> dict[str, dict]:
    """Hold them against the truth.

    *Pointing*: does the maximum lie in the box? *Mass*: what share of the heat does? *Deletion*: grey the hottest pixels first; the class
    must soon be lost. *Insertion*: bring them first into a blurred picture; the class must soon be found. These four ask whether a map is
    right about the picture. The last two ask whether it is about the *network*: *random weights* shuffles everything that was learned and
    draws the map again, *other class* asks for another answer. A map that does not change was never an explanation.
    """
    with run.step("hold them against the truth"):
        report.lesson(hold_them_against_the_truth)
        some = bed["test"].take(range(config.images))
        images, labels = pixels(some, config), some.labels
        others = (labels + 1) % len(bed.classes)
        blind = {name: functools.partial(ignorant, name, itertools.count()) for name in BASELINES}
        numbers = {}
        for name, method in {**entrants(config), **blind}.items():
            ask = {"few": config.few, "steps": config.steps, "seed": config.seed, "batch_size": config.batch_size}

            def judged(method=method, ask=ask):
                begin = time.perf_counter()
                found = explain.judge(model, images, method, labels, some.attributes["box"], others=others, **ask)
                return {**found, "seconds": time.perf_counter() - begin}

            numbers[name] = run.once(f"judge {name}", judged)
            print(f"  {len(numbers)} of {len(entrants(config)) + len(blind)} judged", flush=True)
        shown = {letter: numbers[name] for letter, name in letters.items()} | {name: numbers[name] for name in BASELINES}
        report.table(["", *(column.title for column in NUMBERS.values())], [[row, *cells(found)] for row, found in shown.items()])
        report.figure(run.figure("league", bars({row: shown[row] for row in letters}, numbers)), "Vertical lines: maps that know nothing.")
        report.question(
            "Which letter is excellent in the first four numbers, and yet cannot be an explanation? Look at the last two.",
            f"{answer(config, letters)} It finds places full of edges, and on this bed the evidence is such a place, so every test of the "
            "picture praises it. Only the two tests of the network find it out: it draws the same map whatever the network knows, and "
            "whatever it is asked.",
        )
        run.metric(league=numbers)
    return numbers


def destroy_what_was_learned(run: Run, report: Report, config: Config, model, bed: Dataset, letters: dict[str, str]) -> None:
    """Destroy what was learned, layer by layer.

    Adebayo et al. 2018 (arXiv:1810.03292): shuffle the weights of the last layer, then of the one before as well, down to the first. A
    map that explains the network must fall apart with it. Some of the best-known maps hardly notice.
    """
    with run.step("destroy what was learned"):
        report.lesson(destroy_what_was_learned)
        some = bed["test"].take(range(config.few))
        images, contestants = pixels(some, config), entrants(config)

        def measured():
            found, stages = {}, []
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                for letter, name in letters.items():
                    ask = {"order": "cascade", "stages": 5, "seed": config.seed, "batch_size": config.batch_size}
                    result = explain.randomisation(model, images, contestants[name], some.labels.tolist(), **ask)
                    found[letter], stages = [mean_of(row) for row in result.similarity], list(result.layers)
            return {"stages": [stage.split(", ")[-1] for stage in stages], "curves": found}

        found = run.once("cascade", measured)
        curves = {letter: [np.nan if value is None else value for value in values] for letter, values in found["curves"].items()}
        figure = viz.cascade(found["stages"], curves, "likeness to the map before (rank correlation)", floor=0.3)
        report.figure(
            run.figure("cascade", figure), "From the output down to the layer named below. Dashed: 0.3, which a good map goes below."
        )


def unmask_them(run: Run, report: Report, config: Config, numbers: dict[str, dict], letters: dict[str, str]) -> None:
    """Unmask them.

    The league with its names, also as `league.csv`. Read a number beside those of the maps that know nothing, never alone: on another
    kind of evidence the ranks would differ, but a method that is blind to the weights stays blind.
    """
    with run.step("unmask them"):
        report.lesson(unmask_them)
        known = {name: letter for letter, name in letters.items()}
        order = sorted(numbers, key=lambda name: -(numbers[name]["mass"] or 0))
        header = ["method", "letter", *(column.title for column in NUMBERS.values()), "seconds"]
        shown = order if config.reveal else [name for name in order if name != LIAR]
        table = {name: [name, known.get(name, ""), *cells(numbers[name]), numbers[name]["seconds"]] for name in order}
        report.table(
            header, [table[name] for name in shown], caption=f"Means over {config.images} pictures, most heat on the evidence first."
        )
        named = {name: numbers[name] for name in shown if name in known}
        report.figure(run.figure("league_named", bars(named, numbers)), "The same with names. Vertical lines: maps that know nothing.")
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([header, *table.values()])
        atomic.write(run.folder / "league.csv", text.getvalue())
        methods = [name for name in order if name in known and name != LIAR]
        for question, column, least in (("the weights", "weights", 0.5), ("the class", "classes", 0.9)):
            found = [name for name in methods if (numbers[name][column] or 0) > least]
            report.text(f"Nearly blind to {question} on this bed (likeness above {least}): {', '.join(found) or 'none'}, and the impostor.")
        report.text(
            "Why so many? A network whose weights are shuffled is still most active where the picture is busiest. Methods that add up "
            "activity with positive weights only show that; Grad-CAM and HiResCAM also subtract, and fall apart with the network."
        )
        if not config.reveal:
            report.question("Who was the impostor?", answer(config, letters))


def ask_a_network_that_cheats(run: Run, report: Report, config: Config) -> None:
    """Ask a network that cheats.

    Two networks of one kind see the same objects. For the first, each class nearly always stood on one surface: it learned the surface.
    For the second, any object stood anywhere. Now both are asked what speaks for the true class, on a surface where it never stood. Where
    the two columns of a method differ, it says something about the network; where they agree, it explains the picture.
    """
    if not config.data.startswith("scenes"):
        return
    with run.step("ask a network that cheats"):
        report.lesson(ask_a_network_that_cheats)
        whole = dataclasses.replace(Scenes(), seed=config.seed, size=config.size)
        kind = whole.quick() if config.data == "scenes:quick" else whole
        networks = {}
        for name, source in (("cheats", kind), ("fair", kind.unbiased())):
            networks[name] = trained(run, config, scenes(source), config.epochs, {"widths": (16, 32, 64), "depth": 1}, name)
        strange = moved(kind, "test").take(range(config.images))
        images, masks, labels = pixels(strange, config), strange.attributes["mask"], strange.labels
        said = {name: network.predict(images, verbose=0).argmax(axis=1) for name, network in networks.items()}
        fooled = float(np.mean(said["cheats"] == strange.attributes["home"]))
        right = {name: float(np.mean(answers == labels)) for name, answers in said.items()}
        report.numbers({"right, the network that cheats": right["cheats"], "right, the fair one": right["fair"]})
        report.text(f"On a strange surface, the network that cheats names the class that is at home there in {fooled:.0%} of the pictures.")
        methods = {name: method for name, method in entrants(config).items() if name in SHOWN}
        heats = {n: {m: drawn(ask, networks[n], images, labels) for m, ask in methods.items()} for n in networks}
        heats |= {"": {name: baseline(images, config.seed) for name, baseline in BASELINES.items()}}
        inside = {n: {m: mean_of(np.nan_to_num(explain.mass_inside(h, masks))) for m, h in maps.items()} for n, maps in heats.items()}
        rows = [[m, inside["cheats"][m], inside["fair"][m], inside["fair"][m] - inside["cheats"][m]] for m in methods]
        rows += [[name, inside[""][name], inside[""][name], 0.0] for name in BASELINES]
        caption = f"Share of the heat on the object, which covers {masks.mean():.0%} of the picture."
        report.table(["method", "the one that cheats", "the fair one", "difference"], rows, caption=caption)
        maps = {f"{m}, {n}": heats[n][m][:5] for m in ("Grad-CAM", LIAR) for n in networks}
        figure = viz.explanations(images[:5], maps, [f"a {scenes_class(label)}" for label in labels[:5]])
        report.figure(run.figure("cheats", figure), "The same objects, explained for the network that cheats and for the fair one.")
        run.metric(heat_on_object={n: inside[n] for n in networks}, right_elsewhere=right, fooled=fooled)


def leave_the_laboratory(run: Run, report: Report, config: Config) -> None:
    """Leave the laboratory.

    On photographs the truth is unknown, so pointing and mass are gone. What remains: deletion and insertion beside the maps that know
    nothing, likeness under shuffled weights, and a control that is easily forgotten: the same method on a network that was *never trained*.
    If its maps serve the trained network as well as its own do, they show the picture and not what was learned.
    """
    if config.data.startswith("scenes"):
        return
    with run.step("leave the laboratory"):
        report.lesson(leave_the_laboratory)
        data = load(config.data, seed=config.seed, size=config.size, skip_bad=config.skip_bad)
        changes = {"widths": (32, 64, 128), "depth": 1}
        model = trained(run, config, data, config.epochs, changes, "photographs")
        test = data["test"]
        answers = model.predict(pixels(test, config), verbose=0).argmax(axis=1)
        accuracy = metrics.accuracy(test.labels, answers)
        right = np.flatnonzero(answers == test.labels)
        some = test.take(np.random.default_rng(config.seed).permutation(right)[: config.images])
        images, untrained = pixels(some, config), network(config, data, changes, seed=config.seed + 1)
        blind = {name: functools.partial(ignorant, name, itertools.count()) for name in BASELINES}
        numbers = {}
        for name, method in {**entrants(config), **blind}.items():
            ask = {"few": config.few, "steps": config.steps, "seed": config.seed, "batch_size": config.batch_size}

            def judged(method=method, ask=ask):
                own = explain.judge(model, images, method, some.labels, **ask)
                control = explain.judge(model, images, lambda _, *given, **more: method(untrained, *given, **more), some.labels, **ask)
                return {**own, "untrained deletion": control["deletion"], "untrained insertion": control["insertion"]}

            numbers[name] = run.once(f"photographs: {name}", judged)
        columns = ("deletion", "untrained deletion", "insertion", "untrained insertion", "weights")
        header = ["method", "deletion", "by the untrained", "insertion", "by the untrained", "random weights"]
        rows = [[name, *(found[column] for column in columns)] for name, found in numbers.items()]
        report.numbers({"test accuracy": accuracy, "pictures": len(some)})
        report.table(header, rows, caption=f"{data.name}: deletion and random weights: less is better; insertion: more.")
        few = {name: method for name, method in entrants(config).items() if name in SHOWN}
        maps = {name: drawn(method, model, images[:4], some.labels[:4]) for name, method in few.items()}
        figure = viz.explanations(images[:4], maps, [data.classes[label] for label in some.labels[:4]])
        report.figure(run.figure("photographs", figure), "The same photographs by several methods.")
        for note in data.notes:
            report.text(note)
        run.metric(photographs=numbers, photograph_accuracy=accuracy)


def finish(run: Run, report: Report, config: Config, numbers: dict[str, dict]) -> Run:
    """Hold the run against its promises, and write the report."""
    ours, random, sobel = numbers["Grad-CAM"], numbers["random"], numbers["sobel"]
    reached = {
        "accuracy on the patches": run.metrics["accuracy on the patches"],
        "Grad-CAM: pointing": ours["pointing"],
        "Grad-CAM: mass inside": ours["mass"],
        "Grad-CAM: mass inside, Sobel edges = 1": ours["mass"] / sobel["mass"],
        "Grad-CAM: random deletion / its own": random["deletion"] / ours["deletion"],
        "Grad-CAM: insertion / random insertion": ours["insertion"] / random["insertion"],
        "Grad-CAM, HiResCAM: 1 - likeness under shuffled weights": 1 - max(numbers[name]["weights"] or 1 for name in CAMS),
    }
    run.metric(**reached)
    report.close(run, PROMISES if config.expect else dict.fromkeys(PROMISES), reached, seed=config.seed)
    return run


def entrants(config: Config) -> dict[str, Callable]:
    """Every method of the zoo's table by its title, and one that is none: (model, images, target, *, batch_size) -> (b, h, w)."""
    window = max(2, config.size // 8)
    chosen = {
        "rise": {"masks": config.masks, "seed": config.seed},
        "occlusion": {"window": window, "stride": window // 2},
        "guided_backprop": {"channels": "max"},  # how strongly, not in which direction; `gradient` keeps the sign
        "smoothgrad": {"samples": config.samples, "channels": "max"},
        "vargrad": {"samples": config.samples},
        "integrated_gradients": {"steps": config.samples, "baseline": "mean"},  # grey holds no evidence here; black would be much of it
    }
    methods = {row.title: functools.partial(row.heat, **chosen.get(name, {})) for name, row in explain.METHODS.items()}
    return methods | {LIAR: impostor}


def impostor(model, images, target=None, *, batch_size: int = 32) -> np.ndarray:
    """Strong edges, blurred until they look like an explanation, and the median taken for nothing. The network is never asked."""
    energy = gaussian_blur(explain.sobel_map(images)[..., None] ** 2, images.shape[1] / 20)[..., 0]
    return np.maximum(energy - np.median(energy, axis=(1, 2), keepdims=True), 0)


def ignorant(name: str, seeds: Iterator[int], model, images, target=None, *, batch_size: int = 32) -> np.ndarray:
    """A map that knows nothing as a method; the random one is drawn anew each time, as one that is nothing but chance would be."""
    return BASELINES[name](images, next(seeds))


def drawn(method: Callable, model: keras.Model, images: np.ndarray, labels) -> np.ndarray:
    """The map of each image; what a method warns of is measured here anyway."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return method(model, images, [int(label) for label in labels], batch_size=32)


def network(config: Config, data: Dataset, changes: dict, seed: int = 0) -> keras.Model:
    """A small CNN of the zoo, untrained."""
    with dataclasses.replace(Recipe(), seed=seed).building():
        return zoo.classifier("small_cnn", classes=len(data.classes), input_shape=(config.size, config.size, 3), changes=changes)


def trained(run: Run, config: Config, data: Dataset, epochs: int, changes: dict, name: str = "") -> keras.Model:
    """The same, trained in `run` or in a folder of its own inside it; from there after a kill."""
    recipe = Recipe(epochs=epochs, batch_size=config.batch_size, learning_rate=3e-3, label_smoothing=0.1 if name else 0.0, seed=config.seed)
    own = Run.open(run.folder / name, recipe, name=name) if name else run
    model = network(config, data, changes, config.seed)
    arrays = [(pixels(data[split], config).astype("uint8"), data[split].labels) for split in ("train", "validation")]
    fit(model, arrays, recipe, own, verbose=2)
    return model


def pixels(examples: Examples, config: Config) -> np.ndarray:
    """The images as the model sees them: float32 (n, size, size, 3)."""
    return Pipeline(examples, (config.size, config.size)).pixels().astype("float32")


def boxed(image: np.ndarray, box: np.ndarray, scale: int = 4) -> np.ndarray:
    """The image with the outline of its evidence, enlarged so that the line is thin."""
    return viz.outlined(np.asarray(image).repeat(scale, axis=0).repeat(scale, axis=1), scale * box)


def cells(found: dict) -> list:
    """One row of the league in the order of its columns."""
    return [found.get(column) for column in NUMBERS]


def bars(shown: dict[str, dict], numbers: dict[str, dict]):
    """The league as a figure, with the marks of those who know nothing."""
    titles = [f"{column.title} ({'more' if column.more else 'less'} is better)" for column in NUMBERS.values()]
    table = np.array([cells(found) for found in shown.values()], np.float64)
    marks = {name: np.array(cells(numbers[name]), np.float64) for name in BASELINES}
    return viz.league(list(shown), dict(zip(titles, table.T, strict=True)), marks)


def answer(config: Config, letters: dict[str, str]) -> str:
    """Who the impostor was."""
    letter = next(letter for letter, name in letters.items() if name == LIAR)
    return f"The impostor is **{letter}**: blurred Sobel edges, a picture of the picture."


def scenes_class(label: int) -> str:
    """The name of a class of the scenes."""
    from zoo.data.scenes import CLASSES

    return CLASSES[label]


if __name__ == "__main__":
    sys.exit(start(main, Config, __doc__))
