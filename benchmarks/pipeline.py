"""`python -m benchmarks.pipeline`: one input pipeline, one improvement after the other, and where its time goes.

1,000 JPEG files of 320 x 240 to 96 x 96 pixels, changed at random, in batches of 32; the consumer multiplies matrices for as long as a
small training step would take. Writes benchmarks/results/pipeline.md and .json; `--quick` uses 60 files and prints only.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from PIL import Image

from benchmarks import workers
from zoo.data import Pipeline, pace
from zoo.data.dataset import Examples

SIZE = 96


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(arguments)
    count, epochs = (60, 2) if options.quick else (1000, 6)
    with tempfile.TemporaryDirectory() as folder:
        examples = photographs(Path(folder), count)
        rows = pace.ladder(examples, SIZE, epochs=epochs, step=work)
        seconds = pace.parts(examples.take(range(min(count, 200))), SIZE)
        plan = str(Pipeline(examples, SIZE, augment=None).plan())
    from zoo.train import machine

    line = machine.line(machine.facts())
    text = page(rows, seconds, plan, line, count, epochs)
    print(text)
    if not options.quick:
        measured = {"machine": line, "images": count, "rows": [vars(row) for row in rows], "seconds_per_image": seconds}
        workers.write("pipeline", text, measured)
    return 0


def photographs(folder: Path, count: int) -> Examples:
    """JPEG files of smooth noise, about as large as photographs of their size."""
    random = np.random.default_rng(0)
    paths = []
    for index in range(count):
        coarse = random.integers(0, 256, (24, 32, 3), dtype=np.uint8)
        paths.append(folder / f"{index}.jpg")
        Image.fromarray(coarse).resize((320, 240), Image.Resampling.BICUBIC).save(paths[-1], quality=90)
    return Examples(paths, np.arange(count) % 10)


def work(images) -> None:
    """Stands for a training step: about 3 GFLOP."""
    side = np.ones((1152, 1152), "float32")
    side @ side


def page(rows, seconds: dict, plan: str, line: str, count: int, epochs: int) -> str:
    naive = rows[0].later
    lines = [
        "# An input pipeline, measured",
        "",
        f"`python -m benchmarks.pipeline`, {workers.today()}, {line}.",
        f"{count} JPEG files of 320 x 240 to {SIZE} x {SIZE}, {epochs} epochs in turns; medians of the epochs after the first.",
        "",
        "| pipeline | what | first epoch | later epochs | ratio | waiting | working |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        cells = [row.name, row.what, f"{row.first:,.0f} images/s", f"{row.later:,.0f} images/s", f"{row.later / naive:.1f}"]
        lines.append(f"| {' | '.join([*cells, f'{row.waiting:.2f} s', f'{row.working:.2f} s'])} |")
    told = ", ".join(f"{name} {1000 * value:.2f} ms" for name, value in seconds.items())
    return "\n".join([*lines, "", f"The work on one image, on one core: {told}.", "", "```", plan, "```", ""])


if __name__ == "__main__":
    sys.exit(main())
