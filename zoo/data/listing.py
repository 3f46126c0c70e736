"""An image folder as it lies on disk: which split and class every file belongs to, and what was passed over."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from zoo.data.decode import sniff

SPLITS = {"train": "train", "training": "train", "validation": "validation", "valid": "validation", "val": "validation", "test": "test"}
"""Folder names (in any case) that mean a split, and our word for it."""

_PICTURES = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
# Their owner means them as pictures, so they are listed, and decoding tells what to do about them.
_UNREAD = {".heic", ".heif", ".avif", ".jxl", ".jp2", ".psd", ".svg", ".ppm", ".pgm", ".ico", ".dng", ".cr2", ".nef", ".arw"}


@dataclass(frozen=True)
class Listing:
    """What `scan` found.

    root:    the folder.
    splits:  {split: {class: files}}; a folder without split folders has the one split "".
    ignored: {reason: files or folders passed over}.
    """

    root: Path
    splits: dict[str, dict[str, tuple[Path, ...]]]
    ignored: dict[str, tuple[Path, ...]]

    @property
    def classes(self) -> tuple[str, ...]:
        """Every class folder of every split, empty ones too, in natural order ("2" before "10")."""
        return tuple(sorted({name for classes in self.splits.values() for name in classes}, key=natural))

    def files(self) -> list[tuple[str, str, Path]]:
        """(split, class, file) of every picture, in a fixed order."""
        return [(split, name, path) for split, classes in self.splits.items() for name, paths in classes.items() for path in paths]


def scan(folder: str | os.PathLike) -> Listing:
    """List FOLDER/CLASS/* or FOLDER/{train,validation|val|valid,test}/CLASS/*; nothing is decoded.

    Files count as pictures by extension in any case, or by their first bytes where the extension is unknown. Folders inside a
    class folder belong to that class. Hidden files (".DS_Store", "._1.jpg") and macOS leftovers are ignored and counted.
    Raises FileNotFoundError, or ValueError when there are no class folders.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(f"there is no folder {root}; give the folder that holds the class folders, as in {root}/CLASS/*.jpg")
    ignored: dict[str, list[Path]] = {}
    folders = _folders(root, ignored)
    if _has_splits(folders):
        splits = {}
        for path in folders:
            split = SPLITS.get(path.name.lower())
            if split is None:
                ignored.setdefault("beside the split folders", []).append(path)
            elif split in splits:
                raise ValueError(f"{root} has two folders for the {split} split; keep one of {', '.join(p.name for p in folders)}")
            else:
                splits[split] = _classes(_folders(path, ignored), ignored)
        splits = {split: splits[split] for split in ("train", "validation", "test") if split in splits}
    else:
        splits = {"": _classes(folders, ignored)}
    if not any(splits.values()):
        raise ValueError(f"{root} holds no class folders; wanted {root}/CLASS/*.jpg, or {root}/train/CLASS/*.jpg with validation and test")
    return Listing(root, splits, {reason: tuple(paths) for reason, paths in sorted(ignored.items())})


def pictures(folder: str | os.PathLike) -> list[Path]:
    """Every picture in a folder and below, whatever its folders mean, in a fixed order. Raises FileNotFoundError."""
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(f"there is no folder {root}; give a folder of pictures")
    return list(_pictures(root, {}))


def natural(text: str) -> tuple:
    """Sorting key that reads digits as numbers and puts them before letters."""
    return tuple((0, int(part), part) if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", text) if part)


def _has_splits(folders: list[Path]) -> bool:
    """A folder called "train" means the split when it holds folders; holding pictures it is a class, such as the vehicle."""
    return any(SPLITS.get(path.name.lower()) == "train" and any(child.is_dir() for child in path.iterdir()) for path in folders)


def _folders(root: Path, ignored: dict[str, list[Path]]) -> list[Path]:
    found = []
    for path in sorted(root.iterdir(), key=lambda path: natural(path.name)):
        if _hidden(path.name):
            ignored.setdefault("hidden", []).append(path)
        elif path.is_dir():
            found.append(path)
        else:
            ignored.setdefault("not in a class folder" if _is_picture(path) else "not a picture", []).append(path)
    return found


def _classes(folders: list[Path], ignored: dict[str, list[Path]]) -> dict[str, tuple[Path, ...]]:
    return {path.name: tuple(_pictures(path, ignored)) for path in folders}


def _pictures(folder: Path, ignored: dict[str, list[Path]]):
    for parent, folders, files in os.walk(folder):
        for name in filter(_hidden, folders):
            ignored.setdefault("hidden", []).append(Path(parent, name))
        folders[:] = sorted((name for name in folders if not _hidden(name)), key=natural)
        for name in sorted(files, key=natural):
            path = Path(parent, name)
            if _hidden(name):
                ignored.setdefault("hidden", []).append(path)
            elif _is_picture(path):
                yield path
            else:
                ignored.setdefault("not a picture", []).append(path)


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _is_picture(path: Path) -> bool:
    if path.suffix.lower() in _PICTURES | _UNREAD:
        return True
    try:
        with path.open("rb") as file:
            return path.is_file() and sniff(file.read(16)) is not None
    except OSError:
        return False
