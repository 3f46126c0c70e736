"""`python -m benchmarks.coco_metric`: the COCO numbers of a whole validation set, by zoo.metrics and by pycocotools.

    python -m benchmarks.coco_metric                  5,000 images x 100 detections x 80 classes; writes results/coco_metric.md
    python -m benchmarks.coco_metric --images 50      less; prints only

Both judge the same random boxes in one process, in turns. pycocotools is timed twice: with and without the dictionaries that it
has to be given. The twelve numbers are compared too: a fast metric that is wrong is of no use.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import statistics
import time
from types import SimpleNamespace

import numpy as np

from benchmarks import workers
from zoo.metrics import Truth, average_precision
from zoo.train import machine

IMAGES, CLASSES = 5000, 80
OBJECTS, DETECTIONS = 7, 100
"""An image: as many objects as COCO's val2017 has on average, as many detections as count."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--classes", type=int, default=CLASSES)
    parser.add_argument("--repeats", type=int, default=3, help="turns (default 3)")
    options = parser.parse_args(arguments)
    truths, found = boxes(options.images, options.classes)
    times: dict[str, list[float]] = {"zoo.metrics": [], "pycocotools": [], "pycocotools with its dictionaries": []}
    apart = 0.0
    for _ in range(options.repeats):
        start = time.perf_counter()
        ours = average_precision(truths, found, options.classes).coco()
        times["zoo.metrics"].append(time.perf_counter() - start)
        gc.collect()
        theirs, judged, whole = pycocotools(truths, found, options.classes)
        times["pycocotools"].append(judged)
        times["pycocotools with its dictionaries"].append(whole)
        gc.collect()
        apart = max(apart, float(np.abs(ours - theirs).max()))
    line = machine.line(machine.facts())
    text = page(times, apart, options, line)
    print(text)
    if (options.images, options.classes) == (IMAGES, CLASSES):
        workers.write(
            "coco_metric", text, {"machine": line, "seconds": times, "apart": apart, "images": options.images, "classes": options.classes}
        )
    return 0


def boxes(images: int, classes: int):
    """Random objects and detections: a third of the detections lie near an object of their class, the others anywhere."""
    rng = np.random.default_rng(0)
    truths, found = [], []
    for _ in range(images):
        size = np.exp(rng.uniform(2, 5.5, (OBJECTS, 2)))
        corner = rng.uniform(0, 640, (OBJECTS, 2))
        real, labels = np.concatenate([corner, corner + size], 1), rng.integers(0, classes, OBJECTS)
        which = rng.integers(0, OBJECTS, DETECTIONS // 3)
        near = real[which] + rng.normal(0, 0.08, (len(which), 4)) * np.tile(size[which], 2)
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        corner = rng.uniform(0, 640, (DETECTIONS - len(which), 2))
        far = np.concatenate([corner, corner + np.exp(rng.uniform(2, 5.5, corner.shape))], 1)
        given = np.concatenate([labels[which], rng.integers(0, classes, len(far))])
        truths.append(Truth(real, labels, rng.random(OBJECTS) < 0.01))
        found.append(SimpleNamespace(boxes=np.concatenate([near, far]), scores=rng.random(DETECTIONS), classes=given))
    return truths, found


def pycocotools(truths, found, classes: int) -> tuple[np.ndarray, float, float]:
    """The twelve numbers, the seconds of judging, and the seconds with everything that it takes to get there."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    begin = time.perf_counter()
    annotations = []
    for image, truth in enumerate(truths):
        for box, label, crowd in zip(truth.boxes.tolist(), truth.classes.tolist(), truth.crowd.tolist(), strict=True):
            side = [box[2] - box[0], box[3] - box[1]]
            row = {"id": len(annotations) + 1, "image_id": image, "category_id": label, "iscrowd": int(crowd)}
            annotations.append({**row, "bbox": [*box[:2], *side], "area": side[0] * side[1]})
    rows = [
        np.column_stack([np.full(len(f.scores), i), f.boxes[:, :2], f.boxes[:, 2:] - f.boxes[:, :2], f.scores, f.classes])
        for i, f in enumerate(found)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        data = COCO()
        data.dataset = {"info": {}, "images": [{"id": i} for i in range(len(truths))], "annotations": annotations}
        data.dataset["categories"] = [{"id": k} for k in range(classes)]
        data.createIndex()
        results = data.loadRes(np.concatenate(rows))
        start = time.perf_counter()
        judge = COCOeval(data, results, "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    end = time.perf_counter()
    return judge.stats, end - start, end - begin


def page(times: dict[str, list[float]], apart: float, options, line: str) -> str:
    middle = {name: statistics.median(values) for name, values in times.items()}
    lines = [
        "# COCO metric",
        "",
        f"`python -m benchmarks.coco_metric`, {workers.today()}: {options.images:,} images x {DETECTIONS} detections "
        f"x {options.classes} classes, {OBJECTS} objects an image; median of {options.repeats} turns in one process. {line}",
        "",
        "| | seconds | times ours |",
        "|---|---|---|",
        *(f"| {name} | {value:.2f} | {value / middle['zoo.metrics']:.1f} |" for name, value in middle.items()),
        "",
        f"Largest difference of the twelve numbers: {apart:.1e}.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
