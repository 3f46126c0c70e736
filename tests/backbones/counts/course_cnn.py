"""The course's ladder: flatten, pool, split."""

from __future__ import annotations

from tests.backbones.counts.terms import conv, dense

WIDTHS = (64, 128, 256, 256, 512)
SMALL = (4, 6, 6, 6, 8)


def chain(widths) -> list[tuple[int, int]]:
    every = [3, *(width for width in widths for _ in range(2))]
    return list(zip(every[:-1], every[1:], strict=True))


def stages(widths, separable=False) -> int:
    """Two convolutions with bias per stage, and scale and shift of its normalisation."""
    kernels = (9 * a + conv(a, b, 1) if separable else conv(a, b, 3) for a, b in chain(widths))
    return sum(kernels) + 2 * sum(widths)


def flattened(widths, side, classes) -> int:
    """A dense layer of 64 on the flattened map, its normalisation, and the decision."""
    return dense(widths[-1] * side**2, 64) + 2 * 64 + dense(64, classes)


PAPER = {
    "course_cnn_flatten": stages(WIDTHS) + flattened(WIDTHS, 7, 6),
    "course_cnn": stages(WIDTHS) + dense(512, 6),
    "course_cnn_separable": stages(WIDTHS, separable=True) + dense(512, 6),
    "course_cnn_micro": stages(SMALL) + dense(8, 10),
    "course_cnn_flatten_micro": stages(SMALL) + flattened(SMALL, 1, 10),
    "course_cnn_separable_micro": stages(SMALL, separable=True) + dense(8, 10),
}

MICRO = {
    "course_cnn_flatten": "course_cnn_flatten_micro",
    "course_cnn": "course_cnn_micro",
    "course_cnn_separable": "course_cnn_separable_micro",
}
