"""GoogLeNet in torchvision, whose branches are our branches 1 to 4 in the same order."""

from __future__ import annotations

from zoo.backbones.googlenet import WIDTHS
from zoo.weights.foreign import Reference

IGNORED = ("aux1.*", "aux2.*")

_OPTIONS = {"aux_logits": False, "transform_input": False, "init_weights": False}

REFERENCES = {"googlenet_torchvision": (Reference("torchvision", "googlenet", _OPTIONS, note="without the auxiliary classifiers"),)}


def torch(row):
    if not row.torchvision:
        return None
    units = {f"stem_%s{index}": f"conv{index}" for index in (1, 2, 3)}
    for rows, depth in zip(WIDTHS, row.depths, strict=True):
        for module, *_ in rows[:depth]:
            ours, theirs = f"inception_{module}", f"inception{module}"
            units |= {f"{ours}_branch1_%s1": f"{theirs}.branch1", f"{ours}_branch4_%s1": f"{theirs}.branch4.1"}
            units |= {f"{ours}_branch{b}_%s{i}": f"{theirs}.branch{b}.{i - 1}" for b in (2, 3) for i in (1, 2)}
    names = {name % kind: (f"{theirs}.{their}",) for name, theirs in units.items() for kind, their in (("conv", "conv"), ("norm", "bn"))}
    return {**names, "logits": ("fc",)}
