"""DenseNet-BC."""

from __future__ import annotations

from tests.backbones.counts.terms import dense


def densenet(depths, growth, width, classes) -> int:
    """Layer l of a block that m maps enter sees m + l * growth maps; a transition halves them; no biases but the last."""
    total, maps = 3 * 49 * width + 2 * width, width
    for number, depth in enumerate(depths):
        for layer in range(depth):
            seen = maps + layer * growth
            total += 2 * seen + seen * 4 * growth + 2 * 4 * growth + 4 * growth * growth * 9
        maps += depth * growth
        total += 2 * maps
        if number < 3:
            total += maps * (maps // 2)
            maps //= 2
    return total + dense(maps, classes)


_DEPTHS = {121: (6, 12, 24, 16), 169: (6, 12, 32, 32), 201: (6, 12, 48, 32)}
PAPER = {
    **{f"densenet{name}{end}": densenet(depths, 32, 64, 1000) for name, depths in _DEPTHS.items() for end in ("", "_torchvision")},
    "densenet161_torchvision": densenet((6, 12, 36, 24), 48, 96, 1000),
    "densenet_micro": densenet((2, 2, 3, 2), 4, 8, 10),
    "densenet_torchvision_micro": densenet((2, 2, 3, 2), 4, 8, 10),
}

MICRO = {"densenet121": "densenet_micro", "densenet121_torchvision": "densenet_torchvision_micro"}
