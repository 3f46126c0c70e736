"""Parameters counted with pencil and paper: from the papers' layer tables, without building a model.

Each family is written a second time here, as arithmetic only, so that a wrong model and a wrong constant cannot agree by accident.
"""

from __future__ import annotations


def conv(inputs: int, outputs: int, kernel: int, bias: bool = True, groups: int = 1) -> int:
    return outputs * (inputs // groups * kernel * kernel + bias)


def dense(*widths: int) -> int:
    """A chain of fully connected layers."""
    return sum(outputs * (inputs + 1) for inputs, outputs in zip(widths[:-1], widths[1:], strict=True))


def small_cnn(widths, depth, classes) -> int:
    """A 3x3 convolution without bias from a to b maps has 9ab weights, its normalisation 2b."""
    chain = [3, *(width for width in widths for _ in range(depth))]
    return sum(9 * a * b + 2 * b for a, b in zip(chain[:-1], chain[1:], strict=True)) + dense(widths[-1], classes)


def lenet(widths, connections, hidden, classes, radial) -> int:
    """Connections of C3: its table's crosses, each with 25 weights; S2 and S4 have a coefficient and a bias per map."""
    c1, c3, c5 = widths
    subsampling = 2 * c1 + 2 * c3 if radial else 0
    last = 0 if radial else dense(hidden, classes)
    return conv(1, c1, 5) + 25 * connections + c3 + conv(c3, c5, 5) + subsampling + dense(c5, hidden) + last


def alexnet(widths, groups, side, hidden, classes) -> int:
    a, b, c, d, e = widths
    convolutions = (
        conv(3, a, 11) + conv(a, b, 5, groups=groups) + conv(b, c, 3) + conv(c, d, 3, groups=groups) + conv(d, e, 3, groups=groups)
    )
    return convolutions + dense(e * side * side, *hidden, classes)


def vgg(depths, widths, side, hidden, classes, batch_norm) -> int:
    chain = [3, *(width for depth, width in zip(depths, widths, strict=True) for _ in range(depth))]
    convolutions = sum(conv(a, b, 3) + 2 * b * batch_norm for a, b in zip(chain[:-1], chain[1:], strict=True))
    return convolutions + dense(widths[-1] * side * side, *hidden, classes)


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
    "lenet5": lenet((6, 16, 120), 60, 84, 10, True),
    "lenet5_modern": lenet((6, 16, 120), 96, 84, 10, False),
    "lenet_micro": lenet((3, 4, 12), 9, 20, 10, True),
    "lenet_modern_micro": lenet((3, 4, 12), 12, 20, 10, False),
    "alexnet": alexnet((96, 256, 384, 384, 256), 2, 6, (4096, 4096), 1000),
    "alexnet_torchvision": alexnet((64, 192, 384, 256, 256), 1, 6, (4096, 4096), 1000),
    "alexnet_micro": alexnet((4, 8, 8, 8, 8), 2, 2, (16, 16), 10),
    "alexnet_torchvision_micro": alexnet((4, 8, 8, 8, 8), 1, 2, (16, 16), 10),
    **{
        f"vgg{name}{'_bn' * batch_norm}": vgg(depths, (64, 128, 256, 512, 512), 7, (4096, 4096), 1000, batch_norm)
        for name, depths in {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}.items()
        for batch_norm in (False, True)
    },
    "vgg_micro": vgg((1, 1, 2, 2, 2), (4, 4, 6, 8, 8), 2, (16, 16), 10, False),
    "vgg_bn_micro": vgg((1, 1, 2, 2, 2), (4, 4, 6, 8, 8), 2, (16, 16), 10, True),
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
    "small_cnn": small_cnn((32, 64, 128, 256), 2, 10),
    "small_cnn_micro": small_cnn((8, 16), 1, 10),
}
"""Row -> trainable parameters."""
