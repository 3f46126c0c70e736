"""`python -m benchmarks.depthwise`: XLA's depthwise convolution on this processor, and ours in its place.

    python -m benchmarks.depthwise                    JAX and jitted TensorFlow, MobileNetV2 and others; writes results/depthwise.md
    python -m benchmarks.depthwise --rows mobilenet_v2 --batches 1 --repeats 3       less; prints only

Each backend is a process of its own that holds every network twice, once with `lowering("native")` and once with
`lowering("shifted")`, and times them in turns: a forward pass of one compiled call (`predict_on_batch`), and a training step.
TensorFlow without XLA stands beside it, for it has a kernel of its own.
"""

from __future__ import annotations

import argparse
import functools
import json
import statistics
import sys
import time

from benchmarks import workers

ROWS = ("mobilenet_v2", "mobilenet", "efficientnet_b0", "xception", "convnext_tiny")
BATCHES = (1, 32)
BAR = 4.0
"""Keras-JAX MobileNetV2 must run at least this many times faster."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", default=list(ROWS))
    parser.add_argument("--batches", nargs="+", type=int, default=list(BATCHES))
    parser.add_argument("--backends", nargs="+", default=["jax", "tensorflow"], choices=("jax", "tensorflow"))
    parser.add_argument("--size", type=int, help="side of the images (default: the row's)")
    parser.add_argument("--repeats", type=int, default=9, help="turns (default 9)")
    parser.add_argument("--training", action="store_true", help="time a training step at the largest batch too")
    parser.add_argument("--write", action="store_true", help="write the results though not every row was asked for")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.worker:
        return work(json.loads(options.worker))
    asked = {"batches": options.batches, "size": options.size, "repeats": options.repeats, "training": options.training}
    measured, line = [], ""
    for backend in options.backends:
        for row in options.rows:
            worker = workers.start("benchmarks.depthwise", "--worker", json.dumps({**asked, "row": row}), backend=backend)
            answer = workers.ask(worker)
            workers.end([worker])
            line = answer["machine"]
            measured += [{"backend": backend, "row": row, **each} for each in answer["measured"]]
            print(measured[-1], file=sys.stderr, flush=True)
    text = page(measured, line, options.repeats)
    print(text)
    if options.write or tuple(options.rows) == ROWS:
        workers.write("depthwise", text, {"machine": line, "measured": measured})
    return 0


def work(asked: dict) -> int:
    """Answer one line with everything about one row on this backend."""
    import keras
    import numpy as np

    import zoo
    from zoo.layers.depthwise import lowering
    from zoo.train import machine

    sys.stdin.readline()
    contenders = {"native": ("native", True), "shifted": ("shifted", True)}
    if keras.backend.backend() == "tensorflow":
        contenders["without XLA"] = ("native", False)
    models = {}
    for name, (how, jit) in contenders.items():
        keras.utils.set_random_seed(0)
        options = {} if asked["size"] is None else {"input_shape": (asked["size"], asked["size"], 3)}
        model = zoo.classifier(asked["row"], **options)
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=jit)
        models[name] = (model, how)
    side = models["native"][0].input_shape[1]
    measured = []
    for batch in asked["batches"]:
        images = np.random.default_rng(0).uniform(0, 255, (batch, side, side, 3)).astype("float32")
        calls = {name: functools.partial(model.predict_on_batch, images) for name, (model, _) in models.items()}
        outputs = {}
        times = in_turns(calls, {name: how for name, (_, how) in models.items()}, asked["repeats"], lowering, outputs)
        scale = float(np.abs(outputs["native"]).max())
        apart = float(np.abs(outputs["shifted"] - outputs["native"]).max()) / scale
        measured.append({"what": "inference", "batch": batch, "size": side, "seconds": times, "apart": apart})
    if asked["training"]:
        labels = np.zeros(len(images), "int64")
        calls = {name: functools.partial(model.train_on_batch, images, labels) for name, (model, _) in models.items()}
        times = in_turns(calls, {name: how for name, (_, how) in models.items()}, asked["repeats"], lowering, {})
        measured.append({"what": "training", "batch": len(images), "size": side, "seconds": times})
    workers.answer(machine=machine.line(machine.facts()), measured=measured)
    return 0


def in_turns(calls: dict, hows: dict, repeats: int, lowering, outputs: dict) -> dict[str, float]:
    """Median seconds of each call after two unmeasured ones, the first of which compiles; their answers go to `outputs`."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repeats + 2):
        for name, call in calls.items():
            with lowering(hows[name]):
                start = time.perf_counter()
                outputs[name] = call()
                if turn > 1:
                    taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def page(measured: list[dict], line: str, repeats: int) -> str:
    lines = [
        "# Depthwise convolutions under XLA on a CPU, measured",
        "",
        f"`python -m benchmarks.depthwise`, {workers.today()}, {line}.",
        f"Medians of {repeats} calls taken in turns, images of noise. Ratio: XLA's own convolution over the sum of shifted products;",
        "above 1 means that ours is faster. Apart: largest difference of the logits, as a fraction of the largest logit.",
        "",
        "| backend | model | what | batch | XLA native | shifted | ratio | TensorFlow without XLA | apart |",
        "|---|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for each in measured:
        seconds = each["seconds"]
        bare = f"{1000 * seconds['without XLA']:.1f} ms" if "without XLA" in seconds else "-"
        apart = f"{each['apart']:.0e}" if "apart" in each else "-"
        ratio = seconds["native"] / seconds["shifted"]
        cells = [each["backend"], f"`{each['row']}`, {each['size']} px", each["what"], str(each["batch"])]
        cells += [f"{1000 * seconds['native']:.1f} ms", f"{1000 * seconds['shifted']:.1f} ms", f"{ratio:.2f}", bare, apart]
        lines.append(f"| {' | '.join(cells)} |")
    ratios = [
        (e["batch"], e["seconds"]["native"] / e["seconds"]["shifted"])
        for e in measured
        if (e["backend"], e["row"], e["what"]) == ("jax", "mobilenet_v2", "inference")
    ]
    if ratios:
        told = ", ".join(f"{ratio:.1f} at batch {batch}" for batch, ratio in ratios)
        met = "met" if min(ratio for _, ratio in ratios) >= BAR else "missed"
        lines += ["", f"Bar: MobileNetV2 on JAX at least {BAR:.0f} times faster: {told}: {met}."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
