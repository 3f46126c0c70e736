"""The sections of a darknet cfg file as layers: facts of the format, see `zoo.weights.darknet`."""

from __future__ import annotations

from keras import layers

from zoo.heads.retinanet import flat, joined
from zoo.layers import CellBoxes, CellScores, DepthwiseConv2D, GroupedConv2D
from zoo.weights.darknet_cfg import Section

_EPSILON = 1e-6
"""What darknet adds to a standard deviation; here it is added to the variance, which for variances near one is the same."""


def convolutional(section: Section, x, maps: list):
    """Zeros on all sides (size // 2 with pad=1), convolution, normalisation or bias, activation."""
    size, stride, filters, groups = (section.whole(key, 1, least=1) for key in ("size", "stride", "filters", "groups"))
    border = size // 2 if section.whole("pad", 0) else section.whole("padding", 0)
    activation = section.options.get("activation", "logistic")
    if activation not in _ACTIVATIONS:
        raise section.wrong(f"has the activation {activation!r}, known are {', '.join(_ACTIVATIONS)}")
    if x.shape[-1] % groups or filters % groups:
        raise section.wrong(f"has {groups} groups, which do not divide its {x.shape[-1]} input and {filters} output maps")
    name, normalised = f"layer{section.number}_%s", bool(section.whole("batch_normalize", 0))
    if border:
        x = layers.ZeroPadding2D(border, name=name % "pad")(x)
    shared = {"strides": stride, "use_bias": not normalised, "name": name % "conv"}
    if groups == x.shape[-1] == filters and groups > 1:
        x = DepthwiseConv2D(size, **shared)(x)
    else:
        x = (layers.Conv2D(filters, size, **shared) if groups == 1 else GroupedConv2D(filters, size, groups=groups, **shared))(x)
    if normalised:
        x = layers.BatchNormalization(momentum=0.99, epsilon=_EPSILON, name=name % "norm")(x)
    return activated(x, activation, name % "activation")


def activated(x, activation: str, name: str):
    if activation == "linear":
        return x
    if activation == "leaky":
        return layers.LeakyReLU(negative_slope=0.1, name=name)(x)
    return layers.Activation(_ACTIVATIONS[activation], name=name)(x)


_ACTIVATIONS = {"linear": "linear", "leaky": "leaky", "relu": "relu", "logistic": "sigmoid", "mish": "mish", "swish": "silu"}


def maxpool(section: Section, x, maps: list):
    """Windows of `size` with size - 1 cells of minus infinity around the map, the odd one below and to the right."""
    stride = section.whole("stride", 1, least=1)
    size = section.whole("size", stride, least=1)
    # At other steps darknet still begins (size - 1) // 2 cells before the map, and "same" where the windows fit.
    if section.whole("padding", size - 1) != size - 1 or (stride != 1 and (size, stride) != (2, 2)):
        raise section.wrong(
            f"pools windows of {size} at steps of {stride}; known are steps of 1, windows of 2 at steps of 2, no other padding"
        )
    return layers.MaxPooling2D(size, strides=stride, padding="same", name=f"layer{section.number}_maxpool")(x)


def shortcut(section: Section, x, maps: list):
    others = [_earlier(section, index, maps) for index in section.several("from")]
    if any(tuple(other.shape) != tuple(x.shape) for other in others) or not others:
        raise section.wrong(f"adds maps of shapes {[tuple(m.shape[1:]) for m in (x, *others)]}; only equal ones can be added here")
    x = layers.Add(name=f"layer{section.number}_add")([x, *others])
    return activated(x, section.options.get("activation", "linear"), f"layer{section.number}_activation")


def route(section: Section, x, maps: list):
    found = [_earlier(section, index, maps) for index in section.several("layers")]
    if not found:
        raise section.wrong("names no layers")
    if len({tuple(level.shape[1:3]) for level in found}) > 1:
        raise section.wrong(f"joins maps of sizes {[tuple(level.shape[1:3]) for level in found]}, which differ")
    return found[0] if len(found) == 1 else layers.Concatenate(name=f"layer{section.number}_route")(found)


def _earlier(section: Section, index: int, maps: list):
    """Relative when negative, absolute otherwise."""
    place = section.number + index if index < 0 else index
    if not 0 <= place < section.number:
        raise section.wrong(f"points to layer {place}, and only 0 to {section.number - 1} come before it")
    return maps[place]


def upsample(section: Section, x, maps: list):
    return layers.UpSampling2D(section.whole("stride", 2, least=1), interpolation="nearest", name=f"layer{section.number}_upsample")(x)


def passed(section: Section, x, maps: list):
    """Dropout does nothing outside training; a [yolo] section only says how to read its map: see `outputs`."""
    return x


LAYERS = {
    "convolutional": convolutional,
    "maxpool": maxpool,
    "shortcut": shortcut,
    "route": route,
    "upsample": upsample,
    "dropout": passed,
    "yolo": passed,
}


def outputs(heads: list, size: tuple[int, int]) -> dict:
    """(section, map) of every [yolo] -> {"raw", "boxes", "scores"}, finest level first, whatever the order in the file."""
    rows, strides, anchors, reaches = [], [], [], set()
    for section, x in sorted(heads, key=lambda head: -head[1].shape[1]):
        sides, chosen, classes = section.several_real("anchors"), section.several("mask"), section.whole("classes", 20, least=1)
        if len(sides) % 2 or min(sides, default=0) <= 0:
            raise section.wrong(f"wants anchors as pairs of a width and a height above 0, got {sides}")
        pairs = list(zip(sides[::2], sides[1::2], strict=True))
        if any(not 0 <= index < len(pairs) for index in chosen):
            raise section.wrong(f"has the mask {chosen}, and only anchors 0 to {len(pairs) - 1}")
        if x.shape[-1] != len(chosen) * (5 + classes):
            raise section.wrong(f"reads {len(chosen)} anchors of 5 + {classes} numbers from a map of {x.shape[-1]}")
        if any(side % cells for side, cells in zip(size, x.shape[1:3], strict=True)) or size[0] // x.shape[1] != size[1] // x.shape[2]:
            raise section.wrong(
                f"has {x.shape[1]}x{x.shape[2]} cells on an image of {size[0]}x{size[1]}; give a multiple of the coarsest stride"
            )
        rows.append(flat(x, 5 + classes, f"layer{section.number}_raw"))
        strides.append(size[0] // x.shape[1])
        anchors.append([pairs[index] for index in chosen])
        reaches.add(section.real("scale_x_y", 1.0))
    if len(reaches) > 1:
        raise ValueError(f"the [yolo] sections have different scale_x_y {sorted(reaches)}, which is not known here")
    raw = joined(rows, "raw")
    boxes = CellBoxes(size, strides, anchors, "exp", reaches.pop(), name="boxes")(raw)
    return {"raw": raw, "boxes": boxes, "scores": CellScores(name="scores")(raw)}
