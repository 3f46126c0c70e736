"""`python -m benchmarks.classifiers`: forward time and memory of our classifiers, keras.applications' and timm's, in one run.

    python -m benchmarks.classifiers                      every family, batches of 1 and 16; writes benchmarks/results/classifiers.md
    python -m benchmarks.classifiers convnext_tiny        some rows; prints only

Every network lives in a process of its own and answers in turns, so that a drifting machine hits all of them. Time: median of one
compiled call on a batch in memory (`predict_on_batch`; timm: `torch.inference_mode`). Memory: how far the peak of resident memory rose
above the library itself, weights included. Ours normalises its image inside, as does part of keras.applications; the others get
theirs ready.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "benchmarks" / "results" / "classifiers.md"

ROWS = (
    ("vgg16", "VGG16", "vgg16"),
    ("resnet50_v1", "ResNet50", "resnet50"),
    ("resnet50_v2", "ResNet50V2", "resnetv2_50"),
    ("inception_v3_keras", "InceptionV3", "inception_v3"),
    ("inception_resnet_v2", "InceptionResNetV2", "inception_resnet_v2"),
    ("xception", "Xception", "legacy_xception"),
    ("densenet121", "DenseNet121", "densenet121"),
    ("mobilenet", "MobileNet", "mobilenetv1_100"),
    ("mobilenet_v2", "MobileNetV2", "mobilenetv2_100"),
    ("mobilenet_v3_large", "MobileNetV3Large", "tf_mobilenetv3_large_100"),
    ("nasnet_mobile", "NASNetMobile", None),
    ("efficientnet_b0", "EfficientNetB0", "tf_efficientnet_b0"),
    ("efficientnet_v2_b0", "EfficientNetV2B0", "tf_efficientnetv2_b0"),
    ("convnext_tiny", "ConvNeXtTiny", "convnext_tiny"),
    ("resnext50_32x4d", None, "resnext50_32x4d"),
    ("vit_base_16", None, "vit_base_patch16_224"),
)
BATCHES = (1, 16)
LIBRARIES = ("zoo", "keras", "timm")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", help="rows of the zoo (default: all of the table)")
    parser.add_argument("--repeats", type=int, default=15, help="measured calls per network and batch (default 15)")
    parser.add_argument("--worker", nargs=3, metavar=("LIBRARY", "MODEL", "SIZE"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.worker:
        return work(options.worker[0], options.worker[1], int(options.worker[2]))
    chosen = [row for row in ROWS if not options.rows or row[0] in options.rows]
    if len(chosen) < len(options.rows):
        parser.error(f"rows are {', '.join(row[0] for row in ROWS)}")
    measured = [each for row in chosen for each in compare(row, options.repeats)]
    text = page(measured, options.repeats)
    print(text)
    if not options.rows:
        RESULT.write_text(text, encoding="utf-8")
    return 0


def compare(row: tuple, repeats: int) -> list[dict]:
    """One dict per batch size: {"row", "batch", "zoo": (ms, MB), "keras": ..., "timm": ...}."""
    from zoo import catalogue

    size = catalogue.info(row[0]).input_shape[0]
    workers = {library: _start(library, model, size) for library, model in zip(LIBRARIES, row, strict=True) if model}
    results = []
    for batch in BATCHES:
        seconds: dict[str, list[float]] = {library: [] for library in workers}
        memory = {}
        for turn in range(repeats + 2):
            for library, worker in workers.items():
                taken, memory[library] = _ask(worker, batch)
                if turn > 1:
                    seconds[library].append(taken)
        result = {library: (1000 * statistics.median(taken), memory[library] / 2**20) for library, taken in seconds.items()}
        results.append({"row": row[0], "batch": batch, **result})
        print(results[-1], file=sys.stderr, flush=True)
    for worker in workers.values():
        worker.communicate("")
    return results


def _start(library: str, model: str, size: int) -> subprocess.Popen:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.classifiers", "--worker", library, model, str(size)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    )


def _ask(worker: subprocess.Popen, batch: int) -> tuple[float, int]:
    worker.stdin.write(f"{batch}\n")
    worker.stdin.flush()
    for line in worker.stdout:
        if line.startswith("{"):
            answer = json.loads(line)
            return answer["seconds"], answer["bytes"]
    raise RuntimeError(f"{worker.args[5:]} ended without an answer; run it by hand to see why")


def work(library: str, model: str, size: int) -> int:
    """Answer each batch size on stdin with the seconds of one call and the peak memory above the library."""
    import numpy as np

    call, ready = _timm(model) if library == "timm" else _keras(library, model, size)
    images = {}
    for line in sys.stdin:
        batch = int(line)
        if batch not in images:
            images[batch] = np.random.default_rng(0).uniform(0, 255, (batch, size, size, 3)).astype("float32")
            if library == "timm":
                images[batch] = np.ascontiguousarray(images[batch].transpose(0, 3, 1, 2))
        start = time.perf_counter()
        call(images[batch])
        seconds = time.perf_counter() - start
        peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps({"seconds": seconds, "bytes": peak - ready}), flush=True)
    return 0


def _keras(library: str, model: str, size: int):
    import keras

    keras.ops.zeros(1)
    ready = _resident()
    if library == "zoo":
        import zoo

        network = zoo.classifier(model)
    else:
        network = getattr(keras.applications, model)(weights=None, classifier_activation=None, input_shape=(size, size, 3))
    return network.predict_on_batch, ready


def _timm(model: str):
    from zoo.verify.torch_side import library

    timm = library("timm")
    import torch

    torch.zeros(1)
    ready = _resident()
    network = timm.create_model(model, pretrained=False).eval()

    def call(images):
        with torch.inference_mode():
            return network(torch.from_numpy(images)).numpy()

    return call, ready


def _resident() -> int:
    """Resident memory of this process in bytes."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def page(measured: list[dict], repeats: int) -> str:
    """The table as Markdown; a ratio above 1 means that the zoo is faster."""
    import keras

    where = f"{platform.platform()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, Keras {keras.__version__}"
    lines = [
        "# Classifiers, measured",
        "",
        f"`python -m benchmarks.classifiers`, {datetime.date.today().isoformat()}, {where}, backend {keras.config.backend()}, no GPU.",
        f"Medians of {repeats} calls taken in turns; memory is the rise of the resident peak, weights included. A ratio above 1 means that",
        "the zoo is faster. Ours includes the normalisation of the image.",
        "",
        "| model | batch | zoo | keras.applications | ratio | timm (torch CPU) | ratio | memory zoo | keras | timm |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for result in measured:
        ours = result["zoo"]
        cells = [f"`{result['row']}`", str(result["batch"]), f"{ours[0]:.1f} ms"]
        for library in ("keras", "timm"):
            other = result.get(library)
            cells += [f"{other[0]:.1f} ms", f"{other[0] / ours[0]:.2f}"] if other else ["-", "-"]
        cells += [f"{result[library][1]:,.0f} MiB" if library in result else "-" for library in LIBRARIES]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
