"""The CIFAR ResNets."""

from __future__ import annotations

from tests.backbones.counts.terms import conv, dense


def cifar_resnet(layer_count, widths, option, classes=10) -> int:
    """One convolution, three stages of 2n convolutions, one dense layer: 6n + 2. Option "tiny" has biases and bare projections."""
    bias, depth = option == "tiny", (layer_count - 2) // 6

    def unit(a: int, b: int) -> int:
        return conv(a, b, 3, bias) + 2 * b

    first, second, third = widths
    total = unit(3, first) + 2 * depth * unit(first, first)
    for a, b in ((first, second), (second, third)):
        total += unit(a, b) + (2 * depth - 1) * unit(b, b)
        total += {"A": 0, "B": conv(a, b, 1, False) + 2 * b, "tiny": conv(a, b, 1)}[option]
    return total + dense(third, classes)


PAPER = {
    **{
        f"cifar_resnet{count}{'_b' * (option == 'B')}": cifar_resnet(count, (16, 32, 64), option)
        for count in (20, 32, 44, 56, 110)
        for option in "AB"
    },
    "resnet8": cifar_resnet(8, (16, 32, 64), "tiny"),
    "cifar_resnet_micro": cifar_resnet(8, (4, 8, 16), "A"),
    "cifar_resnet_b_micro": cifar_resnet(8, (4, 8, 16), "B"),
    "cifar_resnet_tiny_micro": cifar_resnet(8, (4, 8, 16), "tiny"),
}

MICRO = {
    "cifar_resnet20": "cifar_resnet_micro",
    "cifar_resnet20_b": "cifar_resnet_b_micro",
    "resnet8": "cifar_resnet_tiny_micro",
}
