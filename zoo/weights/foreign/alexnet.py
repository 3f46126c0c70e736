"""AlexNet in torchvision."""

from __future__ import annotations

from zoo.weights.foreign import Reference

REFERENCES = {"alexnet_torchvision": (Reference("torchvision", "alexnet"),)}


def torch(row):
    if row.paper:
        return None
    convolutions = {f"conv{index}": (f"features.{number}",) for index, number in enumerate((0, 3, 6, 8, 10), start=1)}
    return {**convolutions, "fc1": ("classifier.1",), "fc2": ("classifier.4",), "logits": ("classifier.6",)}
