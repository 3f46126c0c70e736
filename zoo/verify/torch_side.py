"""torch's side of a comparison, in a process of its own: `python -m zoo.verify.torch_side CASE.json`.

CASE.json: {"library", "model", "options", "sizes", "mean", "std", "training", "folder"}. Left in the folder: weights.safetensors as
the library names them, answers.npz with "HxW" (float64) for every size and "float32" at the first, and with "training" also
after.safetensors: parameters and moving statistics after one step of plain gradient descent with rate 1.
"""

from __future__ import annotations

import functools
import json
import sys
import warnings
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from zoo.verify.images import probe, smooth_images


def library(name: str):
    """torchvision's `models` or timm. No build of torchvision with compiled operators exists for some CPU builds of torch: two empty
    declarations satisfy its import."""
    _declare()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torchvision

        if name == "torchvision":
            return torchvision
        import timm

        return timm


@functools.cache
def _declare():
    """The declarations live as long as the object that made them, so it is kept."""
    import torch

    operators = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        operators.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return operators


def build(name: str, model: str, options: dict):
    """The reference, with random weights."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name == "torchvision":
            return library(name).models.get_model(model, weights=None, **options)
        return library(name).create_model(model, pretrained=False, **options)


def randomise(model, images: np.ndarray, seed: int = 0):
    """Float64, live random weights, and moving statistics measured on normalised images (b, h, w, 3).

    Kernels as He et al. draw them; gains from U(0.5, 1.5); shifts, tokens and position embeddings from N(0, 0.1); layer scales, which start
    at 1e-6 and would hide whole branches, from U(0.3, 0.9); global response normalisation, which starts as the identity, from N(0, 0.3).
    """
    import torch
    from torch import nn

    torch.manual_seed(seed)
    model = model.double().eval()
    done = set()
    for path, module in model.named_modules():
        norm = isinstance(module, nn.BatchNorm2d | nn.GroupNorm | nn.LayerNorm) or type(module).__name__.startswith(
            ("LayerNorm", "GroupNorm")
        )
        for name, parameter in module.named_parameters(recurse=False):
            done.add(f"{path}.{name}" if path else name)
            if type(module).__name__ == "GlobalResponseNorm":
                nn.init.normal_(parameter, std=0.3)
            elif norm and name == "weight":
                nn.init.uniform_(parameter, 0.5, 1.5)
            elif name in ("gamma", "layer_scale"):
                nn.init.uniform_(parameter, 0.3, 0.9)
            elif name in ("weight", "in_proj_weight") and parameter.ndim in (2, 4):
                nn.init.kaiming_normal_(parameter)
            else:
                nn.init.normal_(parameter, std=0.1)
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for measured in norms:
        measured.momentum = 1.0
        measured.train()
    with torch.no_grad():
        model(tensor(images))
    for measured, momentum in zip(norms, momenta, strict=True):
        measured.momentum = momentum
    return model.eval()


def tensor(images: np.ndarray):
    import torch

    return torch.from_numpy(images.transpose(0, 3, 1, 2).copy())


def wide():
    """Where a network narrows to float32 on purpose, as timm does to resample positions, it stays in float64."""
    import torch

    return mock.patch.object(torch.Tensor, "float", torch.Tensor.double)


def training_step(model, images):
    """One step of gradient descent with rate 1 on sum(output * probe), with batch statistics and without dropout."""
    import torch

    model.eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.train()
    with wide():
        out = model(images)
    (out * torch.from_numpy(probe(out.shape))).sum().backward()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter -= parameter.grad
    return model


def save(model, path: Path) -> None:
    from safetensors.torch import save_file

    save_file({name: value.contiguous().clone() for name, value in model.state_dict().items()}, path)


def main(case: dict) -> None:
    import torch

    torch.set_num_threads(case.get("threads", 2))
    folder, sizes = Path(case["folder"]), [tuple(size) for size in case["sizes"]]
    mean, std = np.array(case["mean"]), np.array(case["std"])
    model = build(case["library"], case["model"], case["options"])
    model = randomise(model, (smooth_images(4, *sizes[0]) - mean) / std)
    save(model, folder / "weights.safetensors")
    answers: dict[str, Any] = {"parameters": np.array(sum(p.numel() for p in model.parameters() if p.requires_grad))}
    tensors = {size: tensor((smooth_images(2, size[0], size[1], seed=1) - mean) / std) for size in sizes}
    with torch.no_grad(), wide():
        for (height, width), images in tensors.items():
            answers[f"{height}x{width}"] = model(images).numpy()
    if case["training"]:
        state = {name: value.clone() for name, value in model.state_dict().items()}
        height, width = case["training"]
        save(training_step(model, tensor((smooth_images(2, height, width, seed=1) - mean) / std)), folder / "after.safetensors")
        model.load_state_dict(state)
        model.eval()
    with torch.no_grad():
        answers["float32"] = model.float()(tensors[sizes[0]].float()).numpy()
    np.savez(folder / "answers.npz", **answers)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
