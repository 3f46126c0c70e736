"""ConvNeXt and ConvNeXt V2."""

from __future__ import annotations

from tests.backbones.counts.terms import conv, dense


def convnext(depths, width, classes, second: bool = False, growth=(1, 2, 4, 8)) -> int:
    """A normalisation has two numbers per channel. A block: depthwise 7x7 with biases, normalisation, two dense layers, and one
    number per channel of layer scale, or in V2 two per hidden channel of global response normalisation."""
    widths = [width * factor for factor in growth]
    total = conv(3, widths[0], 4) + 2 * widths[0]
    for stage, (depth, c) in enumerate(zip(depths, widths, strict=True)):
        if stage:
            total += 2 * widths[stage - 1] + conv(widths[stage - 1], c, 2)
        extra = 2 * 4 * c if second else c
        total += depth * (conv(c, c, 7, groups=c) + 2 * c + dense(c, 4 * c, c) + extra)
    return total + 2 * widths[-1] + dense(widths[-1], classes)


PAPER = {
    **{
        f"convnext_{name}": convnext((3, 3, depth, 3), width, 1000)
        for name, depth, width in [("tiny", 9, 96), ("small", 27, 96), ("base", 27, 128), ("large", 27, 192), ("xlarge", 27, 256)]
    },
    "convnext_micro": convnext((1, 1, 2, 1), 4, 10, growth=(1, 2, 3, 4)),
}

MICRO = {"convnext_tiny": "convnext_micro"}
