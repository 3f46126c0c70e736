"""SE-ResNet in timm: its ResNet, and two 1x1 convolutions per block."""

from __future__ import annotations

from zoo.weights.foreign import Reference, positions, resnet

REFERENCES = {f"se_resnet{depth}": (Reference("timm", f"seresnet{depth}"),) for depth in (50, 101, 152)}


def torch(row):
    names = resnet.torch(row)
    for stage, block in positions(row.depths):
        ours, theirs = f"stage{stage + 1}_block{block - 1}_se", f"layer{stage}.{block - 1}.se"
        names |= {f"{ours}_reduce": (f"{theirs}.fc1",), f"{ours}_expand": (f"{theirs}.fc2",)}
    return names
