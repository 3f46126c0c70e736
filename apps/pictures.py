"""Which pictures a page looks at: samples that work without a network, or an upload that is distrusted until it is decoded."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np

from zoo.data.decode import ImageError, decode, sniff
from zoo.viz import png

EXTENSIONS = ("png", "jpg", "jpeg", "webp")
"""What an upload may be called; its true format is found when it is decoded."""
FORMATS = ("PNG", "JPEG", "WEBP")
"""What it may be by its first bytes, whatever it is called."""
SIDE = 640
"""Longest side in pixels of a picture on the page."""
LARGEST = 10_000_000
"""Bytes of an upload."""

PHOTOGRAPHS = {
    "Chelsea the cat": "chelsea.png",
    "A cup of coffee": "coffee.png",
    "An astronaut": "astronaut.png",
    "A rocket launch": "rocket.jpg",
}
"""Photographs that scikit-image ships inside its wheel (public domain or CC0)."""
SCENES = {"A generated scene": "test", "A scene with an unusual background": "counter"}
"""Pictures of `zoo.data.scenes`, what the embedded projects train on: title -> split."""


@dataclass(frozen=True)
class Picture:
    """A picture file: its title for people, and its bytes."""

    title: str
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def titles() -> tuple[str, ...]:
    """Titles of the samples, the photographs first."""
    return (*PHOTOGRAPHS, *SCENES)


def sample(title: str) -> Picture:
    """The sample called `title`. No network: scikit-image's own data folder is read, a scene is drawn."""
    if title in SCENES:
        return Picture(title, _scene(SCENES[title]))
    return Picture(title, (_photographs() / PHOTOGRAPHS[title]).read_bytes())


def upload(name: str, content: bytes) -> Picture:
    """A file from outside. Raises ImageError for a name with another extension; nothing else is believed about the name.

    The widget is told "image" only, which Streamlit leaves to the browser: its own check of extensions ends in a traceback.
    """
    if PurePath(name).suffix.lower().lstrip(".") not in EXTENSIONS:
        raise ImageError("the name does not end as that of a PNG, JPEG or WebP picture; convert it and send it again", name)
    return Picture(name, content)


def pixels(picture: Picture) -> np.ndarray:
    """uint8 (h, w, 3), upright. Raises ImageError with one reason, before decoding where the size or the format is the reason."""
    kind = sniff(picture.content[:16])
    if kind is not None and kind not in FORMATS:
        raise ImageError(f"a {kind} file by its content; save it as PNG, JPEG or WebP", picture.title)
    return decode(picture.content, max_bytes=LARGEST)


def _scene(split: str) -> bytes:
    from zoo.data import scenes

    specification = scenes.specify(0, scenes.Scenes(), split)
    return png(scenes.render(specification, 256).image)


def _photographs() -> Path:
    specification = importlib.util.find_spec("skimage")
    if specification is None or specification.origin is None:
        raise FileNotFoundError(
            "the sample photographs come with scikit-image, which is not installed; run: pip install 'vision-zoo-keras[apps]'"
        )
    return Path(specification.origin).parent / "data"
