"""The all-convolutional nets, layer by layer from tables 1 and 2."""

from __future__ import annotations

from tests.backbones.counts.terms import conv

_KERNELS = {"a": [5], "b": [5, 1], "c": [3, 3]}


def all_convolutional(model, extra, classes=10, narrow=96, wide=192) -> int:
    """extra: one more 3x3 convolution in each of the first two stages (the last two columns of table 2)."""
    total, maps = 0, 3
    for width in (narrow, wide):
        for kernel in [*_KERNELS[model], *([3] * extra)]:
            total += conv(maps, width, kernel)
            maps = width
    return total + conv(wide, wide, 3) + conv(wide, wide, 1) + conv(wide, classes, 1)


PAPER = {
    "base_cnn_c": all_convolutional("c", False),
    "strided_cnn_c": all_convolutional("c", False),
    "conv_pool_cnn_c": all_convolutional("c", True),
    **{f"all_cnn_{model}": all_convolutional(model, True) for model in "abc"},
    "all_convolutional_micro": all_convolutional("c", True, narrow=8, wide=12),
    "all_convolutional_b_micro": all_convolutional("b", True, narrow=8, wide=12),
    "all_convolutional_pool_micro": all_convolutional("c", True, narrow=8, wide=12),
    "all_convolutional_stride_micro": all_convolutional("c", False, narrow=8, wide=12),
}

MICRO = {
    "base_cnn_c": "all_convolutional_pool_micro",
    "strided_cnn_c": "all_convolutional_stride_micro",
    "conv_pool_cnn_c": "all_convolutional_pool_micro",
    "all_cnn_a": "all_convolutional_b_micro",
    "all_cnn_b": "all_convolutional_b_micro",
    "all_cnn_c": "all_convolutional_micro",
}
