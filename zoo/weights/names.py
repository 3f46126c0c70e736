"""What the tensors of a file are called in our models: the machinery. The tables of other libraries' names are in `zoo.weights.foreign`."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from zoo.weights import foreign as libraries
from zoo.weights.published import TABLE
from zoo.weights.record import APPLICATIONS_H5, KERAS_H5, TFLITE_INT8, TIMM_SAFETENSORS, TORCH_PICKLE, ZOO_SAFETENSORS, Record
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


def published(variant: str, format: str) -> Record | None:
    """The published file whose constants a local one of the same library shares: of this row, or, where the other library trained
    the whole family on one kind of image, of another of its rows."""
    torch = (TIMM_SAFETENSORS, TORCH_PICKLE)
    same = [record for record in TABLE if record.format in (torch if format in torch else (format,))]
    siblings = set(family(variant).VARIANTS) if libraries.bgr(_family_name(variant)) else set()
    return next((r for r in same if variant in r.models), None) or next((r for r in same if siblings & set(r.models)), None)


def head(variant: str | None, usual: tuple[str, ...]) -> tuple[str, ...]:
    """Patterns of the layers that make up the head of a row."""
    return usual if variant is None else tuple(getattr(family(variant), "HEAD", usual))


def head_size(file: Opened, variant: str) -> int | None:
    """Number of classes of the head in an open file that does not say it, or None without a head."""
    if file.format == KERAS_H5:
        return file.tensors["logits/0"].shape[-1] if "logits/0" in file.tensors else None
    if file.format == TFLITE_INT8:
        *_, last = (stored for name, stored in file.tensors.items() if name.endswith("/kernel"))
        return last.shape[-1] - _background(last, variant)
    ours = {origin: path for origin, path in _renamed(file, _table(file, variant)).items() if path == "logits/kernel"}
    shapes = [file.tensors[origin].shape for origin in ours]
    return None if not shapes else shapes[0][-1 if file.format == APPLICATIONS_H5 else 0]


def parts(file: Opened, variant: str | None, model, weights: dict, table: Mapping[str, tuple[str, ...]] | None = None) -> dict[str, Part]:
    """{our path: Part} of every tensor of an open file; a tensor that has no name here keeps its own and is reported later.

    table: {our layer: their names} of a state dict of torch, for a model that is no row of the registry.
    """
    if file.format == ZOO_SAFETENSORS:
        return {name: Part(name, stored.shape, stored.dtype, stored.read) for name, stored in file.tensors.items()}
    if file.format == KERAS_H5:
        return _keras(file, weights)
    if table is not None and file.format in (TIMM_SAFETENSORS, TORCH_PICKLE):
        return _converted(file, table, (), model, weights)
    if variant is None:
        raise ValueError(f"{file.path} uses the names of another library; say which row of the zoo it is")
    if file.format == TFLITE_INT8:
        return _lite(file, variant, model, weights)
    return _foreign(file, variant, model, weights)


def _lite(file: Opened, variant: str, model, weights: dict) -> dict[str, Part]:
    """The convolutions in the order in which the network runs them. Their normalisations are folded into them, so ours must do
    nothing but add: gamma 1, beta the bias, mean 0, and a variance that makes 1 with epsilon."""
    order = getattr(libraries.module(_family_name(variant)), "tflite", lambda row: None)(row(variant))
    if order is None:
        raise ValueError(f"{file.path}: in which order a TensorFlow Lite file runs the layers of {variant} is not known here")
    kernels = [stored for name, stored in file.tensors.items() if name.endswith("/kernel")]
    if len(kernels) != len(order):
        raise ValueError(
            f"{file.path} runs {len(kernels)} convolutions and fully connected layers, {variant} has {len(order)}; it is refused"
        )
    found = {}
    for number, (kernel, (layer, norm)) in enumerate(zip(kernels, order, strict=True)):
        skip = _background(kernel, variant) if layer == "logits" else 0
        wanted = tuple(weights[f"{layer}/kernel"].shape) if f"{layer}/kernel" in weights else None
        found[f"{layer}/kernel"] = _reshaped(_from(f"{number}/kernel", kernel, skip), wanted)
        maps = int(np.prod(kernel.shape[2:])) - skip if len(kernel.shape) == 4 and kernel.shape[-1] == 1 else kernel.shape[-1] - skip
        constant = {"gamma": 1.0, "moving_mean": 0.0, "moving_variance": 1.0 - _epsilon(model, norm)} if norm else {}
        for name, value in constant.items():
            found[f"{norm}/{name}"] = Part(name, (maps,), "float32", functools.partial(np.full, maps, value, "float32"))
        bias = file.tensors.get(f"{number}/bias", Stored((maps + skip,), "float32", functools.partial(np.zeros, maps + skip, "float32")))
        found[f"{norm}/beta" if norm else f"{layer}/bias"] = _from(f"{number}/bias", bias, skip)
    return found


def _from(name: str, stored: Stored, skip: int) -> Part:
    """Without the first `skip` outputs."""
    shape = (*stored.shape[:-1], stored.shape[-1] - skip)
    return Part(name, shape, stored.dtype, lambda: stored.read()[..., skip:])


def _epsilon(model, norm: str) -> float:
    return next((layer.epsilon for layer in model.layers if layer.name == norm), 0.0)


def _background(kernel: Stored, variant: str) -> int:
    """1 where the head has one output more than the row: TensorFlow's own ImageNet networks begin with a class for none of them."""
    return int(kernel.shape[-1] == row(variant).classes + 1)


def _keras(file: Opened, weights: dict) -> dict[str, Part]:
    """Keras numbers the tensors of a layer in the order in which the layer made them, which is the order of our tree."""
    groups, found = layers(weights), {}
    for name, stored in file.tensors.items():
        layer, _, index = name.rpartition("/")
        known = groups.get(layer, ())
        path = known[int(index)] if int(index) < len(known) else name
        found[path] = Part(name, stored.shape, stored.dtype, stored.read)
    return found


def _renamed(file: Opened, table: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """{name in the file: our path} for the tensors that have one in a family's table."""
    layers = {theirs: ours for ours, names in table.items() if "/" not in ours for theirs in names}
    tensors = {theirs: ours for ours, names in table.items() if "/" in ours for theirs in names}
    rename = _applications if file.format == APPLICATIONS_H5 else _torch
    plain = {name: name if name in tensors else re.sub(r"/variable_\d+$", "/variable", name) for name in file.tensors}
    return rename(file.tensors, layers) | {name: tensors[known] for name, known in plain.items() if known in tensors}


def _table(file: Opened, variant: str) -> dict[str, tuple[str, ...]]:
    return libraries.table(_family_name(variant), row(variant), file.format)


def _family_name(variant: str) -> str:
    from zoo import registry

    return registry.family(variant)


def _foreign(file: Opened, variant: str, model, weights: dict) -> dict[str, Part]:
    table, family_name = _table(file, variant), _family_name(variant)
    first = next(iter(table)).partition("/")[0]
    turned = f"{first}/kernel" if file.format == APPLICATIONS_H5 and libraries.bgr(family_name) else None
    return _converted(file, table, libraries.ignored(family_name), model, weights, turned)


def _converted(file: Opened, table, ignored: tuple[str, ...], model, weights: dict, turned: str | None = None) -> dict[str, Part]:
    """turned: path of the kernel that is for BGR images in the file."""
    ours = _renamed(file, table)
    convert = _from_applications if file.format == APPLICATIONS_H5 else functools.partial(_from_torch, flat=_flat_inputs(model))
    found = {}
    for name, stored in file.tensors.items():
        if name.endswith(".num_batches_tracked") or any(fnmatchcase(name, pattern) for pattern in ignored):
            continue  # a step counter of torch's batch norm that inference and our training never use; or left out on purpose
        path = ours.get(name, name)
        wanted = tuple(weights[path].shape) if path in weights else None
        found[path] = Part(name, stored.shape, stored.dtype, stored.read) if name not in ours else convert(name, stored, path, wanted)
        if path == turned and len(stored.shape) == 4:
            found[path] = dataclasses.replace(found[path], read=functools.partial(_turned, stored))
    return found


def _turned(stored: Stored) -> np.ndarray:
    """A first kernel for BGR as one for RGB."""
    return stored.read()[:, :, ::-1, :]


_STATISTICS = ("gamma", "beta", "moving_mean", "moving_variance")


def _applications(tensors: dict[str, Stored], known: dict[str, str]) -> dict[str, str]:
    """Kernel and bias are told apart by rank, because old files call them W_1, uniform1 or kernel; statistics and the two
    kernels of a separable convolution by name."""
    renamed: dict[str, str] = {}
    layers = {name: _layer(name, known) for name in tensors}
    numbered = _numbered(layers.values())
    pointwise = {layer for name, layer in layers.items() if "pointwise" in name}
    for name, stored in tensors.items():
        layer = layers[name]
        weight = name.removeprefix(f"{layer}/")
        ours = known.get(layer) or known.get(numbered[layer])
        if ours is None:
            continue
        weight = weight.rpartition("/")[2].partition(":")[0]
        kinds = (*_STATISTICS, *(("depthwise_kernel", "pointwise_kernel") if layer in pointwise else ()))
        kind = next((kind for kind in kinds if weight.endswith(kind)), None)
        path = f"{ours}/{kind or ('kernel' if len(stored.shape) > 1 else 'bias')}"
        if path in renamed.values():
            raise ValueError(f"two tensors of the file mean {path}: {name} and another; it is refused")
        renamed[name] = path
    return renamed


def _layer(name: str, known: dict[str, str]) -> str:
    """The layer of a tensor "layer/weight"; where the names of layers have slashes, the longest that is known."""
    slashed = [layer for layer in known if "/" in layer and name.startswith(f"{layer}/")]
    return max(slashed, key=len) if slashed else name.partition("/")[0]


def _numbered(layers) -> dict[str, str]:
    """{"conv2d_17": "conv2d#3"}: the rank of every layer among those that differ from it only in their number."""
    groups: dict[str, list[tuple[int, str]]] = {}
    for layer in dict.fromkeys(layers):
        found = re.fullmatch(r"(.*?)(?:_(\d+))?", layer)
        if found is not None:
            groups.setdefault(found.group(1), []).append((int(found.group(2) or 0), layer))
    return {layer: f"{stem}#{rank}" for stem, group in groups.items() for rank, (_, layer) in enumerate(sorted(group))}


def _torch(tensors: dict[str, Stored], known: dict[str, str]) -> dict[str, str]:
    """`layer.weight` is a kernel, or gamma where it is a vector; `layer.bias` is beta beside such a gamma."""
    renamed: dict[str, str] = {}
    for name in tensors:
        layer, _, weight = name.rpartition(".")
        if layer not in known:
            continue
        norm = len(tensors[f"{layer}.weight"].shape) == 1 if f"{layer}.weight" in tensors else f"{layer}.running_mean" in tensors
        ours = {
            "weight": "gamma" if norm else "kernel",
            "bias": "beta" if norm else "bias",
            "running_mean": "moving_mean",
            "running_var": "moving_variance",
        }.get(weight)
        if ours:
            renamed[name] = f"{known[layer]}/{ours}"
    return renamed


def _from_applications(name: str, stored: Stored, path: str, wanted: tuple[int, ...] | None) -> Part:
    """Already in our order; what may differ: a depthwise kernel stored as a grouped one, and a 1x1 convolution that is dense here."""
    shape = stored.shape
    if wanted is not None and wanted != shape and len(shape) == 4 and (*shape[:2], shape[3], shape[2]) == wanted:
        return Part(name, wanted, stored.dtype, lambda: stored.read().swapaxes(2, 3))
    return _reshaped(Part(name, shape, stored.dtype, stored.read), wanted)


def _from_torch(name: str, stored: Stored, path: str, wanted: tuple[int, ...] | None, flat: dict) -> Part:
    """OIHW -> HWIO; (out, in) -> (in, out); a dense layer after a flattened map also from CHW to HWC order: see `_flat_inputs`."""
    shape = stored.shape
    if len(shape) == 4 and not path.endswith("kernel"):
        return _reshaped(Part(name, shape, stored.dtype, stored.read), wanted)
    if len(shape) == 4:
        out, into, high, wide = shape
        if path in flat:  # timm writes the first dense layer of VGG as a convolution
            return Part(name, (high * wide * into, out), stored.dtype, lambda: stored.read().transpose(2, 3, 1, 0).reshape(-1, out))
        if into == 1 and wanted == (high, wide, out, 1):  # depthwise
            return Part(name, wanted, stored.dtype, lambda: stored.read().transpose(2, 3, 0, 1))
        return _reshaped(Part(name, (high, wide, into, out), stored.dtype, lambda: stored.read().transpose(2, 3, 1, 0)), wanted)
    if len(shape) == 2 and path.endswith("kernel"):
        out, into = shape
        high, wide, deep = flat.get(path, (1, 1, into))
        if high * wide * deep != into:
            return Part(name, (into, out), stored.dtype, lambda: stored.read().T)
        turned = Part(
            name, (into, out), stored.dtype, lambda: stored.read().reshape(out, deep, high, wide).transpose(2, 3, 1, 0).reshape(into, out)
        )
        return _reshaped(turned, wanted)
    return _reshaped(Part(name, shape, stored.dtype, stored.read), wanted)


def _reshaped(part: Part, wanted: tuple[int, ...] | None) -> Part:
    """The same numbers without or with axes of length one: a 1x1 convolution as a dense layer, a token of one image as a vector."""
    if wanted is None or [side for side in part.shape if side != 1] != [side for side in wanted if side != 1]:
        return part
    return dataclasses.replace(part, shape=wanted, read=lambda: part.read().reshape(wanted))


def _flat_inputs(model) -> dict[str, tuple[int, int, int]]:
    """{kernel path of the dense layer behind "flatten": (h, w, c) of the map that is flattened}."""
    flat = None
    for layer in model.layers:
        if flat and getattr(layer, "kernel", None) is not None:
            return {f"{layer.name}/kernel": flat}
        if layer.name == "flatten":
            flat = tuple(layer.input.shape[1:])
    return {}
