"""Followed objects drawn on a frame of a video: boxes with number, name and score, and the lines that count. Quick, for every frame."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

from zoo.viz import style

_COLOURS = tuple(colour for colour in style.PALETTE if colour != "#000000")


def tracks(
    image: np.ndarray,
    boxes,
    classes,
    names: Sequence[object] = (),
    scores=None,
    ids=None,
    lines: Sequence[Sequence[tuple[float, float]]] = (),
) -> np.ndarray:
    """The frame (h, w, 3) with its n objects on it: uint8 (h, w, 3). `objects` draws a still picture with more care and more time.

    boxes:  (n, 4) xyxy in pixels; classes: (n,) numbers, with names; scores: (n,), written as hundredths, or None.
    ids:    (n,) numbers that stay with an object and choose its colour, written as "#7"; None: the class chooses it.
    lines:  each two points (x, y) of a line, drawn with an arrow to the side that counts as forward, or more of a closed zone.

    Raises ValueError for boxes that are not (n, 4) or not finite, and for columns of another length.
    """
    (image,) = style.checked_images([image], "image")
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4) if np.size(boxes) == 0 else np.asarray(boxes, np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not np.isfinite(boxes).all():
        raise ValueError(f"boxes must be finite numbers (n, 4), xyxy in pixels, got the shape {boxes.shape}")
    odd = {
        name: len(column)
        for name, column in (("classes", classes), ("scores", scores), ("ids", ids))
        if column is not None and len(column) != len(boxes)
    }
    if odd:
        raise ValueError(f"{len(boxes)} boxes need columns of that length, got {odd}")
    picture = Image.fromarray(np.ascontiguousarray(image))
    draw = ImageDraw.Draw(picture)
    width = max(2, round(max(picture.size) / 400))
    for points in lines:
        _line(draw, [(float(x), float(y)) for x, y in points], width)
    order = np.argsort(-(boxes[:, 2:] - boxes[:, :2]).prod(axis=1), kind="stable")  # small ones are not covered
    for row in order.tolist():
        number = int(classes[row]) if ids is None else int(ids[row])
        name = names[int(classes[row])] if 0 <= int(classes[row]) < len(names) else f"class {int(classes[row])}"
        words = [*([] if ids is None else [f"#{int(ids[row])}"]), str(name), *([] if scores is None else [f"{float(scores[row]):.2f}"])]
        _box(draw, boxes[row], " ".join(words), _COLOURS[number % len(_COLOURS)], width)
    return np.asarray(picture)


def _box(draw: ImageDraw.ImageDraw, box: np.ndarray, text: str, colour: str, line: int) -> None:
    wide, high = draw.im.size
    left, top, right, bottom = (round(float(edge)) for edge in np.clip(box, 0, [wide, high, wide, high]))
    if left >= right or top >= bottom:
        return
    frame = (left, top, right - 1, bottom - 1)
    draw.rectangle(frame, outline=style.INK, width=min(line + 2, (min(right - left, bottom - top) + 1) // 2))
    draw.rectangle(frame, outline=colour, width=min(line, (min(right - left, bottom - top) + 1) // 2))
    font, size = _font(max(10, round(max(wide, high) / 60)))
    text = _plain(text)
    length, tall = int(draw.textlength(text, font=font)) + 6, round(size * 1.3)
    x, y = max(0, min(left, wide - length)), top - tall if top >= tall else top
    draw.rectangle((x, y, x + length - 1, y + tall - 1), fill=colour)
    draw.text((x + 3, y + tall / 2), text, font=font, fill=_ink(colour), anchor="lm")


def _line(draw: ImageDraw.ImageDraw, points: list[tuple[float, float]], width: int) -> None:
    closed = [*points, points[0]] if len(points) > 2 else list(points)
    if len(points) == 2:
        (x1, y1), (x2, y2) = points
        length = max(float(np.hypot(x2 - x1, y2 - y1)), 1e-9)
        across = np.array([-(y2 - y1), x2 - x1]) / length  # to the right of the arrow start -> end, y downwards
        middle = np.array([(x1 + x2) / 2, (y1 + y2) / 2])
        tip, along = middle + across * 12 * width, np.array([x2 - x1, y2 - y1]) / length
        wings = [tip - across * 4 * width + side * along * 3 * width for side in (1, -1)]
        arrow = [tuple(middle), tuple(tip), tuple(wings[0]), tuple(tip), tuple(wings[1])]
        for thick, ink in ((width + 2, style.INK), (width, "#ffffff")):
            draw.line(arrow, ink, thick)
    for thick, ink in ((width + 2, style.INK), (width, "#ffffff")):
        draw.line(closed, ink, thick)


@functools.lru_cache(maxsize=8)
def _font(size: int) -> tuple[ImageFont.FreeTypeFont, int]:
    return ImageFont.truetype(font_manager.findfont("DejaVu Sans"), size), size


@functools.lru_cache(maxsize=1024)
def _plain(text: str) -> str:
    return style.plain(style.short(text, 28)).replace(r"\$", "$")


def _ink(colour: str) -> str:
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return "#ffffff" if 0.299 * red + 0.587 * green + 0.114 * blue < 130 else style.INK
