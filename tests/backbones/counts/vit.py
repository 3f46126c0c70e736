"""ViT: Dosovitskiy et al. 2020, equations 1 to 4."""

from __future__ import annotations

from tests.backbones.counts.terms import conv, dense


def vit(depth, width, patch, classes=1000, side=224) -> int:
    """Patches, a class token, a position for it and for every patch; in a block two normalisations, queries, keys, values and
    output of the attention, and the perceptron; a last normalisation and the head."""
    embedding = conv(3, width, patch) + width + (1 + (side // patch) ** 2) * width
    block = 2 * 2 * width + 4 * dense(width, width) + dense(width, 4 * width, width)
    return embedding + depth * block + 2 * width + dense(width, classes)


PAPER = {
    **{
        f"vit_{name}_{patch}": vit(depth, width, patch)
        for name, depth, width, patches in [
            ("tiny", 12, 192, (16,)),
            ("small", 12, 384, (16, 32)),
            ("base", 12, 768, (16, 32)),
            ("large", 24, 1024, (16, 32)),
        ]
        for patch in patches
    },
    "vit_micro": vit(2, 12, 16, classes=10, side=48),
}

MICRO = {"vit_base_16": "vit_micro"}
