"""Traffic signs on roads, with everything their labels say: drawn signs or given ones, on drawn roads or given frames.

A picture is a pure function of the configuration, the split and the index, as the scenes of `zoo.data.scenes` are. Nothing learned here is
a result on real roads; it is a start that needs no photographs, and a training set whose truth is known to the pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from zoo.data.objects import ObjectExamples, Objects, ObjectSet
from zoo.data.roads import road
from zoo.data.scenes import tight_box
from zoo.data.signs import SIGNS, sign

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class SignScenes:
    """A configuration.

    size:   side of the pictures in pixels.
    train, validation, test: pictures of each split.
    seed:   another seed is another collection.
    signs:  fewest and most signs of a picture; 0 gives pictures without any.
    scale:  longer side of a sign as a fraction of the picture's, smallest and largest; small ones are more frequent, as far away is.
    tilt:   how far a sign's corners are moved by perspective, as a fraction of its side.
    frames: pictures uint8 (h, w, 3) to use instead of drawn roads; each split gets its own third or more of them. None draws.
    faces:  {class: pictures uint8 (h, w, 3 or 4)} to use instead of drawn signs; each split gets its own ones. None draws.
    margin: how far the border of a given picture without coverage lies outside the sign, as a fraction of its side.
    """

    size: int = 128
    train: int = 600
    validation: int = 150
    test: int = 150
    seed: int = 0
    signs: tuple[int, int] = (0, 3)
    scale: tuple[float, float] = (0.15, 0.5)
    tilt: float = 0.12
    frames: tuple[np.ndarray, ...] | None = None
    faces: dict[str, list[np.ndarray]] | None = None
    margin: float = 0.1

    def __post_init__(self):
        if self.size < 32:
            raise ValueError(f"signs need pictures of at least 32 pixels a side to be legible, got size={self.size}")
        if not 0 <= self.signs[0] <= self.signs[1] or not self.signs[1]:
            raise ValueError(f"signs must be (fewest, most) with 0 <= fewest <= most and most >= 1, got {self.signs!r}")
        if not 0 < self.scale[0] <= self.scale[1] <= 0.9:
            raise ValueError(f"scale must be (smallest, largest) with 0 < smallest <= largest <= 0.9, got {self.scale!r}")
        for name, pictures in (("frames", {"": self.frames} if self.frames is not None else {}), ("faces", self.faces or {})):
            few = [kind for kind, each in pictures.items() if len(each or ()) < len(SPLITS)]
            if few:
                raise ValueError(f"{name} {few[0]} must have at least {len(SPLITS)} pictures, one for each split")

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.faces or SIGNS)


def sign_scenes(config: SignScenes | None = None) -> ObjectSet:
    """The pictures as a detection dataset with train, validation and test; objects have masks."""
    config = config or SignScenes()
    splits = {}
    for split in SPLITS:
        made = [compose(index, config, split) for index in range(getattr(config, split))]
        images = np.stack([image for image, _ in made]) if made else np.zeros((0, config.size, config.size, 3), np.uint8)
        splits[split] = ObjectExamples(images, [objects for _, objects in made])
    what = f"{'drawn' if config.faces is None else 'given'} signs on {'drawn roads' if config.frames is None else 'given pictures'}"
    notes = (
        f"Composed pictures: {what}. Nothing here is a result on real roads.",
        "A mirrored sign is another sign or none: train without flips, ObjectAugment(flip=False).",
    )
    return ObjectSet("scenes:signs", "generated", config.classes, splits, notes)


def compose(index: int, config: SignScenes, split: str) -> tuple[np.ndarray, Objects]:
    """Picture `index` of a split: (uint8 (size, size, 3), its signs)."""
    random = np.random.default_rng((config.seed, SPLITS.index(split), index))
    side = config.size
    canvas = _ground(config, split, random).astype(np.float32)
    light = random.uniform(0.45, 1.15)
    faces: list[tuple[np.ndarray, np.ndarray]] = []
    masks: list[np.ndarray] = []
    classes: list[int] = []
    for number in range(int(random.integers(config.signs[0], config.signs[1] + 1))):
        # every class gets its turn as the first sign, so that none is rare
        label = index % len(config.classes) if number == 0 else int(random.integers(len(config.classes)))
        placed = _place(_face(config, split, label, random), config, random, masks)
        if placed is not None:
            faces.append(placed)
            masks.append(placed[1] >= 0.5)
            classes.append(label)
            _pole(canvas, masks[-1], random)
    for colours, coverage in faces:  # after all poles: no sign stands behind a pole
        canvas += coverage[..., None] * (colours * light * random.uniform(0.9, 1.1, 3) - canvas)
    boxes = np.array([tight_box(mask) for mask in masks], np.float32).reshape(-1, 4)
    all_masks = np.stack(masks) if masks else np.zeros((0, side, side), bool)
    return _camera(canvas, random), Objects(boxes, np.array(classes, np.int64), masks=all_masks)


def _ground(config: SignScenes, split: str, random: np.random.Generator) -> np.ndarray:
    """A road, or a random square of one of the split's frames."""
    if config.frames is None:
        return road(random, config.size)
    mine = _share(config.frames, split)
    frame = mine[int(random.integers(len(mine)))]
    height, width = frame.shape[:2]
    part = random.uniform(0.6, 1.0) * min(height, width)
    left, top = random.uniform(0, width - part), random.uniform(0, height - part)
    piece = Image.fromarray(frame).resize((config.size, config.size), Image.Resampling.BILINEAR, box=(left, top, left + part, top + part))
    return np.asarray(piece)[:, ::-1] if random.random() < 0.5 else np.asarray(piece)


def _face(config: SignScenes, split: str, label: int, random: np.random.Generator) -> np.ndarray:
    """A sign from the front: uint8 (h, w, 4), RGB and coverage."""
    kind = config.classes[label]
    if config.faces is None:
        return sign(kind)
    mine = _share(config.faces[kind], split)
    face = mine[int(random.integers(len(mine)))]
    return face if face.shape[2] == 4 else np.dstack([face, _soft(face.shape[:2], config.margin)])


def _soft(shape, margin: float) -> np.ndarray:
    """Coverage of a picture that shows a sign and a margin around it: falls from all to nothing across twice the margin."""
    y, x = (np.abs(2 * (np.arange(side) + 0.5) / side - 1) for side in shape)
    reach = (np.maximum(y[:, None], x) ** 6 + np.minimum(y[:, None], x) ** 6) ** (1 / 6)  # a square with round corners
    return (255 * np.clip((1 - reach) / max(4 * margin, 1e-3), 0, 1)).astype(np.uint8)


def _share(pictures, split: str):
    """The pictures of a split: of any number 60 % for train, the rest divided; at least one each."""
    count = len(pictures)
    first = min(max(1, round(0.6 * count)), count - 2)
    second = first + max(1, (count - first) // 2)
    return pictures[slice(*{"train": (0, first), "validation": (first, second), "test": (second, count)}[split])]


def _place(face: np.ndarray, config: SignScenes, random: np.random.Generator, others: list[np.ndarray]):
    """The face in perspective on an empty picture: (colours (h, w, 3), coverage (h, w) in [0, 1]); None if there is no place."""
    side = config.size
    low, high = config.scale
    scale = low * (high / low) ** (random.random() ** 1.5)
    aspect = face.shape[1] / face.shape[0]
    half = np.array([min(aspect, 1.0), min(1 / aspect, 1.0)]) * scale * side / 2
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * half
    corners[:, 0] *= random.uniform(0.75, 1.0)  # seen from the side
    corners += random.uniform(-config.tilt, config.tilt, (4, 2)) * half
    angle = np.radians(random.normal(0, 4))
    corners = corners @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    reach = np.abs(corners).max(axis=0) + 1
    taken = np.any(others, axis=0) if others else np.zeros((side, side), bool)
    for _ in range(12):
        centre = reach + random.random(2) * np.maximum((side, 0.85 * side) - 2 * reach, 0)
        left, top = np.floor(np.maximum(centre - reach, 0)).astype(int)
        right, bottom = np.ceil(centre + reach).astype(int)
        if not taken[top:bottom, left:right].any():
            return _project(face, corners + centre, side, scale * side)
    return None


def _project(face: np.ndarray, corners: np.ndarray, side: int, length: float) -> tuple[np.ndarray, np.ndarray]:
    """The face stretched over four corners (x, y; clockwise from the upper left) of an empty picture."""
    flat = Image.fromarray(face)
    factor = max(1, int(max(face.shape[:2]) / max(length, 1)))
    flat = flat.convert("RGBa").reduce(factor)  # colours times coverage, so that the border does not darken
    width, height = flat.size
    equations, goal = [], []
    for (x, y), (u, v) in zip(corners, ((0, 0), (width, 0), (width, height), (0, height)), strict=True):
        equations += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        goal += [u, v]
    numbers = np.linalg.solve(np.array(equations), np.array(goal)).tolist()
    pixels = np.asarray(flat.transform((side, side), Image.Transform.PERSPECTIVE, numbers, Image.Resampling.BILINEAR), np.float32)
    coverage = pixels[..., 3] / 255
    return pixels[..., :3] / np.maximum(coverage, 1 / 255)[..., None], coverage


def _pole(canvas: np.ndarray, mask: np.ndarray, random: np.random.Generator) -> None:
    """A grey pole from the sign down, in four of five pictures."""
    if random.random() < 0.2:
        return
    left, _, right, bottom = tight_box(mask)
    x, half = (left + right) / 2, max(0.6, 0.035 * (right - left))
    image = Image.new("L", canvas.shape[1::-1])
    ImageDraw.Draw(image).rectangle((x - half, bottom - 2, x + half, bottom + 3.0 * (right - left)), fill=255)
    grey = random.uniform(80, 170)
    canvas += (np.asarray(image, np.float32) / 255)[..., None] * (grey - canvas)


def _camera(canvas: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """What air and camera do: haze, light, blur, noise."""
    haze = random.uniform(0, 0.25) if random.random() < 0.4 else 0.0
    canvas = (canvas + haze * (205 - canvas)) * random.uniform(0.6, 1.15)
    image = Image.fromarray(np.clip(canvas, 0, 255).astype(np.uint8))
    image = image.filter(ImageFilter.GaussianBlur(float(random.uniform(0, 0.9)) if random.random() < 0.6 else 0.0))
    noise = random.normal(0, random.uniform(0, 5), canvas.shape)
    return np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8)
