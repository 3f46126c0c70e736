"""Networks of darknet: a cfg file, which says what they are, and a weights file, which is one row of numbers -> a Keras model.

    model = zoo.weights.darknet.load("yolov3.cfg", "yolov3.weights")      # image in [0, 255] -> {"boxes", "scores", "raw"}

What is known here are facts of the format (pjreddie.com/darknet, public domain): sections run from top to bottom, each on the map of the
one before; `route` and `shortcut` name others by index, relative when negative. The weights file is a header of three int32 (major, minor,
revision) and the number of images seen (int64 from version 0.2 on, before that int32), then float32: for every convolution beta, gamma,
mean and variance, or the bias, then the kernel as (outputs, inputs / groups, height, width).

A section, an option or a value that is not known here raises ValueError: a network that is read wrongly still finds something.
The images are stretched to the network's size and are RGB in [0, 255]; darknet divides by 255, and so does the first layer.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.layers import DepthwiseConv2D, Standardise
from zoo.weights.darknet_cfg import Section, sections
from zoo.weights.darknet_layers import LAYERS, outputs
from zoo.weights.tree import replace


def load(cfg: str | os.PathLike, weights: str | os.PathLike | None = None, size: tuple[int, int] | None = None) -> keras.Model:
    """The detector of a cfg file, with the weights of a weights file or with random ones.

    size: (height, width) of the images instead of the cfg's own; any multiple of the coarsest stride.
    Returns image (b, h, w, c) in [0, 255] -> {"raw": (b, a, 5 + classes) logits, "boxes": (b, a, 4) xyxy in pixels, "scores": logits
    (b, a, classes)}, finest level first. A cfg without [yolo] gives its last map. Raises ValueError for what is not known, or does not fit.
    """
    model = build(Path(cfg).read_text(encoding="utf-8"), size=size, name=Path(cfg).stem.replace(".", "_"))
    if weights is not None:
        fill(model, weights)
    return model


def build(text: str, size: tuple[int, int] | None = None, name: str = "darknet") -> keras.Model:
    """A cfg's text -> the functional model, with random weights; see `load`."""
    net, *rest = sections(text)
    height, width = size or (net.whole("height", least=1), net.whole("width", least=1))
    image = keras.Input((height, width, net.whole("channels", 3, least=1)), name="image")
    channels = image.shape[-1]
    x = Standardise([0.0] * channels, [255.0] * channels, dtype=keras.backend.floatx(), name="normalise")(image)
    maps: list[Any] = []
    heads: list[tuple[Section, Any]] = []
    for section in rest:
        x = LAYERS[section.kind](section, x, maps)
        maps.append(x)
        if section.kind == "yolo":
            heads.append((section, x))
    return keras.Model(image, outputs(heads, (height, width)) if heads else x, name=name)


def fill(model: keras.Model, weights: str | os.PathLike) -> None:
    """Put the numbers of a weights file into a model of `build`: all of them, in order, or none.

    Raises ValueError when the file is too short, has numbers left over, or is no weights file.
    """
    values = _numbers(Path(weights))
    variables = dict(_ordered(model))
    wanted = sum(int(np.prod(variable.shape)) for variable, _ in variables.values())
    if wanted != values.size:
        raise ValueError(
            f"{weights} holds {values.size:,} numbers, the cfg asks for {wanted:,}: they do not belong together; nothing was put in"
        )
    arrays, start = {}, 0
    for path, (variable, stored) in variables.items():
        part = values[start : start + int(np.prod(stored))].reshape(stored)
        arrays[path] = part if len(stored) == 1 else _turned(part, tuple(variable.shape))
        start += part.size
    replace({path: variable for path, (variable, _) in variables.items()}, arrays)


def _numbers(path: Path) -> np.ndarray:
    raw = path.read_bytes()
    if len(raw) < 20:
        raise ValueError(f"{path} has {len(raw)} bytes, and a weights file begins with a header of 16 or 20")
    major, minor, _ = np.frombuffer(raw, "<i4", 3)
    if not (0 <= major < 100 and 0 <= minor < 100):
        raise ValueError(f"{path} is no weights file of darknet: its version would be {major}.{minor}")
    header = 20 if 10 * major + minor >= 2 else 16
    if (len(raw) - header) % 4:
        raise ValueError(f"{path} is damaged: behind its header are {len(raw) - header:,} bytes, no multiple of 4")
    return np.frombuffer(raw, "<f4", offset=header)


def _ordered(model):
    """(path, (variable, its shape in the file)) of every convolution and its normalisation, in the file's order."""
    by_name = {layer.name: layer for layer in model.layers}
    convolutions = [name for name in by_name if name.endswith("_conv")]
    for name in sorted(convolutions, key=lambda name: int(name.removeprefix("layer").partition("_")[0])):
        layer = by_name[name]
        norm = by_name.get(name.replace("_conv", "_norm"))
        if norm is None:
            yield f"{name}/bias", (layer.bias, tuple(layer.bias.shape))
        else:
            for kind in ("beta", "gamma", "moving_mean", "moving_variance"):
                yield f"{norm.name}/{kind}", (getattr(norm, kind), tuple(getattr(norm, kind).shape))
        kernel = layer.kernel
        high, wide, into, out = kernel.shape
        depthwise = isinstance(layer, DepthwiseConv2D)
        yield f"{name}/kernel", (kernel, (into, 1, high, wide) if depthwise else (out, into, high, wide))


def _turned(part: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(outputs, inputs / groups, h, w) -> (h, w, inputs / groups, outputs), or (h, w, maps, 1) of a depthwise convolution."""
    turned = part.transpose(2, 3, 1, 0)
    return turned if turned.shape == shape else part.transpose(2, 3, 0, 1)
