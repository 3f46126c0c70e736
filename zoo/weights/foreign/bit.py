"""BiT in timm. The publisher's own files are .npz archives with other names, which are not read."""

from __future__ import annotations

from zoo.weights.foreign import Reference, positions

REFERENCES = {f"bit_r{d}x{w}": (Reference("timm", f"resnetv2_{d}x{w}_bit"),) for d, w in ((50, 1), (50, 3), (101, 1), (101, 3), (152, 2))}


def torch(row):
    names = {"stem_conv": ("stem.conv",)}
    for stage, block in positions(row.depths):
        ours, theirs = f"stage{stage + 1}_block{block - 1}", f"stages.{stage - 1}.blocks.{block - 1}"
        for part in (1, 2, 3):
            names |= {f"{ours}_norm{part}": (f"{theirs}.norm{part}",), f"{ours}_conv{part}": (f"{theirs}.conv{part}",)}
        names |= {f"{ours}_shortcut_conv": (f"{theirs}.downsample.conv",)} if block == 1 else {}
    return {**names, "last_norm": ("norm",), "logits": ("head.fc",)}
