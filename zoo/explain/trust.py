"""How far to trust a map: every number beside the same number of three maps that know nothing of the model.

One image at a time: the panel belongs beside the map of that image. On one image the numbers are weak evidence; many images whose
evidence is known say more.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from zoo.explain.baselines import BASELINES
from zoo.explain.cost import Cost, estimate, forward_seconds
from zoo.explain.curves import deletion, insertion
from zoo.explain.fixed import fixed
from zoo.explain.images import as_batch, picture
from zoo.explain.integrate import integrated_gradients
from zoo.explain.measure import mass_inside, pointing
from zoo.explain.panel import COLUMNS, METHOD, TITLES, TrustPanel
from zoo.explain.randomisation import randomisation
from zoo.explain.robustness import function_of, infidelity, max_sensitivity


@dataclass
class Plan:
    """The panel in steps, for a caller that shows progress or stops: run each of `steps` once, in order, then read `panel`."""

    panel: TrustPanel
    steps: list[tuple[str, Callable[[], None]]]


def trust_panel(
    model, image, method=None, target=None, *, heat=None, box=None, seed: int = 0, batch_size: int = 32, **options
) -> TrustPanel:
    """All numbers for one image.

    image:  (h, w, 3) or (1, h, w, 3); a batch of one for a model with several inputs.
    method: a name of `METHODS`, or any function (model, images, target, *, batch_size, **options) -> (b, h, w).
    heat:   (h, w) or (1, h, w), where the map is already there; alone, without `method`, what needs new maps is left out.
    box:    where the evidence truly is, if that is known: xyxy in pixels (4,) or (n, 4), or a mask (h, w).

    About 30 forward passes for each row and curve, 50 for each infidelity, and 13 explanations. Raises ValueError for several images.
    """
    made = plan(model, image, method, target, heat=heat, box=box, seed=seed, batch_size=batch_size, **options)
    for _, step in made.steps:
        step()
    return made.panel


def plan(model, image, method=None, target=None, *, heat=None, box=None, seed: int = 0, batch_size: int = 32, **options) -> Plan:
    """`trust_panel` as steps of which nothing has run yet, but for the map itself if `heat` is not given."""
    batch = as_batch(model, image)
    pictures = picture(batch)
    if len(pictures) != 1:
        raise ValueError(f"a trust panel belongs to one image, got {len(pictures)}; pass images[:1]")
    if method is None and heat is None:
        raise ValueError("either a method or its heat is needed, got neither")
    target = fixed(model, batch, target, batch_size)
    panel = TrustPanel()
    if heat is None:
        found = function_of(method)(model, batch, target, batch_size=batch_size, **options)
    else:
        found = np.asarray(heat)[None] if np.ndim(heat) == 2 else np.asarray(heat)
    panel.empty = not found.max() > 0
    maps = {METHOD: found} | {name: baseline(pictures, seed) for name, baseline in BASELINES.items()}
    steps: list[tuple[str, Callable[[], None]]] = []

    def add(column: str, row: str, number: Callable, *arguments, **how) -> None:
        def step() -> None:
            value = float(np.asarray(number(*arguments, **how)).reshape(-1)[0])
            panel.rows[row][column] = value if np.isfinite(value) else None

        steps.append((f"{COLUMNS[column].title}: {TITLES[row].lower()}", step))

    asked = {"seed": seed, "batch_size": batch_size}
    for row, values in maps.items():
        for column in ("deletion", "insertion"):
            add(column, row, _area, panel, column, row, (model, batch, values, target), asked)
        add("infidelity", row, infidelity, model, batch, values, target, **asked)
        if box is not None:
            add("pointing", row, pointing, values, np.asarray(box)[None])
            add("mass", row, mass_inside, values, np.asarray(box)[None])
        if method is not None:
            again = functools.partial(function_of(method), **options) if row == METHOD else _blind(row)
            add("sensitivity", row, max_sensitivity, model, batch, again, target, **asked)
            add("random weights", row, _alike, model, batch, again, target, **asked)
    if method == "integrated_gradients":
        steps.append(("Completeness: this map", functools.partial(_complete, panel, model, batch, target, batch_size, options)))
    return Plan(panel, steps)


def _complete(panel: TrustPanel, model, batch, target, batch_size: int, options: dict) -> None:
    panel.completeness = float(integrated_gradients(model, batch, target, batch_size=batch_size, **options).completeness[0])


def cost(model, image, method, target=None, *, batch_size: int = 32, **options) -> Cost:
    """What `trust_panel` costs with the map at hand: `EXPLANATIONS` of it, and the forward passes of four rows of curves and noise."""
    one = estimate(model, method, image, target=target, batch_size=batch_size, **options)
    speed = forward_seconds(model, as_batch(model, image), target, batch_size)
    again = EXPLANATIONS + (one.method == "integrated_gradients")  # for its completeness
    return replace(one, forwards=again * one.forwards + FORWARDS, gradients=again * one.gradients, forward_seconds=speed)


EXPLANATIONS = 1 + 10 + 1 + 3
"""Maps for the sensitivity (the unchanged image, ten moved ones) and for the random weights (before, three draws)."""
FORWARDS = 1 + 4 * (2 * (1 + 29) + (1 + 1 + 50) + 1)
"""To fix the class once; for each row two curves of 29 points, noise of 50 copies, and before each of them the class once more."""


def _area(panel: TrustPanel, column: str, row: str, arguments: tuple, asked: dict) -> np.ndarray:
    found = {"deletion": deletion, "insertion": insertion}[column](*arguments, **asked)
    panel.fractions = found.fractions.tolist()
    panel.curves.setdefault(column, {})[row] = found.scores[0].tolist()
    return found.area


def _alike(*arguments, **how) -> np.ndarray:
    return randomisation(*arguments, **how).overall


def _blind(name: str) -> Callable:
    """A baseline as a method. The random one draws anew at every call, as a map that is nothing but chance does."""
    calls = iter(range(10**9))

    def draw(model, images, target=None, **options):
        return BASELINES[name](picture(images), (1, next(calls)))

    return draw
