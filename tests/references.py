"""Independent implementations to compare with, for the tests.

What makes it decisive is in `zoo.verify`; here is what the tests need beside it. torch must not be imported after TensorFlow in one
process, so torch's side of a comparison is a script of its own: `torch_case` runs this file with python and hands back the weight
file and the numbers.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from zoo.verify import torch_side
from zoo.verify.images import difference, probe, smooth_images

__all__ = ["difference", "images_for", "probe", "require", "smooth_images", "timm", "torch_case", "torchvision", "wide_numbers"]

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
    """The torchvision module on a CPU torch."""
    return _library("torchvision")


def timm():
    """The timm module, which imports torchvision."""
    return _library("timm")


def _library(name: str):
    require("torch", "torchvision", name)
    return torch_side.library(name)


def require(*libraries: str) -> None:
    """Skip the test where one of them is not installed. Nothing is imported: torch must not follow TensorFlow into a process."""
    for needed in libraries:
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed: make test-backends installs it")


def torch_case(folder: Path, model: str, sizes, *, library: str = "torchvision", options: dict | None = None) -> dict[str, np.ndarray]:
    """Run `main` in its own process: arrays "out_HxW" for `images_for` each size, and after one training step at the first size
    "train_out", "grad:NAME" and "state:NAME"; the weights as the library publishes them are in folder / "weights.safetensors".
    """
    require("torch", "torchvision", library)
    case = {"library": library, "model": model, "options": options or {}, "sizes": sizes, "folder": str(folder)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.references", json.dumps(case)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(folder / "answers.npz", allow_pickle=False) as file:
        return dict(file)


def images_for(size) -> np.ndarray:
    """The images that both sides of a comparison see at (height, width)."""
    return smooth_images(3, *size, seed=1)


def main(case: dict) -> None:
    """torch's side of `torch_case`."""
    import torch

    mean, std = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
    torch.set_num_threads(2)
    model = torch_side.build(case["library"], case["model"], case["options"])
    sizes = [tuple(size) for size in case["sizes"]]
    tensors = {size: torch_side.tensor((images_for(size) - mean) / std) for size in sizes}
    model = torch_side.randomise(model, (smooth_images(4, *sizes[0]) - mean) / std)
    torch_side.save(model, Path(case["folder"], "weights.safetensors"))
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
