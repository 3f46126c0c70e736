"""Road signs in real time: label, check, train, doubt, count, ship.

Question: what does it take to get from a pile of pictures to a detector that finds traffic signs in a video, says why, is wrong at a known
    price, and runs outside Python?
Data: generated signs on generated roads (no network), your own signs or road frames composited (`--signs FOLDER`, `--frames FOLDER`), a
    folder of labelled pictures in any of five formats (`--data folder:PATH`), or public blood cells (`--data bccd`), for the same code
    finds anything that has boxes. `--video FILE` watches your own video.
Time: quick in minutes on 2 CPU cores (estimated); scenes:signs an hour or two (estimated).
Expect: the doctor finds every fault that was planted; eight pictures are learnt by heart to AP50 0.9; on test pictures AP50 of at least
    0.65 in quick (0.74 was measured: three speed limits are still taken for one another) and 0.80 on scenes:signs (estimated); of the signs
    of the drive at least 0.60 in quick (0.88 was measured), else 0.70 are counted once and under the right name. The run checks it.
Limits: drawn signs on drawn roads prove the method and say nothing of a real road: no rain, no night, no sticker on a sign. Nothing that
    was trained here may steer, warn or inform a driver. One seed, one run.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

import zoo
from zoo import atomic, explain, locate, metrics, predict, video, viz
from zoo.command import start
from zoo.data import ObjectAugment, ObjectPipeline, ObjectSet, labels, load_objects
from zoo.data.labels.command import gallery
from zoo.data.labels.page import page
from zoo.data.labels.planted import plant
from zoo.data.object_crops import crops
from zoo.data.sign_drive import SignDrive, sign_drive
from zoo.data.signs import SIGNS
from zoo.detect import Detections, row
from zoo.detect.judged import judged, responsible, truths_of
from zoo.detect.reach import reach
from zoo.detect.rows import YoloStyle
from zoo.detect.score import CocoScore
from zoo.export import export
from zoo.export.check_boxes import check_boxes
from zoo.export.write import missing
from zoo.ops.anchors import YOLO_ANCHORS, points, retinanet
from zoo.report import Report
from zoo.run import Run
from zoo.train import Recipe, fit
from zoo.train.freeze import freeze
from zoo.video.track import overlaps


@dataclass(frozen=True)
class Config:
    """What this run is. Every field is an option of the command line."""

    data: str = field(default="scenes:signs", metadata={"help": "scenes:signs, scenes, bccd, folder:PATH, coco:PATH, yolo:PATH, voc:PATH"})
    out: str = field(default="runs/road_signs", metadata={"help": "run folder; running the same command again resumes it"})
    signs: str = field(default="", metadata={"help": "folder with a folder of pictures for each sign, to use instead of drawn ones"})
    frames: str = field(default="", metadata={"help": "folder of road pictures to put the signs on, instead of drawn roads"})
    video: str = field(default="", metadata={"help": "video to watch; default: a generated drive"})
    size: int = field(default=192, metadata={"help": "side of the images in pixels"})
    pictures: int = field(default=3000, metadata={"help": "generated pictures to train on; a fifth more for validation and test each"})
    model: str = field(default="yolov8_style_n", metadata={"help": "a row of `zoo.detect.ROWS`"})
    width: float = field(default=0.25, metadata={"help": "factor of the maps of a YOLO-style row; 0 keeps the row's"})
    backbone: str = field(default="", metadata={"help": "a row of `zoo list` to put the neck and head on"})
    weights: str = field(default="", metadata={"help": "weights of that backbone, such as imagenet"})
    epochs: int = 40
    batch_size: int = 16
    learning_rate: float = 3e-3
    heart: int = field(default=250, metadata={"help": "steps on eight pictures that must be learnt by heart"})
    few: int = field(default=150, metadata={"help": "pictures of the chapter on transfer"})
    few_epochs: int = field(default=40, metadata={"help": "epochs on them"})
    crop_epochs: int = field(default=40, metadata={"help": "epochs of the classifier whose weights are transferred"})
    transfer: str = field(default="mobilenet_025", metadata={"help": "row of `zoo list` that is transferred"})
    masks: int = field(default=1000, metadata={"help": "masks of an explanation"})
    miss: float = field(default=10.0, metadata={"help": "cost of a sign that is missed"})
    alarm: float = field(default=1.0, metadata={"help": "cost of a false alarm"})
    formats: str = field(default="saved_model,onnx,litert,litert:fp16,litert:int8", metadata={"help": "files to export"})
    seed: int = 0
    skip_bad: bool = field(default=False, metadata={"help": "leave unreadable files out, and count them"})
    expect: float | None = field(default=0.80, metadata={"help": "AP50 on the test pictures that this run must reach"})
    expect_counted: float | None = field(default=0.70, metadata={"help": "share of the signs of the drive that must be counted"})

    @classmethod
    def preset(cls, data: str | None) -> Config:
        """The numbers that fit a kind of data; data of your own has no expectation."""
        if data is None or data == "scenes:signs":
            return cls()
        name = data.partition(":")[0]
        return cls(data=data, out=f"runs/road_signs_{name}", epochs=60, expect=None, expect_counted=None)

    @classmethod
    def quick(cls) -> Config:
        """The lesson in minutes on two cores."""
        small = {"size": 128, "pictures": 800, "width": 0.125, "epochs": 30, "masks": 300}
        return cls(out="runs/road_signs_quick", **small, heart=200, few=160, few_epochs=24, crop_epochs=30, expect=0.65, expect_counted=0.6)


def main(config: Config) -> Run:
    run = Run.open(config.out, config, name="road_signs")
    report = Report("Road signs in real time", intro=f"Data: **{config.data}**. Model: **{config.model}** at {config.size} pixels.")
    data = collect_and_label(run, report, config)
    ask_the_doctor(run, report, config, data)
    pipeline = measure_the_objects(run, report, config, data)
    know_the_floor(run, report, config, data, pipeline)
    learn_eight_by_heart(run, report, config, data)
    model = train_the_detector(run, report, config, data, pipeline)
    freeze_and_transfer(run, report, config, data)
    measure_where_it_is_wrong(run, report, config, data, pipeline, model)
    cheapest, even = choose_the_threshold(run, report, config, data, pipeline, model)
    ask_why(run, report, config, data, pipeline, model, cheapest)
    watch_a_drive(run, report, config, data, model, even)
    send_it_out(run, report, config, data, pipeline, model)
    return finish(run, report, config)


def collect_and_label(run: Run, report: Report, config: Config) -> ObjectSet:
    """Collect, and label by a rule.

    Collect where the detector will work: the same camera, height, weather and hours, and pictures *without* any sign, or it will never
    learn what to leave alone. Divide by drive or day, not by frame: neighbours in a video are the same picture twice. Then write the rule
    down before the first box, because two people who label without one disagree, and the network learns the disagreement:

    - The box touches the outermost pixels of the sign; the pole and the shadow are outside. A pixel of slack at 20 pixels is an IoU of 0.8.
    - A sign half hidden gets the box of what is seen. Less than a quarter seen: mark it difficult, or leave it out, but always alike.
    - Label every sign that a person can name at this size, the boring ones too. One forgotten sign punishes a detector that is right.
    - Seen from behind, on a lorry, in a shop window: decide once, write it down, and keep to it.
    - Few classes that matter beat many that are rare. Look at twenty labels of every labeller before the next thousand are made.

    Five file formats are in use, and no tool reads all. Boxes are corners or centres, in pixels or fractions, counted from 0 or from 1:
    convert by a program that is tested, then read the result back and compare.
    """
    with run.step("collect and label"):
        report.lesson(collect_and_label)
        numbers = {"size": config.size, "train": config.pictures, "validation": config.pictures // 5, "test": config.pictures // 5}
        given = {"frames": config.frames or None, "signs": config.signs or None, "skip_bad": config.skip_bad}
        data = load_objects(config.data, seed=config.seed, **numbers, **given)
        train = data["train"]
        some = [index for index in range(len(train)) if len(train.objects[index])][:12]
        drawn = [boxed(train.image(i), train.objects[i].boxes, train.objects[i].classes, data.classes) for i in some]
        report.figure(run.figure("data", viz.images(drawn, columns=4)), "Training pictures with their labels.")
        report.figure(run.figure("counts", viz.class_counts(data.counts(), data.classes)), "Objects per class and split.")
        sample = dataclasses.replace(data, splits={"train": train.take(range(min(8, len(train))))})
        rows = []
        for name in ("coco", "yolo", "voc"):
            folder = emptied(run.folder / "labels" / name)
            lost = labels.write(sample, folder, name)
            back = labels.read(folder, name)
            pairs = zip(sample["train"].objects, back.splits["train" if "train" in back.splits else "all"].objects, strict=False)
            off = max((float(np.abs(a.boxes - b.boxes).max()) for a, b in pairs if len(a) and a.boxes.shape == b.boxes.shape), default=0.0)
            rows.append([name, sum(path.is_file() for path in folder.rglob("*")), " ".join(lost) or "nothing", off])
        report.table(["format", "files", "what it cannot keep", "boxes read back, off by at most (pixels)"], rows)
        report.code("zoo labels convert MY_LABELS COPY --to coco\nzoo labels show MY_LABELS --out pictures")
        for note in data.notes:
            report.text(note)
        run.metric(data=data.name, images={name: len(part) for name, part in data.splits.items()}, classes=list(data.classes))
    return data


def ask_the_doctor(run: Run, report: Report, config: Config, data: ObjectSet) -> None:
    """Ask the doctor before you train.

    A label fault costs no error message, only average precision. So a copy of some pictures is taken and faults of the usual kinds are
    planted: a box outside its picture, one without area, the same box twice, one box with two names, a class that does not exist, a line
    that is no label, a lost file, a broken picture, and a training picture among those that judge. The doctor, who does not know of
    it, must find them all. It writes a page with every picture concerned, `doctor.html` in the run folder.
    """
    with run.step("ask the doctor"):
        report.lesson(ask_the_doctor)
        folder = emptied(run.folder / "labels" / "planted")
        labelled = {split: [i for i in range(len(part)) if len(part.objects[i])] for split, part in data.splits.items()}
        chosen = {"train": labelled["train"][:24], "validation": labelled["validation"][:6]}
        copy = dataclasses.replace(data, splits={split: data[split].take(rows) for split, rows in chosen.items()})
        labels.write(copy, folder, "yolo", rows="boxes")
        planted = plant(folder, len(data.classes))
        checkup = labels.doctor(folder, "yolo")
        atomic.write(run.folder / "doctor.html", page(checkup, gallery(checkup)))
        rows = [[kind, where, next((each.reason for each in checkup.of(kind)), "NOT FOUND")] for kind, where in planted.items()]
        report.table(["planted", "in", "what the doctor says"], rows)
        others = {item.kind: len(checkup.of(item.kind)) for item in checkup if item.kind not in planted}
        if others:
            report.text(f"It also lists: {', '.join(f'{count} {kind}' for kind, count in others.items())}.")
        report.code("zoo labels doctor MY_LABELS --out doctor.html --fix REPAIRED_COPY")
        run.metric(planted_faults_found=float(np.mean([bool(checkup.of(kind)) for kind in planted])))


def measure_the_objects(run: Run, report: Report, config: Config, data: ObjectSet) -> ObjectPipeline:
    """Measure the objects before you choose the network.

    A detector looks at its picture through grids: at stride 8 one cell stands for 8 x 8 pixels. An object smaller than a cell has hardly
    a cell of its own; one of 64 pixels holds eight by eight of them. **Anchors** are boxes that are waiting on every cell, and an
    object is learnt by those that overlap it well: where no anchor has its size, it is learnt by luck. Detectors without anchors, as the
    one below, learn from the *points* in the middle of the cells inside the object instead, and need at least one.
    """
    with run.step("measure the objects"):
        report.lesson(measure_the_objects)
        augment = ObjectAugment(flip=False, shift=0.1, zoom=0.25, brightness=0.15, contrast=0.1, mosaic=0.3)  # mirrored signs are others
        pipeline = ObjectPipeline(data, config.size, augment=augment, epochs=config.epochs, close_mosaic=config.epochs // 3)
        train, strides = pipeline.train, row(config.model).strides
        found = [train.letterbox(i).boxes(each.boxes) for i, each in enumerate(data["train"].objects[:600]) if len(each)]
        boxes = np.concatenate(found)
        sizes = boxes[:, 2:] - boxes[:, :2]
        published = np.array(YOLO_ANCHORS, np.float32).reshape(-1, 2)
        report.figure(run.figure("sizes", viz.object_sizes(sizes, strides, published)), "Objects, the model's grids, YOLOv3's anchors.")
        best = {"YOLOv3, made for 416 pixels": reach(sizes, published), "the same, scaled": reach(sizes, published * config.size / 416)}
        best["RetinaNet, made for 800 pixels"] = reach(boxes, retinanet(config.size, config.size))
        rows = [[name, float((overlap >= 0.5).mean()), float((overlap < 0.4).mean())] for name, overlap in best.items()]
        report.table(["anchors", "objects with an anchor of IoU 0.5", "objects that no anchor reaches to 0.4"], rows)
        centres, steps = points(config.size, config.size, strides)
        inside = ((centres[None] > boxes[:, None, :2]) & (centres[None] < boxes[:, None, 2:])).all(axis=-1)
        rows = [[f"{s:g}", float(np.median(inside[:, steps == s].sum(1))), int((~inside[:, steps == s].any(1)).sum())] for s in strides]
        report.table(["stride", "points inside an object (median)", f"objects without any, of {len(boxes)}"], rows)
        shown = [viz.objects(image, each.boxes, each.classes, data.classes, side=260) for image, each in map(train.example, range(8))]
        report.figure(run.figure("augmented", viz.images(shown, columns=4)), "What the network is shown: moved, scaled, four in one.")
        report.question(
            "Which two classes will be taken for one another, and will more mistakes be made about what a sign is, or about where it is?",
            "Compare with the confusion matrix and the error breakdown below. Signs that differ in a digit differ in a few pixels.",
        )
    return pipeline


def know_the_floor(run: Run, report: Report, config: Config, data: ObjectSet, pipeline: ObjectPipeline) -> None:
    """Know the floor.

    The cheapest detector never looks at the picture: it answers with a hundred boxes of the training set, always the same, each with the
    share of its class as its score. What it reaches is what places and frequencies alone give away. **Average precision** (AP50) is the
    area below the curve of precision over recall, when a box counts as right from an overlap (IoU) of 0.5 on, averaged over the classes.
    """
    with run.step("know the floor"):
        report.lesson(know_the_floor)
        truths = truths_of(pipeline.test)
        every = [(box, kind) for each in truths_of(pipeline.validation) for box, kind in zip(each.boxes, each.classes, strict=True)]
        chosen = np.random.default_rng(config.seed).permutation(len(every))[:100]
        boxes, kinds = np.stack([every[i][0] for i in chosen]), np.array([every[i][1] for i in chosen])
        same = Detections(boxes, np.bincount(kinds, minlength=len(data.classes))[kinds] / len(kinds), kinds)
        floor = metrics.average_precision(truths, [same] * len(truths), data.classes).ap(0.5)
        report.numbers({"AP50 of a detector that never looks": floor})
        run.metric(floor=floor)


def learn_eight_by_heart(run: Run, report: Report, config: Config, data: ObjectSet) -> None:
    """Learn eight pictures by heart.

    Before hours of training, minutes of doubt: a detector that cannot learn eight pictures by heart has a fault in its boxes, its
    matching or its loss, and no amount of data will mend it. This is Keras' own `compile` and `fit`, nothing else.
    """
    with run.step("learn eight by heart"):
        report.lesson(learn_eight_by_heart)
        chosen = [index for index, each in enumerate(data["train"].objects) if len(each)][:8]
        eight = ObjectPipeline(dataclasses.replace(data, splits={"train": data["train"].take(chosen)}), config.size).train

        def known_by_heart() -> dict:
            model = built(config, data)
            falling = keras.optimizers.schedules.CosineDecay(0.01, config.heart)
            model.compile(keras.optimizers.Adam(falling, global_clipnorm=10.0))
            history = model.fit(eight.evaluation(8).cache().repeat(), steps_per_epoch=config.heart, epochs=1, shuffle=False, verbose=0)
            return {"AP50": CocoScore(eight.evaluation(8), data.classes).measure(model).ap(0.5), "loss": history.history["loss"][-1]}

        reached = run.once("by heart", known_by_heart)["AP50"]
        report.numbers({f"AP50 on the eight pictures after {config.heart} steps": reached})
        run.metric(by_heart=reached)


def train_the_detector(run: Run, report: Report, config: Config, data: ObjectSet, pipeline: ObjectPipeline) -> keras.Model:
    """Train, and watch the number that counts.

    The loss has three parts: is there a sign and which (*class*), how well does the box lie (*box*), and how sure are its edges
    (*distribution*). A falling loss is not yet a detector: COCO's numbers are measured on the validation pictures every few epochs. For
    most of the time three pictures in ten are mosaics of four, with cut signs beside other roads; the last third has pictures as they are.
    """
    with run.step("train the detector"):
        report.lesson(train_the_detector)
        model = built(config, data)
        score = CocoScore(pipeline.validation.evaluation(config.batch_size), data.classes, every=2)
        history = fit(model, pipeline, recipe_of(config), run, callbacks=[score], verbose=2)
        predict.save_labels(run.folder, data.classes, (config.size, config.size), data.name, how="letterbox")
        columns = ("epoch", "loss", "val_loss", "box", "val_box", "class", "val_class", "learning_rate")
        rows = [{name: each[name] for name in columns if name in each} for each in history.rows]
        report.figure(run.figure("history", viz.history(rows, history.best_epoch)), f"Best epoch: {history.best_epoch} of {len(rows)}.")
        curve = [[each["epoch"], each["loss"], each["val_loss"], each["val_AP50"], each["val_AP"]] for each in history.rows]
        report.table(["epoch", "loss", "validation loss", "AP50", "AP"], curve[:: max(1, len(curve) // 10)] + curve[-1:])
        run.metric(parameters=model.count_params(), best_epoch=history.best_epoch, training_seconds=round(history.seconds, 1))
    return model


def freeze_and_transfer(run: Run, report: Report, config: Config, data: ObjectSet) -> None:
    """Freeze and transfer, when boxes are few.

    Boxes are dear, names are cheap: many pictures of single signs exist with a name and no box. So a small classifier learns the names from
    crops, its weights fill the backbone by name, and a detector learns from a few labelled pictures in three ways: all weights
    at random; backbone transferred and *frozen*, its batch statistics too; backbone transferred, everything learning. Frozen trains fewest
    weights and forgets nothing; free fits better once there is data enough. With `--weights imagenet` published weights fill the backbone.
    """
    with run.step("freeze and transfer"):
        report.lesson(freeze_and_transfer)
        few = {"train": data["train"].take(range(min(config.few, len(data["train"])))), "validation": data["validation"]}
        pipeline = ObjectPipeline(dataclasses.replace(data, splits=few), config.size, augment=ObjectAugment(flip=False))
        recipe = dataclasses.replace(recipe_of(config), epochs=config.few_epochs, batch_size=8, monitor="val_loss")
        trunk, donor = config.backbone or config.transfer, config.weights or str(run.folder / "crops" / "weights.safetensors")
        if not config.weights:
            accuracy = run.once("crops", lambda: named_crops(run, config, data, trunk, donor))["accuracy"]
            report.text(f"The classifier names {accuracy:.0%} of the crops of validation pictures, cut out by their labels.")

        def way(name: str, weights: str | None, frozen: bool) -> dict:
            model = built(config, data, backbone=trunk, backbone_weights=weights)
            if frozen:
                freeze(model, "backbone")
            learning = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
            own = Run.open(run.folder / "transfer" / name, {"way": name, **dataclasses.asdict(recipe)}, name=name)
            history = fit(model, pipeline, recipe, own, verbose=0)
            measured = CocoScore(pipeline.validation.evaluation(config.batch_size), data.classes).measure(model)
            return {"learning": learning, "AP50": measured.ap(0.5), "AP": measured.ap(), "seconds": history.seconds}

        ways = {"all at random": (None, False), "transferred, frozen": (donor, True), "transferred, free": (donor, False)}
        results = {name: run.once(name, lambda name=name, how=how: way(name.replace(", ", "_"), *how)) for name, how in ways.items()}
        rows = [[name, *(result[key] for key in ("learning", "AP50", "AP"))] for name, result in results.items()]
        caption = f"{len(few['train'])} pictures, {config.few_epochs} epochs, backbone {trunk}; judged on validation pictures."
        report.table(["way", "weights that learn", "AP50", "AP"], rows, caption=caption)
        run.metric(transfer=results)


def measure_where_it_is_wrong(run: Run, report: Report, config: Config, data: ObjectSet, pipeline: ObjectPipeline, model) -> None:
    """Measure where it is wrong.

    **Precision over recall** shows what each class pays for finding more. The **confusion** matrix has one more row and column than
    a classifier's: the background, for signs that were seen where none is, and for signs that were not seen. The **breakdown** mends
    one kind of mistake at a time and measures what that wins: a wrong name, a box that lies badly, a second box, nothing there, a
    miss. Then look at the pictures, the worst first: half of the lessons of a data set are in twelve pictures.
    """
    with run.step("measure where it is wrong"):
        report.lesson(measure_where_it_is_wrong)
        images, truths, found = judged(model, pipeline.test)
        result = metrics.average_precision(truths, found, data.classes)
        report.numbers({"AP50": result.ap(0.5), "AP (0.5 to 0.95)": result.ap(), "AR100": result.ar(100), "floor": run.metrics["floor"]})
        report.figure(run.figure("precision_recall", viz.precision_recall(result)), "Test pictures, every class.")
        report.figure(run.figure("by_size", viz.by_size(result)), "COCO's sizes: small is below 32 x 32 pixels, medium below 96 x 96.")
        matrix = metrics.detection_confusion(truths, found, len(data.classes))
        report.figure(run.figure("confusion", viz.detection_confusion(matrix, data.classes)), "Detections above 0.25.")
        errors = metrics.detection_errors(truths, found, len(data.classes))
        report.figure(run.figure("errors", viz.error_breakdown(errors)), "What kind of mistake costs most.")
        sure = [each.kept(each.scores >= 0.25) for each in found]
        errors = metrics.detection_errors(truths, sure, len(data.classes))
        wrong = [np.flatnonzero(verdicts != "right") for verdicts in errors.verdicts]
        guilt = [each.scores[bad].sum() + len(lost) for each, bad, lost in zip(sure, wrong, errors.missed, strict=True)]
        worst = [index for index in np.argsort(guilt)[::-1][:6] if guilt[index] > 0]
        panels, titles = [], []
        for i in worst:
            panels += [boxed(images[i], truths[i].boxes, truths[i].classes, data.classes, wrong=errors.missed[i].tolist() or None)]
            panels += [
                boxed(images[i], sure[i].boxes, sure[i].classes, data.classes, scores=sure[i].scores, wrong=wrong[i].tolist() or None)
            ]
            titles += [f"{len(errors.missed[i])} missed", ", ".join(dict.fromkeys(errors.verdicts[i][wrong[i]])) or "nothing wrong"]
        if panels:
            report.figure(run.figure("mistakes", viz.images(panels, titles, columns=4)), "Pairs: truth with misses, answer with mistakes.")
        run.metric(AP50=result.ap(0.5), AP=result.ap(), per_class=result.per_class(0.5), mistakes=errors.counts)


def choose_the_threshold(run: Run, report: Report, config: Config, data: ObjectSet, pipeline: ObjectPipeline, model) -> tuple[float, float]:
    """Choose the threshold by what a mistake costs.

    Average precision judges all thresholds at once; in the car there is one. Nobody can choose it who does not say what a missed sign costs
    and what a false alarm costs. State both, take the threshold that is cheapest on *validation* pictures, and pay on the test. Where both
    are equally wrong, as in counting, the highest F1 (the harmonic mean of precision and recall) is a fair choice.
    """
    with run.step("choose the threshold"):
        report.lesson(choose_the_threshold)
        curves = {}
        for split in ("validation", "test"):
            _, truths, found = judged(model, pipeline[split])
            curves[split] = metrics.detection_curves(truths, found, data.classes).all
        choice = curves["validation"].cheapest(config.miss, config.alarm)
        threshold, even = (float(np.clip(c.confidence, 0.02, 0.9)) for c in (choice, curves["validation"].best_f1()))
        if len(curves["validation"].confidence):
            reason = f"a miss costs {config.miss:g}, an alarm {config.alarm:g}"
            report.figure(run.figure("threshold", viz.confidence_curves(curves["validation"], choice, reason)), "Validation pictures.")
        paid = {"chosen by cost": threshold, "highest F1": even, "the usual 0.25": 0.25}
        rows, curve = [], curves["test"]
        for name, value in paid.items():
            kept = int((curve.confidence >= value).sum())
            hits, alarms = (int(np.append(0, column)[kept]) for column in (curve.hits, curve.alarms))
            misses, at = curve.objects - hits, curve.at(value)
            cost = (config.miss * misses + config.alarm * alarms) / curve.images
            rows.append([name, value, at.precision, at.recall, misses, alarms, cost])
        report.table(["threshold", "value", "precision", "recall", "misses", "false alarms", "cost of a picture"], rows, caption="Test.")
        report.question(
            "A miss now costs a hundred times an alarm. Which way does the threshold move, and what does the driver see?",
            "Down: nearly every sign is found, and signs are seen in bushes. Try `--miss 100` in another run folder.",
        )
        run.metric(threshold=threshold)
    return threshold, even


def ask_why(run: Run, report: Report, config: Config, data: ObjectSet, pipeline: ObjectPipeline, model, threshold: float) -> None:
    """Ask why: one box, and one miss.

    **D-RISE** (Petsiuk et al. 2020, arXiv:2006.03204) hides parts of the picture at random and asks how well a box of that class still
    lies there: it needs no look inside. **Layer-CAM** takes the map that the responsible grid point read, and weighs its places by how they
    raise the score. The same two questions can be asked of a miss: what did speak for the sign, and which class was ahead of it?
    """
    with run.step("ask why"):
        report.lesson(ask_why)
        images, truths, found = judged(model, pipeline.test)
        sure = [each.kept(each.scores >= threshold) for each in found]
        errors = metrics.detection_errors(truths, sure, len(data.classes))
        right = [(each.scores[j], i, each.boxes[j], each.classes[j]) for i, each in enumerate(sure)
                 for j in np.flatnonzero(errors.verdicts[i] == "right")]  # fmt: skip
        lost = [(np.prod(truths[i].boxes[j][2:] - truths[i].boxes[j][:2]), i, truths[i].boxes[j], truths[i].classes[j])
                for i, each in enumerate(errors.missed) for j in each]  # fmt: skip
        asked = {name: max(cases, key=lambda case: case[0]) for name, cases in {"surest hit": right, "largest miss": lost}.items() if cases}
        rows = []
        for name, (_, index, box, kind) in asked.items():
            image, kind = images[index : index + 1], int(kind)
            anchor, layer, chances = responsible(model, image[0], box, kind)
            best = np.argsort(-chances)[:3]
            rows.append([name, data.classes[kind], layer, "; ".join(f"{data.classes[k]} {chances[k]:.2f}" for k in best)])
            heats = {"D-RISE": explain.rise(model, image, explain.BoxScore(kind, box=box), masks=config.masks, seed=config.seed)}
            heats["Layer-CAM"] = explain.layercam(model, image, explain.BoxScore(kind, anchor=anchor), layer)
            pictures = [boxed(image[0], box[None], [kind], data.classes), *(viz.overlay(image[0], heat[0], 0.5) for heat in heats.values())]
            figure = viz.images(pictures, [f"{name}: {data.classes[kind]}", *heats], columns=3)
            report.figure(run.figure(f"why_{name.split()[1]}", figure), f"The {name} on test pictures at threshold {threshold:.2f}.")
        report.table(["case", "class", "map that was read", "probabilities at the responsible point"], rows)


def watch_a_drive(run: Run, report: Report, config: Config, data: ObjectSet, model, threshold: float) -> None:
    """Watch a drive, follow and count.

    A video is not a pile of pictures: the same sign is found in thirty frames and must be counted once, under one name: where boxes of
    several classes overlap, the surest stays. The tracker moves every known box on to where it should be now, gives it the new box that
    overlaps, and a number that stays; a line counts whoever crosses. Frames are read, looked at, drawn and written one at a time, so an
    hour needs no more memory than a second. **Real time** means that all of it together is faster than the camera, on the machine that
    will do it: read the last column, not the network's own.
    """
    known = not config.video and data.classes == tuple(SIGNS)
    if importlib.util.find_spec("av") is None or not (config.video or known):
        return  # no PyAV, or nothing to watch: `--video FILE`
    with run.step("watch a drive"):
        report.lesson(watch_a_drive)
        drive = SignDrive(size=2 * config.size, seed=config.seed, signs=max(2, len(SIGNS)))
        source = Path(config.video) if config.video else run.folder / "drive.mp4"
        if not config.video:
            with video.Writer(source, rate=25) as writer:
                for frame, _ in sign_drive(drive):
                    writer.write(frame)
        locator = locate.of(model, data.classes)
        with video.read(source) as opened:
            height, width = opened.size
        lines = {"right": [(0.8 * width, height), (0.8 * width, 0)], "left": [(0.2 * width, 0), (0.2 * width, height)]}
        counters = {side: video.LineCounter(*line, point="centre") for side, line in lines.items()}
        tracker = video.Tracker(high=max(threshold, 0.1), low=min(threshold, 0.1), birth=max(threshold, 0.1), by_class=False)
        how = {"counters": counters, "tracker": tracker, "names": data.classes}
        shown: list[np.ndarray] = []

        def look(frames):
            return [one_each(found) for found in locator.locate(frames, threshold=0.1)]

        with video.Watch(look, source, run.folder / "watched.mp4", **how) as watching:
            for step in watching:
                if len(step.tracked) and step.done % 25 == 0 and len(shown) < 4:
                    shown.append(step.picture)
            seen = watching.report
        if shown:
            report.figure(run.figure("watched", viz.images(shown, columns=4)), "Frames of `watched.mp4`: numbers stay with their sign.")
        speed = {stage: f"{value:.0f}" for stage, value in seen.fps.items()}
        report.table(["stage", *speed], [["frames per second", *speed.values()]], caption=f"{seen.frames} frames of {width} x {height}.")
        counts = np.zeros(len(data.classes), int)
        for found in seen.counts.values():
            for kinds in found.values():
                for kind, number in kinds.items():
                    counts[kind] += number
        passed = np.bincount(drive.classes, minlength=len(data.classes)) if known else [None] * len(data.classes)
        report.table(["class", "passed", "counted"], [list(each) for each in zip(data.classes, passed, counts, strict=True)])
        run.metric(frames_per_second=seen.fps, counted=dict(zip(data.classes, counts.tolist(), strict=True)))
        if known:
            run.metric(counted_share=float(np.minimum(counts, passed).sum() / max(np.sum(passed), counts.sum())))


def send_it_out(run: Run, report: Report, config: Config, data: ObjectSet, pipeline: ObjectPipeline, model) -> None:
    """Send it out.

    Boxes and scores leave as outputs of their own: in int8 a tensor has one scale, and beside boxes up to hundreds of pixels every score
    would round to zero. Each file is opened by its own runtime, looks at the same test pictures, and must find the same boxes; what its
    roundings cost in average precision stands beside it. SavedModel is for servers, ONNX for everything, LiteRT for phones.

    Serve the run folder over HTTP, or open it in the browser and move the threshold by hand:
    """
    with run.step("send it out"):
        report.lesson(send_it_out)
        report.code(f"zoo serve {config.out}\ncurl --data-binary @photo.jpg http://127.0.0.1:8000/predict\nzoo app")
        images, truths, found = judged(model, pipeline.test)
        some, ranges = min(40, len(images)), np.concatenate([np.asarray(batch) for batch, _ in pipeline.train.evaluation(20).take(5)])
        files, skipped = {}, []
        for name in filter(None, config.formats.split(",")):
            format, _, precision = name.partition(":")
            precision = precision or "fp32"
            if lacking := missing(format, precision):
                skipped.append(f"{name} needs {' and '.join(lacking)}")
                continue
            path = run.folder / "export" / f"{format}_{precision}{zoo.export.FORMATS[format]}"
            files[export(model, path, format, precision=precision, images=ranges if precision == "int8" else None)] = precision
        best = max((float(each.scores.max()) for each in found[:some] if len(each)), default=0.0)
        if not best:
            report.note("The detector finds nothing on these pictures, so nothing can be compared: train longer.", "fail")
            return
        agreement = check_boxes(model, files, images[:some], truths=truths[:some], threshold=min(best / 2, 0.25))
        rows = []
        for each in agreement.rows:
            size, verdict = f"{each.bytes / 1e6:.2f}" if each.bytes else None, each.problem or "agrees"
            rows.append([each.name, each.precision, each.found, each.iou, each.ap50, size, each.milliseconds.get(1), verdict])
        report.table(["file", "precision", "boxes found too", "mean IoU", "AP50", "MB", "ms", "verdict"], rows)
        for sentence in skipped:
            report.text(f"Not written: {sentence}.")
        atomic.write(run.folder / "export" / "agreement.md", agreement.markdown())
        run.metric(exports={each.name: {"found": each.found, "AP50": each.ap50} for each in agreement.rows})


def finish(run: Run, report: Report, config: Config) -> Run:
    """Look back, and hold the run against its promises."""
    report.heading("What to take along")
    report.text(
        "The rule for labels comes before the labels, the doctor before the training, eight pictures before a thousand. Sizes choose the "
        "grid. One number judges models, a cost chooses the threshold, and pictures explain the mistakes. A video is counted by tracks, "
        "a file is shipped when its own runtime agrees. Next: your own signs (`--signs`), your own road (`--frames`), your own video "
        "(`--video`), and only then a larger network. **Limits:** all of this was learnt from generated pictures; it is not for driving."
    )
    reached = {"planted faults found": run.metrics["planted_faults_found"], "AP50 on eight pictures": run.metrics["by_heart"]}
    reached |= {"AP50": run.metrics["AP50"], "signs counted": run.metrics.get("counted_share")}
    floors = {"planted faults found": 1.0, "AP50 on eight pictures": 0.9} if config.expect else {}
    counted = config.expect_counted if reached["signs counted"] is not None else None
    report.close(run, {**floors, "AP50": config.expect, "signs counted": counted}, reached, seed=config.seed)
    return run


def recipe_of(config: Config) -> Recipe:
    """How this project trains."""
    cycle = {"schedule": "one_cycle", "warmup": 0.2, "clip_norm": 10.0, "monitor": "val_AP50"}
    return Recipe(epochs=config.epochs, batch_size=config.batch_size, learning_rate=config.learning_rate, seed=config.seed, **cycle)


def built(config: Config, data: ObjectSet, **backbone) -> keras.Model:
    """The detector, untrained, as narrow as the config says; `backbone` overrides the config's."""
    found, changes = row(config.model), {}
    backbone = backbone or {"backbone": config.backbone or None, "backbone_weights": config.weights or None}
    if isinstance(found, YoloStyle) and config.width:
        neck = dataclasses.replace(found.neck, width=config.width)
        changes = {"neck": neck, "backbone": neck, "box_width": max(16, int(256 * config.width))}
    with recipe_of(config).building():
        shape = (config.size, config.size, 3)
        return zoo.detector(config.model, classes=len(data.classes), input_shape=shape, changes=changes, **backbone)


def named_crops(run: Run, config: Config, data: ObjectSet, trunk: str, path: str) -> dict:
    """Train a classifier on objects cut out by their labels, write its weights to `path`; its accuracy on validation crops."""
    parts = [crops(data[split], 64) for split in ("train", "validation")]
    recipe = Recipe(epochs=config.crop_epochs, batch_size=32, learning_rate=3e-3, seed=config.seed)
    with recipe.building():
        classifier = zoo.classifier(trunk, classes=len(data.classes), input_shape=(64, 64, 3))
    history = fit(classifier, parts, recipe, Run.open(run.folder / "crops", recipe, name="crops"), verbose=0)
    zoo.save_weights(classifier, path)
    return {"accuracy": history.best["val_accuracy"]}


def one_each(found: Detections) -> Detections:
    """One sign at one place: of boxes that overlap by half, whatever their class, the surest."""
    close, kept = overlaps(found.boxes, found.boxes) >= 0.5, []
    for place in range(len(found)):  # best first
        if not close[place, kept].any():
            kept.append(place)
    return found.kept(np.array(kept, int))


def boxed(image: np.ndarray, boxes, classes, names, **how) -> np.ndarray:
    """The picture with its objects, enlarged so that the letters are small beside them."""
    return viz.objects(image, boxes, classes, names, side=360, **how)


def emptied(folder: Path) -> Path:
    """The folder's path, with nothing there: labels are written into new folders only."""
    shutil.rmtree(folder, ignore_errors=True)
    return folder


if __name__ == "__main__":
    sys.exit(start(main, Config, __doc__))
