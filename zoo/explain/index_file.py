"""An index of features as a file: .npz without pickles, written whole or not at all, distrusted when it is read."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from zoo import atomic
from zoo.explain.fingerprint import Origin

FORMAT = 1


def write(path: str | os.PathLike, features: np.ndarray, names: Sequence[str], skipped: Sequence[str], made: Origin) -> Path:
    buffer = io.BytesIO()
    texts, reasons, facts = (np.array(each, np.str_) for each in (names, skipped, (made.to_json(),)))
    np.savez(buffer, format=np.int64(FORMAT), features=features, names=texts, skipped=reasons, origin=facts)
    return atomic.write(path, buffer.getvalue())


def read(path: str | os.PathLike) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...], Origin]:
    """features, names, skipped, origin. Raises FileNotFoundError; ValueError for a file that is damaged or no index."""
    path = Path(path)
    arrays = _read(path)
    try:
        made = Origin.from_json(str(arrays["origin"][0]))
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    return arrays["features"], tuple(map(str, arrays["names"])), tuple(map(str, arrays["skipped"])), made


def _read(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an index file, checked; never unpickled."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no index {path}")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in ("format", "features", "names", "skipped", "origin")}
    except (ValueError, KeyError, OSError, EOFError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}".splitlines()[0]) from error
    rows, names = arrays["features"], arrays["names"]
    if arrays["format"].shape or arrays["format"] != FORMAT:
        raise _damaged(path, f"format {arrays['format']}, this version reads {FORMAT}")
    if (
        rows.dtype != np.float32
        or rows.ndim != 2
        or names.shape != rows.shape[:1]
        or names.dtype.kind != "U"
        or not np.isfinite(rows).all()
    ):
        raise _damaged(path, f"{rows.dtype} features {rows.shape} with names {names.shape}")
    if arrays["origin"].shape != (1,) or arrays["origin"].dtype.kind != "U":
        raise _damaged(path, "its facts are missing")
    return arrays


def _damaged(path: Path, reason: str) -> ValueError:
    return ValueError(f"{path} is no index of pictures, or a damaged one ({reason}); build it again")
