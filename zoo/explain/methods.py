"""Every method of this room in one table: what it needs, how to read its map, how it misleads, and what it costs.

The command line, the pages, the projects and the estimate of the cost read this table; a new method is one more row.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Size:
    """What the cost depends on beside the options: the image's sides in pixels, and the channels of the explained layer."""

    height: int
    width: int
    channels: int = 0


Passes = Callable[[Mapping[str, Any], Size], tuple[int, int]]
"""(options, size) -> (forward passes, forward passes with a gradient) for one image."""


@dataclass(frozen=True)
class Method:
    """One row.

    name:     the function of `zoo.explain`: (model, images, target, ...) -> heat (b, h, w).
    title:    what people call it.
    layer:    whether it looks at a layer and takes `layer=`; the others look at the pixels.
    gradient: whether it differentiates; the others only ask the model about changed images.
    blind:    what it cannot see, "" for nothing: "class" (the same map for every class) or "weights" (a likeness above 0.3 with the
              map of a model that has learned nothing, on the bed of docs/explain.md).
    signed:   whether negative values count as evidence against the target.
    read:     what a bright place means.
    misleads: what it does not say, or says wrongly.
    passes:   its cost for one image.
    source:   the paper.
    """

    name: str
    title: str
    read: str
    misleads: str
    passes: Passes
    source: str
    layer: bool = False
    gradient: bool = True
    blind: str = ""
    signed: bool = False

    @property
    def function(self) -> Callable:
        """The function of `zoo.explain`."""
        return getattr(importlib.import_module("zoo.explain"), self.name)

    def options(self, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """All options with their values: those given, the function's own defaults for the others.

        Raises ValueError for an option that the function does not have.
        """
        parameters = inspect.signature(self.function).parameters
        known = {name: entry.default for name, entry in parameters.items() if name not in ("model", "images", "target")}
        wrong = sorted(set(given or {}) - set(known))
        if wrong:
            raise ValueError(f"{self.name} has no option {', '.join(wrong)}; it has {', '.join(known)}")
        return known | dict(given or {})

    def heat(self, model, images, target=None, **options):
        """The map alone, float32 (b, h, w); some functions return more with it."""
        found = self.function(model, images, target, **options)
        return getattr(found, "heat", found)

    def cost(self, size: Size, **options) -> tuple[int, int]:
        """(forward passes, forward passes with a gradient) for one image of that size with these options."""
        return self.passes(self.options(options), size)


def method(name: str) -> Method:
    """The row called `name`. Raises ValueError with the closest names."""
    if name in METHODS:
        return METHODS[name]
    close = difflib.get_close_matches(name, METHODS, n=3)
    raise ValueError(f"there is no method {name!r}; did you mean {', '.join(close) or 'one of ' + ', '.join(METHODS)}?")


# Methods that change the images first ask once about the unchanged ones, whose predicted class stays the target: `SETTLED` forwards.
SETTLED = 1


def _one_gradient(options, size):
    return 0, 1


def _one_forward(options, size):
    return 1, 0


def _samples(options, size):
    return SETTLED, int(options["samples"])


def _path(options, size):
    return SETTLED + 2, int(options["steps"])  # and the scores of both ends, for the completeness


def _masks(options, size):
    return SETTLED + int(options["masks"]), 0


def _channels(options, size):
    wanted = options.get("channels") or size.channels
    return SETTLED + 1 + min(int(wanted), size.channels), 0


def _windows(options, size):
    sides = (size.height, size.width)
    window = [math.ceil(side / 7) for side in sides] if options["window"] is None else _pair(options["window"])
    stride = [max(1, side // 2) for side in window] if options["stride"] is None else _pair(options["stride"])
    places = [math.ceil((side - w) / s) + 1 for side, w, s in zip(sides, window, stride, strict=True)]
    return SETTLED + 1 + math.prod(places), 0


def _pair(value) -> tuple[int, int]:
    return tuple(value) if isinstance(value, tuple | list) else (value, value)


_COARSE = "It is as coarse as the layer: one value per cell, spread smoothly; finer edges in it are no evidence."

_ROWS = (
    Method(
        "gradcam",
        "Grad-CAM",
        "Bright regions raise the score: the layer's channels, each weighted by its mean gradient.",
        f"{_COARSE} One weight per channel: a channel that speaks for the class here and against it there is averaged.",
        _one_gradient,
        "Selvaraju et al. 2017, arXiv:1610.02391",
        layer=True,
    ),
    Method(
        "gradcam_plus_plus",
        "Grad-CAM++",
        "Bright regions raise the score; several objects each keep a share, where Grad-CAM may lose small ones.",
        f"{_COARSE} Its weights follow from an assumption about the gradients that networks need not meet.",
        _one_gradient,
        "Chattopadhay et al. 2018, arXiv:1710.11063",
        layer=True,
        blind="weights",
    ),
    Method(
        "layercam",
        "Layer-CAM",
        "Bright cells are active and a little more activity there raises the score; works in early, finer layers too.",
        f"{_COARSE} In early layers it drifts towards edges.",
        _one_gradient,
        "Jiang et al. 2021, doi:10.1109/TIP.2021.3089943",
        layer=True,
        blind="weights",
    ),
    Method(
        "hirescam",
        "HiResCAM",
        "Bright cells raise the score: activity times gradient, cell by cell, without averaging over the map.",
        f"{_COARSE} Exact only where the rest of the network is linear in the map; elsewhere it is a slope.",
        _one_gradient,
        "Draelos and Carin 2020, arXiv:2011.08891",
        layer=True,
    ),
    Method(
        "eigencam",
        "Eigen-CAM",
        "Bright cells follow the strongest common pattern of the layer's channels.",
        f"{_COARSE} It never asks about the class: every class gets the same map.",
        _one_forward,
        "Muhammad and Yeasin 2020, arXiv:2008.00299",
        layer=True,
        gradient=False,
        blind="class",
    ),
    Method(
        "scorecam",
        "Score-CAM",
        "Bright regions raise the score when they are kept and the rest is hidden: one question per channel, no gradient.",
        f"{_COARSE} Half hidden images are unlike anything the model was trained on; it is slow for wide layers.",
        _channels,
        "Wang et al. 2020, arXiv:1910.01279",
        layer=True,
        gradient=False,
        blind="weights",
    ),
    Method(
        "gradient",
        "Gradient",
        "A bright pixel raises the score when it becomes lighter, a dark one when it becomes darker.",
        "It is a slope at this one image: noisy, and near zero where the model is certain, however much it depends on the place.",
        _one_gradient,
        "Simonyan et al. 2013, arXiv:1312.6034",
        signed=True,
    ),
    Method(
        "saliency",
        "Saliency",
        "Bright pixels change the score most when they change a little.",
        "It is noisy, and does not say in which direction; edges light up whatever the class.",
        _one_gradient,
        "Simonyan et al. 2013, arXiv:1312.6034",
    ),
    Method(
        "input_x_gradient",
        "Input x gradient",
        "Bright pixels raise the score compared with black, as far as the model is linear.",
        "Black pixels get nothing, even where darkness is the evidence.",
        _one_gradient,
        "Shrikumar et al. 2016, arXiv:1605.01713",
        signed=True,
    ),
    Method(
        "smoothgrad",
        "SmoothGrad",
        "Bright pixels raise the score on average over noisy copies of the image: the gradient without most of its noise.",
        "The strength of the noise is a choice that changes the map.",
        _samples,
        "Smilkov et al. 2017, arXiv:1706.03825",
        signed=True,
    ),
    Method(
        "vargrad",
        "VarGrad",
        "Bright pixels are where the gradient changes most between noisy copies of the image.",
        "It shows where the model is curved, not what speaks for the class.",
        _samples,
        "Adebayo et al. 2018, arXiv:1810.03292",
        blind="weights",
    ),
    Method(
        "integrated_gradients",
        "Integrated Gradients",
        "Bright pixels raise the score on the way from the baseline to the image; all values add up to the difference.",
        "The baseline is a choice: what has its colour gets nothing. Adding up is no proof that the places are right.",
        _path,
        "Sundararajan et al. 2017, arXiv:1703.01365",
        signed=True,
    ),
    Method(
        "guided_backprop",
        "Guided backprop",
        "Bright pixels lie on lines and textures that the network passes on.",
        "It looks sharp because it redraws the image: much the same comes out of a network that has learned nothing.",
        _one_gradient,
        "Springenberg et al. 2014, arXiv:1412.6806",
        signed=True,
        blind="weights",
    ),
    Method(
        "occlusion",
        "Occlusion",
        "Bright regions lower the score when a grey square hides them: cause and effect, no gradient.",
        "Evidence that is there twice is missed, because hiding one of two changes little; the square's size is a choice.",
        _windows,
        "Zeiler and Fergus 2013, arXiv:1311.2901",
        gradient=False,
        signed=True,
    ),
    Method(
        "rise",
        "RISE",
        "Bright regions raise the score on average when they are visible through random masks.",
        "It needs thousands of masks; with few, the pattern of the masks shows instead of the model.",
        _masks,
        "Petsiuk et al. 2018, arXiv:1806.07421",
        gradient=False,
        blind="weights",
    ),
)

METHODS: dict[str, Method] = {row.name: row for row in _ROWS}
"""Name -> row, the cheap ones that suit a first look first."""
