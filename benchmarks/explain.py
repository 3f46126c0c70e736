"""`python -m benchmarks.explain`: seconds of an explanation by the zoo and by others, on the same network, weights, layer and images.

    python -m benchmarks.explain                          two networks, every contender; writes benchmarks/results/explain.md and .json
    python -m benchmarks.explain mobilenet_v2 --methods gradcam --batches 1      some of it; prints only
    python -m benchmarks.explain --micro                  a network of a few thousand weights: does it run?

Beside the zoo on TensorFlow stands tf-keras-vis; beside the zoo on torch stand Captum and pytorch-grad-cam, which explain the very same
Keras model as a torch module. Random weights, images of noise, logits, the class 0. Every contender has a process of its own; they are
asked in turns, so that a drifting machine hits all of them, and a turn repeats a call until it took `--seconds`. The first call, in which
the zoo compiles, is told apart and not counted. SmoothGrad takes 16 noisy copies, Integrated Gradients 16 steps, Score-CAM the 64 channels
that vary most (all contenders that can choose).
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
import warnings
from importlib.metadata import version

from benchmarks import workers
from zoo.cores import cores

ROWS = ("mobilenet_v2", "resnet50")
BATCHES = (1, 16)
COPIES, CHANNELS = 16, 64
METHODS = {
    "gradcam": "Grad-CAM",
    "gradcam_plus_plus": "Grad-CAM++",
    "saliency": "Saliency",
    "smoothgrad": "SmoothGrad",
    "integrated_gradients": "Integrated Gradients",
    "scorecam": "Score-CAM",
}
CONTENDERS = {
    "zoo": ("tensorflow", tuple(METHODS)),
    "tf-keras-vis": ("tensorflow", ("gradcam", "gradcam_plus_plus", "saliency", "smoothgrad", "scorecam")),
    "zoo, torch": ("torch", ("gradcam", "gradcam_plus_plus", "saliency", "smoothgrad", "integrated_gradients")),
    "Captum": ("torch", ("gradcam", "saliency", "smoothgrad", "integrated_gradients")),
    "pytorch-grad-cam": ("torch", ("gradcam", "gradcam_plus_plus")),
}
RIVALS = {"tf-keras-vis": "zoo", "Captum": "zoo, torch", "pytorch-grad-cam": "zoo, torch"}
BARS = {"tf-keras-vis": ("gradcam", "gradcam_plus_plus", "smoothgrad", "scorecam")}
GOAL = 5.0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", help=f"rows of the zoo (default: {' '.join(ROWS)})")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), metavar="METHOD", help=f"of {' '.join(METHODS)}")
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS), metavar="NAME")
    parser.add_argument("--batches", nargs="+", type=int, default=list(BATCHES))
    parser.add_argument("--repeats", type=int, default=5, help="turns that count (default 5)")
    parser.add_argument("--seconds", type=float, default=0.3, help="shortest turn (default 0.3)")
    parser.add_argument("--micro", action="store_true", help="small_cnn_micro, one turn")
    parser.add_argument("--write", action="store_true", help="write the results though not everything was asked for")
    parser.add_argument("--worker", nargs=2, metavar=("CONTENDER", "ROW"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.worker:
        return serve(*options.worker)
    if options.micro:
        options.rows, options.repeats, options.seconds = ["small_cnn_micro"], 1, 0.0
    measured = [found for row in options.rows or ROWS for found in compare(row, options)]
    text = page(measured, options)
    print(text)
    whole = not options.rows and len(options.methods) == len(METHODS) and len(options.contenders) == len(CONTENDERS)
    if whole or options.write:
        workers.write("explain", text, {"machine": machine(), "repeats": options.repeats, "measured": measured})
    return 0


def compare(row: str, options) -> list[dict]:
    """One entry for each method and batch: {"row", "method", "batch", "seconds": {contender: s}, "first": {...}, "problems": {...}}."""
    running = {name: workers.start("benchmarks.explain", "--worker", name, row, backend=CONTENDERS[name][0]) for name in options.contenders}
    found = []
    try:
        for method in options.methods:
            for batch in options.batches:
                entry: dict = {"row": row, "method": method, "batch": batch, "seconds": {}, "first": {}, "problems": {}}
                asked = {name: worker for name, worker in running.items() if method in CONTENDERS[name][1]}
                taken: dict[str, list[float]] = {name: [] for name in asked}
                for turn in range(options.repeats + 1):
                    for name, worker in list(asked.items()):
                        answer = _answer(worker, {"method": method, "batch": batch, "seconds": options.seconds if turn else 0})
                        if "problem" in answer:
                            entry["problems"][name] = answer["problem"]
                            del asked[name]
                        elif turn:
                            taken[name].append(answer["seconds"])
                        else:
                            entry["first"][name] = answer["seconds"]
                entry["seconds"] = {name: statistics.median(times) for name, times in taken.items() if times}
                shown = ", ".join(f"{name} {seconds:.3f} s" for name, seconds in entry["seconds"].items())
                print(f"{time.strftime('%H:%M:%S')} {row}, {METHODS[method]}, batch {batch}: {shown}", file=sys.stderr, flush=True)
                found.append(entry)
    finally:
        workers.end(running.values())
    return found


def _answer(worker, question: dict) -> dict:
    try:
        return workers.ask(worker, json.dumps(question))
    except (BrokenPipeError, RuntimeError) as error:
        return {"problem": f"its process ended, most often for want of memory ({error})"}


def serve(contender: str, row: str) -> int:
    """Of a worker: explain as often as asked; what is raised becomes a problem, and the other contenders go on."""
    import numpy as np

    model, calls = _build(contender, row)
    size = model.inputs[0].shape[1]
    for line in sys.stdin:
        question = json.loads(line)
        images = np.random.default_rng(0).uniform(0, 255, (question["batch"], size, size, 3)).astype("float32")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                count, start = 0, time.perf_counter()
                while not count or time.perf_counter() - start < question["seconds"]:
                    calls[question["method"]](images)
                    count += 1
            workers.answer(seconds=(time.perf_counter() - start) / count)
        except Exception as error:
            said = str(error).strip().splitlines()
            workers.answer(problem=f"{type(error).__name__}: {said[0][:200] if said else ''}")
    return 0


def _build(contender: str, row: str):
    import keras

    import zoo

    keras.utils.set_random_seed(0)
    model = zoo.classifier(row)
    layer = zoo.explain.default_layer(model)
    build = {"zoo": _zoo, "zoo, torch": _zoo, "tf-keras-vis": _tf_keras_vis, "Captum": _captum, "pytorch-grad-cam": _pytorch_grad_cam}
    return model, build[contender](model, layer)


def _zoo(model, layer) -> dict:
    from zoo import explain

    options = {
        "smoothgrad": {"samples": COPIES},
        "integrated_gradients": {"steps": COPIES},
        "scorecam": {"channels": CHANNELS, "layer": layer.name},
        "gradcam": {"layer": layer.name},
        "gradcam_plus_plus": {"layer": layer.name},
    }

    def call(name):
        return lambda images: explain.METHODS[name].heat(model, images, 0, **options.get(name, {}))

    return {name: call(name) for name in METHODS}


def _tf_keras_vis(model, layer) -> dict:
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
    from tf_keras_vis.saliency import Saliency
    from tf_keras_vis.scorecam import Scorecam
    from tf_keras_vis.utils.scores import CategoricalScore

    score = CategoricalScore(0)
    maps = {"penultimate_layer": layer, "seek_penultimate_conv_layer": False}
    channels = min(CHANNELS, layer.output.shape[-1])
    return {
        "gradcam": lambda images: Gradcam(model, clone=False)(score, images, **maps),
        "gradcam_plus_plus": lambda images: GradcamPlusPlus(model, clone=False)(score, images, **maps),
        "saliency": lambda images: Saliency(model, clone=False)(score, images),
        "smoothgrad": lambda images: Saliency(model, clone=False)(score, images, smooth_samples=COPIES),
        "scorecam": lambda images: Scorecam(model, clone=False)(score, images, max_N=channels, **maps),
    }


def _torch_module(model, layer):
    """The Keras model as images (b, c, h, w) -> logits, with `map` as the explained map, both channels first as these libraries want."""
    import keras
    import torch

    class ChannelsFirst(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.features = keras.Model(model.input, layer.output)
            self.map = torch.nn.Identity()
            self.head = keras.Model(layer.output, model.output)

        def forward(self, x):
            maps = self.map(self.features(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))
            return self.head(maps.permute(0, 2, 3, 1))

    return ChannelsFirst().eval()


def _captum(model, layer) -> dict:
    import torch
    from captum.attr import IntegratedGradients, LayerGradCam, NoiseTunnel, Saliency

    module = _torch_module(model, layer)

    def tensor(images, gradient=False):
        return torch.from_numpy(images).permute(0, 3, 1, 2).requires_grad_(gradient)

    def gradcam(images):
        heat = LayerGradCam(module, module.map).attribute(tensor(images), 0, relu_attributions=True)
        return torch.nn.functional.interpolate(heat, images.shape[1:3], mode="bilinear").detach().numpy()

    def saliency(images):
        return Saliency(module).attribute(tensor(images, True), 0).amax(1).numpy()

    def smoothgrad(images):
        deviation = 0.15 * 255.0
        found = NoiseTunnel(Saliency(module)).attribute(
            tensor(images, True), nt_samples=COPIES, nt_samples_batch_size=max(1, 32 // len(images)), stdevs=deviation, abs=False, target=0
        )
        return found.sum(1).detach().numpy()

    def integrated_gradients(images):
        return IntegratedGradients(module).attribute(tensor(images), target=0, n_steps=COPIES, internal_batch_size=32).sum(1).numpy()

    return {"gradcam": gradcam, "saliency": saliency, "smoothgrad": smoothgrad, "integrated_gradients": integrated_gradients}


def _pytorch_grad_cam(model, layer) -> dict:
    import torch

    library = torch.library.Library("torchvision", "DEF")  # two compiled operators that builds without a GPU may lack
    try:
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    except RuntimeError:
        pass
    from pytorch_grad_cam import GradCAM, GradCAMPlusPlus
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    module = _torch_module(model, layer)

    def call(method):
        def explain(images):
            with method(model=module, target_layers=[module.map]) as cam:
                x = torch.from_numpy(images).permute(0, 3, 1, 2)
                return cam(input_tensor=x, targets=[ClassifierOutputTarget(0)] * len(images))

        return explain

    return {"gradcam": call(GradCAM), "gradcam_plus_plus": call(GradCAMPlusPlus)}


def page(measured: list[dict], options) -> str:
    """The tables as Markdown."""
    lines = [
        "# Explanations, measured",
        "",
        f"`python -m benchmarks.explain`, {workers.today()}, {machine()}, no GPU.",
        f"Seconds for a batch, medians of {options.repeats} calls taken in turns; random weights, noise, logits, class 0, the zoo's",
        f"default layer. SmoothGrad {COPIES} copies, Integrated Gradients {COPIES} steps, Score-CAM {CHANNELS} channels.",
        "Times: how many times faster the zoo is on the same backend. First call: with all that is compiled once.",
        "",
        "| network | method | batch | the other | the zoo | the other | times | first call: zoo | the other |",
        "|---|---|---:|---|---:|---:|---:|---:|---:|",
    ]
    reached = {}
    for entry in measured:
        for rival, ours in RIVALS.items():
            own, other = entry["seconds"].get(ours), entry["seconds"].get(rival)
            head = f"| `{entry['row']}` | {METHODS[entry['method']]} | {entry['batch']} | {rival} |"
            if rival in entry["problems"]:
                own_text = f"{own:.3f} s" if own else "-"
                lines.append(f"{head} {own_text} | fails: {entry['problems'][rival]} | - | - | - |")
            elif own and other:
                first = f"{entry['first'][ours]:.1f} s | {entry['first'][rival]:.1f} s"
                lines.append(f"{head} {own:.3f} s | {other:.3f} s | {other / own:.1f} | {first} |")
                reached.setdefault((rival, entry["method"]), []).append(other / own)
    lines += ["", *_verdicts(reached)]
    return "\n".join(lines) + "\n"


def _verdicts(reached: dict) -> list[str]:
    found = []
    for (rival, method), ratios in reached.items():
        goal = GOAL if method in BARS.get(rival, ()) else 1.0
        met = sum(ratio >= goal for ratio in ratios)
        spread = f"{min(ratios):.1f} to {max(ratios):.1f}"
        found.append(
            f"- {METHODS[method]} against {rival}: goal {goal:.0f} times, reached in {met} of {len(ratios)} rows ({spread} times)."
        )
    return found


def machine() -> str:
    """Hardware and versions in one line."""
    from pathlib import Path

    path = Path("/proc/cpuinfo")
    found = path.read_text().splitlines() if path.exists() else []
    name = next((line.partition(":")[2].strip() for line in found if line.startswith("model name")), platform.processor())
    packages = ("keras", "tensorflow", "torch", "tf-keras-vis", "captum", "grad-cam")
    return f"{name}, {cores()} threads, {platform.platform()}, " + ", ".join(f"{package} {version(package)}" for package in packages)


if __name__ == "__main__":
    sys.exit(main())
