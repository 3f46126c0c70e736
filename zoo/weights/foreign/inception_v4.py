"""Inception v4 in timm, which numbers the parts of the network, branches and convolutions from 0."""

from __future__ import annotations

from zoo.weights.foreign import Reference
from zoo.weights.foreign.inception_v3 import places

REFERENCES = {"inception_v4": (Reference("timm", "inception_v4"),)}

MODULES = {
    "stem_3a": "| conv",
    "stem_4a": "branch0.0 branch0.1 | branch1.0 branch1.1 branch1.2 branch1.3",
    "stem_5a": "conv",
    "inception_a": "branch0 | branch1.0 branch1.1 | branch2.0 branch2.1 branch2.2 | branch3.1",
    "reduction_a": "branch0 | branch1.0 branch1.1 branch1.2",
    "inception_b": "branch0 | branch1.0 branch1.1 branch1.2 | branch2.0 branch2.1 branch2.2 branch2.3 branch2.4 | branch3.1",
    "reduction_b": "branch0.0 branch0.1 | branch1.0 branch1.1 branch1.2 branch1.3",
    "inception_c": "branch0 | branch1_0 branch1_1a/branch1_1b | branch2_0 branch2_1 branch2_2 branch2_3a/branch2_3b | branch3.1",
}
"""Their names of the convolutions of each module, branch by branch."""


def torch(row):
    a, b, c = row.depths
    modules = [(f"stem_{part}a", f"stem_{part}a") for part in (3, 4, 5)]
    modules += [("inception_a", f"inception_a{i}") for i in range(a)] + [("reduction_a", "reduction_a")]
    modules += [("inception_b", f"inception_b{i}") for i in range(b)] + [("reduction_b", "reduction_b")]
    modules += [("inception_c", f"inception_c{i}") for i in range(c)]
    units = {f"stem_%s{index}": f"features.{index - 1}" for index in (1, 2, 3)}
    for number, (kind, ours) in enumerate(modules, start=3):
        units |= {f"{ours}_{place}": f"features.{number}.{theirs}" for place, theirs in places(MODULES[kind])}
    names: dict[str, tuple[str, ...]] = {}
    for ours, theirs in units.items():
        names |= {ours % "conv": (f"{theirs}.conv",), ours % "norm": (f"{theirs}.bn",)}
    return {**names, "logits": ("last_linear",)}
