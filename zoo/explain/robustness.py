"""Does a map predict what happens when pixels change (infidelity), and does it stay when they hardly change (sensitivity)?

Yeh et al. 2019, "On the (In)fidelity and Sensitivity of Explanations", arXiv:1901.09392. Both are best near zero; a constant map has
the best sensitivity of all, so the one says nothing without the other.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from keras import tree

from zoo.explain.cost import found
from zoo.explain.curves import fitting
from zoo.explain.fixed import fixed
from zoo.explain.session import Probe, probe


def infidelity(
    model, images, heat, target=None, *, noise: float = 20.0, samples: int = 50, normalise: bool = True, seed: int = 0, batch_size: int = 32
) -> np.ndarray:
    """The mean squared error of the map as a forecast of what grey noise does to the score (definition 2.1): float64 (b,).

    heat:      (b, h, w); as a forecast, heat times the change of a pixel in grey levels is the change of the score.
    noise:     standard deviation of the Gaussian noise in grey levels, the same for all channels of a pixel.
    samples:   noisy copies of each image.
    normalise: scale each map by the factor that forecasts best, and give the error as a share of the mean squared change: 0 is a
               perfect forecast, 1 is none, whatever the map's units. False keeps map and error in the units of the score.

    The target is followed as a score, not a probability. Raises ValueError for heat of another size.
    """
    with probe(model, images, target, batch_size) as asked:
        heat = fitting(heat, asked)
        before = asked.scores(asked.pictures, np.arange(len(heat))).astype(np.float64)
        answers = np.empty(len(heat))
        for number, (image, values) in enumerate(zip(asked.pictures, heat, strict=True)):
            change = grey_noise(image.shape[:2], noise, samples, (seed, number))  # (s, h, w)
            after = asked.scores(image - change[..., None], np.full(samples, number)).astype(np.float64)
            forecast, effect = np.einsum("shw,hw->s", change, values), before[number] - after
            answers[number] = _error(forecast, effect, normalise)
    return answers


def _error(forecast: np.ndarray, effect: np.ndarray, normalise: bool) -> float:
    if not normalise:
        return float(np.mean((forecast - effect) ** 2))
    power, size = forecast @ forecast, effect @ effect
    scale = forecast @ effect / power if power > 0 else 0.0
    return float(np.mean((scale * forecast - effect) ** 2) / np.mean(effect**2)) if size > 0 else 0.0


def grey_noise(shape: tuple[int, int], noise: float, samples: int, seed) -> np.ndarray:
    """Gaussian noise (samples, h, w) of standard deviation `noise`."""
    return np.random.default_rng(seed).normal(0, noise, (samples, *shape))


def max_sensitivity(
    model,
    images,
    method,
    target=None,
    *,
    options: Mapping[str, Any] | None = None,
    radius: float = 5.0,
    samples: int = 10,
    seed: int = 0,
    batch_size: int = 32,
) -> np.ndarray:
    """How far the map moves when the image moves a little (definition 3.1): float64 (b,), in norms of the map itself.

    method:  a name of `METHODS`, or any function (model, images, target, *, batch_size, **options) -> (b, h, w).
    options: of the method, such as its layer.
    radius:  each pixel of a copy moves by at most so many grey levels, uniformly; the largest move of the map over `samples` copies
             counts. The class stays the one that the unchanged image has.

    A map that is zero gives NaN.
    """
    explain = functools.partial(function_of(method), batch_size=batch_size, **(options or {}))
    target = fixed(model, images, target, batch_size)
    with probe(model, images, target, batch_size) as asked:
        pictures, whole = asked.pictures, asked
    first = np.asarray(explain(model, whole.batch, target), np.float64)
    random, worst = np.random.default_rng(seed), np.zeros(len(first))
    for _ in range(samples):
        moved = pictures + random.uniform(-radius, radius, pictures.shape).astype(pictures.dtype)
        heat = np.asarray(explain(model, _with(whole, moved), target), np.float64)
        worst = np.maximum(worst, _norm(heat - first))
    size = _norm(first)
    return np.divide(worst, size, out=np.full(len(first), np.nan), where=size > 0)


def _with(asked: Probe, pictures: np.ndarray):
    """The model's input with other pictures in it."""
    unchanged = asked.pictures
    return tree.map_structure(lambda leaf: pictures if leaf is unchanged else leaf, asked.batch)


def _norm(maps: np.ndarray) -> np.ndarray:
    return np.sqrt((maps**2).sum(axis=(1, 2)))


def function_of(method) -> Callable:
    """The function of a method given as a name, or as itself."""
    return method if callable(method) else found(method).heat
