"""What the tensors of a file are called in our models: the machinery. The tables of other libraries' names are in `foreign.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from zoo.weights import foreign as libraries
from zoo.weights.record import APPLICATIONS_H5, KERAS_H5, ZOO_SAFETENSORS
from zoo.weights.stored import Opened, Stored
from zoo.weights.tree import layers


@dataclass(frozen=True)
class Part:
    """A tensor of a file in our layout: its name there, shape and type here, and how to read it."""

    origin: str
    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], np.ndarray]


def row(variant: str, *, must: bool = True):
    """The registry's row, or None for an unknown name that need not be one."""
    from zoo import registry

    return registry.row(variant)[1] if must or variant in registry.rows() else None


def family(variant: str):
    """The module of the row's family."""
    from zoo import registry

    return registry.row(variant)[0]


def head(variant: str | None, usual: tuple[str, ...]) -> tuple[str, ...]:
    """Patterns of the layers that make up the head of a row."""
    return usual if variant is None else tuple(getattr(family(variant), "HEAD", usual))


def head_size(file: Opened, variant: str) -> int | None:
    """Number of classes of the head in an open file that does not say it, or None without a head."""
    if file.format == KERAS_H5:
        return file.tensors["logits/0"].shape[-1] if "logits/0" in file.tensors else None
    ours = {origin: path for origin, path in _renamed(file, variant).items() if path == "logits/kernel"}
    shapes = [file.tensors[origin].shape for origin in ours]
    return None if not shapes else shapes[0][-1 if file.format == APPLICATIONS_H5 else 0]


def parts(file: Opened, variant: str | None, model, weights: dict) -> dict[str, Part]:
    """{our path: Part} of every tensor of an open file; a tensor that has no name here keeps its own and is reported later."""
    if file.format == ZOO_SAFETENSORS:
        return {name: Part(name, stored.shape, stored.dtype, stored.read) for name, stored in file.tensors.items()}
    if file.format == KERAS_H5:
        return _keras(file, weights)
    if variant is None:
        raise ValueError(f"{file.path} uses the names of another library; say which row of the zoo it is")
    return _foreign(file, variant, model)


def _keras(file: Opened, weights: dict) -> dict[str, Part]:
    """Keras numbers the tensors of a layer in the order in which the layer made them, which is the order of our tree."""
    groups, found = layers(weights), {}
    for name, stored in file.tensors.items():
        layer, _, index = name.rpartition("/")
        known = groups.get(layer, ())
        path = known[int(index)] if int(index) < len(known) else name
        found[path] = Part(name, stored.shape, stored.dtype, stored.read)
    return found


def _renamed(file: Opened, variant: str) -> dict[str, str]:
    """{name in the file: our path} for the tensors that have one."""
    table = _table(file, variant)
    rename = _applications if file.format == APPLICATIONS_H5 else _torch
    return rename(file.tensors, {theirs: ours for ours, names in table.items() for theirs in names})


def _table(file: Opened, variant: str) -> dict[str, tuple[str, ...]]:
    return libraries.table(family(variant).__name__.rpartition(".")[2], row(variant), file.format)


def _foreign(file: Opened, variant: str, model) -> dict[str, Part]:
    ours = _renamed(file, variant)
    convert = _from_applications if file.format == APPLICATIONS_H5 else _from_torch
    first = next(iter(_table(file, variant)))
    found = {}
    for name, stored in file.tensors.items():
        if file.format != APPLICATIONS_H5 and name.endswith(".num_batches_tracked"):
            continue  # a step counter of torch's batch norm that inference and our training never use
        path = ours.get(name)
        found[path or name] = (
            Part(name, stored.shape, stored.dtype, stored.read) if path is None else convert(name, stored, path, first, model)
        )
    return found


def _applications(tensors: dict[str, Stored], known: dict[str, str]) -> dict[str, str]:
    """Kernel and bias are told apart by rank, because old files call them W_1, uniform1 or kernel; batch norm by name."""
    renamed: dict[str, str] = {}
    for name, stored in tensors.items():
        layer, _, weight = name.partition("/")
        if layer not in known:
            continue
        weight = weight.rpartition("/")[2].partition(":")[0]
        statistic = next((s for s in ("gamma", "beta", "moving_mean", "moving_variance") if weight.endswith(s)), None)
        path = f"{known[layer]}/{statistic or ('kernel' if len(stored.shape) > 1 else 'bias')}"
        if path in renamed.values():
            raise ValueError(f"two tensors of the file mean {path}: {name} and another; it is refused")
        renamed[name] = path
    return renamed


def _torch(tensors: dict[str, Stored], known: dict[str, str]) -> dict[str, str]:
    """`layer.weight` is a kernel, or gamma where it is a vector; `layer.bias` is beta beside running statistics."""
    renamed: dict[str, str] = {}
    for name, stored in tensors.items():
        layer, _, weight = name.rpartition(".")
        if layer not in known:
            continue
        norm = f"{layer}.running_mean" in tensors
        ours = {
            "weight": "gamma" if len(stored.shape) == 1 else "kernel",
            "bias": "beta" if norm else "bias",
            "running_mean": "moving_mean",
            "running_var": "moving_variance",
        }.get(weight)
        if ours:
            renamed[name] = f"{known[layer]}/{ours}"
    return renamed


def _from_applications(name: str, stored: Stored, path: str, first: str, model) -> Part:
    """These nets were trained on BGR: the first kernel's input channels are turned round, so that ours take RGB."""
    if path == f"{first}/kernel" and len(stored.shape) == 4:
        return Part(name, stored.shape, stored.dtype, lambda: stored.read()[:, :, ::-1, :])
    return Part(name, stored.shape, stored.dtype, stored.read)


def _from_torch(name: str, stored: Stored, path: str, first: str, model) -> Part:
    """OIHW -> HWIO; (out, in) -> (in, out); a dense layer after a flattened map also from CHW to HWC order."""
    shape = stored.shape
    if len(shape) == 4:
        out, into, high, wide = shape
        if path in _flat_inputs(model):  # timm writes the first dense layer of VGG as a convolution
            return Part(name, (high * wide * into, out), stored.dtype, lambda: stored.read().transpose(2, 3, 1, 0).reshape(-1, out))
        return Part(name, (high, wide, into, out), stored.dtype, lambda: stored.read().transpose(2, 3, 1, 0))
    if len(shape) == 2:
        out, into = shape
        high, wide, deep = _flat_inputs(model).get(path, (1, 1, into))
        if high * wide * deep != into:
            return Part(name, (into, out), stored.dtype, lambda: stored.read().T)
        return Part(
            name, (into, out), stored.dtype, lambda: stored.read().reshape(out, deep, high, wide).transpose(2, 3, 1, 0).reshape(into, out)
        )
    return Part(name, shape, stored.dtype, stored.read)


def _flat_inputs(model) -> dict[str, tuple[int, int, int]]:
    """{kernel path of the dense layer behind "flatten": (h, w, c) of the map that is flattened}."""
    flat = None
    for layer in model.layers:
        if flat and getattr(layer, "kernel", None) is not None:
            return {f"{layer.name}/kernel": flat}
        if layer.name == "flatten":
            flat = tuple(layer.input.shape[1:])
    return {}
