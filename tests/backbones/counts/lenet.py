"""LeNet-5."""

from __future__ import annotations

from tests.backbones.counts.terms import conv, dense


def lenet(widths, connections, hidden, classes, radial) -> int:
    """Connections of C3: its table's crosses, each with 25 weights; S2 and S4 have a coefficient and a bias per map."""
    c1, c3, c5 = widths
    subsampling = 2 * c1 + 2 * c3 if radial else 0
    last = 0 if radial else dense(hidden, classes)
    return conv(1, c1, 5) + 25 * connections + c3 + conv(c3, c5, 5) + subsampling + dense(c5, hidden) + last


PAPER = {
    "lenet5": lenet((6, 16, 120), 60, 84, 10, True),
    "lenet5_modern": lenet((6, 16, 120), 96, 84, 10, False),
    "lenet_micro": lenet((3, 4, 12), 9, 20, 10, True),
    "lenet_modern_micro": lenet((3, 4, 12), 12, 20, 10, False),
}

MICRO = {"lenet5": "lenet_micro", "lenet5_modern": "lenet_modern_micro"}
