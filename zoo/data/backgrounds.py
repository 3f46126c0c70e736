"""Real surfaces to put objects on: crops of the photographs and textures that scikit-image ships in its wheel.

They are read from the installed package's data folder: no download, and not a line of scikit-image is run. Grey textures are
tinted by two colours, dark and light, as a duotone print.
"""

from __future__ import annotations

import functools
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Surface:
    """file: name in scikit-image's data folder; region: usable pixels (left, top, right, bottom);
    phrase: how a caption speaks of it; tint: RGB of black and white for grey textures; turns: True where up does not matter."""

    file: str
    region: tuple[int, int, int, int]
    phrase: str
    tint: tuple[tuple[int, int, int], tuple[int, int, int]] | None = None
    turns: bool = True


SURFACES = {
    "grass": Surface("grass.png", (0, 0, 512, 512), "on grass", ((10, 40, 10), (190, 225, 120))),
    "gravel": Surface("gravel.png", (0, 0, 512, 512), "on gravel", ((45, 40, 40), (235, 220, 195))),
    "bricks": Surface("brick.png", (0, 0, 512, 512), "on bricks", ((80, 20, 10), (245, 170, 135))),
    "stars": Surface("hubble_deep_field.jpg", (0, 0, 1000, 872), "among stars"),
    "sky": Surface("rocket.jpg", (0, 0, 285, 330), "against an evening sky", turns=False),
    "wood": Surface("coffee.png", (478, 0, 600, 400), "on a wooden table"),
}


@dataclass(frozen=True)
class Backdrop:
    """Which piece of which surface: `side` is a fraction of the region's shorter side, `left` and `top` fractions of what is
    free beside it; `turn` counts quarter turns; `gain` multiplies red, green and blue."""

    name: str
    left: float
    top: float
    side: float
    mirrored: bool
    turn: int
    gain: tuple[float, float, float]


def choose(name: str, random: np.random.Generator, cast: float = 0.06) -> Backdrop:
    """A random piece of the surface `name`; its light varies by 15 % and each colour channel by up to the fraction `cast` more."""
    left, top, side, light = random.random(4).tolist()
    gain = (0.85 + 0.3 * light) * random.uniform(1 - cast, 1 + cast, 3)
    turn = int(random.integers(4)) if SURFACES[name].turns else 0
    return Backdrop(name, left, top, 0.4 + 0.5 * side, bool(random.integers(2)), turn, tuple(gain.tolist()))


def paint(backdrop: Backdrop, size: int) -> np.ndarray:
    """The piece as float32 (size, size, 3) in [0, 255]."""
    surface = _surface(backdrop.name)
    side = backdrop.side * min(surface.size)
    left, top = backdrop.left * (surface.width - side), backdrop.top * (surface.height - side)
    piece = np.asarray(surface.resize((size, size), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side)))
    piece = np.rot90(piece[:, ::-1] if backdrop.mirrored else piece, backdrop.turn)
    return np.clip(piece * np.asarray(backdrop.gain, np.float32), 0, 255)


@functools.cache
def _surface(name: str) -> Image.Image:
    surface = SURFACES[name]
    with Image.open(folder() / surface.file) as file:
        image = file.crop(surface.region)
    if surface.tint is None:
        return image.convert("RGB")
    grey = np.asarray(image.convert("L"), np.float32)[..., None] / 255
    dark, light = (np.asarray(colour, np.float32) for colour in surface.tint)
    return Image.fromarray((dark + grey * (light - dark)).round().astype(np.uint8))


def folder() -> Path:
    """The data folder of the installed scikit-image; ModuleNotFoundError with the cure when it is not installed."""
    package = importlib.util.find_spec("skimage")
    if package is None or package.origin is None:
        raise ModuleNotFoundError(
            "the scenes are composed over the photographs that scikit-image ships, and scikit-image is not installed;"
            " install the projects extra: pip install 'vision-zoo-keras[projects]'",
            name="skimage",
        )
    path = Path(package.origin).parent / "data"
    missing = sorted({surface.file for surface in SURFACES.values() if not (path / surface.file).is_file()})
    if missing:
        raise FileNotFoundError(
            f"the installed scikit-image lacks {', '.join(missing)} in {path}; install scikit-image>=0.25 from its wheel"
        )
    return path
