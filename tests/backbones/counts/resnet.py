"""ResNet."""

from __future__ import annotations

from tests.backbones.counts.terms import conv, dense


def resnet(depths, width, bottleneck, bias, classes) -> int:
    """Every convolution is followed by a normalisation with two parameters per map; a projection where the shape changes."""

    def unit(a: int, b: int, kernel: int) -> int:
        return conv(a, b, kernel, bias) + 2 * b

    total, maps = unit(3, width, 7), width
    for stage, depth in enumerate(depths):
        inner = width * 2**stage
        outer = 4 * inner if bottleneck else inner
        for block in range(depth):
            if bottleneck:
                total += unit(maps, inner, 1) + unit(inner, inner, 3) + unit(inner, outer, 1)
            else:
                total += unit(maps, inner, 3) + unit(inner, outer, 3)
            if maps != outer or (block == 0 and stage > 0):
                total += unit(maps, outer, 1)
            maps = outer
    return total + dense(maps, classes)


PAPER = {
    "resnet18": resnet((2, 2, 2, 2), 64, False, False, 1000),
    "resnet34": resnet((3, 4, 6, 3), 64, False, False, 1000),
    **{
        f"resnet{name}{'_v1' * v1}": resnet(depths, 64, True, v1, 1000)
        for name, depths in {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}.items()
        for v1 in (False, True)
    },
    "resnet_micro": resnet((1, 1, 1, 2), 2, False, False, 10),
    "resnet_bottleneck_micro": resnet((1, 1, 1, 2), 2, True, False, 10),
    "resnet_v1_micro": resnet((1, 1, 1, 2), 2, True, True, 10),
}

MICRO = {"resnet18": "resnet_micro", "resnet50": "resnet_bottleneck_micro", "resnet50_v1": "resnet_v1_micro"}
