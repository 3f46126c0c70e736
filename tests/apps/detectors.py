"""Finished runs of two detectors: one that answers what anybody can check, one with random weights."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from keras import ops

from zoo import predict
from zoo.detect.model import Detector

SIDE, CELL = 64, 16
NAMES = ("red *thing*", "<b>blue</b>")


def colours() -> Detector:
    """A detector of red and blue, without training: one anchor per cell of 16x16 pixels whose box is the cell. The score of red is how
    much more red than blue and green a cell is on average, that of blue alike; it is sure (0.98) where the cell is all of it."""
    image = keras.Input((SIDE, SIDE, 3))
    mean = keras.layers.AveragePooling2D(CELL, name="cells")(image)  # (b, 4, 4, 3)
    score = keras.layers.Conv2D(2, 1, name="colour")
    logits = keras.layers.Reshape((-1, 2), name="scores", dtype="float32")(score(mean))
    kernel = np.zeros((1, 1, 3, 2), "float32")
    kernel[0, 0, :, 0], kernel[0, 0, :, 1] = (8 / 255, -8 / 255, -8 / 255), (-8 / 255, -8 / 255, 8 / 255)
    score.set_weights([kernel, np.array([-4, -4], "float32")])
    y, x = np.mgrid[0:SIDE:CELL, 0:SIDE:CELL].reshape(2, -1)
    cells = np.stack([x, y, x + CELL, y + CELL], axis=-1).astype("float32")
    boxes = Cells(cells.tolist(), name="boxes")(logits)
    return Detector(image, {"boxes": boxes, "scores": logits}, name="colours")


@keras.saving.register_keras_serializable(package="zoo-tests")
class Cells(keras.Layer):
    """The same boxes for every image."""

    def __init__(self, cells, **kwargs):
        super().__init__(**kwargs)
        self.cells = cells

    def call(self, logits):
        return ops.broadcast_to(ops.convert_to_tensor(self.cells, "float32"), (ops.shape(logits)[0], len(self.cells), 4))

    def compute_output_shape(self, shape):
        return (shape[0], len(self.cells), 4)

    def get_config(self):
        return {**super().get_config(), "cells": self.cells}


def written(root: Path) -> Path:
    folder = root / "colours"
    folder.mkdir(parents=True)
    colours().save(folder / "model.keras")
    predict.save_labels(folder, NAMES, (SIDE, SIDE), trained_on="nothing: it was put together", how="letterbox")
    return root


def downloads(monkeypatch) -> dict[str, bytes | str]:
    """{name of a file: what its button hands out}, filled as the page is drawn; a test has no server that would hold them."""
    from streamlit.elements.widgets.button import ButtonMixin

    found: dict[str, bytes | str] = {}
    press = ButtonMixin.download_button

    def noted(self, label, data, file_name=None, *rest, **more):
        found[file_name] = data
        return press(self, label, data, file_name, *rest, **more)

    monkeypatch.setattr(ButtonMixin, "download_button", noted)
    return found
