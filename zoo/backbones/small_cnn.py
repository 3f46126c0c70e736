"""The course's own small CNN: the network a learner designs first, as a row of the zoo.

Idea: repeat "3x3 convolution, batch normalisation, ReLU, halve the map" while the width doubles, then average what is
left and decide. Batch normalisation (Ioffe & Szegedy 2015, arXiv:1502.03167) makes it train from scratch in minutes, global
average pooling (Lin et al. 2013, arXiv:1312.4400, section 3.2) keeps the head small and accepts any image size.

No paper describes this network; its parameter counts follow from the closed formula in `tests/backbones/counts.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from keras import layers

from zoo.backbones.variant import Top, Variant


@dataclass(frozen=True, kw_only=True)
class SmallCNN(Variant):
    """widths: channels of each stage; depth: convolutions in each stage."""

    widths: tuple[int, ...]
    depth: int = 1


def _row(**fields) -> SmallCNN:
    common = {"source": "closed formula", "classes": 10, "input_shape": (96, 96, 3)}
    return SmallCNN(**{**common, **fields})


VARIANTS = {
    "small_cnn": _row(parameters=1_175_786, minimum=16, widths=(32, 64, 128, 256), depth=2, top=Top(dropout=0.3)),
    "small_cnn_micro": _row(parameters=1_586, minimum=4, input_shape=(32, 32, 3), widths=(8, 16)),
}


def features(image, config: SmallCNN, output_stride: int | None = None) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": stride 2, "c2": stride 4, ...}, one level per stage."""
    pyramid, x = {}, image
    for index, width in enumerate(config.widths, start=1):
        x = stage(x, width, config.depth, f"stage{index}")
        pyramid[f"c{index}"] = x
    return pyramid


def stage(x, width: int, depth: int, name: str):
    for block in range(depth):
        x = layers.Conv2D(width, 3, padding="same", use_bias=False, name=f"{name}_block{block}_conv")(x)
        # Keras' momentum of 0.99 needs hundreds of steps to settle; a small data set has few, and validation would look broken.
        x = layers.BatchNormalization(momentum=0.9, name=f"{name}_block{block}_norm")(x)
        x = layers.ReLU(name=f"{name}_block{block}_relu")(x)
    return layers.MaxPooling2D(name=f"{name}_pool")(x)
