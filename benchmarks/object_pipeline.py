"""`python -m benchmarks.object_pipeline`: images with boxes through the pipeline of detectors, one kind of change after the other.

Generated scenes of 128 x 128 pixels with one to three objects, in batches of 16. Writes benchmarks/results/object_pipeline.md and .json;
`--quick` uses few pictures and prints only.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks import workers
from zoo.data import ObjectAugment, ObjectPipeline, load_objects

SIZE, BATCH = 128, 16

COLOUR = {"brightness": 0.2, "contrast": 0.2, "saturation": 0.4, "hue": 0.015}
ROWS = {
    "letterbox only": (None, {}),
    "flip, shift, zoom": (ObjectAugment(), {}),
    "and colour": (ObjectAugment(**COLOUR), {}),
    "and crop, expand, turn": (ObjectAugment(crop=0.5, expand=0.3, rotate=5, shear=2, **COLOUR), {}),
    "the same with masks": (ObjectAugment(crop=0.5, expand=0.3, rotate=5, shear=2, **COLOUR), {"masks": True}),
    "mosaic on half": (ObjectAugment(mosaic=0.5, **COLOUR), {}),
    "mosaic on all": (ObjectAugment(mosaic=1.0, **COLOUR), {}),
    "mosaic, mixup, copy-paste": (ObjectAugment(mosaic=1.0, mixup=0.15, copy_paste=0.3, **COLOUR), {}),
}
"""What is done -> (changes, options of the pipeline)."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(arguments)
    count, epochs = (32, 2) if options.quick else (640, 5)
    data = load_objects("scenes", size=SIZE, train=count, validation=1, test=1)
    splits = {name: ObjectPipeline(data, SIZE, augment=augment, **more).train for name, (augment, more) in ROWS.items()}
    taken: dict[str, list[float]] = {name: [] for name in ROWS}
    for epoch in range(epochs):  # in turns, so that a busy minute of the machine hits all alike
        for name, split in splits.items():
            taken[name].append(seconds(split, epoch))
    rates = {name: count / statistics.median(each[1:]) for name, each in taken.items()}
    from zoo.train import machine

    line = machine.line(machine.facts())
    text = page(rates, line, count, epochs)
    print(text)
    if not options.quick:
        workers.write("object_pipeline", text, {"machine": line, "images": count, "images_per_second": rates})
    return 0


def seconds(split, epoch: int) -> float:
    """Of one epoch, its first batch not counted in: it starts the threads."""
    batches = iter(split.training(BATCH, seed=0, start_epoch=epoch).take(split.steps(BATCH) + 1))
    next(batches)
    start = time.perf_counter()
    for _ in batches:
        pass
    return time.perf_counter() - start


def page(rates: dict[str, float], line: str, count: int, epochs: int) -> str:
    lines = [
        "# Images with boxes, measured",
        "",
        f"`python -m benchmarks.object_pipeline`, {workers.today()}, {line}.",
        f"{count} generated scenes of {SIZE} x {SIZE} pixels, batches of {BATCH}; medians of {epochs - 1} epochs in turns.",
        "",
        "| changes | images/s |",
        "|---|---:|",
    ]
    return "\n".join([*lines, *(f"| {name} | {rate:,.0f} |" for name, rate in rates.items()), ""])


if __name__ == "__main__":
    sys.exit(main())
