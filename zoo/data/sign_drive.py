"""A drive past traffic signs, frame by frame, with the truth about every one: what a video of generated signs is made of.

The camera goes straight ahead at a steady speed, so a sign at the distance d is seen 1 / d as large and 1 / d as far from the vanishing
point: it creeps for long and rushes past at last. The road behind stands still. As with `zoo.data.sign_scenes`, nothing learned or measured
here is a result on real roads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from zoo.data.objects import Objects
from zoo.data.roads import road
from zoo.data.scenes import tight_box
from zoo.data.sign_scenes import _pole, _project
from zoo.data.signs import SIGNS, sign

FIRST, LAST = 0.1, 0.7
"""Side of a sign as a share of the picture's when it appears, and when it is gone."""
ASIDE, ABOVE = 1.25, 0.3
"""How far from the vanishing point a sign stands, in its own sides: to the right or left, and up."""
VANISH = (0.5, 0.45)
LEAST = 16
"""Pixels of a sign that must be inside the picture for it to be an object."""


@dataclass(frozen=True)
class SignDrive:
    """A configuration.

    size:  side of the frames in pixels. seed: another seed is another road, with other signs.
    signs: how many are passed, one after the other, on the right and on the left in turns.
    gap:   frames from one sign to the next. life: frames from the appearance of a sign to its end.
    """

    size: int = 256
    signs: int = 8
    gap: int = 20
    life: int = 36
    seed: int = 0

    def __post_init__(self):
        if self.size < 64 or min(self.signs, self.gap) < 1 or self.life < 2:
            raise ValueError(f"wanted size >= 64, signs >= 1, gap >= 1 and life >= 2, got {self}")

    @property
    def frames(self) -> int:
        """How many frames the drive has."""
        return (self.signs - 1) * self.gap + self.life

    @property
    def classes(self) -> np.ndarray:
        """The class of each sign, in the order in which they come: int64 (signs,), numbers of `zoo.data.signs.SIGNS`."""
        random = np.random.default_rng((self.seed, 7))
        return np.concatenate([random.permutation(len(SIGNS)) for _ in range(-(-self.signs // len(SIGNS)))])[: self.signs]


def sign_drive(config: SignDrive | None = None) -> Iterator[tuple[np.ndarray, Objects]]:
    """The frames one after the other: (uint8 (size, size, 3), its signs, those in the distance first, with the attribute "number").

    Only one frame is in memory at a time.
    """
    config = config or SignDrive()
    ground = road(np.random.default_rng((config.seed, 8)), config.size).astype(np.float32)
    for frame in range(config.frames):
        yield _frame(config, ground.copy(), frame)


def side(config: SignDrive, number: int, frame: int) -> float:
    """Side of a sign in a frame as a share of the picture's; 0 before it appears and after it is gone. Its inverse falls evenly."""
    age = (frame - number * config.gap) / (config.life - 1)
    return 1 / (1 / FIRST + age * (1 / LAST - 1 / FIRST)) if 0 <= age <= 1 else 0.0


def _frame(config: SignDrive, canvas: np.ndarray, frame: int) -> tuple[np.ndarray, Objects]:
    boxes, classes, numbers, painted = [], [], [], []
    for number in range(config.signs - 1, -1, -1):
        share = side(config, number, frame)
        if not share:
            continue
        random = np.random.default_rng((config.seed, 9, number))
        label = int(config.classes[number])
        colours, coverage = _project(sign(list(SIGNS)[label]), _corners(config, number, share), config.size, share * config.size)
        mask = coverage >= 0.5
        if mask.any():
            _pole(canvas, mask, random)
            painted.append((colours * random.uniform(0.6, 1.1), coverage))
        if mask.sum() >= LEAST:
            boxes.append(tight_box(mask))
            classes.append(label)
            numbers.append(number)
    for colours, coverage in painted:  # after all poles: no sign stands behind a pole
        canvas += coverage[..., None] * (colours - canvas)
    found = Objects(np.array(boxes).reshape(-1, 4), np.array(classes, np.int64), attributes={"number": np.array(numbers, np.int64)})
    return np.clip(canvas, 0, 255).astype(np.uint8), found


def _corners(config: SignDrive, number: int, share: float) -> np.ndarray:
    """Where the corners of a sign are seen: (4, 2) x, y in pixels, clockwise from the upper left."""
    way = 1 if number % 2 == 0 else -1
    centre = np.array([VANISH[0] + way * ASIDE * share, VANISH[1] - ABOVE * share])
    return config.size * (centre + share / 2 * np.array([(-0.95, -1), (0.95, -1), (0.95, 1), (-0.95, 1)]))
