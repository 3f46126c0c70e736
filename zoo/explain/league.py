"""Methods against a truth that is known: the same numbers for each, means over many images, so that a table can rank them.

What a number of the truth says, it says of the images that it was measured on. The last two ask a question that no truth about the image
can answer: whether the map has anything to do with the model.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from zoo.explain.curves import deletion, insertion
from zoo.explain.measure import mass_inside, pointing, similarity
from zoo.explain.panel import Column
from zoo.explain.randomisation import randomisation

NUMBERS = {
    "pointing": Column("Pointing", True, "How often does the maximum lie on the evidence?"),
    "mass": Column("Mass inside", True, "What share of the positive heat lies on the evidence?"),
    "deletion": Column("Deletion", False, "How probable does the class stay while the hottest pixels are greyed, hottest first?"),
    "insertion": Column("Insertion", True, "How probable does it become while they are brought into a blurred image, hottest first?"),
    "weights": Column("Random weights", False, "How alike is the map when the weights are shuffled? 1: it was never about the model."),
    "classes": Column("Other class", False, "How alike is the map of another class? 1: it was never about the class."),
}
"""Name -> what it is and whether more is better; each lies in [0, 1]."""


def judge(
    model,
    images,
    method: Callable,
    classes,
    region=None,
    *,
    others=None,
    few: int = 16,
    steps: int = 28,
    draws: int = 2,
    seed: int = 0,
    batch_size: int = 32,
) -> dict[str, float]:
    """The means over the images of those `NUMBERS` that can be had: {name: number}, NaN where no image has one.

    method:  any function (model, images, target, *, batch_size) -> (b, h, w) of the images' size.
    classes: the explained class of each image, ints (b,).
    region:  where the evidence lies, boxes or masks as `mass_inside` takes them; None where nobody knows: pointing and mass are left out.
    others:  another class for each image; None leaves "classes" out.
    few:     images for "weights" and "classes", which need further maps; the first ones.
    draws:   how often all weights are shuffled.

    An image whose map holds no positive heat points at nothing: it counts as a miss, and its mass as 0.
    """
    asked: dict[str, Any] = {"batch_size": batch_size}
    classes = [int(index) for index in classes]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # empty maps are counted below, and those that warn are judged too
        heat = method(model, images, classes, **asked)
        found: dict[str, Any] = {}
        if region is not None:
            found |= {"pointing": np.nan_to_num(pointing(heat, region)), "mass": np.nan_to_num(mass_inside(heat, region))}
        found["deletion"] = deletion(model, images, heat, classes, steps=steps, seed=seed, **asked).area
        found["insertion"] = insertion(model, images, heat, classes, steps=steps, seed=seed, **asked).area
        found["weights"] = randomisation(model, images[:few], method, classes[:few], draws=draws, seed=seed, **asked).overall
        if others is not None:
            other = method(model, images[:few], [int(index) for index in others[:few]], **asked)
            found["classes"] = similarity(heat[:few], other)
    return {name: mean_of(values) for name, values in found.items()}


def mean_of(values) -> float:
    """The mean of those that are numbers; NaN where none is."""
    values = np.asarray(values, np.float64)
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")
