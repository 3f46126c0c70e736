"""The objects of the scenes: vector drawings that people recognise, painted with antialiasing, shading and any colours.

A drawing is a list of polygons in its own coordinates: about [-1, 1] in x and y, y downwards, later parts over earlier ones.
Every part belongs to the object's mask. The colours are roles, filled by a palette: an object's class is in its form only.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

OVERSAMPLING = 4
"""Each pixel is painted as 4 x 4 and averaged: 17 levels of coverage."""

CLASSES = ("boat", "house", "tree", "fish", "mushroom", "car")
DISTRACTORS = ("ball", "kite", "star")
KINDS = CLASSES + DISTRACTORS
"""The things that carry a label first, in the order of the labels, then those that only distract."""


@dataclass(frozen=True)
class Drawing:
    """parts: (polygon float (n, 2), role) from back to front; keypoints: name -> (x, y), each inside the drawing."""

    parts: tuple[tuple[np.ndarray, str], ...]
    keypoints: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Pose:
    """Where a drawing stands in a unit image: `centre` of its box, `size` of the box's longer side (fractions of the image's
    side), `angle` in degrees counter-clockwise, `mirrored` left to right before turning."""

    centre: tuple[float, float]
    size: float
    angle: float = 0.0
    mirrored: bool = False


def keypoint_names(kind: str) -> tuple[str, ...]:
    """What the keypoints of a kind are called, in their order; every kind has four."""
    return tuple(drawing(kind).keypoints)


def place(kind: str, pose: Pose) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """A posed drawing in fractions of the image: polygons, box (4,) xyxy around all of them, and keypoints (k, 2)."""
    sketch = drawing(kind)
    polygons = [polygon for polygon, _ in sketch.parts]
    joined = _turn(np.concatenate([*polygons, np.array(list(sketch.keypoints.values()))]), pose)
    count = len(sketch.keypoints)
    low, high = joined[:-count].min(axis=0), joined[:-count].max(axis=0)
    scale = pose.size / (high - low).max()
    joined = (joined - (low + high) / 2) * scale + np.asarray(pose.centre)
    half = (high - low) / 2 * scale
    box = np.concatenate([pose.centre - half, pose.centre + half])
    cuts = np.cumsum([len(polygon) for polygon in polygons])
    return np.split(joined[:-count], cuts[:-1]), box, joined[-count:]


def paint(
    kind: str, pose: Pose, size: int, colours: dict[str, tuple[float, float, float]]
) -> tuple[np.ndarray, np.ndarray, tuple[slice, slice]]:
    """Paint a posed drawing for an image of `size` x `size` pixels.

    Returns the light it adds (h, w, 3) float32 in [0, 255], already multiplied by its coverage, the coverage (h, w) in
    [0, 1], and the window (rows, columns) of the image where both belong.
    """
    polygons, box, _ = place(kind, pose)
    left, top = (max(int(math.floor(value * size)), 0) for value in box[:2])
    right, bottom = (min(int(math.ceil(value * size)), size) for value in box[2:])
    fine = ((right - left) * OVERSAMPLING, (bottom - top) * OVERSAMPLING)
    canvas, mask = Image.new("RGB", fine), Image.new("L", fine)
    brush, stencil = ImageDraw.Draw(canvas), ImageDraw.Draw(mask)
    for polygon, (_, role) in zip(polygons, drawing(kind).parts, strict=True):
        # PIL names a pixel by its centre, geometry by its corner: half a fine pixel lies between.
        points = ((polygon * size - (left, top)) * OVERSAMPLING - 0.5).ravel().tolist()
        brush.polygon(points, fill=tuple(int(value) for value in colours[role]))
        stencil.polygon(points, fill=255)
    light = np.asarray(canvas.reduce(OVERSAMPLING), np.float32) * _shade(bottom - top, right - left)
    coverage = np.asarray(mask.reduce(OVERSAMPLING), np.float32) / 255
    return np.minimum(light, 255), coverage, (slice(top, bottom), slice(left, right))


def palette(main, accent) -> dict[str, tuple[float, float, float]]:
    """The colours of all roles from an object's two colours, RGB in [0, 255]."""
    main, accent = np.asarray(main, float), np.asarray(accent, float)
    roles = {
        "main": main,
        "shade": main * 0.68,
        "pale": main * 0.35 + 255 * 0.62,
        "accent": accent,
        "accent_shade": accent * 0.7,
        "white": np.array((246.0, 243.0, 236.0)),
        "cream": np.array((236.0, 222.0, 190.0)),
        "timber": np.array((112.0, 76.0, 48.0)),
        "glass": np.array((188.0, 222.0, 238.0)),
        "ink": np.array((38.0, 36.0, 44.0)),
    }
    return {role: tuple(colour.tolist()) for role, colour in roles.items()}


def _turn(points: np.ndarray, pose: Pose) -> np.ndarray:
    cos, sin = math.cos(math.radians(pose.angle)), math.sin(math.radians(pose.angle))
    flip = -1.0 if pose.mirrored else 1.0
    return points @ np.array([[flip * cos, -flip * sin], [sin, cos]])


@functools.cache
def _shade(height: int, width: int) -> np.ndarray:
    """Light from the upper left: a factor falling from 1.15 to 0.78 across the box, float32 (h, w, 1)."""
    y, x = np.mgrid[:height, :width] / max(height, width, 1)
    return (1.15 - 0.185 * (x + y))[..., None].astype(np.float32)


@functools.cache
def drawing(kind: str) -> Drawing:
    """The drawing of a kind; an unknown one raises with the kinds there are."""
    if kind not in KINDS:
        raise ValueError(f"there is no object {kind!r}; there are {', '.join(KINDS)}")
    parts, keypoints = _DRAWINGS[kind]()
    return Drawing(tuple((np.asarray(points, float), role) for points, role in parts), keypoints)


def _boat():
    parts = [
        (_box(-0.06, -0.97, 0.06, 0.5), "timber"),
        ([(-0.06, -0.98), (-0.45, -0.86), (-0.06, -0.72)], "accent"),
        (_curve((0.12, -0.8), (0.62, -0.35), (0.86, 0.26), end=(0.12, 0.26)), "white"),
        (_curve((-0.1, -0.62), (-0.34, -0.2), (-0.66, 0.26), end=(-0.1, 0.26)), "pale"),
        ([(0.12, 0.02), (0.76, 0.02), (0.86, 0.26), (0.12, 0.26)], "accent"),
        ([(-0.95, 0.38), (0.98, 0.38), (0.84, 0.62), (0.6, 0.86), (-0.62, 0.86), (-0.82, 0.64)], "main"),
        ([(-0.82, 0.64), (0.83, 0.64), (0.6, 0.86), (-0.62, 0.86)], "shade"),
        ([(-0.95, 0.38), (0.98, 0.38), (0.94, 0.46), (-0.92, 0.46)], "white"),
    ]
    return parts, {"masthead": (0.0, -0.85), "bow": (0.84, 0.47), "stern": (-0.82, 0.47), "keel": (0.0, 0.75)}


def _house():
    parts = [
        (_box(0.38, -0.82, 0.6, -0.2), "shade"),
        (_box(-0.72, -0.2, 0.72, 0.9), "main"),
        ([(-0.98, -0.04), (-0.86, -0.2), (0.0, -0.9), (0.86, -0.2), (0.98, -0.04)], "accent"),
        ([(-0.98, -0.04), (-0.92, -0.12), (0.92, -0.12), (0.98, -0.04)], "accent_shade"),
        (_box(-0.17, 0.32, 0.17, 0.9), "timber"),
        (_disc(0.1, 0.62, 0.035), "cream"),
    ]
    for x in (-0.56, 0.26):
        parts += [(_box(x, 0.1, x + 0.3, 0.44), "white"), (_box(x + 0.045, 0.145, x + 0.255, 0.395), "glass")]
        parts += [(_box(x + 0.13, 0.1, x + 0.17, 0.44), "white"), (_box(x, 0.25, x + 0.3, 0.29), "white")]
    return parts, {"ridge": (0.0, -0.72), "left eave": (-0.82, -0.12), "right eave": (0.82, -0.12), "door": (0.0, 0.6)}


def _tree():
    parts = [(_box(-0.14, 0.5, 0.14, 0.97), "timber")]
    for top, bottom, half, role in ((-0.2, 0.62, 0.74, "shade"), (-0.6, 0.2, 0.58, "main"), (-0.97, -0.22, 0.42, "pale")):
        teeth = [(half * x, bottom - (0.1 if i % 2 else 0.0)) for i, x in enumerate((1, 0.66, 0.33, 0, -0.33, -0.66, -1))]
        parts += [([(0.0, top), *teeth], role)]
    for x, y in ((-0.3, 0.34), (0.34, 0.36), (0.05, 0.02), (-0.16, -0.42)):
        parts.append((_disc(x, y, 0.06), "accent"))
    return parts, {"tip": (0.0, -0.75), "left branch": (-0.55, 0.5), "right branch": (0.55, 0.5), "trunk": (0.0, 0.8)}


def _fish():
    body = _disc(0.14, 0.0, 0.72, 0.44)
    parts = [
        ([(-0.4, 0.0), (-0.82, -0.48), (-0.98, -0.46), (-0.82, 0.0), (-0.98, 0.46), (-0.82, 0.48)], "accent"),
        ([(-0.24, -0.3), (0.0, -0.66), (0.3, -0.62), (0.42, -0.34)], "accent"),
        ([(0.0, 0.34), (-0.08, 0.66), (0.2, 0.6), (0.3, 0.36)], "accent_shade"),
        (body, "main"),
        (_disc(0.16, 0.14, 0.62, 0.27), "pale"),
        (_disc(0.16, 0.03, 0.66, 0.27), "main"),
        ([(-0.14, -0.36), (-0.02, -0.4), (0.02, 0.0), (-0.02, 0.4), (-0.14, 0.36), (-0.1, 0.0)], "shade"),
        ([(0.16, -0.43), (0.28, -0.42), (0.32, 0.0), (0.28, 0.42), (0.16, 0.43), (0.2, 0.0)], "shade"),
        (_disc(0.56, -0.13, 0.11), "white"),
        (_disc(0.59, -0.13, 0.06), "ink"),
        ([(0.86, 0.02), (0.66, 0.1), (0.68, 0.14), (0.83, 0.1)], "ink"),
    ]
    return parts, {"mouth": (0.78, 0.05), "eye": (0.56, -0.13), "tail": (-0.72, 0.0), "fin": (0.14, -0.54)}


def _mushroom():
    parts = [
        (_curve((-0.2, 0.0), (-0.18, 0.5), (-0.36, 0.86), end=(0.0, 0.95)) + _curve((0.36, 0.86), (0.18, 0.5), (0.2, 0.0)), "cream"),
        (_disc(0.0, 0.08, 0.92, 0.17), "accent_shade"),
        (_disc(0.0, 0.1, 0.55, 0.1), "cream"),
        (_disc(0.0, 0.08, 0.94, 0.98, 180, 360) + _curve((0.94, 0.08), (0.0, -0.2), (-0.94, 0.08)), "main"),
        ([(-0.24, 0.34), (0.24, 0.34), (0.34, 0.48), (0.0, 0.54), (-0.34, 0.48)], "white"),
    ]
    for x, y, radius in (
        (-0.5, -0.32, 0.13),
        (0.02, -0.58, 0.17),
        (0.5, -0.36, 0.13),
        (0.08, -0.2, 0.1),
        (-0.74, -0.08, 0.08),
        (0.76, -0.1, 0.08),
    ):
        parts.append((_disc(x, y, radius, radius * 0.85), "white"))
    return parts, {"cap": (0.0, -0.75), "left rim": (-0.8, -0.02), "right rim": (0.8, -0.02), "foot": (0.0, 0.84)}


def _car():
    parts = [
        (_curve((-0.66, 0.06), (-0.5, -0.5), (-0.2, -0.48)) + [(0.14, -0.48)] + _curve((0.14, -0.48), (0.4, -0.44), (0.66, 0.06)), "main"),
        ([(-0.52, 0.02), (-0.4, -0.34), (-0.08, -0.36), (-0.08, 0.02)], "glass"),
        ([(0.02, 0.02), (0.02, -0.36), (0.2, -0.35), (0.48, 0.02)], "glass"),
        ([(-0.97, 0.08), (-0.9, -0.02), (0.72, 0.0), (0.92, 0.1), (0.98, 0.22), (0.98, 0.42), (-0.97, 0.42)], "main"),
        (_box(-0.97, 0.28, 0.98, 0.42), "shade"),
        (_box(-0.97, 0.19, 0.98, 0.25), "accent"),
        (_disc(0.88, 0.16, 0.08, 0.07), "cream"),
        (_box(-0.97, 0.08, -0.88, 0.18), "accent"),
    ]
    for x in (-0.54, 0.54):
        parts += [(_disc(x, 0.4, 0.25), "ink"), (_disc(x, 0.4, 0.12), "white")]
    return parts, {"front": (0.9, 0.3), "back": (-0.9, 0.3), "front wheel": (0.54, 0.4), "back wheel": (-0.54, 0.4)}


def _ball():
    parts = [(_disc(0, 0, 0.95), "main")]
    for start in (0, 120, 240):
        parts.append(([(0.0, 0.0), *_disc(0, 0, 0.95, 0.95, start, start + 60)], "white" if start else "accent"))
    parts.append((_disc(0, 0, 0.14), "white"))
    return parts, {"top": (0.0, -0.75), "right": (0.75, 0.0), "bottom": (0.0, 0.75), "left": (-0.75, 0.0)}


def _kite():
    parts = [
        ([(-0.05, 0.4), (0.05, 0.4), (0.22, 0.64), (0.08, 0.97), (-0.04, 0.97), (0.08, 0.66)], "ink"),
        ([(0.0, -0.97), (0.6, -0.35), (0.0, 0.5), (-0.6, -0.35)], "main"),
        ([(0.0, -0.97), (0.6, -0.35), (0.0, -0.35)], "accent"),
        ([(0.0, 0.5), (-0.6, -0.35), (0.0, -0.35)], "accent"),
        ([(0.12, 0.72), (-0.12, 0.6), (-0.12, 0.82), (0.34, 0.62), (0.36, 0.84)], "accent"),
    ]
    return parts, {"top": (0.0, -0.8), "right": (0.45, -0.35), "tail": (0.0, 0.3), "left": (-0.45, -0.35)}


def _star():
    points = [(math.sin(i * math.pi / 5) * r, -math.cos(i * math.pi / 5) * r) for i, r in enumerate((0.97, 0.42) * 5)]
    inner = [(x * 0.6, y * 0.6) for x, y in points]
    return [(points, "main"), (inner, "accent")], {"top": (0.0, -0.7), "right": (0.66, -0.21), "foot": (0.41, 0.56), "left": (-0.66, -0.21)}


_DRAWINGS = {
    "boat": _boat,
    "house": _house,
    "tree": _tree,
    "fish": _fish,
    "mushroom": _mushroom,
    "car": _car,
    "ball": _ball,
    "kite": _kite,
    "star": _star,
}


def _box(left, top, right, bottom) -> list[tuple[float, float]]:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def _disc(x, y, across, down=None, start=0, stop=360) -> list[tuple[float, float]]:
    """An ellipse or its arc in degrees, clockwise from the right, as a polygon."""
    down = across if down is None else down
    steps = max(8, round(28 * (stop - start) / 360))
    angles = [math.radians(start + (stop - start) * i / steps) for i in range(steps + 1)]
    return [(x + across * math.cos(angle), y + down * math.sin(angle)) for angle in angles]


def _curve(start, control, stop, end=None) -> list[tuple[float, float]]:
    """A quadratic Bezier curve as points; `end` adds one more corner."""
    steps = 8
    points = []
    for i in range(steps + 1):
        t = i / steps
        points.append(tuple((1 - t) ** 2 * a + 2 * t * (1 - t) * b + t * t * c for a, b, c in zip(start, control, stop, strict=True)))
    return points if end is None else [*points, end]
