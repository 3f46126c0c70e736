"""The CIFAR ResNets in Idelbayev's reproduction (state dicts of torch), and MLPerf Tiny's ResNet-8 (a whole model of Keras 2)."""

from __future__ import annotations

from zoo.weights.foreign import positions


def applications(row):
    """Keras numbered the layers of ResNet-8 as they were made: in a block two convolutions and, last, the projection."""
    if not row.tiny or row.option != "B":
        return None
    convolutions, norms = ["stem_conv"], ["stem_norm"]
    for stage, block in positions((row.depth,) * 3):
        ours = f"stage{stage}_block{block - 1}"
        convolutions += [f"{ours}_conv1", f"{ours}_conv2"] + [f"{ours}_shortcut_conv"] * (stage > 1 and block == 1)
        norms += [f"{ours}_norm1", f"{ours}_norm2"]
    names = {ours: (f"conv2d#{index}",) for index, ours in enumerate(convolutions)}
    names |= {ours: (f"batch_normalization#{index}",) for index, ours in enumerate(norms)}
    return {**names, "logits": ("dense",)}


def torch(row):
    if row.tiny:
        return None
    names = {"stem_conv": ("conv1",), "stem_norm": ("bn1",)}
    for stage, block in positions((row.depth,) * 3):
        ours, theirs = f"stage{stage}_block{block - 1}", f"layer{stage}.{block - 1}"
        for part in (1, 2):
            names |= {f"{ours}_conv{part}": (f"{theirs}.conv{part}",), f"{ours}_norm{part}": (f"{theirs}.bn{part}",)}
        if row.option == "B" and stage > 1 and block == 1:
            names |= {f"{ours}_shortcut_conv": (f"{theirs}.shortcut.0",), f"{ours}_shortcut_norm": (f"{theirs}.shortcut.1",)}
    return {**names, "logits": ("linear",)}
