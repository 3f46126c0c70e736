"""Boxes or lines of text on a picture, for an answer that is looked at once: plain Pillow, no axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from zoo.viz.style import INK, PALETTE


def marked(image: np.ndarray, boxes: np.ndarray, texts: Sequence[str], classes: Sequence[int]) -> np.ndarray:
    """uint8 (h, w, 3) with boxes (n, 4), xyxy in pixels, each with its text, coloured by class: uint8 (h, w, 3).

    The best box is drawn last, on top. Raises ValueError when there are not as many texts and classes as boxes.
    """
    if not len(boxes) == len(texts) == len(classes):
        raise ValueError(f"wanted a text and a class for each of {len(boxes)} boxes, got {len(texts)} texts and {len(classes)} classes")
    picture = Image.fromarray(image)
    pen, width = ImageDraw.Draw(picture), max(2, round(max(image.shape[:2]) / 320))
    font = _font(image)
    for box, text, index in reversed(list(zip(np.asarray(boxes, float), texts, classes, strict=True))):
        colour = PALETTE[int(index) % len(PALETTE)]
        left, right = sorted((box[0], box[2]))
        top, bottom = sorted((box[1], box[3]))
        pen.rectangle((left, top, right, bottom), outline=colour, width=width)
        _label(pen, (left, top), text, font, colour)
    return np.asarray(picture)


def captioned(image: np.ndarray, lines: Sequence[str]) -> np.ndarray:
    """uint8 (h, w, 3) with a white strip below that holds the lines: uint8 (h', w, 3)."""
    font = _font(image)
    step = round(1.4 * font.size)
    strip = Image.new("RGB", (image.shape[1], step * len(lines) + step // 2), "white")
    pen = ImageDraw.Draw(strip)
    for number, line in enumerate(lines):
        pen.text((step // 2, step // 4 + number * step), _plain(line), fill=INK, font=font)
    return np.concatenate([image, np.asarray(strip)])


def _label(pen, corner, text: str, font, colour: str) -> None:
    """The text on its colour, above the box where there is room, else inside."""
    text = _plain(text)
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    height = bottom - top + 4
    x, y = max(0.0, corner[0]), corner[1] - height if corner[1] >= height else max(0.0, corner[1])
    pen.rectangle((x, y, x + right - left + 6, y + height), fill=colour)
    light = sum(int(colour[at : at + 2], 16) * share for at, share in ((1, 0.299), (3, 0.587), (5, 0.114))) < 140
    pen.text((x + 3 - left, y + 2 - top), text, fill="white" if light else INK, font=font)


def _font(image: np.ndarray):
    return ImageFont.load_default(size=int(np.clip(max(image.shape[:2]) / 40, 11, 28)))


def _plain(text: str) -> str:
    """Pillow's own font has the Latin letters; others become a question mark rather than an error. One line."""
    return " ".join(str(text).split()).encode("latin-1", "replace").decode("latin-1")
