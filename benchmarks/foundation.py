"""`python -m benchmarks.foundation`: what the foundation costs, beside what people use now. Ratios within one process on one machine.

Writes benchmarks/results/foundation.md. Medians of several repeats, taken in turns so that a drifting machine hits both sides.
"""

from __future__ import annotations

import datetime
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from PIL import Image

import zoo
from zoo import atomic, explain
from zoo.data import Pipeline, read_folder
from zoo.data.scenes import Scenes, render, specify

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "benchmarks" / "results" / "foundation.md"


def main() -> None:
    rows = [import_time(), *epochs(), explanation(), scenes()]
    now = datetime.date.today().isoformat()
    where = f"{platform.platform()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, Keras {keras.__version__}"
    lines = [
        "# The foundation, measured",
        "",
        f"`python -m benchmarks.foundation`, {now}, {where}, backend {keras.config.backend()}, zoo {zoo.__version__}.",
        "Medians; a ratio above 1 means that the zoo is faster.",
        "",
        "| what | zoo | the other | ratio |",
        "|---|---:|---:|---:|",
        *(f"| {what} | {ours} | {theirs} | {ratio} |" for what, ours, theirs, ratio in rows),
    ]
    atomic.write(RESULT, "\n".join(lines) + "\n")
    print("\n".join(lines))


def in_turns(ours: Callable, theirs: Callable, repeats: int) -> tuple[float, float]:
    """Median seconds of each, after one unmeasured call of each."""
    seconds: dict[Callable, list[float]] = {ours: [], theirs: []}
    for turn in range(repeats + 1):
        for call, taken in seconds.items():
            start = time.perf_counter()
            call()
            if turn:
                taken.append(time.perf_counter() - start)
    return statistics.median(seconds[ours]), statistics.median(seconds[theirs])


def import_time() -> tuple:
    def of(module: str) -> Callable:
        return lambda: subprocess.run([sys.executable, "-c", f"import {module}"], cwd=ROOT, check=True, capture_output=True)

    ours, theirs = in_turns(of("zoo"), of("numpy"), 7)
    return "a process that imports it (other: numpy)", f"{1000 * ours:.0f} ms", f"{1000 * theirs:.0f} ms", f"{theirs / ours:.1f}"


def epochs() -> list[tuple]:
    """First and later epochs over 600 JPEG files of 240 x 180, to 96 x 96, batches of 32 (other: Keras' own directory loader)."""
    with tempfile.TemporaryDirectory() as folder:
        random = np.random.default_rng(0)
        for index in range(600):
            path = Path(folder) / ("cat" if index % 2 else "dog") / f"{index}.jpg"
            path.parent.mkdir(exist_ok=True)
            coarse = random.integers(0, 256, (12, 9, 3), dtype=np.uint8)
            Image.fromarray(coarse).resize((240, 180), Image.Resampling.BICUBIC).save(path, quality=90)
        train = read_folder(folder, fractions=(0.98, 0.01, 0.01))["train"]
        there = keras.utils.image_dataset_from_directory(folder, image_size=(96, 96), batch_size=32, label_mode="int", verbose=False)

        def first():
            pipeline = Pipeline(train, 96)
            drain(pipeline.training(32, 0).take(pipeline.steps(32)))

        def drain(batches):
            for _ in batches:
                pass

        kept = Pipeline(train, 96)
        later = kept.training(32, 0).take(kept.steps(32))
        rows = []
        for what, ours in (("first", first), ("later", lambda: drain(later))):
            one, other = in_turns(ours, lambda: drain(there), 5)
            rate = [f"{len(train) / one:,.0f} images/s", f"{600 / other:,.0f} images/s"]
            rows.append(
                (f"{what} epoch over a folder of JPEG (other: Keras' directory loader)", *rate, f"{other / 600 / (one / len(train)):.1f}")
            )
        return rows


def explanation() -> tuple:
    """Grad-CAM++ of 8 pictures of 96 x 96 by the small CNN (other: tf-keras-vis)."""
    from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
    from tf_keras_vis.utils.scores import CategoricalScore

    model = zoo.classifier("small_cnn")
    images = np.random.default_rng(0).integers(0, 256, (8, 96, 96, 3)).astype("float32")
    theirs, layer = GradcamPlusPlus(model, clone=False), explain.default_layer(model).name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one, other = in_turns(
            lambda: explain.gradcam_plus_plus(model, images, [0] * 8),
            lambda: theirs(CategoricalScore([0] * 8), images, penultimate_layer=layer),
            7,
        )
    return "Grad-CAM++ of 8 pictures (other: tf-keras-vis)", f"{1000 * one:.0f} ms", f"{1000 * other:.0f} ms", f"{other / one:.1f}"


def scenes() -> tuple:
    config = Scenes()
    start = time.perf_counter()
    for index in range(300):
        render(specify(index, config, "train"), config.size)
    return "generated scenes at 96 x 96, one core", f"{300 / (time.perf_counter() - start):.0f} images/s", "-", "-"


if __name__ == "__main__":
    main()
