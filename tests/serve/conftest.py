"""Subjects and pictures for the tests of the server. Flask and waitress are an extra of the package, so their absence skips."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("flask", reason="serving needs the extra 'serve'")
pytest.importorskip("waitress", reason="serving needs the extra 'serve'")


def picture(height: int = 40, width: int = 60, seed: int = 0, kind: str = "PNG", **options) -> bytes:
    """A picture file of random pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return encoded(pixels, kind, **options)


def encoded(pixels: np.ndarray, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


class Corner:
    """A subject that computes what anybody can check: the colour of the top left pixel, and the mean of the picture."""

    kind, name, note = "classifier", "corner", "for a test"
    parameters: dict = {}

    def __init__(self, name: str = "corner"):
        self.name = name

    def prepare(self, image):
        return image[None].astype("float64")

    def run(self, batch):
        return batch[0, 0, 0], batch.mean()

    def answer(self, outputs, shape, chosen):
        return {"corner": [int(value) for value in outputs[0]], "mean": float(outputs[1]), "by": self.name}

    def draw(self, image, answer, scale):
        return image


@pytest.fixture(scope="session")
def labels():
    """A real network with random weights behind HTTP."""
    from zoo import predict
    from zoo.serve import Labels

    return Labels(predict.from_registry("small_cnn_micro"))
