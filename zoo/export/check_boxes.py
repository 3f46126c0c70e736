"""Exported detectors beside their model: which boxes they find too, how well those lie, and the average precision that is left."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from zoo.cores import cores
from zoo.export import check
from zoo.export.runtimes import load, name_of
from zoo.export.write import format_of

LEAST = {"fp32": (0.99, 0.99), "fp16": (0.95, 0.95), "int8": (0.8, 0.8), "dynamic": (0.8, 0.8)}
"""{precision: smallest share of the model's boxes that a file must find too, smallest mean overlap of those}. float32 differs by roundings
only. int8 was not made for the last tenth: what it costs on labelled pictures is in the average precision, which has no bound here."""
MARGIN = 1.25
"""A box of the model counts when its score is so many times the threshold: one just above it may fall just below it elsewhere."""
OVERLAP = 0.5


@dataclass(frozen=True)
class BoxRow:
    """One file, or the model itself.

    found:        share of the model's boxes that the file has too: same class, overlap of at least 0.5.
    iou:          mean overlap of those. score: largest difference of their scores.
    ap, ap50:     average precision (COCO's, and at overlap 0.5) against the labels, or without labels against the model's own boxes.
    bytes, gzipped, milliseconds: as in `zoo.export.check.Row`, for one image.
    """

    name: str
    format: str
    precision: str
    runtime: str
    found: float
    iou: float
    score: float
    ap: float
    ap50: float
    bytes: int | None = None
    gzipped: int | None = None
    milliseconds: dict[int, float] = field(default_factory=dict)
    problem: str = ""

    @property
    def top1(self) -> float:
        """For the picture of `zoo.viz.exports`: the share that is kept."""
        return self.found


@dataclass(frozen=True)
class BoxReport:
    """The rows and where they were measured; `boxes` is how many of the model's were looked for."""

    model: str
    images: int
    boxes: int
    labelled: bool
    threshold: float
    threads: int
    repeats: int
    rows: tuple[BoxRow, ...]
    date: str = field(default_factory=lambda: datetime.date.today().isoformat())
    machine: str = field(default_factory=lambda: f"{platform.platform()}, {os.cpu_count()} CPUs, Python {platform.python_version()}")

    @property
    def failed(self) -> tuple[BoxRow, ...]:
        """The rows that do not agree with the model."""
        return tuple(row for row in self.rows if row.problem)

    def json(self) -> str:
        """Everything, as JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    def markdown(self) -> str:
        """The table that a person reads."""
        against = "the labels" if self.labelled else "the model's own boxes"
        lines = [
            f"# Exports of {self.model}",
            "",
            f"{self.date}, {self.machine}. {self.boxes} boxes of the model on {self.images} images, of scores",
            f"above {MARGIN * self.threshold:.3g}; a file has found one when its own, above {self.threshold:.3g} and of the same class,",
            f"overlaps it by {OVERLAP}. AP is against {against}. {self.threads} threads per runtime; ms: median of",
            f"{self.repeats} calls with one image, in turns.",
            "",
            "| file | precision | runtime | found | mean IoU | largest score difference | AP | AP50 | size | gzip | ms | verdict |",
            "|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---|",
        ]
        for row in self.rows:
            size = [f"{value / 1e6:.3g} MB" if value else "-" for value in (row.bytes, row.gzipped)]
            verdict = row.problem or ("agrees" if row.bytes else "for comparison")
            ms = f"{row.milliseconds[1]:.2f}" if row.milliseconds else "-"
            shares = [f"{row.found:.1%}", f"{row.iou:.4f}", f"{row.score:.2g}", f"{row.ap:.3f}", f"{row.ap50:.3f}"]
            lines.append(f"| {' | '.join([row.name, row.precision, row.runtime, *shares, *size, ms, verdict])} |")
        return "\n".join(lines) + "\n"


def check_boxes(
    model,
    files: Mapping[Any, str],
    images,
    *,
    truths: Sequence[Any] | None = None,
    threshold: float = 0.25,
    iou: float = 0.5,
    most: int = 100,
    threads: int | None = None,
    repeats: int = 10,
) -> BoxReport:
    """Run every file on `images` in its own runtime, one image at a time, and compare its boxes with those of the detector `model`.

    files:     {path: precision it was written in}, with or without the suppression inside; where it is inside, it must have been written
               with this threshold, iou and most.
    images:    (n, h, w, c) in [0, 255] of the model's size.
    truths:    the labelled objects of each image, with `boxes` and `classes` (see `zoo.metrics.objects.Truth`), for the average precision.
    repeats:   timed calls per file, after two that are not; 0 leaves the times out.

    Nothing is raised for a file that does not agree: its row has a `problem`. Raises ValueError when there are no images, or no box of the
    model to compare.
    """
    from zoo.export.deploy import deployed

    images, threads = np.asarray(images, "float32"), threads or cores()
    inside = deployed(model, True, threshold=threshold, iou=iou, most=most)
    calls = [lambda image: [np.asarray(values) for values in _flat(inside.predict_on_batch(image))]]
    calls += [load(path, threads=threads) for path in files]
    objects = [[_objects(call(image[None]), image.shape[:2], threshold, iou, most) for image in images] for call in calls]
    wanted = [found.kept(found.scores > MARGIN * threshold) for found in objects[0]]
    count = sum(map(len, wanted))
    if not count:
        raise ValueError(
            f"{model.name} finds no box with a score above {MARGIN * threshold:.3g} on these {len(images)} images, so there is nothing to "
            "compare; give pictures of what it was trained on, or a lower threshold"
        )
    classes, truth = model.output["scores"].shape[-1], wanted if truths is None else truths
    facts = [("the model", "keras", "fp32", check._engine()), *((Path(p).name, format_of(p), files[p], name_of(p)) for p in files)]
    times = check._times(calls, images[:1], (1,), repeats)
    sizes = [(None, None), *map(check.sizes_of, files)]
    rows = [
        BoxRow(*fact, *_compared(wanted, found, truth, classes), bytes=size[0], gzipped=size[1], milliseconds=time)
        for fact, found, size, time in zip(facts, objects, sizes, times, strict=True)
    ]
    rows = [dataclasses.replace(row, problem=_problem(row)) for row in rows]
    return BoxReport(model.name, len(images), count, truths is not None, threshold, threads, repeats, tuple(rows))


def _flat(outputs: dict) -> list:
    return [outputs[name] for name in sorted(outputs)]  # Keras' order, and that of every file


def _objects(outputs: list[np.ndarray], size: tuple[int, int], threshold: float, iou: float, most: int):
    """The outputs for one image -> Detections; without suppression inside they are suppressed here, and cut off at the border."""
    from keras import ops

    from zoo.detect import Detections
    from zoo.ops.nms import nms

    if len(outputs) == 4:
        boxes, classes, count, scores = (values[0] for values in outputs)
        kept = np.arange(int(count))
    else:
        boxes, each = (values[0] for values in outputs)
        scores, classes = each.max(-1), each.argmax(-1)
        places, _, _ = nms(boxes[None], scores[None], classes[None], threshold=iou, score_threshold=threshold, most=most)
        kept = ops.convert_to_numpy(places)[0]  # which may lie on an accelerator
        kept = kept[kept >= 0]
        boxes = np.clip(boxes, 0, np.array(size[::-1] * 2))
    return Detections(boxes[kept].astype("float32"), scores[kept].astype("float32"), classes[kept].astype("int64"))


def _compared(wanted, found, truths, classes: int) -> tuple[float, float, float, float, float]:
    """found, iou, score, ap, ap50 of a `BoxRow`."""
    from zoo.metrics.detection import average_precision

    pairs = [pair for one, other in zip(wanted, found, strict=True) for pair in _pairs(one, other)]
    precision = average_precision(truths, found, classes)
    overlap = float(np.mean([overlap for overlap, _ in pairs])) if pairs else 0.0
    apart = max((apart for _, apart in pairs), default=0.0)
    return len(pairs) / sum(map(len, wanted)), overlap, apart, precision.ap(), precision.ap(0.5)


def _pairs(wanted, found) -> list[tuple[float, float]]:
    """(overlap, difference of scores) of every wanted box that is found; each found box serves once."""
    overlaps = _iou(wanted.boxes, found.boxes) * (wanted.classes[:, None] == found.classes[None])
    pairs = []
    for row in range(len(wanted)):
        best = int(overlaps[row].argmax()) if len(found) else 0
        if len(found) and overlaps[row, best] >= OVERLAP:
            pairs.append((float(overlaps[row, best]), abs(float(wanted.scores[row]) - float(found.scores[best]))))
            overlaps[:, best] = 0
    return pairs


def _iou(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    corner, end = np.maximum(one[:, None, :2], other[None, :, :2]), np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = np.maximum(end - corner, 0).prod(-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(-1) for boxes in (one, other)]
    union = areas[0][:, None] + areas[1][None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _problem(row: BoxRow) -> str:
    found, iou = LEAST.get(row.precision, (0.0, 0.0))
    if row.found < found:
        return f"DOES NOT AGREE: {row.found:.1%} of the boxes are found, wanted are {found:.0%}"
    if row.iou < iou:
        return f"DOES NOT AGREE: the boxes overlap by {row.iou:.3f}, wanted is {iou:g}"
    return ""
