"""YOLOv3's way down the pyramid: what a scale decided is enlarged and joined to the next finer map.

Redmon & Farhadi 2018, arXiv:1804.02767, section 2.3; the numbers of maps, the tiny form and the form with spatial pyramid pooling are facts
of darknet's public yolov3.cfg, yolov3-tiny.cfg and yolov3-spp.cfg. All convolutions are darknet's: no bias, normalised, leaky.
"""

from __future__ import annotations

from keras import layers

from zoo.backbones.darknet import unit
from zoo.heads.fpn import enlarged


def yolov3(maps: list, widths: tuple[int, ...], spp: bool = False) -> dict:
    """Maps at strides 8, 16, 32, finest first -> {"n3": ..., "n4": ..., "n5": ...} with 2 * widths maps each.

    widths: of the 1x1 convolutions, finest first: 128, 256, 512. spp: pool the coarsest map over 5, 9 and 13 cells.
    """
    found, x = {}, None
    for number, (level, width) in reversed(list(enumerate(zip(maps, widths, strict=True), start=3))):
        name = f"neck{number}"
        if x is not None:
            x = unit(x, width, 1, f"{name}_reduce_%s")
            level = layers.Concatenate(name=f"{name}_concat")([enlarged(x, level, f"{name}_up"), level])
        x = _alternating(level, width, 3, name)
        if spp and level is maps[-1]:
            x = unit(_pooled(x, f"{name}_spp"), width, 1, f"{name}_spp_%s")
        x = _alternating(x, width, 2, name, start=3)
        found[f"n{number}"] = unit(x, 2 * width, 3, f"{name}_%s5")
    return dict(sorted(found.items()))


def yolov3_tiny(maps: list, widths: tuple[int, ...]) -> dict:
    """Maps at strides 16 and 32 -> {"n4": ..., "n5": ...}; widths: of the two 1x1 convolutions, finest first: 128, 256."""
    fine, coarse = maps
    x = unit(coarse, widths[1], 1, "neck5_%s0")
    found = {"n5": unit(x, 2 * widths[1], 3, "neck5_%s1")}
    x = unit(x, widths[0], 1, "neck4_reduce_%s")
    x = layers.Concatenate(name="neck4_concat")([enlarged(x, fine, "neck4_up"), fine])
    return {"n4": unit(x, 2 * widths[0], 3, "neck4_%s0"), **found}


def _alternating(x, width: int, count: int, name: str, start: int = 0):
    """1x1 to `width`, 3x3 to twice that, 1x1 again, ...: convolutions `start` to start + count - 1 of five, of which the odd are 3x3."""
    for index in range(start, start + count):
        x = unit(x, 2 * width if index % 2 else width, 3 if index % 2 else 1, f"{name}_%s{index}")
    return x


def _pooled(x, name: str):
    pools = [layers.MaxPooling2D(side, strides=1, padding="same", name=f"{name}_pool{side}")(x) for side in (13, 9, 5)]
    return layers.Concatenate(name=f"{name}_concat")([*pools, x])
