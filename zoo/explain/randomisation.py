"""Is a map about what the model has learned? Then it must change when the learned weights are destroyed.

Adebayo et al. 2018, "Sanity Checks for Saliency Maps", arXiv:1810.03292, section 3: randomise weights and compare the maps by rank.
A map that stays the same would have been drawn for an untrained network too. Guided backprop fails, edge detectors fail by definition.
"""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import tree

from zoo.explain.fixed import fixed
from zoo.explain.images import as_batch
from zoo.explain.measure import similarity
from zoo.explain.places import graph, recorded
from zoo.explain.robustness import function_of


@dataclass(frozen=True)
class Randomised:
    """layers: what was randomised, one name per stage (several joined by ", "); similarity: float64 (stages, b), in [0, 1] or NaN."""

    order: str
    layers: tuple[str, ...]
    similarity: np.ndarray

    @property
    def overall(self) -> np.ndarray:
        """float64 (b,): with nothing learned left, which is the last stage of a cascade and the mean over the draws of "all"."""
        if self.order == "cascade":
            return self.similarity[-1]
        known = np.isfinite(self.similarity)
        total, count = np.where(known, self.similarity, 0).sum(0), known.sum(0)
        return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def randomisation(
    model,
    images,
    method,
    target=None,
    *,
    options: Mapping[str, Any] | None = None,
    order: str = "all",
    draws: int = 3,
    stages: int = 8,
    redraw: bool = False,
    seed: int = 0,
    batch_size: int = 32,
) -> Randomised:
    """|Spearman| of the map before and after weights are randomised; small is good, below about 0.3 is expected.

    method:  a name of `METHODS`, or any function (model, images, target, *, batch_size, **options) -> (b, h, w).
    options: of the method, such as the name of its layer.
    order:   "all" layers at once, `draws` times anew; "cascade" from the output down, keeping what was randomised (the paper's
             figure 2); "independent", one group of layers at a time, the others as learned.
    stages:  groups of neighbouring layers at most, for "cascade" and "independent": each stage costs one explanation.
    redraw:  False shuffles each array of weights in itself; True draws it anew, normal with its own mean and deviation.

    The class stays the one that the learned model predicts. A copy is randomised where the model can be cloned; else the model
    itself, whose weights are put back bit by bit, after an exception too; until then other threads see random weights. A map that
    is constant before or after gives NaN.
    """
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 1:
        raise ValueError(f"draws must be a positive int, got {draws!r}")
    if order not in ("all", "cascade", "independent"):
        raise ValueError(f'order is "all", "cascade" or "independent", got {order!r}')
    explain = functools.partial(function_of(method), batch_size=batch_size, **(options or {}))
    batch = as_batch(model, images)
    target = fixed(model, batch, target, batch_size)
    before = explain(model, batch, target)
    random = np.random.default_rng(seed)
    names, found = [], []
    with _expendable(model) as copy:
        layers = weighted_layers(copy, batch)
        for group in [layers] * draws if order == "all" else _groups(layers, stages):
            learned = [(variable, keras.ops.convert_to_numpy(variable.value).copy()) for _, own in group for variable in own]
            for variable, value in learned:
                variable.assign(_randomised(value, random, redraw))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # an empty map of a random network is an answer: NaN
                found.append(similarity(before, explain(copy, batch, target)))
            names.append(", ".join(name for name, _ in group))
            if order != "cascade":
                for variable, value in learned:
                    variable.assign(value)
    return Randomised(order, tuple(names), np.stack(found))


def weighted_layers(model, images=None) -> list[tuple[str, list]]:
    """(name, its own trained variables) of every layer that has some, the one nearest to the output first.

    Variables that only count or normalise the input are left out: nothing is learned in them.
    """
    forward = graph(model) or recorded(model, images)
    seen: set[int] = set()
    found = []
    for event in forward.events:
        own = [variable for variable in getattr(event.place.operation, "variables", []) if id(variable) not in seen and _learned(variable)]
        seen.update(map(id, own))
        if own:
            found.append((event.place.operation.name, own))
    if not found:
        raise ValueError(f"the model {model.name!r} has no trained weights: there is nothing to randomise")
    return found[::-1]


def _learned(variable) -> bool:
    """Frozen layers have learned too, so the flag of the variable is not asked; statistics of batch normalisation belong to them."""
    return "float" in str(variable.dtype) and len(variable.shape) > 0 and "normalization/mean" not in variable.path


def _groups(layers: list, stages: int) -> list[list]:
    if isinstance(stages, bool) or not isinstance(stages, int) or stages < 1:
        raise ValueError(f"stages must be a positive int, got {stages!r}")
    parts = np.array_split(np.arange(len(layers)), min(stages, len(layers)))
    return [[layers[index] for index in part] for part in parts]


def _randomised(value: np.ndarray, random: np.random.Generator, redraw: bool) -> np.ndarray:
    if not redraw:
        return random.permutation(value.ravel()).reshape(value.shape)
    drawn = random.normal(np.mean(value, dtype=np.float64), np.std(value, dtype=np.float64), value.shape)
    return np.abs(drawn).astype(value.dtype) if value.min() >= 0 else drawn.astype(value.dtype)  # a variance stays one


@contextlib.contextmanager
def _expendable(model) -> Iterator[keras.Model]:
    """A model to randomise: a copy with the same weights, or `model` itself, restored at the end."""
    copy = _cloned(model)
    if copy is not None:
        yield copy
        return
    learned = [(variable, keras.ops.convert_to_numpy(variable.value).copy()) for variable in model.variables]
    try:
        yield model
    finally:
        for variable, value in learned:
            variable.assign(value)


def _cloned(model) -> keras.Model | None:
    try:
        copy = keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
    except Exception:  # a subclassed model, or a layer that cannot be written down; Keras raises whatever the layer raised
        return None
    same = tree.map_structure(lambda a, b: a.shape == b.shape, list(copy.variables), list(model.variables))
    return copy if all(same) else None
