"""`python -m benchmarks.detector_latency`: milliseconds from a photograph to boxes, by every way to run a detector on this CPU.

    python -m benchmarks.detector_latency                                         two detectors at 320 and 640; writes the table
    python -m benchmarks.detector_latency yolov8_style_micro --sizes 64 --repeats 2 --paths xla litert_int8   a look; prints only

One call takes a uint8 photograph of 640 x 480 pixels, fits it into the network's frame, runs the network and the suppression, which is
inside the graph of every path, and brings the boxes back: what a camera's loop would do. Decoding of a file is not in it. Keras (on
TensorFlow) and every file run in processes of their own, asked in turns, so that a drifting machine hits all of them. Random weights,
with the bias of the classes raised so that many boxes pass the threshold: a picture with a few objects is faster.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from zoo.cores import cores

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "benchmarks" / "results" / "detector_latency.md"
ROWS = ("yolov8_style_n", "yolov5_style_n")
SIZES = (320, 640)
FRAME = (480, 640)
PATHS = {
    "xla": ("TensorFlow, XLA", "", "fp32"),
    "onnx_fp32": ("ONNX Runtime", ".onnx", "fp32"),
    "openvino_fp32": ("OpenVINO, float32 asked for", ".xml", "fp32"),
    "litert_fp32": ("LiteRT", ".tflite", "fp32"),
    "litert_int8": ("LiteRT int8, float behind the convolutions", ".tflite", "int8"),
}
"""{path: (label, suffix of its file, precision)}"""
SUPPRESSION = {"threshold": 0.25, "iou": 0.5, "most": 100, "pre": 300}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", help=f"rows of zoo.detect.ROWS (default {' '.join(ROWS)})")
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES)
    parser.add_argument("--paths", nargs="+", choices=PATHS, default=list(PATHS))
    parser.add_argument("--repeats", type=int, default=30, help="turns that count, after two that do not (default 30)")
    parser.add_argument("--out", type=Path, help="where to write the table (default: results/, if all is measured)")
    parser.add_argument("--worker", nargs=4, metavar=("PATH", "ROW", "SIZE", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.worker:
        path, row, size, folder = options.worker
        return answer(_call(path, row, int(size), Path(folder)))
    found = [compare(row, size, options) for row in options.rows or ROWS for size in options.sizes]
    text = page(found, options)
    print(text)
    whole = not options.rows and tuple(options.sizes) == SIZES and len(options.paths) == len(PATHS)
    out = options.out or (RESULT if whole else None)
    if out:
        out.write_text(text, encoding="utf-8")
    return 0


def compare(row: str, size: int, options) -> dict:
    """{"row", "size", path: {"ms", "p95", "boxes"} or {"problem"}}: each path is one process, all are asked in turns."""
    with tempfile.TemporaryDirectory(prefix="zoo-latency-") as room:
        write(row, size, Path(room), options.paths)
        workers = {path: _start(path, row, size, room) for path in options.paths}
        taken: dict[str, list[float]] = {path: [] for path in workers}
        boxes, problems = {}, {}
        try:
            for turn in range(options.repeats + 2):
                for path in [path for path in workers if path not in problems]:
                    said = _ask(workers[path])
                    if "problem" in said:
                        problems[path] = said["problem"]
                        print(f"{path}: {said['problem']}", file=sys.stderr, flush=True)
                    elif turn > 1:
                        taken[path].append(1000 * said["seconds"])
                        boxes[path] = said["boxes"]
                print(f"{row} at {size}: turn {turn + 1} of {options.repeats + 2}", file=sys.stderr, flush=True)
        finally:
            for worker in workers.values():
                worker.communicate("")
    found = {path: _numbers(values, boxes[path]) for path, values in taken.items() if values}
    return {"row": row, "size": size, **found, **{path: {"problem": problem} for path, problem in problems.items()}}


def _numbers(values: list[float], boxes: int) -> dict:
    worst = sorted(values)[min(len(values) - 1, int(0.95 * len(values)))]
    return {"ms": statistics.median(values), "p95": worst, "boxes": boxes}


def write(row: str, size: int, room: Path, paths) -> None:
    """The detector as `net.keras`, and its files, all from the same weights."""
    import keras
    import numpy as np

    import zoo
    from zoo.export import export

    keras.utils.set_random_seed(0)
    model = zoo.detector(row, input_shape=(size, size, 3))
    for layer in model.layers:  # the prior of a class is 0.01 at the start, so nothing would pass the threshold
        if "output" in layer.name and len(layer.get_weights()) == 2:
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel, np.maximum(bias, 0)])
    export(model, room / "net.keras", nms=True, suppression=SUPPRESSION)
    images = np.random.default_rng(0).uniform(0, 255, (8, size, size, 3)).astype("float32")
    for path in paths:
        _, suffix, precision = PATHS[path]
        if suffix:
            export(model, room / f"{path}{suffix}", precision=precision, images=images, nms=True, suppression=SUPPRESSION)


def _call(path: str, row: str, size: int, folder: Path):
    """A function without arguments: photograph to boxes; it returns how many there are."""
    from zoo.data import backgrounds, decode
    from zoo.data.letterbox import Letterbox

    photo = decode.resize(decode.decode(backgrounds.folder() / "astronaut.png"), FRAME, "crop")
    frame = Letterbox(FRAME, (size, size))
    run = _xla(folder) if path == "xla" else _file(folder / f"{path}{PATHS[path][1]}")

    def call() -> int:
        batch = frame.image(photo)[None].astype("float32")
        boxes, _, count, _ = run(batch)  # in the order of their names: boxes, classes, count, scores
        return len(frame.boxes_back(boxes[0, : int(count[0])], clip=True))

    return call


def _xla(folder: Path):
    import keras
    import tensorflow as tf

    import zoo.detect  # noqa: F401  (registers its layers)

    model = keras.saving.load_model(folder / "net.keras")
    graph = tf.function(lambda images: model(images, training=False), jit_compile=True)

    def run(batch):
        outputs = graph(tf.constant(batch))
        return [outputs[name].numpy() for name in sorted(outputs)]

    return run


def _file(path: Path):
    from zoo.export.runtimes import load

    return load(path, threads=cores())


def answer(call) -> int:
    """For every line: call once and say how long it took."""
    for _ in sys.stdin:
        try:
            start = time.perf_counter()
            boxes = call()
            said = {"seconds": time.perf_counter() - start, "boxes": boxes}
        except Exception as error:  # a runtime may raise anything, and the other paths go on
            said = {"problem": f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"}
        print(json.dumps(said), flush=True)
    return 0


def _start(path: str, row: str, size: int, room: str) -> subprocess.Popen:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.detector_latency", "--worker", path, row, str(size), room]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, cwd=ROOT, text=True, env=environment, **pipes)


def _ask(worker: subprocess.Popen) -> dict:
    try:
        worker.stdin.write("\n")
        worker.stdin.flush()
        for line in worker.stdout:
            if line.startswith("{"):
                return json.loads(line)
    except BrokenPipeError:
        pass
    return {"problem": "its process ended; run it by hand with --worker to see why"}


def page(found: list[dict], options) -> str:
    packages = ("keras", "tensorflow", "onnxruntime", "openvino", "ai-edge-litert")
    lines = [
        "# Detectors: from a photograph to boxes",
        "",
        f"{datetime.date.today().isoformat()}, {platform.platform()}, {os.cpu_count()} CPUs, {cores()} threads, Python",
        f"{platform.python_version()}; {', '.join(f'{name} {version(name)}' for name in packages)}.",
        f"A uint8 picture of {FRAME[1]} x {FRAME[0]} pixels, letterboxed, through network and suppression",
        f"({SUPPRESSION['pre']} candidates), boxes mapped back.",
        f"Milliseconds, median and 95th percentile of {options.repeats} calls in turns; random weights.",
        "",
        "| detector | size | " + " | ".join(PATHS[path][0] for path in options.paths) + " |",
        "|---|---:|" + "---:|" * len(options.paths),
    ]
    for row in found:
        cells = [_cell(row.get(path, {"problem": "not measured"})) for path in options.paths]
        lines.append(f"| {row['row']} | {row['size']} | {' | '.join(cells)} |")
    problems = [
        f"{row['row']} at {row['size']}, {path}: {row[path]['problem']}"
        for row in found
        for path in options.paths
        if "problem" in row.get(path, {})
    ]
    return "\n".join([*lines, "", *problems]) + "\n"


def _cell(numbers: dict) -> str:
    return "failed" if "problem" in numbers else f"{numbers['ms']:.1f} ({numbers['p95']:.1f})"


if __name__ == "__main__":
    sys.exit(main())
