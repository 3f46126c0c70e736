"""The first CNN of the course."""

from __future__ import annotations

from tests.backbones.counts.terms import dense


def small_cnn(widths, depth, classes) -> int:
    """A 3x3 convolution without bias from a to b maps has 9ab weights, its normalisation 2b."""
    chain = [3, *(width for width in widths for _ in range(depth))]
    return sum(9 * a * b + 2 * b for a, b in zip(chain[:-1], chain[1:], strict=True)) + dense(widths[-1], classes)


PAPER = {
    "small_cnn": small_cnn((32, 64, 128, 256), 2, 10),
    "small_cnn_micro": small_cnn((8, 16), 1, 10),
}

MICRO = {"small_cnn": "small_cnn_micro"}
