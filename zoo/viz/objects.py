"""Objects drawn on their image: boxes with a name and a score, outlines, keypoints; what is wrong stands out.

Everything is drawn at twice the size and reduced, so that slanted lines are smooth. A line has a dark rim and shows on any image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

from zoo.viz import style

_FINE = 2
_GROUND = (226, 223, 217)
_QUIET = "#f4f2ee"
_RIM = (*(int(style.INK[at : at + 2], 16) for at in (1, 3, 5)), 150)
_COLOURS = tuple(colour for colour in style.PALETTE if colour not in ("#000000", "#D55E00"))  # vermilion is kept for what is wrong


def objects(
    image: np.ndarray,
    boxes,
    classes=None,
    names: Sequence[object] = (),
    *,
    scores=None,
    polygons=None,
    keypoints=None,
    crowd=None,
    wrong: Sequence[int] | None = None,
    side: int | None = None,
    room: bool = False,
) -> np.ndarray:
    """The image (h, w, 3) in [0, 255] with its n objects on it: uint8 (h', w', 3).

    boxes:     (n, 4) xyxy in pixels; one without area is shown as a cross.
    classes:   (n,) numbers, which choose the colour; names: of the classes. Without, boxes are blue and have no tag.
    scores:    (n,) in [0, 1], written behind the name.
    polygons:  for each object its rings (p, 2), or None.
    keypoints: (n, k, 3) x, y and 0 not labelled (not drawn), 1 hidden (a ring), 2 visible (a dot); or None.
    crowd:     (n,) bool: those are drawn with dashes.
    wrong:     numbers of the objects to point at: they are drawn in vermilion, the others thin, pale and without a tag.
    side:      longest side of the picture that is drawn on, in pixels; default: that of the image.
    room:      widen the picture with gray, by at most a fifth on each side, to show objects that leave it.

    Raises ValueError for boxes that are not (n, 4) or not finite, and for a column of another length.
    """
    (image,) = style.checked_images([image], "image")
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4) if np.size(boxes) == 0 else np.asarray(boxes, np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not np.isfinite(boxes).all():
        raise ValueError(f"boxes must be finite numbers (n, 4), xyxy in pixels, got the shape {boxes.shape}")
    columns = {"classes": classes, "scores": scores, "polygons": polygons, "keypoints": keypoints, "crowd": crowd}
    odd = {name: len(values) for name, values in columns.items() if values is not None and len(values) != len(boxes)}
    if odd:
        raise ValueError(f"{len(boxes)} boxes need columns of that length, got {odd}")
    canvas = _Canvas.of(image, boxes, side, room)
    meant = {int(index) for index in wrong or ()}
    # Large ones first, so that small ones are not covered; what is wrong last.
    sizes = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    order = sorted(range(len(boxes)), key=lambda index: (index in meant, -sizes[index]))
    tags = []
    for index in order:
        loud, bad = wrong is None or index in meant, index in meant
        number = 0 if classes is None else int(classes[index])
        colour = style.BAD if bad else _COLOURS[number % len(_COLOURS)] if loud else _QUIET
        if polygons is not None:
            canvas.outlines(polygons[index] or (), colour)
        canvas.box(boxes[index], colour, loud, dashed=crowd is not None and bool(crowd[index]))
        if keypoints is not None:
            canvas.points(np.asarray(keypoints[index], np.float64), colour)
        if classes is not None and loud:
            name = names[number] if 0 <= number < len(names) else number
            tags.append((index, colour, f"{name} {scores[index]:.2f}" if scores is not None else str(name)))
    taken: list[tuple[int, int, int, int]] = []
    for index, colour, text in tags:
        canvas.tag(boxes[index], text, colour, taken)
    return canvas.finished()


@dataclass
class _Canvas:
    """A picture of width x height on a ground, and a clear sheet of `_FINE` times the size over it."""

    picture: Image.Image
    sheet: Image.Image
    scale: float
    left: float
    top: float
    line: int

    @classmethod
    def of(cls, image: np.ndarray, boxes: np.ndarray, side: int | None, room: bool) -> _Canvas:
        height, width = image.shape[:2]
        scale = 1.0 if side is None else side / max(height, width)
        wide, high = max(1, round(width * scale)), max(1, round(height * scale))
        most = 0.2 * np.array([width, height, width, height])
        beyond = (
            np.concatenate([-boxes[:, :2], boxes[:, 2:] - [width, height]], axis=1).max(axis=0, initial=0) if len(boxes) else np.zeros(4)
        )
        left, top, right, bottom = np.ceil(np.minimum(beyond * 1.05, most) * scale).astype(int) if room else (0, 0, 0, 0)
        how = Image.Resampling.NEAREST if scale >= 4 else Image.Resampling.LANCZOS
        scaled = Image.fromarray(np.ascontiguousarray(image))
        picture = Image.new("RGB", (int(wide + left + right), int(high + top + bottom)), _GROUND)
        picture.paste(scaled if (wide, high) == scaled.size else scaled.resize((wide, high), how), (int(left), int(top)))
        sheet = Image.new("RGBA", (picture.width * _FINE, picture.height * _FINE), (0, 0, 0, 0))
        return cls(picture, sheet, scale, float(left), float(top), max(1, round(max(picture.size) / 320)))

    def at(self, points) -> list[tuple[float, float]]:
        """x, y (p, 2) in pixels of the image -> on the sheet."""
        found = (np.asarray(points, np.float64).reshape(-1, 2) * self.scale + [self.left, self.top]) * _FINE
        return [(float(x), float(y)) for x, y in found]

    def box(self, box: np.ndarray, colour: str, loud: bool, dashed: bool) -> None:
        (left, top), (right, bottom) = self.at(box)
        draw = ImageDraw.Draw(self.sheet)
        line = self.line * _FINE if loud else max(1, self.line * _FINE // 2)
        if right - left < 2 * line and bottom - top < 2 * line:  # a cross where nothing else could be seen
            x, y, arm = (left + right) / 2, (top + bottom) / 2, 6 * line
            for width, ink in ((line + _FINE, _RIM), (line, colour)):
                draw.line([(x - arm, y - arm), (x + arm, y + arm)], ink, width)
                draw.line([(x - arm, y + arm), (x + arm, y - arm)], ink, width)
            return
        corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
        for width, ink in ((line + _FINE, _RIM), (line, colour)):
            for start, end in pairwise(corners):
                self._line(draw, start, end, ink, width, dashed)

    def _line(self, draw: ImageDraw.ImageDraw, start, end, ink, width: int, dashed: bool) -> None:
        length = float(np.hypot(end[0] - start[0], end[1] - start[1]))
        dash = 7.0 * self.line * _FINE
        shares = np.arange(0, length, 2 * dash) / length if dashed and length else np.zeros(1)
        for share in shares:
            last = min(1.0, share + dash / length) if dashed and length else 1.0
            ends = [(start[0] + part * (end[0] - start[0]), start[1] + part * (end[1] - start[1])) for part in (share, last)]
            draw.line(ends, ink, width)
            if not dashed:  # square corners
                half = width / 2
                draw.rectangle((ends[1][0] - half, ends[1][1] - half, ends[1][0] + half - 1, ends[1][1] + half - 1), ink)

    def outlines(self, rings, colour: str) -> None:
        if not len(rings):
            return
        veil = Image.new("RGBA", self.sheet.size, (0, 0, 0, 0))
        draw = ImageDraw.Draw(veil)
        for ring in rings:
            points = self.at(ring)
            draw.polygon(points, fill=(*_rgb(colour), 70))
            draw.line([*points, points[0]], (*_rgb(colour), 255), max(1, self.line * _FINE // 2), joint="curve")
        self.sheet = Image.alpha_composite(self.sheet, veil)

    def points(self, keypoints: np.ndarray, colour: str) -> None:
        draw = ImageDraw.Draw(self.sheet)
        radius = 1.6 * self.line * _FINE
        for (x, y), seen in zip(self.at(keypoints[:, :2]), keypoints[:, 2], strict=True):
            if seen > 0:
                around = (x - radius, y - radius, x + radius, y + radius)
                draw.ellipse(around, fill=colour if seen > 1 else None, outline="#ffffff" if seen > 1 else colour, width=_FINE)

    def tag(self, box: np.ndarray, text: str, colour: str, taken: list[tuple[int, int, int, int]]) -> None:
        """The name above the box, or where there is room: in it, below it; never on another name if that can be helped."""
        size = max(9, round(max(self.picture.size) / 52)) * _FINE
        font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), size)
        text = style.plain(style.short(text, 28)).replace(r"\$", "$")
        draw = ImageDraw.Draw(self.sheet)
        wide, high = int(draw.textlength(text, font=font)) + 3 * _FINE, round(size * 1.25)
        (left, top), (right, bottom) = self.at(box)
        rim = self.line * _FINE / 2
        spots = [(left - rim, top - high), (left - rim, top), (right - wide, top - high), (left - rim, bottom), (left - rim, bottom - high)]
        placed = [self._inside(x, y, wide, high) for x, y in spots]
        x, y = min(placed, key=lambda spot: (sum(_overlap((*spot, wide, high), other) for other in taken), placed.index(spot)))
        taken.append((x, y, wide, high))
        draw.rectangle((x, y, x + wide - 1, y + high - 1), fill=colour)
        red, green, blue = _rgb(colour)
        ink = "#ffffff" if 0.299 * red + 0.587 * green + 0.114 * blue < 130 else style.INK
        draw.text((x + 1.5 * _FINE, y + high / 2), text, font=font, fill=ink, anchor="lm")

    def _inside(self, x: float, y: float, wide: int, high: int) -> tuple[int, int]:
        return round(max(0, min(x, self.sheet.width - wide))), round(max(0, min(y, self.sheet.height - high)))

    def finished(self) -> np.ndarray:
        reduced = self.sheet.resize(self.picture.size, Image.Resampling.BOX)
        return np.asarray(Image.alpha_composite(self.picture.convert("RGBA"), reduced).convert("RGB"))


def _overlap(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> int:
    wide = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    high = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    return max(0, wide) * max(0, high)


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
