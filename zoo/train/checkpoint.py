"""Everything a training needs to go on as if it had never stopped, in one file that is whole or absent.

    checkpoints/last-00007.safetensors      after epoch 7: variables of model and optimiser, state as JSON; the newest two are kept
    checkpoints/best.safetensors            variables of the model after its best epoch

`model.variables` includes the states of all seed generators (dropout, augmentation layers), which Keras' own files leave out, so a
run resumed from those repeats its random numbers. A digest over names, types, shapes, bytes and state is stored and checked: safetensors
has no checksum of its own, and one flipped bit would load silently.
"""

from __future__ import annotations

import errno
import hashlib
import json
import re
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
from keras import ops
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from zoo import atomic

_FORMAT = "zoo-checkpoint-1"
_LAST = re.compile(r"last-(\d{5,})\.safetensors")


class Damaged(ValueError):
    """A checkpoint file that is truncated, altered or not a checkpoint."""


class DiskFull(OSError):
    """There is no room for the next checkpoint; those written before are untouched."""


class Checkpoints:
    """The checkpoint folder of one run. Of several processes only one `writes`; the others read what it has written."""

    def __init__(self, folder: Path, writes: bool = True):
        self.folder, self.writes = Path(folder), writes
        if writes:
            self.folder.mkdir(parents=True, exist_ok=True)
        self.best = self.folder / "best.safetensors"

    def sweep(self, *others: Path) -> None:
        """Remove what a kill inside a save has left: half-written files under temporary names, here and beside `others`."""
        if not self.writes:
            return
        for path in (*self.folder.glob(".*.safetensors"), *(part for other in others for part in other.parent.glob(f".{other.name}-*"))):
            path.unlink(missing_ok=True)

    def lasts(self) -> list[Path]:
        """The resumable checkpoints, newest first."""
        numbered = {int(found[1]): path for path in self.folder.iterdir() if (found := _LAST.fullmatch(path.name))}
        return [numbered[epoch] for epoch in sorted(numbered, reverse=True)]

    def save_last(self, epoch: int, arrays: Mapping[str, np.ndarray], state: dict) -> None:
        """Write the checkpoint after `epoch` epochs; only then forget all but the newest two."""
        if not self.writes:
            return
        write(self.folder / f"last-{epoch:05d}.safetensors", arrays, {**state, "epoch": epoch})
        for path in self.lasts()[2:]:
            path.unlink(missing_ok=True)

    def save_best(self, epoch: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Write the variables of the model after its best epoch."""
        if self.writes:
            write(self.best, arrays, {"epoch": epoch})

    def load_last(self) -> tuple[dict[str, np.ndarray], dict] | None:
        """The newest sound checkpoint, or None when there is no file. A damaged one is set aside with a warning; all damaged raises."""
        paths = self.lasts()
        for path in paths:
            try:
                return read(path)
            except Damaged as error:
                aside = path.with_suffix(".damaged")
                path.replace(aside)
                warnings.warn(
                    f"CHECKPOINT DAMAGED: {error}. It is kept as {aside.name}; going back to the one before", RuntimeWarning, stacklevel=2
                )
        if paths:
            raise Damaged(
                f"no checkpoint in {self.folder} can be read any more; start again in a new run folder (best weights, if any: {self.best})"
            )
        return None


def snapshot(model: keras.Model, optimizer: bool = True) -> dict[str, np.ndarray]:
    """Copies of all variables of the model (weights and seed-generator states) and of its optimiser, by numbered path."""
    return {name: value_of(variable) for name, variable in _variables(model, optimizer).items()}


def value_of(variable) -> np.ndarray:
    """A copy that no later step can change or donate away. (Keras' Variable itself has no `copy` keyword for numpy.)"""
    value = variable.value
    if hasattr(value, "read_value"):  # a tf.Variable; numpy cannot look into those of tf.distribute
        value = value.read_value()
    return np.array(ops.convert_to_numpy(value))


def restore(model: keras.Model, arrays: Mapping[str, np.ndarray], optimizer: bool = True) -> None:
    """Put a snapshot back, to the bit. Raises ValueError before the first change if count, names, shapes or types differ."""
    variables = _variables(model, optimizer)
    arrays = {name: array for name, array in arrays.items() if optimizer or name.startswith("model/")}
    problems = _differences(variables, arrays)
    if problems:
        raise ValueError(
            f"the checkpoint belongs to another model or optimiser: {'; '.join(problems[:5])} ({len(problems)} differences). "
            "Use the model it was written with, or a new run folder"
        )
    for variable, array in zip(variables.values(), arrays.values(), strict=True):
        variable.assign(array)


def write(path: Path, arrays: Mapping[str, np.ndarray], state: dict) -> None:
    """Write one checkpoint file atomically. Raises DiskFull when less than three times its size is free, or when writing fails by it."""
    size = sum(array.nbytes for array in arrays.values())
    free = shutil.disk_usage(path.parent).free
    if free < 3 * size:
        raise _disk_full(path, f"of {size / 1e6:.1f} MB wants {3 * size / 1e6:.1f} MB free in {path.parent}, got {free / 1e6:.1f} MB")
    text = json.dumps(state, default=lambda number: number.item())  # numpy scalars
    metadata = {"format": _FORMAT, "state": text, "order": json.dumps(list(arrays)), "sha256": digest(arrays, text)}
    try:
        with atomic.replacing(path) as part:
            save_file({name: np.ascontiguousarray(array).reshape(array.shape) for name, array in arrays.items()}, part, metadata)
    except (OSError, SafetensorError) as error:
        if not _says_disk_full(error):
            raise
        raise _disk_full(path, f"could not be written to {path.parent} ({error})") from error


def _disk_full(path: Path, what: str) -> DiskFull:
    cure = "Earlier checkpoints are untouched: free some space and run the same command again to resume"
    return DiskFull(errno.ENOSPC, f"the checkpoint {path.name} {what}. {cure}")


def _says_disk_full(error: Exception) -> bool:
    """No space, over quota, or over the limit of a file's size. safetensors writes in Rust and gives the number only in its text."""
    codes = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return getattr(error, "errno", None) in codes or any(f"os error {code})" in str(error) for code in codes)


def read(path: Path) -> tuple[dict[str, np.ndarray], dict]:
    """(arrays, state) of a checkpoint file. Raises Damaged, naming the file, when it is not exactly what was written."""
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != _FORMAT:
                raise Damaged(f"{path} is not a checkpoint of this zoo (format {metadata.get('format')!r}, wanted {_FORMAT!r})")
            arrays = {name: file.get_tensor(name) for name in json.loads(metadata["order"])}
        text = metadata["state"]
        if digest(arrays, text) != metadata["sha256"]:
            raise Damaged(f"{path} is not what was written: its digest differs")
        return arrays, json.loads(text)
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        if isinstance(error, Damaged):
            raise
        raise Damaged(f"{path} cannot be read ({type(error).__name__}: {error})") from error


def digest(arrays: Mapping[str, np.ndarray], text: str) -> str:
    """sha256 over the state and every array's name, type, shape and bytes, in order."""
    sha = hashlib.sha256(text.encode())
    for name, array in arrays.items():
        sha.update(f"{name} {array.dtype.str} {array.shape}".encode())
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()


def _variables(model, optimizer: bool) -> dict[str, keras.Variable]:
    groups = {"model": model.variables}
    if optimizer:
        groups["optimizer"] = model.optimizer.variables
    named: dict[str, keras.Variable] = {}
    seen: set[int] = set()
    for group, variables in groups.items():
        for variable in variables:
            if id(variable) not in seen:
                seen.add(id(variable))
                named[f"{group}/{len(named):05d}/{variable.path}"] = variable
    return named


def _differences(variables: Mapping[str, keras.Variable], arrays: Mapping[str, np.ndarray]) -> list[str]:
    """Names are compared without the numbers that Keras adds to unnamed layers, because those count per process."""
    if len(variables) != len(arrays):
        return [f"wanted {len(variables)} variables, the file has {len(arrays)}"]
    problems = []
    for (wanted, variable), (got, array) in zip(variables.items(), arrays.items(), strict=True):
        if _unnumbered(wanted) != _unnumbered(got):
            problems.append(f"wanted {wanted}, the file has {got}")
        elif tuple(variable.shape) != array.shape or np.dtype(variable.dtype) != array.dtype:
            problems.append(f"{wanted} is {variable.dtype} {tuple(variable.shape)}, in the file {array.dtype} {array.shape}")
    return problems


def _unnumbered(path: str) -> str:
    return re.sub(r"_\d+(?=/|$)", "", path)
