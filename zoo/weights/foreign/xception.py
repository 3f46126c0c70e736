"""Xception in keras.applications and, with the same weights, in timm.

The shortcuts have no names in keras.applications: they are its only unnamed convolutions. Its published file is from the days
when Keras called them convolution2d_1 and batchnormalization_1.
"""

from __future__ import annotations

from zoo.weights.foreign import Reference

REFERENCES = {
    "xception": (Reference("keras", "Xception"),),
    "xception_timm": (Reference("timm", "legacy_xception"),),
}


def _blocks(row) -> list[tuple[int, int]]:
    """(block, separable convolutions) of the blocks after the stem."""
    middle = range(5, 5 + row.middle)
    return [(2, 2), (3, 2), (4, 2), *((block, 3) for block in middle), (5 + row.middle, 2), (6 + row.middle, 2)]


def _halving(row) -> tuple[int, ...]:
    return (2, 3, 4, 5 + row.middle)


def applications(row):
    if row.symmetric:
        return None
    names: dict[str, tuple[str, ...]] = {}
    for part in (1, 2):
        names |= {f"block1_conv{part}": (f"block1_conv{part}",), f"block1_norm{part}": (f"block1_conv{part}_bn",)}
    for block, depth in _blocks(row):
        for part in range(1, depth + 1):
            theirs = f"block{block}_sepconv{part}"
            names |= {f"block{block}_conv{part}": (theirs,), f"block{block}_norm{part}": (f"{theirs}_bn",)}
    for rank, block in enumerate(_halving(row)):
        names[f"block{block}_shortcut_conv"] = (f"conv2d#{rank}", f"convolution2d#{rank}")
        names[f"block{block}_shortcut_norm"] = (f"batch_normalization#{rank}", f"batchnormalization#{rank}")
    return {**names, "logits": ("predictions",)}


def torch(row):
    """timm counts from the first block with a shortcut; the layers of a block are numbered through, ReLU and pooling included."""
    if not row.symmetric:
        return None
    names: dict[str, tuple[str, ...]] = {}
    for part in (1, 2):
        names |= {f"block1_conv{part}": (f"conv{part}",), f"block1_norm{part}": (f"bn{part}",)}
    for block, depth in _blocks(row)[:-1]:
        for part in range(1, depth + 1):
            number = 3 * part - 2 - (block == 2)  # the second block starts without a ReLU
            names |= _separable(f"block{block}_conv{part}", f"block{block - 1}.rep.{number}")
            names[f"block{block}_norm{part}"] = (f"block{block - 1}.rep.{number + 1}",)
    for block in _halving(row):
        names |= {f"block{block}_shortcut_conv": (f"block{block - 1}.skip",), f"block{block}_shortcut_norm": (f"block{block - 1}.skipbn",)}
    last = 6 + row.middle
    for part in (1, 2):
        names |= _separable(f"block{last}_conv{part}", f"conv{part + 2}")
        names[f"block{last}_norm{part}"] = (f"bn{part + 2}",)
    return {**names, "logits": ("fc",)}


def _separable(ours: str, theirs: str) -> dict[str, tuple[str, ...]]:
    return {f"{ours}/depthwise_kernel": (f"{theirs}.conv1.weight",), f"{ours}/pointwise_kernel": (f"{theirs}.pointwise.weight",)}
