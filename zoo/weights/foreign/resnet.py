"""ResNet in keras.applications (v1) and in torchvision and timm (v1.5)."""

from __future__ import annotations

from zoo.weights.foreign import Reference, positions

BGR = True

REFERENCES = {
    **{f"resnet{d}": (Reference("torchvision", f"resnet{d}"), Reference("timm", f"resnet{d}")) for d in (18, 34, 50, 101, 152)},
    **{f"resnet{d}_v1": (Reference("keras", f"ResNet{d}"),) for d in (50, 101, 152)},
}


def applications(row):
    if not row.v1:
        return None
    names = {"stem_conv": ("conv1_conv",), "stem_norm": ("conv1_bn",)}
    for stage, block in positions(row.depths):
        ours, theirs = f"stage{stage + 1}_block{block - 1}", f"conv{stage + 1}_block{block}"
        for kind, their_kind in (("conv", "conv"), ("norm", "bn")):
            names |= {f"{ours}_{kind}{part}": (f"{theirs}_{part}_{their_kind}",) for part in (1, 2, 3)}
            names |= {f"{ours}_shortcut_{kind}": (f"{theirs}_0_{their_kind}",)} if block == 1 else {}
    return {**names, "logits": ("predictions", "probs")}


def torch(row):
    if row.v1:
        return None
    names = {"stem_conv": ("conv1",), "stem_norm": ("bn1",)}
    for stage, block in positions(row.depths):
        ours, theirs = f"stage{stage + 1}_block{block - 1}", f"layer{stage}.{block - 1}"
        for part in (1, 2, 3) if row.bottleneck else (1, 2):
            names |= {f"{ours}_conv{part}": (f"{theirs}.conv{part}",), f"{ours}_norm{part}": (f"{theirs}.bn{part}",)}
        if block == 1 and (row.bottleneck or stage > 1):
            names |= {f"{ours}_shortcut_conv": (f"{theirs}.downsample.0",), f"{ours}_shortcut_norm": (f"{theirs}.downsample.1",)}
    return {**names, "logits": ("fc",)}
