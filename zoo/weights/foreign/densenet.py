"""DenseNet in keras.applications, torchvision and timm.

Two spellings in both worlds: the published files of torchvision are from the days when the parts of a layer were called norm.1 and conv.1;
those of keras.applications from the days when the stem was called conv1/conv, with a slash inside a layer's name.
"""

from __future__ import annotations

from zoo.weights.foreign import Reference, positions

REFERENCES = {
    **{f"densenet{d}": (Reference("keras", f"DenseNet{d}"),) for d in (121, 169, 201)},
    **{
        f"densenet{d}_torchvision": (Reference("torchvision", f"densenet{d}"), Reference("timm", f"densenet{d}"))
        for d in (121, 161, 169, 201)
    },
}


def applications(row):
    if row.torchvision:
        return None
    names: dict[str, tuple[str, ...]] = {
        "stem_conv": ("conv1_conv",),
        "stem_norm": ("conv1_bn",),
        "stem_conv/kernel": ("conv1/conv/conv1/conv/kernel:0",),
    }
    for weight in ("gamma", "beta", "moving_mean", "moving_variance"):
        names[f"stem_norm/{weight}"] = (f"conv1/bn/conv1/bn/{weight}:0",)
    for stage, index in positions(row.depths):
        ours, theirs = f"stage{stage + 1}_block{index - 1}", f"conv{stage + 1}_block{index}"
        for part in (1, 2):
            names |= {f"{ours}_norm{part}": (f"{theirs}_{part - 1}_bn",), f"{ours}_conv{part}": (f"{theirs}_{part}_conv",)}
    for stage in (2, 3, 4):
        names |= {f"stage{stage}_norm": (f"pool{stage}_bn",), f"stage{stage}_transition_conv": (f"pool{stage}_conv",)}
    return {**names, "stage5_norm": ("bn",), "logits": ("predictions", "fc1000")}


def torch(row):
    if not row.torchvision:
        return None
    names: dict[str, tuple[str, ...]] = {"stem_conv": ("features.conv0",), "stem_norm": ("features.norm0",)}
    for stage, index in positions(row.depths):
        ours, theirs = f"stage{stage + 1}_block{index - 1}", f"features.denseblock{stage}.denselayer{index}"
        for kind in ("norm", "conv"):
            names |= {f"{ours}_{kind}{part}": (f"{theirs}.{kind}{part}", f"{theirs}.{kind}.{part}") for part in (1, 2)}
    for stage in (2, 3, 4):
        theirs = f"features.transition{stage - 1}"
        names |= {f"stage{stage}_norm": (f"{theirs}.norm",), f"stage{stage}_transition_conv": (f"{theirs}.conv",)}
    return {**names, "stage5_norm": ("features.norm5",), "logits": ("classifier",)}
