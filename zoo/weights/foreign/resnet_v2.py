"""ResNet v2 in keras.applications; timm's resnetv2_50 halves its maps elsewhere and is another network."""

from __future__ import annotations

from zoo.weights.foreign import Reference, positions

REFERENCES = {f"resnet{d}_v2": (Reference("keras", f"ResNet{d}V2"),) for d in (50, 101, 152)}


def applications(row):
    names = {"stem_conv": ("conv1_conv",)}
    for stage, block in positions(row.depths):
        ours, theirs = f"stage{stage + 1}_block{block - 1}", f"conv{stage + 1}_block{block}"
        names |= {f"{ours}_norm1": (f"{theirs}_preact_bn",)}
        names |= {f"{ours}_shortcut_conv": (f"{theirs}_0_conv",)} if block == 1 else {}
        for part in (1, 2):
            names |= {f"{ours}_conv{part}": (f"{theirs}_{part}_conv",), f"{ours}_norm{part + 1}": (f"{theirs}_{part}_bn",)}
        names |= {f"{ours}_conv3": (f"{theirs}_3_conv",)}
    return {**names, "last_norm": ("post_bn",), "logits": ("predictions", "probs")}
