"""SqueezeNet in torchvision, and in the file of keras-squeezenet.

That file is from 2016: a layer's name has a slash in it, and Keras called its kernels uniform1, uniform2, ... in the order of the network.
"""

from __future__ import annotations

from zoo.weights.foreign import Reference

BGR = True

REFERENCES = {
    "squeezenet1_0": (Reference("torchvision", "squeezenet1_0"),),
    "squeezenet1_1": (Reference("torchvision", "squeezenet1_1"),),
}


def _modules(row) -> list[int]:
    """The stage of every fire module, from 0."""
    return [stage for stage, modules in enumerate(row.fires) for _ in modules]


def applications(row):
    if row.ceil:
        return None
    names = {"conv1": ("conv1",)}
    for index in range(len(_modules(row))):
        for part, (ours, theirs) in enumerate({"squeeze": "squeeze1x1", "expand1": "expand1x1", "expand3": "expand3x3"}.items()):
            ours, theirs = f"fire{index + 2}_{ours}", f"fire{index + 2}/{theirs}"
            names[f"{ours}/kernel"] = (f"{theirs}/uniform{2 + 3 * index + part}",)
            names[f"{ours}/bias"] = (f"{theirs}/{theirs}_b",)
    return names


def torch(row):
    """The layers of `features` are numbered through: convolution, ReLU, and a pooling before every stage."""
    if not row.ceil:
        return None
    names = {"conv1": ("features.0",)}
    for index, stage in enumerate(_modules(row)):
        for ours, theirs in {"squeeze": "squeeze", "expand1": "expand1x1", "expand3": "expand3x3"}.items():
            names[f"fire{index + 2}_{ours}"] = (f"features.{3 + index + stage}.{theirs}",)
    return {**names, "logits": ("classifier.1",)}
