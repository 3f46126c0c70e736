"""NASNet-A."""

from __future__ import annotations

from tests.backbones.counts.terms import conv, dense


def nasnet(depth: int, stem: int, widths, skip: bool, classes: int) -> int:
    """Figure 4 of the paper as numbers of kernels: a normal cell has 5x5 separable convolutions twice and 3x3 three times, a reduction
    cell 5x5 twice, 7x7 twice and 3x3 once; each is applied twice. Cells put out six or four times their width."""

    def norm(maps: int) -> int:
        return 2 * maps

    def separable(a: int, b: int, kernel: int) -> int:
        """The first takes a maps to b, the second b to b."""
        return sum(c * kernel**2 + c * b + norm(b) for c in (a, b))

    def squeeze(a: int, b: int) -> int:
        return conv(a, b, 1, bias=False) + norm(b)

    def halve(a: int, b: int) -> int:
        return 2 * conv(a, b // 2, 1, bias=False) + norm(2 * (b // 2))

    def normal(w: int) -> int:
        return 2 * separable(w, w, 5) + 3 * separable(w, w, 3)

    def reduction(w: int, previous: int) -> int:
        return separable(w, w, 5) + separable(w, w, 3) + 2 * separable(previous, w, 7) + separable(previous, w, 5)

    first, second, *stages = widths
    total = conv(3, stem, 3, bias=False) + norm(stem)
    total += squeeze(stem, first) + reduction(first, stem)  # the cell before is the stem itself, taken as it is
    total += squeeze(4 * first, second) + halve(stem, second) + reduction(second, second)
    maps = [4 * first, 4 * second]  # of the last two cells
    for stage, w in enumerate(stages):
        if stage:
            total += squeeze(maps[-1], w) + squeeze(maps[-2], w) + reduction(w, w)
            maps = [maps[-2] if skip else maps[-1], 4 * w]
        for cell in range(depth):
            total += squeeze(maps[-1], w) + (halve if cell == 0 else squeeze)(maps[-2], w) + normal(w)
            maps = [maps[-1], 6 * w]
    return total + dense(maps[-1], classes)


_MICRO = (1, 4, (4, 4, 8, 12))

PAPER = {
    "nasnet_mobile": nasnet(4, 32, (11, 22, 44, 88, 176), False, 1000),
    "nasnet_large": nasnet(6, 96, (42, 84, 168, 336, 672), True, 1000),
    "nasnet_large_timm": nasnet(6, 96, (42, 84, 168, 336, 672), True, 1000),
    "nasnet_micro": nasnet(*_MICRO, False, 10),
    "nasnet_skip_micro": nasnet(*_MICRO, True, 10),
    "nasnet_timm_micro": nasnet(*_MICRO, True, 10),
}

MICRO = {"nasnet_mobile": "nasnet_micro", "nasnet_large": "nasnet_skip_micro", "nasnet_large_timm": "nasnet_timm_micro"}
