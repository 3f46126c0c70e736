"""Inception v3 in keras.applications, which leaves its layers unnamed, and in torchvision and timm, which name them alike."""

from __future__ import annotations

from zoo.weights.foreign import Reference

IGNORED = ("AuxLogits.*",)

_OPTIONS = {"aux_logits": False, "transform_input": False, "init_weights": False}

REFERENCES = {
    "inception_v3": (
        Reference("torchvision", "inception_v3", _OPTIONS, note="without the auxiliary classifier"),
        Reference("timm", "inception_v3"),
    ),
    "inception_v3_keras": (Reference("keras", "InceptionV3"),),
}

STEM = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3")
MODULES = {
    "inception_a": "branch1x1 | branch5x5_1 branch5x5_2 | branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3 | branch_pool",
    "reduction_a": "branch3x3 | branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3",
    "inception_b": "branch1x1 | branch7x7_1 branch7x7_2 branch7x7_3 "
    "| branch7x7dbl_1 branch7x7dbl_2 branch7x7dbl_3 branch7x7dbl_4 branch7x7dbl_5 | branch_pool",
    "reduction_b": "branch3x3_1 branch3x3_2 | branch7x7x3_1 branch7x7x3_2 branch7x7x3_3 branch7x7x3_4",
    "inception_c": "branch1x1 | branch3x3_1 branch3x3_2a/branch3x3_2b "
    "| branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3a/branch3x3dbl_3b | branch_pool",
}
"""Their names of the convolutions of each module, branch by branch."""


def units(row) -> dict[str, str]:
    """{our convolution, with %s for the kind of layer: theirs}, in the order in which both sides make them."""
    a, b, c = row.depths
    modules: list[tuple] = [("inception_a", i, f"5{'bcd'[i]}") for i in range(a)] + [("reduction_a", "", "6a")]
    modules += [("inception_b", i, f"6{'bcde'[i]}") for i in range(b)] + [("reduction_b", "", "7a")]
    modules += [("inception_c", i, f"7{'bc'[i]}") for i in range(c)]
    names = {f"stem_%s{index}": theirs for index, theirs in enumerate(STEM, start=1)}
    for kind, index, mixed in modules:
        ours = f"{kind}{index}"
        for place, theirs in places(MODULES[kind]):
            names[f"{ours}_{place}"] = f"Mixed_{mixed}.{theirs}"
    return names


def places(module: str) -> list[tuple[str, str]]:
    """[("branch2_%s1", theirs), ...] of a module written as above; names on both sides of "/" are side by side, our a and b."""
    found = []
    for number, branch in enumerate(module.split("|"), start=1):
        for index, step in enumerate(branch.split(), start=1):
            letters = "ab" if "/" in step else ("",)
            found += [(f"branch{number}_%s{index}{letter}", theirs) for letter, theirs in zip(letters, step.split("/"), strict=True)]
    return found


def applications(row):
    if row.gamma:
        return None
    names: dict[str, tuple[str, ...]] = {}
    for index, ours in enumerate(units(row)):
        names |= {ours % "conv": (f"conv2d#{index}",), ours % "norm": (f"batch_normalization#{index}",)}
    return {**names, "logits": ("predictions",)}


def torch(row):
    if not row.gamma:
        return None
    names: dict[str, tuple[str, ...]] = {}
    for ours, theirs in units(row).items():
        names |= {ours % "conv": (f"{theirs}.conv",), ours % "norm": (f"{theirs}.bn",)}
    return {**names, "logits": ("fc",)}
