"""Our own weight file: safetensors whose metadata says what it is, and a digest over all of it.

Metadata keys (all text): "zoo" = version of this layout; "facts" = JSON with the architecture, classes, mean and std of
the normalising layer; "tree" = JSON {path: [dtype, shape]}; "digest" = "sha256:..." over the other three and every tensor.
safetensors itself has no checksum: one flipped bit would load silently. Here it is refused.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from zoo import atomic
from zoo.weights.stored import Opened, metadata_json

_VERSION = "1"
_KEYS = {"zoo", "facts", "tree", "digest"}


def write(path: str | Path, tensors: dict[str, np.ndarray], facts: dict) -> Path:
    """Write tensors and facts to one file, atomically."""
    from safetensors.numpy import save_file

    tensors = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    layout = {name: [str(value.dtype), list(value.shape)] for name, value in tensors.items()}
    metadata = {"zoo": _VERSION, "facts": json.dumps(facts, sort_keys=True), "tree": json.dumps(layout, sort_keys=True)}
    metadata["digest"] = _digest(metadata, tensors)
    with atomic.replacing(path) as part:
        save_file(tensors, part, metadata=metadata)
    return Path(path)


def facts(file: Opened) -> dict:
    """What an open archive says about itself; not yet verified, so trust it only after `verified`."""
    if file.metadata.get("zoo") != _VERSION:
        raise ValueError(
            f"{file.path} has layout {file.metadata.get('zoo')!r}, this version of zoo reads {_VERSION!r}; update zoo or save it again"
        )
    found = metadata_json(file, "facts")
    if not isinstance(found, dict):
        raise ValueError(f"{file.path} is damaged: its facts are no mapping")
    return found


def verified(file: Opened) -> dict[str, np.ndarray]:
    """Every tensor of an open archive, after the digest has been compared; a flipped bit anywhere raises ValueError."""
    layout = {name: [stored.dtype, list(stored.shape)] for name, stored in file.tensors.items()}
    if set(file.metadata) != _KEYS or metadata_json(file, "tree") != layout:
        raise ValueError(f"{file.path} is damaged: its tensors are not those of its own list. Delete it and fetch or save it again")
    tensors = {name: stored.read() for name, stored in file.tensors.items()}
    if _digest(file.metadata, tensors) != file.metadata["digest"]:
        raise ValueError(
            f"{file.path} is damaged: its content does not have the digest written in it. Delete it and fetch or save it again"
        )
    return tensors


def _digest(metadata: dict[str, str], tensors: dict[str, np.ndarray]) -> str:
    """sha256 over every name, type, shape and value in order of names; each piece is preceded by its length."""
    state = hashlib.sha256()

    def add(piece):
        state.update(len(piece).to_bytes(8, "little"))
        state.update(piece)

    for key in ("zoo", "facts", "tree"):
        add(metadata[key].encode())
    for name in sorted(tensors):
        value = tensors[name]
        add(name.encode())
        add(f"{value.dtype.str}{value.shape}".encode())
        add(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)
    return f"sha256:{state.hexdigest()}"
