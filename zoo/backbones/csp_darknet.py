"""The trunks of the YOLOv5-style and YOLOv8-style detectors: Darknet's stages with cross-stage partial blocks.

Idea: send half of a stage's maps around its blocks and join both halves again: half the work, and gradients of two lengths.

Wang et al. 2020, "CSPNet: a new backbone that can enhance learning capability of CNN", arXiv:1911.11929, section 3. How many blocks and
maps the two detectors have are facts that their authors publish as tables; no source of theirs was read (docs/provenance.md).
There is no registry row: no classifier of exactly these trunks was published. `zoo/detect/rows.py` has the detectors.

Two kinds of block: "c3" (v5) joins the two halves of one chain, "c2f" (v8) joins the result of *every* block of the chain.
Where the authors split one 1x1 convolution into two halves, we write two 1x1 convolutions: the same weights and numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from keras import layers

SPPF_KERNEL = 5


@dataclass(frozen=True, kw_only=True)
class CSPDarknet:
    """block: "c3" or "c2f"; depth, width: factors of the numbers of blocks and maps; most: widest map before the factor.

    Stages 2 to 5 have depths 3, 6, 9, 3 (c3) or 3, 6, 6, 3 (c2f), times `depth`, and 128, 256, 512, 1024 maps, times `width`.
    """

    block: str
    depth: float
    width: float
    most: int = 1024

    def maps(self, published: int) -> int:
        """The scaled number of maps, rounded up to a multiple of 8."""
        return math.ceil(min(published, self.most) * self.width / 8) * 8

    def blocks(self, published: int) -> int:
        """The scaled number of blocks, at least one."""
        return max(round(published * self.depth), 1)


def features(image, config: CSPDarknet) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": stem at stride 2, ..., "c5": stride 32, seen at four scales by the pooling pyramid}."""
    x = _stem(image, config)
    pyramid = {"c1": x}
    for stage, (width, depth) in enumerate(zip((128, 256, 512, 1024), (3, 6, 9 if config.block == "c3" else 6, 3), strict=True), start=2):
        x = unit(x, config.maps(width), 3, f"stage{stage}_down_%s", stride=2)
        x = block(x, config, config.maps(width), config.blocks(depth), f"stage{stage}", shortcut=True)
        if stage == 5:
            x = pooling_pyramid(x, "sppf")
        pyramid[f"c{stage}"] = x
    return pyramid


def _stem(image, config: CSPDarknet):
    if config.block == "c2f":
        return unit(image, config.maps(64), 3, "stem_%s", stride=2)
    odd = [side % 2 if side else 0 for side in image.shape[1:3]]  # so that an odd side is halved upwards, as by every other layer
    x = layers.ZeroPadding2D(((2, 2 + odd[0]), (2, 2 + odd[1])), name="stem_pad")(image)
    return _activated(convolve(x, config.maps(64), 6, "stem_%s", strides=2, padding="valid"), "stem_%s")


def block(x, config: CSPDarknet, width: int, depth: int, name: str, shortcut: bool = False):
    """The cross-stage partial block of the row's kind: (b, h, w, c) -> (b, h, w, width)."""
    return {"c3": c3, "c2f": c2f}[config.block](x, width, depth, name, shortcut)


def c3(x, width: int, depth: int, name: str, shortcut: bool):
    """Half of the maps through a chain of 1x1, 3x3 blocks, half around it, joined by a 1x1."""
    around = unit(x, width // 2, 1, f"{name}_around_%s")
    x = unit(x, width // 2, 1, f"{name}_into_%s")
    for index in range(depth):
        x = _residual(x, 1, f"{name}_block{index}", shortcut)
    x = layers.Concatenate(name=f"{name}_concat")([x, around])
    return unit(x, width, 1, f"{name}_join_%s")


def c2f(x, width: int, depth: int, name: str, shortcut: bool):
    """The same with 3x3, 3x3 blocks, where the join sees the result of every block."""
    seen = [unit(x, width // 2, 1, f"{name}_around_%s"), unit(x, width // 2, 1, f"{name}_into_%s")]
    for index in range(depth):
        seen.append(_residual(seen[-1], 3, f"{name}_block{index}", shortcut))
    return unit(layers.Concatenate(name=f"{name}_concat")(seen), width, 1, f"{name}_join_%s")


def _residual(x, kernel: int, name: str, shortcut: bool):
    before, width = x, x.shape[-1]
    x = unit(x, width, kernel, f"{name}_%s1")
    x = unit(x, width, 3, f"{name}_%s2")
    return layers.Add(name=f"{name}_add")([before, x]) if shortcut else x


def pooling_pyramid(x, name: str):
    """The neighbourhoods of 5, 9 and 13 cells of every cell, as three poolings of 5 in a chain ("SPPF"): (b, h, w, c) -> the same shape.

    He et al. 2014, arXiv:1406.4729 pool to a pyramid of grids; YOLO's form keeps the map, with windows around every cell.
    """
    width = x.shape[-1]
    seen = [unit(x, width // 2, 1, f"{name}_into_%s")]
    for index in range(3):
        seen.append(layers.MaxPooling2D(SPPF_KERNEL, strides=1, padding="same", name=f"{name}_pool{index}")(seen[-1]))
    return unit(layers.Concatenate(name=f"{name}_concat")(seen), width, 1, f"{name}_join_%s")


def unit(x, width: int, kernel: int, name: str, stride: int = 1):
    """Convolution, normalisation, SiLU; `name` has a %s for the kind of layer."""
    padding = "same"
    if stride > 1:  # "same" would pad even and odd sizes differently
        x, padding = layers.ZeroPadding2D(kernel // 2, name=name % "pad")(x), "valid"
    return _activated(convolve(x, width, kernel, name, strides=stride, padding=padding), name)


def convolve(x, width: int, kernel: int, name: str, **fields):
    return layers.Conv2D(width, kernel, use_bias=False, kernel_initializer="he_normal", name=name % "conv", **fields)(x)


def _activated(x, name: str):
    x = layers.BatchNormalization(momentum=0.97, epsilon=1e-3, name=name % "norm")(x)
    return layers.Activation("silu", name=name % "silu")(x)
