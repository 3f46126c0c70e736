"""`python -m benchmarks.detectors`: one small detector of each family learns `scenes` from nothing, on this machine's CPU.

    python -m benchmarks.detectors                        all four; writes benchmarks/results/detectors.md and detectors.json
    python -m benchmarks.detectors yolov8 --epochs 2      some, or shorter; prints only

Pictures of 96 x 96 pixels with one to three of the generator's things on photographs: 1200 to learn, 200 to choose the epoch, 200 to judge
it. The number is COCO's AP at IoU 0.5 on the last 200, which are looked at once. Wanted: at least 0.9. Each family trains in a process of
its own, in a run folder that is thrown away; the minutes are those of the whole training, with the measurements after each epoch.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "benchmarks" / "results" / "detectors.md"
SIZE, WANTED = 96, 0.9

ANCHORS = (((14, 14), (20, 16), (16, 22)), ((28, 24), (24, 32), (34, 34)), ((44, 36), (38, 48), (56, 56)))
"""(width, height) in pixels: things on these pictures measure 14 to 58 pixels."""

FAMILIES: dict[str, tuple[str, dict]] = {
    "retinanet": (
        "retinanet_resnet18_fpn",
        {"width": 64, "depth": 2, "sizes": tuple(tuple(12.0 * 2 ** (level + step / 3) for step in range(3)) for level in range(5))},
    ),
    "yolov3": ("yolov3_tiny", {"anchors": (ANCHORS[1], ANCHORS[2])}),
    "yolov5": ("yolov5_style_n", {"anchors": ANCHORS}),
    "yolov8": ("yolov8_style_n", {}),
}
"""kind -> (row, fields of the row that differ)."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", help=f"{', '.join(FAMILIES)} (default: all)")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--images", type=int, default=1200, help="training pictures (default 1200)")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    unknown = set(options.families) - set(FAMILIES)
    if unknown:
        parser.error(f"families are {', '.join(FAMILIES)}, got {', '.join(sorted(unknown))}")
    if options.worker:
        print(json.dumps(train(options.families[0], options.epochs, options.images)), flush=True)
        return 0
    measured = [_ask(family, options) for family in options.families or FAMILIES]
    text = page(measured, options)
    print(text)
    if not options.families:
        RESULT.write_text(text, encoding="utf-8")
        RESULT.with_suffix(".json").write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    return 0


def train(family: str, epochs: int, images: int) -> dict:
    """{"family", "row", "parameters", "rows" (of the history), "seconds", "AP50", "AP"} of one family."""
    import zoo
    from zoo.data import ObjectAugment, ObjectPipeline, load_objects
    from zoo.detect.score import CocoScore
    from zoo.run import Run
    from zoo.train import Recipe, fit

    row, changes = FAMILIES[family]
    share = max(images // 6, 8)
    objects = load_objects("scenes", size=SIZE, train=images, validation=share, test=share)
    augment = ObjectAugment(flip=True, shift=0.1, zoom=0.2, brightness=0.1)
    data = ObjectPipeline(objects, SIZE, augment=augment)
    recipe = Recipe(epochs=epochs, batch_size=16, learning_rate=2e-3, schedule="one_cycle", warmup=0.2, clip_norm=10.0, monitor="val_AP50")
    with recipe.building():
        model = zoo.detector(row, classes=len(objects.classes), input_shape=(SIZE, SIZE, 3), changes=changes)
    score = CocoScore(data.validation.evaluation(16), objects.classes)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        history = fit(model, data, recipe, Run.open(Path(folder) / "run", {}, name=family), callbacks=[score], verbose=0)
        seconds = time.perf_counter() - start
    judged = CocoScore(data.test.evaluation(16), objects.classes).measure(model)
    return {
        "family": family,
        "row": row,
        "parameters": model.count_params(),
        "rows": history.rows,
        "seconds": seconds,
        "AP50": judged.ap(0.5),
        "AP": judged.ap(),
    }


def page(measured: list[dict], options: argparse.Namespace) -> str:
    """The numbers and the curves as Markdown."""
    when = datetime.date.today().isoformat()
    share = max(options.images // 6, 8)
    lines = [
        "# Detectors that learn from nothing in minutes",
        "",
        f"`python -m benchmarks.detectors` on {when}: {os.cpu_count()} cores, {platform.machine()}, {platform.system()}.",
        f"Generated pictures (`scenes`) of {SIZE} x {SIZE} pixels:",
        f"{options.images} to learn, {share} to choose the epoch, {share} for the number.",
        f"Random weights, {options.epochs} epochs, one recipe for all. Nothing here is a result on photographs of real objects.",
        "",
        f"| detector | parameters | minutes | AP50 on the test pictures (wanted {WANTED}) | AP |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| `{each['row']}` | {each['parameters']:,} | {each['seconds'] / 60:.1f} | {each['AP50']:.3f} | {each['AP']:.3f} |"
        for each in measured
    ]
    lines += ["", "AP50 on the pictures that choose the epoch, after each of them:", ""]
    lines += [f"| epoch | {' | '.join(each['row'] for each in measured)} |", "|---|" + "---|" * len(measured)]
    for epoch in range(options.epochs):
        cells = [f"{each['rows'][epoch]['val_AP50']:.3f}" if epoch < len(each["rows"]) else "" for each in measured]
        lines.append(f"| {epoch + 1} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _ask(family: str, options: argparse.Namespace) -> dict:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.detectors", family, "--worker"]
    command += ["--epochs", str(options.epochs), "--images", str(options.images)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    answers = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not answers:
        raise RuntimeError(f"{' '.join(command[3:])} ended with {done.returncode} and without an answer; its errors are above")
    return json.loads(answers[-1])


if __name__ == "__main__":
    raise SystemExit(main())
