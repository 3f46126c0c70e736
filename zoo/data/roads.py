"""Drawn roads to put signs on: sky, distance, roadside and lane in perspective, each time another one; and things that are no signs."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from zoo.data.signs import BLUE, RED, WHITE, YELLOW

FINE = 2
"""Drawn twice as large and averaged."""


def road(random: np.random.Generator, size: int) -> np.ndarray:
    """A road under some sky: uint8 (size, size, 3)."""
    side = size * FINE
    horizon, vanish = random.uniform(0.38, 0.6) * side, random.uniform(0.3, 0.7) * side
    image = Image.fromarray(_sky(random, side))
    brush = ImageDraw.Draw(image)
    _distance(brush, random, side, horizon)
    ground = _near(random, ((86, 120, 58), (130, 128, 80), (150, 135, 105), (120, 118, 112)))
    brush.rectangle((0, horizon, side, side), fill=ground)
    _lane(brush, random, side, horizon, vanish)
    for _ in range(int(random.integers(0, 4))):
        _thing(brush, random, side, horizon)
    pixels = np.asarray(image.reduce(FINE).filter(ImageFilter.GaussianBlur(float(random.uniform(0, 0.6)))), np.float32)
    return np.clip(pixels + _grain(random, size), 0, 255).astype(np.uint8)


def _sky(random: np.random.Generator, side: int) -> np.ndarray:
    top = np.array(_near(random, ((92, 146, 212), (150, 170, 190), (196, 200, 204), (70, 96, 150), (220, 190, 160))), np.float32)
    low = top + (235 - top) * random.uniform(0.3, 0.8)
    ramp = np.clip(np.linspace(0, 1.8, side), 0, 1)[:, None, None]
    clouds = np.asarray(Image.fromarray(random.random((6, 6)).astype(np.float32)).resize((side, side), Image.Resampling.BICUBIC))
    pixels = top + (low - top) * ramp + random.uniform(0, 50) * (np.clip(clouds, 0.5, 1)[..., None] - 0.5)
    return np.clip(np.broadcast_to(pixels, (side, side, 3)), 0, 255).astype(np.uint8)


def _distance(brush: ImageDraw.ImageDraw, random: np.random.Generator, side: int, horizon: float) -> None:
    """Hills or woods, and now and then a row of houses with windows."""
    for depth in range(2):
        colour = _near(random, ((60, 88, 62), (92, 110, 96), (120, 130, 140), (84, 76, 60)))
        heights = horizon - side * random.uniform(0.02, 0.16 - 0.05 * depth, 14) * random.uniform(0.3, 1.2)
        brush.polygon([(0, horizon), *zip(np.linspace(0, side, 14), heights, strict=True), (side, horizon)], fill=colour)
    if random.random() < 0.5:
        left = random.uniform(-0.2, 0.9) * side
        for _ in range(int(random.integers(1, 5))):
            across, top = random.uniform(0.08, 0.22) * side, horizon - random.uniform(0.08, 0.34) * side
            brush.rectangle(
                (left, top, left + across, horizon + 0.02 * side), fill=_near(random, ((176, 150, 130), (150, 90, 76), (190, 188, 180)))
            )
            for x in np.arange(left + 0.15 * across, left + across - 2, 0.28 * across):
                for y in np.arange(top + 0.03 * side, horizon - 0.03 * side, 0.06 * side):
                    brush.rectangle((x, y, x + 0.14 * across, y + 0.03 * side), fill=(62, 70, 84))
            left += across * random.uniform(1.0, 1.4)


def _lane(brush: ImageDraw.ImageDraw, random: np.random.Generator, side: int, horizon: float, vanish: float) -> None:
    grey = float(random.uniform(70, 135))
    left, right = vanish - random.uniform(0.5, 1.1) * side, vanish + random.uniform(0.5, 1.1) * side

    def strip(start: float, stop: float, at: float, across: float, colour) -> None:
        """A piece of a line on the road: `at` 0 left border, 1 right border; start and stop in [0, 1] from the horizon down."""
        points = []
        for depth, edge in ((start, -across), (start, across), (stop, across), (stop, -across)):
            x = left + (right - left) * (at + edge / 2)
            points.append((vanish + (x - vanish) * depth, horizon + (side - horizon) * depth))
        brush.polygon(points, fill=colour)

    strip(0.0, 1.0, 0.5, 1.0, (int(grey), int(grey), int(grey + 4)))
    paint = _near(random, ((236, 236, 230), (226, 196, 96)))
    for border in (0.06, 0.94):
        strip(0.02, 1.0, border, 0.012, paint)
    for number in range(1, 7):
        strip(0.72**number, 0.72**number * 1.2, 0.5, 0.014, paint)


def _thing(brush: ImageDraw.ImageDraw, random: np.random.Generator, side: int, horizon: float) -> None:
    """A tree, a lamp post, a plain panel, or a car's back: some have a sign's colour or shape, none has its face."""
    x, scale = random.uniform(0, 1) * side, random.uniform(0.06, 0.25) * side
    foot = horizon + random.uniform(0.0, 0.25) * side
    kind = int(random.integers(4))
    if kind == 0:
        brush.rectangle((x - 0.06 * scale, foot - 1.5 * scale, x + 0.06 * scale, foot), fill=(84, 64, 46))
        for _ in range(7):
            dx, dy = random.uniform(-0.4, 0.4, 2) * scale
            leaf = _near(random, ((52, 92, 44), (78, 116, 52), (120, 110, 48)))
            brush.ellipse(
                (x + dx - 0.4 * scale, foot - 1.7 * scale + dy - 0.4 * scale, x + dx + 0.4 * scale, foot - 1.7 * scale + dy + 0.4 * scale),
                fill=leaf,
            )
    elif kind == 1:
        brush.line(
            (x, foot, x, foot - 3 * scale, x + 0.5 * scale, foot - 3.1 * scale), fill=(110, 112, 116), width=max(2, int(0.06 * scale))
        )
    elif kind == 2:
        colour = _near(random, (RED, BLUE, YELLOW, WHITE, (60, 140, 90)))
        box = (x - scale, foot - 2 * scale, x + scale * random.uniform(-0.4, 1), foot - 2 * scale + scale * random.uniform(0.5, 1.2))
        brush.line((x - 0.5 * scale, foot, x - 0.5 * scale, foot - 2 * scale), fill=(120, 120, 120), width=3)
        (brush.rectangle, brush.ellipse)[int(random.integers(2))](box, fill=colour)
    else:
        body = _near(random, ((180, 30, 36), (40, 60, 110), (210, 210, 206), (50, 52, 56)))
        brush.rounded_rectangle((x - scale, foot - 0.8 * scale, x + scale, foot), 0.2 * scale, fill=body)
        brush.rounded_rectangle((x - 0.7 * scale, foot - 1.3 * scale, x + 0.7 * scale, foot - 0.7 * scale), 0.15 * scale, fill=body)
        brush.rectangle((x - 0.58 * scale, foot - 1.2 * scale, x + 0.58 * scale, foot - 0.8 * scale), fill=(50, 60, 72))
        for end in (-1, 1):
            brush.ellipse(
                (x + end * 0.8 * scale - 0.14 * scale, foot - 0.62 * scale, x + end * 0.8 * scale + 0.14 * scale, foot - 0.34 * scale),
                fill=(214, 34, 30),
            )
            brush.rectangle(
                (x + end * 0.72 * scale - 0.16 * scale, foot - 0.05 * scale, x + end * 0.72 * scale + 0.16 * scale, foot + 0.12 * scale),
                fill=(24, 24, 26),
            )


def _near(random: np.random.Generator, colours) -> tuple[int, int, int]:
    """One of the colours, a little off."""
    chosen = np.array(colours[int(random.integers(len(colours)))]) * random.uniform(0.85, 1.15) + random.uniform(-10, 10, 3)
    red, green, blue = (int(value) for value in np.clip(chosen, 0, 255))
    return red, green, blue


def _grain(random: np.random.Generator, size: int) -> np.ndarray:
    """Texture of two sizes of grain: float32 (size, size, 1), in grey levels."""
    coarse = Image.fromarray(random.normal(0, 6, (size // 6 + 1, size // 6 + 1)).astype(np.float32)).resize(
        (size, size), Image.Resampling.BILINEAR
    )
    return (np.asarray(coarse) + random.normal(0, 3, (size, size)).astype(np.float32))[..., None]
