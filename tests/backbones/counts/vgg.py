"""VGG."""

from __future__ import annotations

from tests.backbones.counts.terms import conv, dense


def vgg(depths, widths, side, hidden, classes, batch_norm) -> int:
    chain = [3, *(width for depth, width in zip(depths, widths, strict=True) for _ in range(depth))]
    convolutions = sum(conv(a, b, 3) + 2 * b * batch_norm for a, b in zip(chain[:-1], chain[1:], strict=True))
    return convolutions + dense(widths[-1] * side * side, *hidden, classes)


PAPER = {
    **{
        f"vgg{name}{'_bn' * batch_norm}": vgg(depths, (64, 128, 256, 512, 512), 7, (4096, 4096), 1000, batch_norm)
        for name, depths in {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}.items()
        for batch_norm in (False, True)
    },
    "vgg_micro": vgg((1, 1, 2, 2, 2), (4, 4, 6, 8, 8), 2, (16, 16), 10, False),
    "vgg_bn_micro": vgg((1, 1, 2, 2, 2), (4, 4, 6, 8, 8), 2, (16, 16), 10, True),
}

MICRO = {"vgg11": "vgg_micro", "vgg11_bn": "vgg_bn_micro"}
