"""Letterbox: a picture of any shape in a frame of a fixed one, whole and undistorted, grey beside it; and the exact way back.

The picture is the one of `zoo.data.decode.resize(..., "letterbox")`. Its sides are rounded to whole pixels, so the two scales differ a
little; the way back uses the very numbers of the way there, and is exact but for the rounding of float32.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zoo.data import maps


@dataclass(frozen=True)
class Letterbox:
    """shape: (height, width) of the picture; size: (height, width) of the frame, both in pixels, each at least 1."""

    shape: tuple[int, int]
    size: tuple[int, int]

    def __post_init__(self):
        if min(*self.shape, *self.size) < 1:
            raise ValueError(f"a letterbox needs sides of at least 1 pixel, got a picture {self.shape} in a frame {self.size}")

    @property
    def inner(self) -> tuple[int, int]:
        """(height, width) of the picture in the frame."""
        ratio = min(self.size[0] / self.shape[0], self.size[1] / self.shape[1])
        height, width = (max(1, min(round(side * ratio), limit)) for side, limit in zip(self.shape, self.size, strict=True))
        return height, width

    @property
    def corner(self) -> tuple[int, int]:
        """(left, top) of the picture in the frame."""
        return (self.size[1] - self.inner[1]) // 2, (self.size[0] - self.inner[0]) // 2

    @property
    def matrix(self) -> np.ndarray:
        """The map (3, 3) from pixels of the picture to pixels of the frame."""
        height, width = self.inner
        return maps.shift(*self.corner) @ maps.scale(width / self.shape[1], height / self.shape[0])

    @property
    def row(self) -> np.ndarray:
        """What `unletterbox` needs: float32 (6,), scale x, scale y, left, top, and width and height of the picture."""
        height, width = self.inner
        return np.array([width / self.shape[1], height / self.shape[0], *self.corner, self.shape[1], self.shape[0]], np.float32)

    def image(self, image: np.ndarray) -> np.ndarray:
        """uint8 (h, w, 3) -> uint8 (*size, 3), with antialiasing."""
        from zoo.data.decode import resize

        self._check(image.shape[:2], self.shape)
        return resize(image, self.size, "letterbox")

    def boxes(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes (..., 4) xyxy of the picture -> float32 (..., 4) of the frame."""
        return self._both(self.matrix, boxes)

    def boxes_back(self, boxes: np.ndarray, clip: bool = False) -> np.ndarray:
        """Boxes (..., 4) xyxy of the frame -> float32 (..., 4) of the picture; with `clip`, cut off at its border."""
        back = self._both(np.linalg.inv(self.matrix), boxes)
        return np.clip(back, 0, np.array(self.shape[::-1] * 2, np.float32)) if clip else back

    def points(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 2) x, y of the picture -> float32 (..., 2) of the frame."""
        return maps.move(self.matrix, points).astype(np.float32)

    def points_back(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 2) x, y of the frame -> float32 (..., 2) of the picture."""
        return maps.move(np.linalg.inv(self.matrix), points).astype(np.float32)

    def cut(self, frames: np.ndarray) -> np.ndarray:
        """Frames (..., H, W) -> the part that shows the picture, (..., h, w) with (h, w) = `inner`: for masks and heat maps."""
        self._check(frames.shape[-2:], self.size)
        (left, top), (height, width) = self.corner, self.inner
        return frames[..., top : top + height, left : left + width]

    @staticmethod
    def _both(matrix: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        boxes = np.asarray(boxes)
        return maps.move(matrix, boxes.reshape(*boxes.shape[:-1], 2, 2)).reshape(boxes.shape).astype(np.float32)

    def _check(self, came, wanted) -> None:
        if tuple(came) != tuple(wanted):
            raise ValueError(
                f"this letterbox puts a picture {self.shape} into a frame {self.size}; wanted {tuple(wanted)}, got {tuple(came)}"
            )


def unletterbox(boxes: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Boxes (b, n, 4) of frames -> float32 (b, n, 4) of their pictures, cut off at their borders; rows (b, 6) as `Letterbox.row`."""
    boxes, rows = np.asarray(boxes, float), np.asarray(rows, float)[:, None]
    if boxes.ndim != 3 or rows.shape != (len(boxes), 1, 6):
        raise ValueError(f"wanted boxes (b, n, 4) and rows (b, 6), got {boxes.shape} and {rows[:, 0].shape}")
    back = (boxes - np.tile(rows[..., 2:4], 2)) / np.tile(rows[..., :2], 2)
    return np.clip(back, 0, np.tile(rows[..., 4:], 2)).astype(np.float32)
