"""`python -m benchmarks.inference`: images per second of one network by every way to run it on this CPU, and the share of its peak.

    python -m benchmarks.inference                                  four networks, every way; writes benchmarks/results/inference.md
    python -m benchmarks.inference mobilenet_v2 --paths graph litert_int8 --batches 1       some of it; prints only

Random weights, the row's own image size. Keras (on TensorFlow) runs in one process, which also writes the files; every file runs in a
process of its own that never imports Keras. All are asked in turns, so that a drifting machine hits all of them; a turn repeats the call
until it took `--seconds`. The peak is that of a float32 matrix product of 3072 x 3072 by TensorFlow, the best of all turns; a
convolution kernel, a smaller type or bfloat16 can beat it. Work is 2 operations per multiply-add of `zoo.anatomy`.
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
RESULT = ROOT / "benchmarks" / "results" / "inference.md"
ROWS = ("resnet50", "mobilenet_v2", "efficientnet_b0", "convnext_tiny")
BATCHES = (1, 32)
SIDE = 3072

KERAS = {
    "predict": "Keras `predict`",
    "predict_on_batch": "Keras `predict_on_batch`",
    "graph": "`tf.function`",
    "xla": "`tf.function`, XLA",
}
FILES = {
    "onnx_fp32": ("ONNX Runtime", "onnx", "fp32", False),
    "onnx_int8": ("ONNX Runtime int8", "onnx", "int8", False),
    "openvino_fp32": ("OpenVINO, float32 asked for", "openvino", "fp32", False),
    "openvino_default": ("OpenVINO, its default", "openvino", "fp32", True),
    "openvino_int8": ("OpenVINO int8", "openvino", "int8", False),
    "litert_fp32": ("LiteRT", "litert", "fp32", False),
    "litert_dynamic": ("LiteRT dynamic range", "litert", "dynamic", False),
    "litert_int8": ("LiteRT int8", "litert", "int8", False),
}
"""{path: (label, format, precision, OpenVINO's own choice)}"""
LABELS = {**KERAS, **{path: label for path, (label, *_) in FILES.items()}}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", help=f"rows of the zoo (default: {' '.join(ROWS)})")
    parser.add_argument("--paths", nargs="+", choices=LABELS, default=list(LABELS), metavar="PATH", help=f"of {' '.join(LABELS)}")
    parser.add_argument("--batches", nargs="+", type=int, default=BATCHES)
    parser.add_argument("--repeats", type=int, default=7, help="turns that count, after one that does not (default 7)")
    parser.add_argument("--seconds", type=float, default=0.3, help="shortest turn (default 0.3)")
    parser.add_argument("--out", type=Path, help="where to write the table, with a .json beside it (default: results/, if all is measured)")
    parser.add_argument("--worker", nargs=3, metavar=("KIND", "WHAT", "SIZE"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.worker:
        kind, what, size = options.worker
        return serve(_keras_calls(what) if kind == "keras" else _file_calls(what, int(size), as_default=kind == "default"))
    measured = [compare(row, options) for row in options.rows or ROWS]
    text = page(measured, options)
    print(text)
    whole = not options.rows and len(options.paths) == len(LABELS) and tuple(options.batches) == BATCHES
    out = options.out or (RESULT if whole else None)
    if out:
        out.write_text(text, encoding="utf-8")
        found = {"date": datetime.date.today().isoformat(), "machine": machine(), "repeats": options.repeats, "networks": measured}
        out.with_suffix(".json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


def compare(row: str, options) -> dict:
    """{"row", "multiply_adds", "size", "peak": operations per second, "images_per_second": {batch: {path: number}}, "problems"}."""
    with tempfile.TemporaryDirectory(prefix="zoo-inference-") as room:
        keras = _start("keras", row, 0)
        facts = _ask(keras, {"do": "facts"})
        if "problem" in facts:
            raise RuntimeError(f"{row} cannot be built: {facts['problem']}")
        workers, problems = {path: keras for path in options.paths if path in KERAS}, {}
        for path in (path for path in options.paths if path in FILES):
            _, format, precision, as_default = FILES[path]
            _say(f"{row}: {LABELS[path]}, writing")
            file = _ask(keras, {"do": "write", "folder": room, "format": format, "precision": precision})
            if "problem" in file:
                problems[path] = file["problem"]
            else:
                workers[path] = _start("default" if as_default else "file", file["path"], facts["size"])
        try:
            found, peak = _turns(row, workers, keras, options, problems)
        finally:
            for worker in {id(worker): worker for worker in (keras, *workers.values())}.values():
                worker.communicate("")
    return {"row": row, **facts, "peak": peak, "images_per_second": found, "problems": problems}


def _turns(row: str, workers: dict, keras, options, problems: dict) -> tuple[dict, float]:
    found, peak = {}, 0.0
    for batch in options.batches:
        seconds: dict[str, list[float]] = {path: [] for path in workers}
        for turn in range(options.repeats + 1):
            peak = max(peak, _ask(keras, {"do": "peak"})["operations"])
            for path, worker in list(workers.items()):
                answer = _ask(worker, {"do": path if path in KERAS else "run", "batch": batch, "seconds": options.seconds})
                if "problem" in answer:
                    problems[path] = answer["problem"]
                    del workers[path]
                elif turn:
                    seconds[path].append(answer["seconds"])
            _say(f"{row}, batch {batch}: turn {turn} of {options.repeats}")
        found[batch] = {path: batch / statistics.median(taken) for path, taken in seconds.items() if taken}
        for path, speed in found[batch].items():
            _say(f"{row}, batch {batch}: {LABELS[path]} {speed:.1f} images/s")
    return found, peak


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def _start(kind: str, what: str, size: int) -> subprocess.Popen:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.inference", "--worker", kind, what, str(size)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
    return subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    )


def _ask(worker: subprocess.Popen, question: dict) -> dict:
    try:
        worker.stdin.write(json.dumps(question) + "\n")
        worker.stdin.flush()
        for line in worker.stdout:
            if line.startswith("{"):
                return json.loads(line)
    except BrokenPipeError:
        pass
    return {"problem": f"its process ended: {' '.join(worker.args[4:])}; run it by hand to see why"}


def serve(calls: dict) -> int:
    """Answer questions, one JSON object a line; what is raised becomes {"problem": ...}."""
    for line in sys.stdin:
        question = json.loads(line)
        try:
            answer = calls[question.pop("do")](**question)
        except Exception as error:  # a converter may raise anything, and the other paths go on
            answer = {"problem": f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"[:300]}
        print(json.dumps(answer), flush=True)
    return 0


def _timed(call, argument, seconds: float) -> dict:
    """Seconds of one call: the mean of as many as fit."""
    count, start = 0, time.perf_counter()
    while not count or time.perf_counter() - start < seconds:
        call(argument)
        count += 1
    return {"seconds": (time.perf_counter() - start) / count}


def _batch(batch: int, size: int):
    import numpy as np

    return np.random.default_rng(0).uniform(0, 255, (batch, size, size, 3)).astype("float32")


def _file_calls(path: str, size: int, as_default: bool) -> dict:
    from zoo.export.runtimes import load

    run = load(path, threads=cores(), as_default=as_default)
    return {"run": lambda batch, seconds: _timed(run, _batch(batch, size), seconds)}


def _keras_calls(row: str) -> dict:
    import tensorflow as tf

    import zoo
    from zoo.anatomy import multiply_adds
    from zoo.export import FORMATS, export

    model = zoo.classifier(row)
    size = model.inputs[0].shape[1]
    graph = tf.function(lambda images: model(images, training=False))
    xla = tf.function(lambda images: model(images, training=False), jit_compile=True)
    product = tf.function(tf.matmul)
    square = tf.random.normal((SIDE, SIDE))

    def write(folder, format, precision):
        path = Path(folder, f"{row}_{precision}{FORMATS[format]}")
        images = _batch(16, size) if precision == "int8" else None
        return {"path": str(path if path.exists() else export(model, path, precision=precision, images=images))}

    def peak():
        product(square, square)
        return {"operations": 2 * SIDE**3 / _timed(lambda matrix: product(matrix, matrix).numpy(), square, 0.2)["seconds"]}

    def timed(call):
        return lambda batch, seconds: _timed(call, _batch(batch, size), seconds)

    return {
        "facts": lambda: {"multiply_adds": multiply_adds(model), "size": size, "parameters": model.count_params()},
        "write": write,
        "peak": peak,
        "predict": timed(lambda images: model.predict(images, batch_size=len(images), verbose=0)),
        "predict_on_batch": timed(model.predict_on_batch),
        "graph": timed(lambda images: graph(tf.constant(images)).numpy()),
        "xla": timed(lambda images: xla(tf.constant(images)).numpy()),
    }


def machine() -> str:
    """Hardware and versions in one line."""
    name = next((line.partition(":")[2].strip() for line in _processor() if line.startswith("model name")), platform.processor())
    packages = ("keras", "tensorflow", "onnxruntime", "openvino", "nncf", "ai-edge-litert")
    return f"{name}, {cores()} threads, {platform.platform()}, " + ", ".join(f"{package} {_version(package)}" for package in packages)


def _processor() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def _version(package: str) -> str:
    try:
        return version(package)
    except ModuleNotFoundError:
        return "not installed"


def page(measured: list[dict], options) -> str:
    """The tables as Markdown."""
    lines = [
        "# Inference, measured",
        "",
        f"`python -m benchmarks.inference`, {datetime.date.today().isoformat()}, {machine()}, no GPU.",
        f"Medians of {options.repeats} turns taken in turns, random weights, images included in the time. Share: of the float32 matrix",
        "product that this machine reaches, which int8 and bfloat16 may exceed.",
    ]
    for network in measured:
        work = 2 * network["multiply_adds"]
        head = " | ".join(f"batch {batch}: images/s | share of peak" for batch in network["images_per_second"])
        lines += [
            "",
            f"## `{network['row']}`",
            "",
            f"{network['size']} pixels, {network['multiply_adds'] / 1e9:.2f} G multiply-adds, {network['parameters'] / 1e6:.1f} M "
            f"parameters; peak {network['peak'] / 1e9:.0f} GFLOP/s.",
            "",
            f"| way | {head} |",
            "|---|" + "---:|---:|" * len(network["images_per_second"]),
        ]
        for path in options.paths:
            cells = []
            for speeds in network["images_per_second"].values():
                speed = speeds.get(path)
                cells += [f"{speed:.1f}", f"{speed * work / network['peak']:.0%}"] if speed else ["-", "-"]
            lines.append(f"| {LABELS[path]} | {' | '.join(cells)} |")
        lines += ["", *(f"{LABELS[path]}: {problem}" for path, problem in network["problems"].items())] if network["problems"] else []
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
