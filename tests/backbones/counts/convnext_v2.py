"""ConvNeXt V2: Woo et al. 2023, appendix A.1, table of configurations."""

from __future__ import annotations

from tests.backbones.counts.convnext import convnext

SIZES = {
    "atto": ((2, 2, 6, 2), 40),
    "femto": ((2, 2, 6, 2), 48),
    "pico": ((2, 2, 6, 2), 64),
    "nano": ((2, 2, 8, 2), 80),
    "tiny": ((3, 3, 9, 3), 96),
    "base": ((3, 3, 27, 3), 128),
    "large": ((3, 3, 27, 3), 192),
    "huge": ((3, 3, 27, 3), 352),
}

PAPER = {
    **{f"convnext_v2_{name}": convnext(depths, width, 1000, second=True) for name, (depths, width) in SIZES.items()},
    "convnext_v2_micro": convnext((1, 1, 2, 1), 4, 10, second=True, growth=(1, 2, 3, 4)),
}

MICRO = {"convnext_v2_tiny": "convnext_v2_micro"}
