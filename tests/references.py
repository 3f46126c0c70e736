"""Independent implementations to compare with, and the recipe that makes the comparison decisive.

A randomly initialised deep network is a bad witness: its signal may be dead, so that anything agrees, or its normalisation
may amplify rounding, so that nothing does. So kernels are drawn as He et al. do, gains and shifts are spread out, and the moving
statistics are measured on smooth images; then everything is compared in float64 (`difference`, in units of what the output
says about the image).

torch must not be imported after TensorFlow in one process, so torch's side of a comparison is a script of its own: `torch_case`
runs this file with python and hands back the weight file and the numbers.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent


@contextlib.contextmanager
def wide_numbers():
    """float64 is what it says; on JAX it is float32 until it is switched on."""
    import keras

    if keras.backend.backend() != "jax":
        yield
        return
    import jax

    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)


def torchvision():
    """The torchvision module on a CPU torch, for which no build with its compiled operators exists: two empty declarations satisfy it."""
    torch = pytest.importorskip("torch", reason="torch is not installed: make test-backends installs it")
    if not hasattr(torch, "_zoo_torchvision_operators"):
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        torch._zoo_torchvision_operators = library  # the declarations live as long as this object
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("torchvision", reason="torchvision is not installed: make test-backends installs it")


def timm():
    """The timm module, which imports torchvision."""
    torchvision()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("timm", reason="timm is not installed: make test-backends installs it")


def smooth_images(count: int, height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Float64 images (count, height, width, channels) in [0, 255]: a few random waves each, as photographs have, no pixel noise."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    images = np.zeros((count, height, width, channels))
    for image in images:
        for _ in range(8):
            fy, fx = random.uniform(-8, 8, 2)
            wave = np.cos(2 * np.pi * (fy * y + fx * x) + random.uniform(0, 6.28))
            image += wave[..., None] * random.normal(size=channels)
    low, high = images.min((1, 2, 3), keepdims=True), images.max((1, 2, 3), keepdims=True)
    return 255 * (images - low) / (high - low)


def difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """max |ours - theirs| in units of the mean change of the reference's output from one image to the next.

    Raises when the reference hardly reacts to its input: then agreement would mean nothing.
    """
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape, f"shapes differ: {ours.shape} and {theirs.shape}"
    assert np.isfinite(theirs).all(), "the reference's output is not finite"
    signal = np.abs(theirs - np.roll(theirs, 1, axis=0)).mean()
    assert signal > 1e-3 * np.abs(theirs).mean(), f"the reference is dead: its output moves by {signal} of {np.abs(theirs).mean()}"
    return float(np.abs(ours - theirs).max() / signal)


def randomise_torch(model, images: np.ndarray, seed: int = 0):
    """A torch model in float64 with live random weights and measured statistics; images: normalised (b, h, w, 3)."""
    import torch

    torch.manual_seed(seed)
    model = model.double()
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            torch.nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                torch.nn.init.normal_(module.bias, std=0.1)
        elif isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.1)
            module.momentum = 1.0
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.eval()
    with torch.no_grad():
        model(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()))
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.1
    return model.eval()


def torch_case(folder: Path, model: str, sizes, *, library: str = "torchvision", options: dict | None = None) -> dict[str, np.ndarray]:
    """Run `main` in its own process: arrays "out_HxW" for `images_for` each size, and after one training step at the first size
    "train_out", "grad:NAME" and "state:NAME"; the weights as the library publishes them are in folder / "weights.safetensors".
    """
    for needed in ("torch", "torchvision", library):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed: make test-backends installs it")
    case = {"library": library, "model": model, "options": options or {}, "sizes": sizes, "folder": str(folder)}
    done = subprocess.run([sys.executable, "-W", "ignore", __file__, json.dumps(case)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(folder / "answers.npz", allow_pickle=False) as file:
        return dict(file)


def images_for(size) -> np.ndarray:
    """The images that both sides of a comparison see at (height, width)."""
    return smooth_images(3, *size, seed=1)


def probe(shape) -> np.ndarray:
    """Fixed random numbers: sum(output * probe) is the loss whose gradients are compared."""
    return np.random.default_rng(2).normal(size=shape)


def randomise_keras(model, images: np.ndarray, seed: int = 0):
    """The same for a Keras model (floatx float64 recommended): statistics measured layer by layer in one training pass."""
    import keras

    random = np.random.default_rng(seed)
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for weight in model.trainable_weights:
        shape, kind = weight.shape, weight.path.rpartition("/")[2]
        if kind == "kernel":
            weight.assign(random.normal(size=shape) * np.sqrt(2 / np.prod(shape[:-1])))
        elif kind == "gamma":
            weight.assign(random.uniform(0.5, 1.5, shape))
        else:
            weight.assign(random.normal(size=shape) * 0.1)
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0.0
    if norms:
        model(images, training=True)
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum
    return model


def main(case: dict) -> None:
    """torch's side of `torch_case`."""
    vision = torchvision()
    import torch
    from safetensors.torch import save_file

    mean, std = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
    torch.set_num_threads(2)
    if case["library"] == "timm":
        model = timm().create_model(case["model"], pretrained=False, **case["options"])
    else:
        model = vision.models.get_model(case["model"], weights=None, **case["options"])
    sizes = [tuple(size) for size in case["sizes"]]
    tensors = {size: torch.from_numpy(((images_for(size) - mean) / std).transpose(0, 3, 1, 2).copy()) for size in sizes}
    model = randomise_torch(model, (smooth_images(4, *sizes[0]) - mean) / std)
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, Path(case["folder"], "weights.safetensors"))
    answers = {}
    with torch.no_grad():
        for (height, width), tensor in tensors.items():
            answers[f"out_{height}x{width}"] = model(tensor).numpy()
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.eval()
    out = model(tensors[sizes[0]])
    (out * torch.from_numpy(probe(out.shape))).sum().backward()
    answers["train_out"] = out.detach().numpy()
    answers |= {f"grad:{name}": parameter.grad.numpy() for name, parameter in model.named_parameters()}
    answers |= {f"state:{name}": value.numpy() for name, value in model.named_buffers()}
    np.savez(Path(case["folder"], "answers.npz"), **answers)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
