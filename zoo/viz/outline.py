"""A box drawn on an image, with a word beside it: what a cell of a map saw, where an object lies."""

from __future__ import annotations

import numpy as np
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

from zoo.viz import style


def outlined(image: np.ndarray, box, label: object = "", colour: str = style.PALETTE[1]) -> np.ndarray:
    """The image (h, w, 3) in [0, 255] with the outline of a box on it, and its label inside: uint8 (h, w, 3).

    box:    (4,) xyxy in pixels, edges included (0 to w, 0 to h), cut to the image; one without area is not drawn.
    label:  one line, cut to the width of the image; "" for none.
    colour: of the line, which has a dark rim so that it shows on any image.

    Raises ValueError for a box that is not four finite numbers.
    """
    (image,) = style.checked_images([image], "image")
    height, width = image.shape[:2]
    corners = np.asarray(box, dtype=np.float64)
    if corners.shape != (4,) or not np.isfinite(corners).all():
        raise ValueError(f"a box is four finite numbers xyxy in pixels, got {box!r}; draw several one after the other")
    left, top, right, bottom = (round(float(edge)) for edge in np.clip(corners, 0, [width, height, width, height]))
    if left >= right or top >= bottom:
        return image.copy()
    picture = Image.fromarray(np.ascontiguousarray(image))
    draw = ImageDraw.Draw(picture)
    line = max(1, round(max(height, width) / 160))
    frame = (left, top, right - 1, bottom - 1)  # the last pixel, which Pillow counts in
    most = (min(right - left, bottom - top) + 1) // 2  # Pillow draws a wider one beyond the box
    draw.rectangle(frame, outline=style.INK, width=min(line + 2, most))
    draw.rectangle(frame, outline=colour, width=min(line, most))
    if str(label):
        _write(draw, str(label), left + line, top + line, width, height, colour)
    return np.asarray(picture)


def _write(draw: ImageDraw.ImageDraw, label: str, left: int, top: int, width: int, height: int, colour: str) -> None:
    """One line on a ground of the line's colour, moved so that it stays on the image."""
    size = max(8, round(max(height, width) / 24))
    font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), size)
    text = style.plain(style.short(label, max(4, int(width / (0.62 * size))))).replace(r"\$", "$")
    _, _, right, bottom = draw.textbbox((0, 0), text, font=font)
    x, y = max(0, min(left, width - int(right) - 4)), max(0, min(top, height - int(bottom) - 2))
    draw.rectangle((x, y, x + right + 3, y + bottom + 1), fill=colour)
    draw.text((x + 2, y), text, font=font, fill=style.INK)
