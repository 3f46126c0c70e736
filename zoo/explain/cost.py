"""What an explanation will cost, before it runs: how many pictures the model must look at, and how long that takes here."""

from __future__ import annotations

import time
import weakref
from dataclasses import dataclass

import keras
import numpy as np

from zoo.explain.images import as_batch, length, picture
from zoo.explain.methods import Method, Size, method
from zoo.explain.session import maps_of, probe

MEASURED_AT = 8
"""Pictures at most that are measured together: larger batches are a little cheaper for each, so an estimate errs on the high side."""

_SPEEDS: weakref.WeakKeyDictionary[keras.Model, dict] = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class Cost:
    """An estimate.

    images:          how many are explained.
    forwards:        pictures that pass through the model forwards only, over all images.
    gradients:       pictures that pass forwards and backwards.
    forward_seconds, gradient_seconds: measured, for one picture of each kind; None for a kind that is not needed.
    """

    method: str
    images: int
    forwards: int
    gradients: int
    forward_seconds: float | None
    gradient_seconds: float | None

    @property
    def pictures(self) -> int:
        """All that pass through the model."""
        return self.forwards + self.gradients

    @property
    def seconds(self) -> float:
        """For all images, without compiling."""
        return self.forwards * (self.forward_seconds or 0.0) + self.gradients * (self.gradient_seconds or 0.0)

    def __str__(self) -> str:
        parts = [(self.forwards, "forward pass", "forward passes"), (self.gradients, "gradient", "gradients")]
        counts = " and ".join(f"{count:,} {one if count == 1 else many}" for count, one, many in parts if count)
        return f"about {duration(self.seconds)}: {counts}"


def estimate(model, method, images, *, target=None, layer=None, batch_size: int = 32, **options) -> Cost:
    """The cost of `method` on these images with these options, before it runs.

    method: a name of `zoo.explain.METHODS`, a row of it, or the function itself.

    One forward pass, and one with a gradient if the method needs it, are run once to compile and twice to be timed, on at most
    `MEASURED_AT` pictures; the two times are kept for the model, so that the next estimate costs nothing. A gradient that stops at a
    layer is cheaper than the whole one that is measured. Raises what the method itself raises for wrong images, layer or options.
    """
    row = found(method)
    batch = as_batch(model, images)
    height, width = picture(batch).shape[1:3]
    if row.layer:
        options["layer"] = layer
    elif layer is not None:
        raise ValueError(f"{row.name} looks at the pixels and takes no layer; leave it out")
    size = Size(height, width, channels(model, batch, layer) if row.name == "scorecam" else 0)
    number = length(batch)
    forwards, gradients = (number * count for count in row.cost(size, **options))
    speed = {
        kind: _seconds(model, batch, target, kind, min(count, batch_size, MEASURED_AT)) if count else None
        for kind, count in (("forward", forwards), ("gradient", gradients))
    }
    return Cost(row.name, number, forwards, gradients, speed["forward"], speed["gradient"])


def forward_seconds(model, batch, target=None, batch_size: int = 32) -> float:
    """Seconds for one picture, forwards, when many are asked about; measured once."""
    return _seconds(model, batch, target, "forward", min(batch_size, MEASURED_AT))


def found(name) -> Method:
    """The row of a method given as a name, a row, or the function itself."""
    return name if isinstance(name, Method) else method(name if isinstance(name, str) else getattr(name, "__name__", str(name)))


def channels(model, images, layer=None) -> int:
    """How many channels the explained layer has."""
    first = keras.tree.map_structure(lambda leaf: leaf[:1], as_batch(model, images))
    return maps_of(model, first, layer, 1).shape[-1]


def duration(seconds: float) -> str:
    """Seconds for people: "0.4 s", "12 s", "3 min", "2 h"."""
    if seconds < 90:
        return f"{seconds:.1g} s" if seconds < 1 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.0f} h"


def _seconds(model, batch, target, kind: str, pictures: int) -> float:
    """Seconds for one picture when `pictures` are run together, measured once per model, size and kind."""
    kept = _SPEEDS.setdefault(model, {})
    key = (kind, pictures, picture(batch).shape[1:])
    if key not in kept:
        rows = np.arange(pictures) % length(batch)
        with probe(model, batch, target, pictures) as asked:
            run = asked.scores if kind == "forward" else asked.gradients
            run(asked.pictures[rows], rows)  # compiles
            times = []
            for _ in range(2):  # the quicker one, because other programs can only slow it down
                start = time.perf_counter()
                run(asked.pictures[rows], rows)
                times.append(time.perf_counter() - start)
        kept[key] = min(times) / pictures
    return kept[key]
