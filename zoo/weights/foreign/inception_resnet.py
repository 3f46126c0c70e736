"""Inception-ResNet v2 in keras.applications, which names only some of its layers, and in timm."""

from __future__ import annotations

from zoo.weights.foreign import Reference
from zoo.weights.foreign.inception_v3 import places

REFERENCES = {
    "inception_resnet_v2": (Reference("keras", "InceptionResNetV2"),),
    "inception_resnet_v2_timm": (Reference("timm", "inception_resnet_v2"),),
}

STEM = ("conv2d_1a", "conv2d_2a", "conv2d_2b", "conv2d_3b", "conv2d_4a")
MODULES = {
    "mixed": "branch0 | branch1.0 branch1.1 | branch2.0 branch2.1 branch2.2 | branch3.1",
    "a": "branch0 | branch1.0 branch1.1 | branch2.0 branch2.1 branch2.2",
    "reduction_a": "branch0 | branch1.0 branch1.1 branch1.2",
    "b": "branch0 | branch1.0 branch1.1 branch1.2",
    "reduction_b": "branch0.0 branch0.1 | branch1.0 branch1.1 | branch2.0 branch2.1 branch2.2",
    "c": "branch0 | branch1.0 branch1.1 branch1.2",
}
"""timm's names of the convolutions of each module, branch by branch."""


def _modules(row) -> list[tuple[str, str, str, str]]:
    """(kind, our name, timm's, the name of its projection in keras.applications), in order."""
    a, b, c = row.depths
    found = [("mixed", "mixed", "mixed_5b", "")]
    found += [("a", f"inception_resnet_a{i}", f"repeat.{i}", f"block35_{i + 1}_conv") for i in range(a)]
    found += [("reduction_a", "reduction_a", "mixed_6a", "")]
    found += [("b", f"inception_resnet_b{i}", f"repeat_1.{i}", f"block17_{i + 1}_conv") for i in range(b)]
    found += [("reduction_b", "reduction_b", "mixed_7a", "")]
    return found + [("c", f"inception_resnet_c{i}", f"repeat_2.{i}" if i < c - 1 else "block8", f"block8_{i + 1}_conv") for i in range(c)]


def _units(row) -> dict[str, str]:
    """{our convolution with a normalisation: timm's}, but for the last one."""
    names = {f"stem_%s{index}": theirs for index, theirs in enumerate(STEM, start=1)}
    for kind, ours, theirs, _ in _modules(row):
        names |= {f"{ours}_{place}": f"{theirs}.{step}" for place, step in places(MODULES[kind])}
    return names


def applications(row):
    if row.version == 1 or row.gamma:
        return None
    names: dict[str, tuple[str, ...]] = {"last_conv": ("conv_7b",), "last_norm": ("conv_7b_bn",), "logits": ("predictions",)}
    units: dict[str, tuple[str, ...]] = {}
    for index, ours in enumerate(_units(row)):
        units |= {ours % "conv": (f"conv2d#{index}",), ours % "norm": (f"batch_normalization#{index}",)}
    return {**units, **{f"{ours}_project": (project,) for _, ours, _, project in _modules(row) if project}, **names}


def torch(row):
    if row.version == 1 or not row.gamma:
        return None
    names: dict[str, tuple[str, ...]] = {}
    for ours, theirs in {**_units(row), "last_%s": "conv2d_7b"}.items():
        names |= {ours % "conv": (f"{theirs}.conv",), ours % "norm": (f"{theirs}.bn",)}
    projections = {f"{ours}_project": (f"{theirs}.conv2d",) for _, ours, theirs, project in _modules(row) if project}
    return {**names, **projections, "logits": ("classif",)}
