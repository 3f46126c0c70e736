"""A model as a tree of named tensors, and the only place where weights of a model are replaced: all of them or none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np


def tree(model) -> dict[str, Any]:
    """{path: variable} of every weight of a Keras model, in the model's order.

    A path is `layer_name/weight_name`; layers inside a layer or a nested model add their names in front
    (`inner/conv/kernel`). A shared layer appears once, under the first name met. Metric variables and the state of seed
    generators are no weights and are left out. Paths are the same on every backend.
    """
    known = {id(variable) for variable in model.weights}
    found: dict[str, Any] = {}
    seen: set[int] = set()
    for path, variable in _walk(model, ""):
        if id(variable) not in known or id(variable) in seen:
            continue
        if path in found:
            raise ValueError(f"two weights of {model.name} are called {path!r}; give its layers different names")
        seen.add(id(variable))
        found[path] = variable
    return found


def shapes(weights: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """{path: shape} of a tree."""
    return {path: tuple(variable.shape) for path, variable in weights.items()}


def layers(paths: Iterable[str]) -> dict[str, list[str]]:
    """{path of the layer: paths of its tensors}, in order."""
    groups: dict[str, list[str]] = {}
    for path in paths:
        groups.setdefault(path.rpartition("/")[0], []).append(path)
    return groups


def array(variable) -> np.ndarray:
    """A copy of a variable's value; bfloat16, which numpy lacks, becomes float32 without loss."""
    import keras

    value = np.array(keras.ops.convert_to_numpy(variable.value))
    return value.astype("float32") if value.dtype.kind not in "fiub" else value


def replace(weights: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Give every variable of `weights` named in `arrays` its new value, or on any error none of them.

    Raises ValueError when a value is not finite in the variable's own precision, naming the paths.
    """
    sick = [path for path, value in arrays.items() if not np.isfinite(_as_stored(value, weights[path].dtype)).all()]
    if sick:
        raise ValueError(
            f"{len(sick)} of {len(arrays)} tensors hold NaN or infinity, for example {_some(sick)}; the model was left as it was"
        )
    before = []
    try:
        for path, value in arrays.items():
            before.append((weights[path], array(weights[path])))
            weights[path].assign(value)
    except BaseException:
        for variable, old in before:
            variable.assign(old)
        raise


def _walk(model, prefix: str):
    for layer in model.layers:
        if hasattr(layer, "layers") and hasattr(layer, "inputs"):  # a nested model; RNN cells and wrappers are not
            yield from _walk(layer, f"{prefix}{layer.name}/")
            continue
        for variable in layer.weights:
            yield f"{prefix}{layer.name}/{_tail(variable.path, layer.name)}", variable
    for variable in model.weights:  # what a subclassed model owns itself; everything else was seen before
        yield f"{prefix}{variable.path}", variable


def _tail(path: str, layer: str) -> str:
    """The part of a variable's path after the name of its layer: "outer/conv/kernel", "conv" -> "kernel"."""
    names = path.split("/")
    if layer not in names[:-1]:
        return names[-1]
    return "/".join(names[names.index(layer) + 1 :])


def _as_stored(value: np.ndarray, dtype: str) -> np.ndarray:
    if dtype == "float16":
        with np.errstate(over="ignore"):
            return value.astype("float16")
    return value


def _some(paths: list[str], most: int = 5) -> str:
    return ", ".join(paths[:most]) + (f" and {len(paths) - most} more" if len(paths) > most else "")
