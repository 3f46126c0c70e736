from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest


def frame(number: int, height: int = 48, width: int = 64) -> np.ndarray:
    """A frame that knows its number: a white bar, 4 pixels wide, that moves 3 pixels per frame on red and green."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2], image[:, width // 2 :] = (200, 30, 30), (30, 160, 60)
    left = 3 * number % (width - 4)
    image[:, left : left + 4] = 255
    return image


@pytest.fixture
def clip(tmp_path) -> Path:
    """20 frames of 64x48 at 10 frames per second."""
    return written(tmp_path / "clip.mp4")


def written(path: Path, frames: int = 20, rate: float = 10, codec: str | None = None, size: tuple[int, int] = (48, 64)) -> Path:
    pytest.importorskip("av", reason="PyAV is not installed; pip install av")
    from zoo.video import Writer

    with Writer(path, rate, codec) as writer:
        for number in range(frames):
            writer.write(frame(number, *size))
    return path
