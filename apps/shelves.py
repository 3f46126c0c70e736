"""Which pictures a page may search: what the zoo brings, and the folders that whoever starts the app names. Never a path from a visitor."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from zoo.data import backgrounds, listing, scenes
from zoo.data.decode import decode

FOLDERS = "ZOO_PICTURES"
"""Environment variable: folders of pictures, with the system's separator (":") between them."""
MOST = 2000
"""Pictures of a folder that are looked at."""
SCENES, PHOTOGRAPHS = "Generated scenes", "Sample photographs"
PER_CLASS = 10
SHIPPED = (
    *(
        "astronaut.png",
        "brick.png",
        "camera.png",
        "cat.png",
        "chelsea.png",
        "coffee.png",
        "coins.png",
        "color.png",
        "grass.png",
        "gravel.png",
    ),
    *("horse.png", "hubble_deep_field.jpg", "ihc.png", "logo.png", "moon.png", "page.png", "retina.jpg", "rocket.jpg", "text.png"),
)
"""Of scikit-image's data folder, those that some version ships inside its wheel."""


@dataclass(frozen=True)
class Shelf:
    """Pictures to search. Equal shelves hold the same pictures, so it is a part of the key of every cache.

    folder: None for what the zoo brings.
    files:  (path relative to the folder, size, time of change); of generated scenes their names.
    total:  how many there are, of which `files` are the first.
    """

    title: str
    folder: str | None
    files: tuple[tuple[str, int, int], ...]
    total: int

    @property
    def names(self) -> list[str]:
        return [name for name, *_ in self.files]

    @property
    def classes(self) -> list[str]:
        """Of every picture: the sub-folder in which it lies, or what the scene shows."""
        return [name.rpartition("/")[0] or self.title for name in self.names]

    def picture(self, row: int) -> np.ndarray:
        """uint8 (h, w, 3). Raises ImageError for one that cannot be decoded."""
        if self.folder is None:
            return scenes.render(scenes.specify(row, scenes.Scenes(), "test"), 128).image
        return decode(Path(self.folder) / self.files[row][0])


def titles() -> dict[str, str | None]:
    """Title -> folder (None: generated), what the zoo brings first."""
    named = [Path(text).expanduser().resolve() for text in os.environ.get(FOLDERS, "").split(os.pathsep) if text.strip()]
    found: dict[str, str | None] = {SCENES: None, PHOTOGRAPHS: str(backgrounds.folder())}
    for path in named:
        title = path.name if path.name not in found else f"{path.name} in {path.parent.name}"
        found[title] = str(path)
    return found


@st.cache_data(ttl=20, max_entries=8, show_spinner=False)
def shelf(title: str, folder: str | None) -> Shelf:
    """The pictures there are now. Raises FileNotFoundError, or ValueError when there are none."""
    if folder is None:
        names = [f"{scenes.CLASSES[row % len(scenes.CLASSES)]}/{row}" for row in range(PER_CLASS * len(scenes.CLASSES))]
        return Shelf(title, None, tuple((name, 0, 0) for name in names), len(names))
    root = Path(folder)
    paths = [root / name for name in SHIPPED if (root / name).is_file()] if title == PHOTOGRAPHS else listing.pictures(root)
    if not paths:
        raise ValueError(f"there is no picture in the folder {title}; put PNG or JPEG files there, or choose another")
    facts = [(path.relative_to(root).as_posix(), path.stat()) for path in paths[:MOST]]
    return Shelf(title, folder, tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in facts), len(paths))
