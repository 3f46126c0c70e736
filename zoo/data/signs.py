"""Traffic signs as vector drawings: what the Vienna Convention on Road Signs and Signals (1968) describes, as seen all over Europe.

A sign is painted flat, facing the viewer, as large as wanted, with antialiasing; `zoo.data.sign_scenes` puts it on a road. Drawings have
coordinates in [-1, 1], y downwards.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

RED, WHITE, BLUE, YELLOW, BLACK = (190, 28, 36), (244, 243, 238), (24, 84, 168), (246, 190, 22), (26, 26, 28)

FINE = 4
"""Each pixel is painted as 4 x 4 and averaged."""


class Brush:
    """Paints a drawing of [-1, 1] x [-1, 1] on a square of `side` pixels."""

    def __init__(self, side: int):
        self.half = side * FINE / 2
        self.image = Image.new("RGBA", (side * FINE, side * FINE))
        self.draw = ImageDraw.Draw(self.image)

    def polygon(self, points, colour) -> None:
        self.draw.polygon([tuple((1 + value) * self.half - 0.5 for value in point) for point in points], fill=colour)

    def disc(self, x: float, y: float, radius: float, colour) -> None:
        self.polygon(arc(x, y, radius, radius, 0, 360, 96), colour)

    def stroke(self, points, width: float, colour) -> None:
        """A thick line with round ends and corners."""
        for (ax, ay), (bx, by) in zip(points, points[1:], strict=False):
            length = math.hypot(bx - ax, by - ay) or 1.0
            nx, ny = -(by - ay) / length * width / 2, (bx - ax) / length * width / 2
            self.polygon([(ax + nx, ay + ny), (bx + nx, by + ny), (bx - nx, by - ny), (ax - nx, ay - ny)], colour)
        for x, y in points:
            self.disc(x, y, width / 2, colour)

    def text(self, letters: str, width: float, height: float, thickness: float, colour) -> None:
        """Letters side by side in a box of width x height around the middle."""
        step = width / (len(letters) - 0.25)
        for number, letter in enumerate(letters):
            left = -width / 2 + number * step
            for points in LETTERS[letter]:
                self.stroke([(left + 0.75 * step * x, (y - 0.5) * height) for x, y in points], thickness, colour)


def arc(x: float, y: float, across: float, down: float, start: float, stop: float, steps: int = 24) -> list[tuple[float, float]]:
    """Points of an elliptic arc in degrees, from the right over the bottom."""
    angles = [math.radians(start + (stop - start) * i / steps) for i in range(steps + 1)]
    return [(x + across * math.cos(angle), y + down * math.sin(angle)) for angle in angles]


LETTERS = {
    "0": [arc(0.5, 0.5, 0.45, 0.5, 0, 360)],
    "3": [arc(0.45, 0.26, 0.4, 0.26, -160, 90) + arc(0.45, 0.74, 0.48, 0.26, -90, 160)],
    "1": [[(0.2, 0.22), (0.6, 0.0), (0.6, 1.0)]],
    "7": [[(0.02, 0.0), (0.95, 0.0), (0.36, 1.0)]],
    "S": [arc(0.5, 0.25, 0.42, 0.25, -20, -270) + arc(0.5, 0.75, 0.42, 0.25, -90, 160)],
    "T": [[(0.0, 0.0), (1.0, 0.0)], [(0.5, 0.0), (0.5, 1.0)]],
    "O": [arc(0.5, 0.5, 0.45, 0.5, 0, 360)],
    "P": [[(0.12, 1.0), (0.12, 0.0), (0.5, 0.0)] + arc(0.5, 0.27, 0.42, 0.27, -90, 90) + [(0.12, 0.54)]],
}
"""Letter -> lines in a box of [0, 1] x [0, 1]."""


def _stop(brush: Brush) -> None:
    for radius, colour in ((1.0, WHITE), (0.94, RED)):
        brush.polygon(
            [
                (radius * math.cos(math.pi / 8 * k) / math.cos(math.pi / 8), radius * math.sin(math.pi / 8 * k) / math.cos(math.pi / 8))
                for k in range(1, 17, 2)
            ],
            colour,
        )
    brush.text("STOP", 1.5, 0.52, 0.13, WHITE)


def _give_way(brush: Brush) -> None:
    for radius, colour in ((1.0, RED), (0.6, WHITE)):
        brush.polygon(_rounded(-90 + 180, 1.12 * radius, 0.1), colour)


def _no_entry(brush: Brush) -> None:
    brush.disc(0, 0, 1.0, WHITE)
    brush.disc(0, 0, 0.95, RED)
    brush.polygon([(-0.72, -0.19), (0.72, -0.19), (0.72, 0.19), (-0.72, 0.19)], WHITE)


def _priority(brush: Brush) -> None:
    for radius, colour in ((1.0, BLACK), (0.96, WHITE), (0.66, YELLOW)):
        brush.polygon([(0, -radius), (radius, 0), (0, radius), (-radius, 0)], colour)


def _crossing(brush: Brush) -> None:
    brush.polygon([(-1, -1), (1, -1), (1, 1), (-1, 1)], WHITE)
    brush.polygon([(-0.94, -0.94), (0.94, -0.94), (0.94, 0.94), (-0.94, 0.94)], BLUE)
    brush.polygon([(0, -0.8), (0.86, 0.76), (-0.86, 0.76)], WHITE)
    for x in (-0.56, -0.28, 0.0, 0.28):  # the stripes on the road
        brush.polygon([(x + 0.05, 0.72), (x + 0.17, 0.72), (x + 0.19, 0.5), (x + 0.09, 0.5)], BLACK)
    brush.disc(0.03, -0.36, 0.1, BLACK)
    brush.stroke([(0.02, -0.18), (-0.02, 0.16)], 0.18, BLACK)
    for points in ([(-0.02, 0.16), (0.14, 0.36), (0.2, 0.6)], [(-0.02, 0.16), (-0.14, 0.38), (-0.28, 0.58)]):
        brush.stroke(points, 0.1, BLACK)
    for points in ([(0.04, -0.16), (0.2, 0.02), (0.26, 0.16)], [(0.0, -0.16), (-0.18, -0.02), (-0.2, 0.14)]):
        brush.stroke(points, 0.07, BLACK)


def _speed(digits: str) -> Callable[[Brush], None]:
    def paint(brush: Brush) -> None:
        for radius, colour in ((1.0, WHITE), (0.97, RED), (0.76, WHITE)):
            brush.disc(0, 0, radius, colour)
        width, height = (1.0, 0.68) if len(digits) == 2 else (1.12, 0.56)
        brush.text(digits, width, height, 0.16, BLACK)

    return paint


def _rounded(direction: float, radius: float, corner: float) -> list[tuple[float, float]]:
    """A triangle with rounded corners, one of them towards `direction` (degrees), its circle moved so that it fills the square."""
    points: list[tuple[float, float]] = []
    for k in range(3):
        angle = direction + 120 * k
        x, y = ((radius - 2 * corner) * turn(math.radians(angle)) for turn in (math.cos, math.sin))
        points += [(px, py - 0.26) for px, py in arc(x, y, corner, corner, angle - 60, angle + 60, 8)]
    return points


SIGNS: dict[str, Callable[[Brush], None]] = {
    "stop": _stop,
    "give way": _give_way,
    "speed limit 30": _speed("30"),
    "speed limit 70": _speed("70"),
    "speed limit 100": _speed("100"),
    "no entry": _no_entry,
    "priority road": _priority,
    "crossing": _crossing,
}
"""Kind -> how it is painted; the order is that of the classes. The three numbers differ in few pixels too, as 30, 50 and 80 do not."""


@functools.cache
def sign(kind: str, side: int = 256) -> np.ndarray:
    """A sign seen from the front: uint8 (side, side, 4), RGB and coverage. Raises ValueError for an unknown kind."""
    if kind not in SIGNS:
        raise ValueError(f"there is no sign {kind!r}; there are {', '.join(SIGNS)}")
    brush = Brush(side)
    SIGNS[kind](brush)
    return np.asarray(brush.image.reduce(FINE))
