"""A first CNN: train it, then doubt it.

Question: what does a small convolutional network learn from a few thousand pictures, where is it wrong, and did it look at
    the thing or only at the place where the thing usually stands?
Data: generated scenes over real photographs (no network), a folder of your own (`--data folder:PATH`), the public CC0 clothing
    photos (`--data clothing`), or anything in TensorFlow Datasets (`--data tfds:NAME`).
Time: quick about 2 minutes, clothing about 19 minutes on 2 CPU cores without a GPU (measured); scenes about 12 (estimated).
Expect: on quick scenes a test accuracy of at least 0.85, and at least 0.20 less once objects leave their usual backgrounds;
    on the clothing photos, from scratch, a test accuracy of at least 0.80. The run itself checks these numbers.
Limits: generated pictures prove the method, not the world. One seed, one architecture, one run: differences of a few
    points between classes are within the intervals that the report prints.
"""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass, field
from types import SimpleNamespace

import keras
import numpy as np

import zoo
from zoo import explain, export, metrics, predict, viz
from zoo.command import start
from zoo.data import Dataset, Examples, load
from zoo.data.augment import Augment, perils, promises
from zoo.data.look import companions
from zoo.data.pipeline import Pipeline
from zoo.data.scenes import Scenes, moved
from zoo.report import Report
from zoo.run import Run
from zoo.train import Recipe, find_learning_rate, fit


@dataclass(frozen=True)
class Config:
    """What this run is. Every field is an option of the command line."""

    data: str = field(default="scenes", metadata={"help": "scenes, scenes:quick, folder:PATH, clothing or tfds:NAME"})
    out: str = field(default="runs/first_cnn", metadata={"help": "run folder; running the same command again resumes it"})
    size: int = field(default=96, metadata={"help": "side of the images in pixels"})
    model: str = field(default="small_cnn", metadata={"help": "a row of `zoo list`"})
    epochs: int = 12
    batch_size: int = 32
    learning_rate: float | None = field(default=None, metadata={"help": "default: what the learning-rate finder suggests"})
    sweep: int = field(default=100, metadata={"help": "batches of the learning-rate sweep"})
    seed: int = 0
    skip_bad: bool = field(default=False, metadata={"help": "leave unreadable files out, and count them"})
    expect: float | None = field(default=0.85, metadata={"help": "test accuracy that this run must reach"})
    expect_gap: float | None = field(default=0.2, metadata={"help": "accuracy it must lose when the planted bias is broken"})

    @classmethod
    def preset(cls, data: str | None) -> Config:
        """The numbers that fit a kind of data; data of your own has no expectation."""
        if data is None or data == "scenes":
            return cls()
        if data == "scenes:quick":
            return cls.quick()
        if data == "clothing":
            return cls(data=data, out="runs/clothing", size=64, epochs=40, expect=0.80, expect_gap=None)
        return cls(data=data, out="runs/own", epochs=30, expect=None, expect_gap=None)

    @classmethod
    def quick(cls) -> Config:
        """The lesson in about three minutes on two cores."""
        return cls(data="scenes:quick", out="runs/first_cnn_quick", size=64, epochs=6, sweep=60)


def main(config: Config) -> Run:
    run = Run.open(config.out, config, name="first_cnn")
    report = Report("A first CNN: train it, then doubt it", intro=f"Data: **{config.data}**. Model: **{config.model}**.")
    data = look_at_the_data(run, report, config)
    floor = know_the_floor(run, report, config, data)
    pipelines = augment_with_care(run, report, config, data)
    model = design_the_network(run, report, config, data)
    recipe = find_the_learning_rate(run, report, config, model, pipelines)
    model = train_the_network(run, report, config, model, pipelines, recipe, data)
    probabilities = measure_where_it_is_wrong(run, report, config, model, pipelines, data, floor)
    hold_augmentation_to_its_word(run, report, config, model, data)
    ask_why(run, report, config, model, data, probabilities)
    catch_the_shortcut(run, report, config, model, data)
    features = map_the_concepts(run, report, config, model, pipelines, data)
    search_by_similarity(run, report, config, data, features)
    look_inside(run, report, config, model, data)
    export_the_model(run, report, config, model, data)
    return finish(run, report, config)


def look_at_the_data(run: Run, report: Report, config: Config) -> Dataset:
    """Look at the data before any network does.

    Most failures of a classifier are already visible here: too few pictures of one class, labels that do not fit, and things
    that always come together. If every boat is on water, "water" is as good an answer as "boat", and cheaper to learn. The last
    table counts such **co-occurrence**: for generated scenes with the background, for photographs with the brightness of the
    frame around the object, the cheapest shortcut that a photo studio leaves behind.
    """
    with run.step("look at the data"):
        report.lesson(look_at_the_data)
        data = load(config.data, seed=config.seed, size=config.size, skip_bad=config.skip_bad)
        train, names = data["train"], np.array(data.classes)
        report.question(
            "Which class would you expect the network to confuse with which? Write down one pair.",
            "Compare it with the confusion matrix below.",
        )
        some = np.random.default_rng(config.seed).permutation(len(train))[:18]
        report.figure(run.figure("data", viz.images([train.image(i) for i in some], names[train.labels[some]])), "Training pictures.")
        report.figure(run.figure("counts", viz.class_counts(data.counts(), data.classes)), "Pictures per class and split.")
        what, places = companions(train)
        kinds = [kind for kind in ("dark", "medium", "bright") if kind in places] or sorted(set(places))
        table = np.array([[np.sum((train.labels == c) & (places == kind)) for kind in kinds] for c in range(len(names))])
        report.figure(run.figure("co_occurrence", viz.co_occurrence(table, data.classes, kinds)), f"Class against {what}, training split.")
        for note in data.notes:
            report.text(note)
        run.metric(data=data.name, images={name: len(part) for name, part in data.splits.items()})
    return data


def know_the_floor(run: Run, report: Report, config: Config, data: Dataset) -> dict:
    """Know the floor before you praise the ceiling.

    An accuracy means nothing alone. Two answers cost nothing: always say the most frequent class, and draw straight lines between
    tiny 8x8 thumbnails (logistic regression: no convolution, no depth). What the CNN adds is the distance to these.
    """
    with run.step("know the floor"):
        report.lesson(know_the_floor)
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import StandardScaler

        train, test = data["train"], data["test"]
        majority = np.bincount(train.labels).argmax()
        scale = StandardScaler()
        small = {name: thumbnails(part) for name, part in data.splits.items()}
        line = LogisticRegression(max_iter=300, C=0.01).fit(scale.fit_transform(small["train"]), train.labels)
        floor = {
            "majority class": float(np.mean(test.labels == majority)),
            "linear on 8x8 thumbnails": float(line.score(scale.transform(small["test"]), test.labels)),
        }
        report.table(["baseline", "test accuracy"], list(floor.items()))
        report.question(
            "On 8x8 pixels nobody can tell a fish from a car. If the linear baseline is good all the same, what does it look at?",
            "At what fills the picture: the background, the light, the colour of the frame. Keep this in mind for the shortcut below.",
        )
        run.metric(baselines=floor)
    return floor


def augment_with_care(run: Run, report: Report, config: Config, data: Dataset) -> dict[str, Pipeline]:
    """Augment with care: a promise and a peril.

    Augmentation says to the network: *this change does not alter the answer*. Where that is true, every picture becomes many. Where
    it is false, you teach a lie: a car upside down is an accident, a red mushroom turned green may be another mushroom, and a crop can
    leave only background under the old label. The figure shows both kinds; only small changes of the first kind are used for training.
    """
    with run.step("augment with care"):
        report.lesson(augment_with_care)
        image = data["train"].image(0)
        kind, lie = promises(image), perils(image)
        report.figure(
            run.figure("augmentation", viz.augmentations(image, {**kind, **lie}, destroys=set(lie))),
            "Dashed frames: the label may be gone.",
        )
        size = (config.size, config.size)
        augment = Augment(flip=True, shift=0.1, zoom=0.15, rotate=10, brightness=0.15, contrast=0.15, saturation=0.15)
        pipelines = {name: Pipeline(part, size, augment if name == "train" else None) for name, part in data.splits.items()}
    return pipelines


def design_the_network(run: Run, report: Report, config: Config, data: Dataset) -> keras.Model:
    """Design the network.

    A convolution asks the same small question everywhere in the picture, so it needs few weights and does not care where the
    object stands. Stage after stage the map becomes smaller and the questions larger: edges, textures, parts. The last map is averaged,
    and one linear layer turns the averages into a score for every class.
    """
    with run.step("design the network"):
        report.lesson(design_the_network)
        with recipe_of(config).building():
            model = zoo.classifier(config.model, classes=len(data.classes), input_shape=(config.size, config.size, 3))
        pyramid = zoo.backbone(config.model, input_shape=(config.size, config.size, 3)).output
        rows = [[level, "x".join(map(str, tensor.shape[1:3])), tensor.shape[3]] for level, tensor in pyramid.items()]
        report.table(["level", "map", "channels"], rows, caption=f"{config.model}: {model.count_params():,} parameters.")
        run.metric(parameters=model.count_params())
    return model


def find_the_learning_rate(run: Run, report: Report, config: Config, model: keras.Model, pipelines: dict[str, Pipeline]) -> Recipe:
    """Find the learning rate instead of guessing it.

    Raise the rate exponentially from far too small to far too large, one batch per step, and watch the loss (Smith 2015,
    arXiv:1506.01186): flat, then falling, then exploding. A tenth of the rate with the least loss is a good peak for a schedule that
    warms up and decays. Afterwards every weight is put back.
    """
    with run.step("find the learning rate") as done:
        report.lesson(find_the_learning_rate)
        recipe = recipe_of(config)
        if config.learning_rate is not None:
            report.text(f"This run was told its rate: {config.learning_rate:g}.")
            return dataclasses.replace(recipe, learning_rate=config.learning_rate)
        if not done:
            sweep = find_learning_rate(model, SimpleNamespace(**pipelines), recipe, steps=config.sweep)
            run.figure("learning_rate", viz.lr_sweep(sweep.rates, sweep.losses, sweep.smoothed, sweep.peak))
            run.remember("find the learning rate", {"rate": float(np.clip(sweep.peak or 1e-3, 5e-4, 5e-3))})
        rate = run.recall("find the learning rate")["rate"]
        report.figure(run.figures / "learning_rate.png", f"The sweep; {rate:.2g} is used, held between 0.0005 and 0.005.")
        run.metric(learning_rate=rate)
    return dataclasses.replace(recipe, learning_rate=rate)


def train_the_network(run: Run, report: Report, config: Config, model, pipelines, recipe: Recipe, data: Dataset) -> keras.Model:
    """Train, and watch two curves.

    The training loss says what the network can memorise, the validation loss what it understood. When they part, more epochs only
    help the memory. The weights of the best validation epoch are kept. Kill this run whenever you like: the same command goes on
    where it stopped, and ends with the same weights.
    """
    with run.step("train"):
        report.lesson(train_the_network)
        history = fit(model, SimpleNamespace(**pipelines), recipe, run)
        predict.save_labels(run.folder, data.classes, (config.size, config.size), data.name)
        report.figure(run.figure("history", viz.history(history.rows)), f"Best epoch: {history.best_epoch} of {len(history.rows)}.")
        run.metric(best_epoch=history.best_epoch, training_seconds=round(history.seconds, 1))
    return model


def measure_where_it_is_wrong(run: Run, report: Report, config: Config, model, pipelines, data: Dataset, floor: dict) -> np.ndarray:
    """Measure where it is wrong.

    One number hides everything that matters. **Recall** asks which objects were missed, **precision** whom to believe. The confusion
    matrix names the pairs. **Calibration** asks whether "80 % sure" is right 80 % of the time, and the confident mistakes are the most
    instructive pictures of the whole project: a wrong label, a strange view, or a shortcut.
    """
    with run.step("measure where it is wrong"):
        report.lesson(measure_where_it_is_wrong)
        truth, names = data["test"].labels, np.array(data.classes)
        probabilities = metrics.softmax(model.predict(pipelines["test"].evaluation(config.batch_size), verbose=0))
        predicted = probabilities.argmax(axis=1)
        accuracy = metrics.accuracy(truth, predicted)
        low, high = metrics.wilson(int(np.sum(truth == predicted)), len(truth))
        report.numbers({"test accuracy": accuracy, "95 % interval": f"{low:.3f} to {high:.3f}", "best baseline": max(floor.values())})
        matrix = metrics.confusion_matrix(truth, predicted, len(names))
        scores = metrics.per_class(matrix)
        columns = zip(names, scores.precision, scores.recall, scores.f1, scores.support, strict=True)
        report.table(["class", "precision", "recall", "F1", "pictures"], list(columns))
        report.figure(run.figure("confusion", viz.confusion(matrix, data.classes)), "Rows: truth. Columns: answer.")
        calibration = metrics.calibration(truth, probabilities)
        report.figure(run.figure("calibration", viz.reliability(calibration)), f"Expected calibration error {calibration.ece:.3f}.")
        wrong = np.flatnonzero(predicted != truth)
        wrong = wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")][:12]
        if len(wrong):
            titles = [f"{names[predicted[i]]} {probabilities[i].max():.0%}\nis {names[truth[i]]}" for i in wrong]
            report.figure(
                run.figure("mistakes", viz.images([data["test"].image(i) for i in wrong], titles)), "The most confident mistakes."
            )
        run.metric(accuracy=accuracy, interval=[low, high], ece=calibration.ece, recall=dict(zip(data.classes, scores.recall, strict=True)))
    return probabilities


def hold_augmentation_to_its_word(run: Run, report: Report, config: Config, model: keras.Model, data: Dataset) -> None:
    """Hold the augmentations to their word.

    A change that keeps the label must keep the answer: its bar should be as long as that of the original. A change that destroys
    the label should shorten the bar. Where it does not, be suspicious: a network that still names a picture cropped to a corner was
    not looking at the object.
    """
    with run.step("hold augmentation to its word"):
        report.lesson(hold_augmentation_to_its_word)
        some = data["test"].take(np.random.default_rng(config.seed).permutation(len(data["test"]))[:60])
        images = prepared(some, range(len(some)), config.size).astype("uint8")
        changed = {"original": images}
        for change in (promises, perils):
            every = [change(image) for image in images]
            changed |= {name: np.stack([one[name] for one in every]) for name in every[0]}
        accuracy = {
            name: float(np.mean(model.predict_on_batch(batch.astype("float32")).argmax(axis=1) == some.labels))
            for name, batch in changed.items()
        }
        figure = viz.bars(list(accuracy), list(accuracy.values()), xlabel="accuracy")
        report.figure(run.figure("word", figure), f"Accuracy on {len(some)} test pictures under each change.")
        run.metric(under_change=accuracy)


def ask_why(run: Run, report: Report, config: Config, model: keras.Model, data: Dataset, probabilities: np.ndarray) -> None:
    """Ask why it was predicted.

    Grad-CAM++ (Chattopadhay et al. 2018, arXiv:1710.11063) weighs every map of the last stage by how much it raises the score of a
    class, and shows where the sum is high. Beside each picture
    stands the map of the zoo, then that of tf-keras-vis. Both follow the paper, but constants and enlargement differ, so they agree in
    place, not in every pixel.
    """
    with run.step("ask why"):
        report.lesson(ask_why)
        truth = data["test"].labels
        confidence = np.where(probabilities.argmax(axis=1) == truth, 1, -1) * probabilities.max(axis=1)
        order = np.argsort(confidence, kind="stable")
        chosen = np.concatenate([order[:3], order[-3:]])
        images = prepared(data["test"], chosen, config.size)
        answers = probabilities[chosen].argmax(axis=1)
        heats = {"zoo": explain.gradcam_plus_plus(model, images, answers.tolist())}
        if keras.config.backend() == "tensorflow":
            heats["tf-keras-vis"] = their_gradcam_plus_plus(model, images, answers)
            alike = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(*heats.values(), strict=True) if a.std() and b.std()]
            if alike:
                report.text(f"Mean correlation of the two explainers over these pictures: {np.mean(alike):.2f}.")
                run.metric(explainers_agree=float(np.mean(alike)))
        titles = [f"{data.classes[a]}" + ("" if a == t else f"\nis {data.classes[t]}") for a, t in zip(answers, truth[chosen], strict=True)]
        figure = viz.explanations(images.astype("uint8"), heats, titles)
        report.figure(run.figure("why", figure), "First the most confident mistakes, then the most confident hits.")


def catch_the_shortcut(run: Run, report: Report, config: Config, model: keras.Model, data: Dataset) -> None:
    """Catch the shortcut.

    In the generated scenes every class nearly always stands on the same background: a planted co-occurrence, as in many real sets.
    Three proofs show whether the network took it. *Another split*: the same objects where they usually are not. *An experiment*: the
    very same object, size and light, only the background exchanged. *The heat*: how much of Grad-CAM++ falls on the object, against
    the share of the picture that the object covers.
    """
    if "counter" not in data.splits:
        return
    with run.step("catch the shortcut"):
        report.lesson(catch_the_shortcut)
        accuracy = run.metrics["accuracy"]
        unusual = metrics.accuracy(data["counter"].labels, answers(model, data["counter"], config))
        elsewhere = moved(scenes_of(config), "test")
        there = answers(model, elsewhere, config)
        flipped = float(np.mean(there != answers(model, data["test"], config)))
        followed = float(np.mean(there == elsewhere.attributes["home"]))
        some = np.arange(min(64, len(elsewhere)))
        heat = explain.gradcam_plus_plus(model, prepared(data["test"], some, config.size), data["test"].labels[some].tolist())
        masks = elsewhere.attributes["mask"][some]
        inside = float(np.mean(explain.mass_inside(heat, masks)))
        gap = accuracy - unusual
        pairs = [part.image(i) for i in range(6) for part in (data["test"], elsewhere)]
        said = [data.classes[a] for pair in zip(answers(model, data["test"].take(range(6)), config), there[:6], strict=True) for a in pair]
        report.figure(run.figure("moved", viz.images(pairs, said)), "The same object at home and elsewhere, and what the network says.")
        rows = [
            ["accuracy on usual backgrounds", f"{accuracy:.3f}"],
            ["accuracy on unusual backgrounds", f"{unusual:.3f}"],
            ["gap", f"{gap:.3f}"],
            ["answers that change when only the background changes", f"{flipped:.0%}"],
            ["answers that become the class at home on the new background", f"{followed:.0%}"],
            ["heat on the object", f"{inside:.0%}"],
            ["picture that the object covers", f"{masks.mean():.0%}"],
        ]
        report.table(["proof", "value"], rows)
        report.question(
            "Would more epochs close the gap?",
            "No: within the training data the shortcut is right. Only other data, or another task, tells them apart.",
        )
        run.metric(counter_accuracy=unusual, gap=gap, flipped=flipped, followed=followed, heat_inside=inside)


def map_the_concepts(run: Run, report: Report, config: Config, model, pipelines, data: Dataset) -> dict[str, np.ndarray]:
    """Map the concepts.

    Just before the last layer every picture is one vector: what the network made of it. PCA keeps the 50 strongest directions, t-SNE
    folds them into a plane. Pictures that the network finds alike lie together; look at which thumbnails sit in a foreign cloud.
    Distances between far clouds mean nothing in t-SNE, so the class distances are measured in the full space.
    """
    with run.step("map the concepts"):
        report.lesson(map_the_concepts)
        from sklearn.decomposition import PCA
        from sklearn.manifold import TSNE
        from sklearn.neighbors import KNeighborsClassifier

        eye = keras.Model(model.inputs, model.get_layer("pool").output)
        train = Pipeline(data["train"], (config.size, config.size))
        features = {
            "train": eye.predict(train.evaluation(config.batch_size), verbose=0),
            "test": eye.predict(pipelines["test"].evaluation(config.batch_size), verbose=0),
        }
        labels = data["test"].labels
        some = np.random.default_rng(config.seed).permutation(len(labels))[:400]
        points = PCA(min(50, len(some) - 1, features["test"].shape[1]), random_state=config.seed).fit_transform(features["test"][some])
        plane = TSNE(2, perplexity=min(30, (len(some) - 1) / 3), random_state=config.seed, n_jobs=1).fit_transform(points)
        pictures = [data["test"].image(i) for i in some]
        figure = viz.embedding(plane, labels[some], data.classes, pictures)
        report.figure(run.figure("concepts", figure), "Every thumbnail is a test picture; its frame is the true class.")
        centres = np.stack([features["train"][data["train"].labels == c].mean(axis=0) for c in range(len(data.classes))])
        centres /= np.linalg.norm(centres, axis=1, keepdims=True)
        report.figure(
            run.figure("distances", viz.distances(1 - centres @ centres.T, data.classes)), "Cosine distance between class centres."
        )
        neighbours = KNeighborsClassifier(5, metric="cosine").fit(features["train"], data["train"].labels)
        separable = float(neighbours.score(features["test"], labels))
        report.text(f"Five nearest neighbours in this space classify the test pictures with accuracy **{separable:.3f}**.")
        run.metric(neighbour_accuracy=separable)
    return features


def search_by_similarity(run: Run, report: Report, config: Config, data: Dataset, features: dict[str, np.ndarray]) -> None:
    """Search by similarity.

    The same vectors make a search engine: normalise them, multiply, sort. The left column is a test picture that the network has
    never seen, beside it the nearest training pictures. Ask of every row: alike in what? Shape, colour, or background?
    """
    with run.step("search by similarity"):
        report.lesson(search_by_similarity)
        unit = {name: f / np.maximum(np.linalg.norm(f, axis=1, keepdims=True), 1e-12) for name, f in features.items()}
        nearest = np.argsort(-unit["test"] @ unit["train"].T, axis=1, kind="stable")[:, :5]
        labels = data["test"].labels
        precision = float(np.mean(data["train"].labels[nearest] == labels[:, None]))
        queries = [int(np.flatnonzero(labels == c)[0]) for c in sorted(set(labels.tolist()))][:6]
        found = [[data["train"].image(j) for j in nearest[i]] for i in queries]
        kinds = data["train"].labels
        titles = [[data.classes[c] for c in (labels[i], *kinds[nearest[i]])] for i in queries]
        same = [(kinds[nearest[i]] == labels[i]).tolist() for i in queries]
        figure = viz.neighbours([data["test"].image(i) for i in queries], found, titles, same)
        report.figure(run.figure("neighbours", figure), f"Of the five nearest, {precision:.0%} share the class; dashes: another.")
        run.metric(precision_at_5=precision)


def look_inside(run: Run, report: Report, config: Config, model: keras.Model, data: Dataset) -> None:
    """Look inside: from edges to something with a meaning.

    The maps of the first convolution still look like the picture: edges, colours. In the middle they become coarse and pick parts and
    textures. Each small square is one channel: bright where its question is answered with yes.
    """
    with run.step("look inside"):
        report.lesson(look_inside)
        image = prepared(data["test"], [0], config.size)
        convolutions = [layer.name for layer in model.layers if layer.name.endswith("relu")]
        for name, layer in {"first": convolutions[0], "middle": convolutions[len(convolutions) // 2]}.items():
            maps = explain.feature_maps(model, image, layer)[0]
            report.figure(
                run.figure(f"maps_{name}", viz.feature_maps(maps[..., :32])), f"{layer}: {maps.shape[-1]} channels, the first 32 shown."
            )


def export_the_model(run: Run, report: Report, config: Config, model: keras.Model, data: Dataset) -> None:
    """Export, and check that the copy still agrees.

    A model leaves home as a file. Each format is written, opened by its own runtime, and asked the same pictures: an export that
    nobody compared is a hope, not a model.
    """
    with run.step("export the model"):
        report.lesson(export_the_model)
        images, rows = prepared(data["test"], np.arange(min(8, len(data["test"]))), config.size), []
        for suffix in (".keras", ".onnx", ".tflite"):
            path = export.export(model, run.folder / f"export/model{suffix}")
            difference = export.agreement(model, path, images)
            rows.append([suffix, f"{path.stat().st_size / 1e6:.2f}", f"{difference:.1e}"])
        report.table(["format", "MB", "largest difference of a logit"], rows)
        run.metric(export_differences={row[0]: float(row[2]) for row in rows})


def finish(run: Run, report: Report, config: Config) -> Run:
    """Hold the run against its promise, and write the report."""
    report.close(run, {"accuracy": config.expect, "gap": config.expect_gap}, run.metrics, seed=config.seed)
    return run


def recipe_of(config: Config) -> Recipe:
    """How this project trains; the learning rate is found later."""
    return Recipe(epochs=config.epochs, batch_size=config.batch_size, label_smoothing=0.1, weight_decay=0.02, seed=config.seed)


def scenes_of(config: Config) -> Scenes:
    """The configuration that `load` used for generated data."""
    whole = Scenes(seed=config.seed, size=config.size)
    return whole.quick() if config.data == "scenes:quick" else whole


def prepared(examples: Examples, indices, size: int) -> np.ndarray:
    """The images at `indices` as the model sees them: float32 (b, size, size, 3)."""
    return Pipeline(examples.take(indices), (size, size)).pixels().astype("float32")


def answers(model: keras.Model, examples: Examples, config: Config) -> np.ndarray:
    """The predicted class of every example (n,)."""
    batches = Pipeline(examples, (config.size, config.size)).evaluation(config.batch_size)
    return model.predict(batches, verbose=0).argmax(axis=1)


def thumbnails(examples: Examples, side: int = 8) -> np.ndarray:
    """Every image squeezed to side x side pixels: (n, side * side * 3)."""
    return Pipeline(examples, (side, side)).pixels().reshape(len(examples), -1) / 255.0


def their_gradcam_plus_plus(model: keras.Model, images: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Grad-CAM++ by tf-keras-vis, on the layer that our explainer takes by default."""
    from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
    from tf_keras_vis.utils.scores import CategoricalScore

    theirs = GradcamPlusPlus(model, clone=False)
    layer = explain.default_layer(model).name
    return theirs(CategoricalScore(classes.tolist()), images, penultimate_layer=layer, normalize_cam=False)


if __name__ == "__main__":
    sys.exit(start(main, Config, __doc__))
