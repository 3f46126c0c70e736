"""A detector of a few hundred weights, and a criterion whose value is known in advance: for what is true of every detector."""

from dataclasses import asdict, dataclass
from typing import ClassVar

import keras
import numpy as np
from keras import ops

from zoo.detect.model import Detector


@keras.saving.register_keras_serializable(package="tests")
@dataclass(frozen=True)
class Count:
    """ "box" is the mean first coordinate of the truth, "class" `share` times the mean squared logit."""

    share: float = 0.5
    parts: ClassVar[tuple[str, ...]] = ("box", "class")

    def __call__(self, truth, outputs):
        parts = {"box": ops.mean(truth["boxes"][..., 0]), "class": self.share * ops.mean(ops.square(outputs["scores"]))}
        nothing = 0.0 * sum(ops.sum(value) for value in outputs.values())  # so that every weight has a gradient
        return parts["box"] + parts["class"] + nothing, parts

    def get_config(self):
        return asdict(self)

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def detector(criterion=None, penalty=None, name="toy"):
    """Two levels, a neck and a head, each with batch normalisation but the head."""
    image = keras.Input((32, 32, 3), name="image")
    x = keras.layers.Rescaling(1 / 255, name="normalise")(image)
    x = fine = _block(x, 4, 2, "stage1", penalty)
    x = _block(x, 4, 2, "stage2", penalty)
    x = keras.layers.Add(name="neck_add")([_block(x, 4, 1, "neck_lateral"), _block(fine, 4, 2, "neck_down")])
    x = keras.layers.Reshape((64, 4), name="head_cells")(x)
    outputs = {
        "boxes": keras.layers.Dense(4, dtype="float32", name="boxes")(x),
        "scores": keras.layers.Dense(2, dtype="float32", name="scores")(x),
        "raw": keras.layers.Dense(3, dtype="float32", name="raw")(x),
    }
    levels = {"c1": ("stage1_norm",), "c2": ("stage2_norm",), "neck": ("neck_add",)}
    return Detector(image, outputs, name=name, criterion=criterion, levels=levels)


def _block(x, width, stride, name, penalty=None):
    x = keras.layers.Conv2D(width, 3, strides=stride, padding="same", kernel_regularizer=penalty, name=f"{name}_conv")(x)
    return keras.layers.BatchNormalization(name=f"{name}_norm")(x)


def batch(n=6, first=0.0):
    """Images and labels; the first coordinate of the boxes of image i is first + i."""
    images = np.random.default_rng(0).uniform(0, 255, (n, 32, 32, 3)).astype("float32")
    boxes = np.tile(np.float32([0, 0, 28, 32]), (n, 3, 1))
    boxes[..., 0] = first + np.arange(n)[:, None]
    return images, {"boxes": boxes, "classes": np.zeros((n, 3), "int32")}
