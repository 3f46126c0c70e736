"""Decode every file of a folder once, in threads, and remember what was seen, so that the next run starts at once.

The memory lies in the user cache (never in the data folder) and knows a file by path, size and time of change.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import PIL

from zoo import atomic
from zoo.data import decode


@dataclass(frozen=True)
class Seen:
    """What decoding told about one file.

    reason:        why it cannot be used; empty when it can, and then the rest is known.
    format, mode, orientation: see `zoo.data.decode.Facts`.
    height, width: in pixels, upright.
    pixels:        digest of the decoded pixels; equal for the same picture whatever its file is called or says about itself.
    """

    reason: str = ""
    format: str = ""
    mode: str = ""
    orientation: int = 1
    height: int = 0
    width: int = 0
    pixels: str = ""


def inspect(root: Path, files: Sequence[Path], progress: Callable[[int, int], None] | None = None) -> list[Seen]:
    """What decoding tells about each of `files` below `root`, in their order.

    progress: called as progress(done, total) from this thread.
    A cache folder that cannot be written costs time, never the answer.
    """
    path = _memory(root)
    known = _recall(path)
    keys = [_key(file, root) for file in files]
    seen = {key: known[key] for key in keys if key in known}
    missing = [(key, file) for key, file in zip(keys, files, strict=True) if key not in seen]
    found: dict[str, Seen] = {}
    executor = ThreadPoolExecutor(min(8, os.cpu_count() or 1))
    try:
        for key, result in zip((key for key, _ in missing), executor.map(look, (file for _, file in missing)), strict=True):
            found[key] = result
            if progress is not None:
                progress(len(seen) + len(found), len(files))
    finally:
        executor.shutdown(cancel_futures=True)
        if any(not result.reason for result in found.values()):  # kept even when interrupted
            _remember(path, {**seen, **found})
    return [seen.get(key) or found[key] for key in keys]


def look(file: str | os.PathLike) -> Seen:
    """Decode one file; a file that cannot be used gives its reason, never an exception."""
    try:
        image, facts = decode.examine(file)
    except decode.ImageError as error:
        return Seen(error.reason)
    return Seen("", facts.format, facts.mode, facts.orientation, image.shape[0], image.shape[1], digest(image))


def digest(image: np.ndarray) -> str:
    """Digest of an image (h, w, 3) by shape and pixels: equal exactly for equal pictures."""
    found = hashlib.blake2b(repr(image.shape).encode(), digest_size=16)
    found.update(np.ascontiguousarray(image).data)
    return found.hexdigest()


def _key(file: Path, root: Path) -> str:
    name = file.relative_to(root).as_posix()
    try:
        found = file.stat()
    except OSError:
        return f"{name}|gone"
    return f"{name}|{found.st_size}|{found.st_mtime_ns}"


def _memory(root: Path) -> Path:
    from zoo.download import cache_folder

    return cache_folder() / "inspected" / f"{hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:24]}.json"


def _recall(path: Path) -> dict[str, Seen]:
    try:
        stored = json.loads(path.read_text())
        if stored["rules"] != _rules():
            return {}
        return {key: Seen(*values) for key, values in stored["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # absent, unreadable or not ours: look again
        return {}


def _remember(path: Path, seen: dict[str, Seen]) -> None:
    """Bad files are not remembered: permissions and mounts mend without a new time of change."""
    good = {key: astuple(value) for key, value in seen.items() if not value.reason}
    try:
        atomic.write(path, json.dumps({"rules": _rules(), "files": good}))
    except OSError:
        return


def _rules() -> str:
    return f"{decode.RULES} Pillow {PIL.__version__}"
