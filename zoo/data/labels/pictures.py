"""The pictures beside the labels: finding them when a set is read, and placing them when one is written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
from PIL import Image

from zoo import atomic
from zoo.data.decode import examine
from zoo.data.listing import _PICTURES
from zoo.data.objects import ObjectExamples, Objects, ObjectSet

HOW = ("copy", "link", "none")
"""What becomes of the pictures of a set that is written."""


def find(name: str, folders: Sequence[Path]) -> Path | None:
    """The file called `name` (a path of any system, absolute or below one of the folders, or only its last part), or None."""
    path = Path(PureWindowsPath(name).as_posix() if "\\" in name else name)
    candidates = [folder / path for folder in folders if not path.is_absolute()] or [path]
    candidates += [folder / path.name for folder in folders]
    return next((candidate for candidate in candidates if path.name and candidate.is_file()), None)


def by_stem(stem: str, folders: Sequence[Path]) -> Path | None:
    """The picture called `stem` with any suffix of a picture, in any case, or None."""
    for folder in folders:
        for suffix in sorted(_PICTURES):
            for candidate in (folder / f"{stem}{suffix}", folder / f"{stem}{suffix.upper()}"):
                if candidate.is_file():
                    return candidate
    return None


@dataclass(frozen=True)
class Placed:
    """One picture of a set that is written: `name` is unique in the set whatever its case and suffix, `width` x `height` is upright."""

    split: str
    index: int
    name: str
    width: int
    height: int
    objects: Objects
    number: int | None

    @property
    def stem(self) -> str:
        return PurePosixPath(self.name).stem


def place(data: ObjectSet, split: str, folder: Path, how: str, taken: set[str]) -> Iterator[Placed]:
    """Put the pictures of a split into `folder`, one after the other, and yield what a label file must say of each.

    how:   "copy"; "link" (a symbolic link); "none" leaves them where they are.
    taken: stems that are used already; grows.

    A picture that its EXIF turns is saved upright instead, without EXIF: afterwards every program sees what was labelled. Pixels that
    are not in a file are saved as PNG.
    """
    part = data[split]
    if how != "none":
        folder.mkdir(parents=True, exist_ok=True)
    for index in range(len(part)):
        item = part.items[index]
        name = _free(part, index, item, taken)
        pixels, orientation = (item, 1) if isinstance(item, np.ndarray) else _examined(item)
        if how != "none":
            target = folder / name
            if isinstance(item, np.ndarray) or orientation != 1:
                _save(pixels, target)
            elif how == "link":
                target.symlink_to(os.path.abspath(item))
            else:
                with atomic.replacing(target) as unfinished:
                    shutil.copyfile(item, unfinished)
        number = part.attributes["id"][index] if "id" in part.attributes else None
        height, width = pixels.shape[:2]
        yield Placed(split, index, name, width, height, part.objects[index], None if number is None else int(number))


def upright_bytes(item: Path | np.ndarray) -> tuple[bytes, str, int, int]:
    """(bytes, "jpeg" or "png", width, height) of a picture that reads the same in programs that ignore EXIF."""
    if not isinstance(item, np.ndarray):
        pixels, facts = examine(item)
        if facts.orientation == 1 and facts.format in ("JPEG", "PNG"):
            return Path(item).read_bytes(), facts.format.lower(), pixels.shape[1], pixels.shape[0]
        item = pixels
    from io import BytesIO

    stored = BytesIO()
    Image.fromarray(np.ascontiguousarray(item)).save(stored, "PNG")
    return stored.getvalue(), "png", item.shape[1], item.shape[0]


def _examined(path: Path) -> tuple[np.ndarray, int]:
    pixels, facts = examine(path)
    return pixels, facts.orientation


def _save(pixels: np.ndarray, target: Path) -> None:
    lossy = target.suffix.lower() in (".jpg", ".jpeg", ".jpe", ".jfif", ".webp")
    options: dict[str, Any] = {"quality": 95, "subsampling": 0} if lossy else {}  # what WebP does not know it ignores
    with atomic.replacing(target) as unfinished:
        Image.fromarray(np.ascontiguousarray(pixels)).save(unfinished, **options)


def _free(part: ObjectExamples, index: int, item: Path | np.ndarray, taken: set[str]) -> str:
    """A name whose stem is not taken: its own, then with its folders before it, then with a number behind it."""
    if isinstance(item, np.ndarray):
        name = str(part.attributes["name"][index]) if "name" in part.attributes else ""
        called = PurePosixPath(PureWindowsPath(name).as_posix())  # a name out of a file: a separator of any system separates
        called = PurePosixPath(*called.parts[:-1], f"{called.stem.strip('.') or f'{index:06d}'}.png")
    else:
        called = PurePosixPath(Path(item).as_posix())
    folders = [folder for folder in called.parts[:-1] if folder not in ("/", "..", ".")]
    for depth in range(min(3, len(folders)) + 1):
        stem = "_".join([*folders[len(folders) - depth :], called.stem]) if depth else called.stem
        if stem.lower() not in taken:
            break
    number = 2
    unique = stem
    while unique.lower() in taken:
        unique, number = f"{stem}_{number}", number + 1
    taken.add(unique.lower())
    return unique + called.suffix
