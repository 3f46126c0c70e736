"""Path aggregation: down the pyramid for what, up again for where.

Liu, Qi, Qin, Shi & Jia 2018, "Path aggregation network for instance segmentation", arXiv:1803.01534, section 3.1: behind the top-down path
of a feature pyramid network a bottom-up path brings the exact places of the fine levels back to the coarse ones.
The YOLO form joins maps by concatenation and fuses them with cross-stage partial blocks (`zoo/backbones/csp_darknet.py`).

v5-style: a 1x1 convolution narrows a map before it is enlarged, and the narrow map is joined on the way back.
v8-style: no such convolution.
"""

from __future__ import annotations

from keras import layers

from zoo.backbones.csp_darknet import CSPDarknet, block, unit
from zoo.heads.fpn import enlarged


def pan(levels: list, config: CSPDarknet) -> dict:
    """Maps at strides 8, 16, 32, finest first -> {"n3": ..., "n4": ..., "n5": ...} with the row's 256, 512, 1024 maps."""
    c3, c4, c5 = levels
    narrow, middle, wide = (config.maps(width) for width in (256, 512, 1024))
    depth = config.blocks(3)

    def reduced(x, width: int, name: str):
        return unit(x, width, 1, name) if config.block == "c3" else x

    def fused(parts: list, width: int, name: str):
        return block(layers.Concatenate(name=f"{name}_in")(parts), config, width, depth, name)

    top5 = reduced(c5, middle, "pan_reduce5_%s")
    p4 = fused([enlarged(top5, c4, "pan_up4"), c4], middle, "pan_top4")
    top4 = reduced(p4, narrow, "pan_reduce4_%s")
    n3 = fused([enlarged(top4, c3, "pan_up3"), c3], narrow, "pan_top3")
    n4 = fused([unit(n3, narrow, 3, "pan_down4_%s", stride=2), top4], middle, "pan_bottom4")
    n5 = fused([unit(n4, middle, 3, "pan_down5_%s", stride=2), top5], wide, "pan_bottom5")
    return {"n3": n3, "n4": n4, "n5": n5}
