"""`python -m benchmarks.nms`: non-maximum suppression of ours against TensorFlow's and KerasHub's, on this processor.

    python -m benchmarks.nms                          4 x 8400 boxes; writes results/nms.md
    python -m benchmarks.nms --boxes 500 --repeats 2  less; prints only

All run in one process, in turns, on the same boxes. What greedy suppression costs depends on them, so there are two sets: "crowded", all
boxes around 20 objects per image, where it has to go through everything, and "scattered", nine tenths of them anywhere, where it has its
100 boxes at once and stops. Ours costs the same for both. Ours is compiled by XLA and takes the best 1000 of the boxes;
TensorFlow's combined_non_max_suppression takes all, has no kernel in XLA and runs as a graph, and on the best 1000 for comparison;
KerasHub's layer runs both ways where keras-hub is installed. All ignore classes. The table says how many boxes each kept.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import statistics
import sys
import time

from benchmarks import workers

BATCH, BOXES = 4, 8400
"""What YOLOv8 predicts at 640 pixels, for four images."""
CASES = ("crowded", "scattered")
THRESHOLD, SCORE, MOST = 0.5, 0.05, 100
BAR = 3.0
"""Ours must run at least this many times faster than the faster of the others."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boxes", type=int, default=BOXES, help=f"per image (default {BOXES})")
    parser.add_argument("--repeats", type=int, default=15, help="turns (default 15)")
    parser.add_argument("--write", action="store_true", help="write the results though the number of boxes is another")
    options = parser.parse_args(arguments)
    os.environ["KERAS_BACKEND"] = "tensorflow"
    from zoo.train import machine

    measured = {}
    for case in CASES:
        boxes, scores = predictions(case, options.boxes)
        measured[case] = in_turns(contenders(boxes, scores), options.repeats)
    line = machine.line(machine.facts())
    text = page(measured, line, options.boxes, options.repeats)
    print(text)
    if options.write or options.boxes == BOXES:
        workers.write("nms", text, {"machine": line, "boxes": options.boxes, "measured": measured})
    return 0


def predictions(case: str, count: int):
    """(4, count, 4) xyxy boxes on 640 pixels and (4, count) scores in [0, 1], float32."""
    import numpy as np

    rng = np.random.default_rng(0)
    centres, sizes = rng.uniform(0, 640, (BATCH, count, 2)), rng.uniform(10, 200, (BATCH, count, 2))
    scores = rng.uniform(0, 1, (BATCH, count))
    near = count if case == "crowded" else count // 10
    for image in range(BATCH):
        objects = rng.integers(0, 20, near)
        centres[image, :near] = rng.uniform(60, 580, (20, 2))[objects] + rng.normal(0, 4, (near, 2))
        sizes[image, :near] = rng.uniform(60, 200, (20, 2))[objects] * rng.uniform(0.85, 1.15, (near, 2))
    return np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=-1).astype("float32"), scores.astype("float32")


def contenders(boxes, scores) -> dict:
    """name -> a call without arguments that gives the numbers of kept boxes (4,) as an array."""
    import tensorflow as tf

    from zoo.ops.nms import nms

    boxes, scores = tf.constant(boxes), tf.constant(scores)
    settings = {"threshold": THRESHOLD, "score_threshold": SCORE, "most": MOST}

    def theirs(boxes, scores):
        kept = tf.image.combined_non_max_suppression(
            boxes[:, :, None], scores[..., None], MOST, MOST, iou_threshold=THRESHOLD, score_threshold=SCORE, clip_boxes=False
        )
        return kept.valid_detections

    def theirs_of_the_best(boxes, scores):
        scores, order = tf.math.top_k(scores, min(1000, scores.shape[1]))
        return theirs(tf.gather(boxes, order, batch_dims=1), scores)

    functions = {
        "zoo, best 1000, XLA": tf.function(lambda b, s: nms(b, s, **settings)[2], jit_compile=True),
        "zoo, best 300, XLA": tf.function(lambda b, s: nms(b, s, pre=300, **settings)[2], jit_compile=True),
        "zoo, best 1000, graph": tf.function(lambda b, s: nms(b, s, **settings)[2]),
        "TensorFlow combined, graph": tf.function(theirs),
        "TensorFlow combined of the best 1000, graph": tf.function(theirs_of_the_best),
        **keras_hub(tf),
    }
    return {name: lambda function=function: function(boxes, scores).numpy() for name, function in functions.items()}


def keras_hub(tf) -> dict:
    """KerasHub's layer takes logits; it needs classes in the last dimension."""
    if importlib.util.find_spec("keras_hub") is None:
        print("keras-hub is not installed: its rows are left out", file=sys.stderr)
        return {}
    from keras_hub.layers import NonMaxSuppression

    layer = NonMaxSuppression(
        bounding_box_format="xyxy", from_logits=False, iou_threshold=THRESHOLD, confidence_threshold=SCORE, max_detections=MOST
    )

    def suppress(boxes, scores):
        return layer(boxes, scores[..., None])["num_detections"]

    return {"KerasHub layer, XLA": tf.function(suppress, jit_compile=True), "KerasHub layer, graph": tf.function(suppress)}


def in_turns(calls: dict, repeats: int) -> list[dict]:
    """Seconds of each call, taken in turns after two unmeasured ones, the first of which compiles."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    kept = {}
    for turn in range(repeats + 2):
        for name, call in calls.items():
            with contextlib.redirect_stdout(sys.stderr):
                start = time.perf_counter()
                kept[name] = call()
                if turn > 1:
                    taken[name].append(time.perf_counter() - start)
    return [{"name": name, "seconds": seconds, "kept": kept[name].tolist()} for name, seconds in taken.items()]


def page(measured: dict, line: str, boxes: int, repeats: int) -> str:
    lines = [
        "# Non-maximum suppression, measured",
        "",
        f"`python -m benchmarks.nms`, {workers.today()}, {line}.",
        f"{BATCH} images of {boxes} boxes, IoU above {THRESHOLD}, score above {SCORE}, at most {MOST} kept; {repeats} calls, in turns.",
        "Crowded: all boxes around 20 objects per image. Scattered: nine tenths of them anywhere, so that greedy suppression stops early.",
        "",
        "| boxes | what | median | fastest | slowest | against the first | kept |",
        "|---|---|---:|---:|---:|---:|---|",
    ]
    for case, rows in measured.items():
        for each in rows:
            times = [_median(each), min(each["seconds"]), max(each["seconds"])]
            cells = [case, each["name"], *(f"{1000 * seconds:.1f} ms" for seconds in times), f"{_median(each) / _median(rows[0]):.2f}"]
            lines.append(f"| {' | '.join(cells)} | {', '.join(map(str, each['kept']))} |")
    for case, rows in measured.items():
        others = [each for each in rows if not each["name"].startswith("zoo") and "best" not in each["name"]]
        fastest = min(others, key=_median)
        ratio = _median(fastest) / _median(rows[0])
        verdict = "met" if ratio >= BAR else "missed"
        lines += [
            "",
            f"Bar, {case}: at least {BAR:.0f} times faster than the faster of the others ({fastest['name']}): {ratio:.1f}: {verdict}.",
        ]
    return "\n".join(lines) + "\n"


def _median(each: dict) -> float:
    return statistics.median(each["seconds"])


if __name__ == "__main__":
    sys.exit(main())
