"""Layer-wise learning-rate decay: the deeper a layer lies below the head, the smaller its steps.

A fine-tuned network needs a new head but hardly new edges. Clark et al. 2020 (ELECTRA, arXiv:2003.10555, appendix B) multiply the rate by
a constant for each layer on the way down; BEiT (Bao et al. 2021, arXiv:2106.08254) and ConvNeXt (Liu et al. 2022, arXiv:2201.03545,
table 7) fine-tune vision models so.

Scaling gradients would not do: Adam, Lion and LAMB divide the scale out again. Keras' MultiOptimizer has no `learning_rate` that a
schedule, the finder or the history could use. So the step itself is scaled, and weight decay with it, as in the sources.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any

import keras

# The part of a layer's name before its operation names its block: "stage2_block0_conv1" -> "stage2_block0", "fire2_squeeze" -> "fire2".
_OPERATION = re.compile(
    r"(conv|norm|bn|branch|squeeze|expand|depthwise|pointwise|project|scale|se|shortcut|qkv|mlp|response|down|downsample|before)\d*"
)
_HEAD = re.compile(r"(logits|head\w*|norm|last_norm|fc\d*)")
_FOOT = re.compile(r"(patches|tokens|stem)")


def groups(model: keras.Model) -> list[tuple[str, list[keras.Variable]]]:
    """(name, trainable variables) from the input to the output: the stem, each block, and last the head with the norms before it."""
    found: dict[str, list[keras.Variable]] = {}
    for layer in model.layers:
        if layer.trainable_variables:
            found.setdefault(_block(layer.name), []).extend(layer.trainable_variables)
    ordered = [(name, found[name]) for name in found if name != "head"]
    return [*ordered, ("head", found["head"])] if "head" in found else ordered


def shares(model: keras.Model, decay: float) -> dict[str, float]:
    """Group -> the factor of its rate: 1 for the last group, `decay` for the one before, then `decay` squared, and so on."""
    names = [name for name, _ in groups(model)]
    return {name: decay ** (len(names) - 1 - index) for index, name in enumerate(names)}


def scaled(maker: Any, model: keras.Model, decay: float, **arguments) -> keras.optimizers.Optimizer:
    """An optimiser of class `maker` for `model`, whose every variable steps and decays by its group's share of the rate."""
    factors = shares(model, decay)
    optimizer = _layered(maker)(**arguments)
    optimizer.share_of = {id(variable): factors[name] for name, variables in groups(model) for variable in variables}
    return optimizer


def _block(name: str) -> str:
    pieces = name.split("_")
    if _HEAD.fullmatch(name):
        return "head"
    if _FOOT.fullmatch(pieces[0]):
        return "stem"
    kept = next((index for index, piece in enumerate(pieces) if _OPERATION.fullmatch(piece)), len(pieces))
    return "_".join(pieces[:kept]) or name


class _Layered:
    """Mixed into an optimiser class of Keras. `share_of` is set before `build`: id of a variable -> its share."""

    share_of: dict[int, float]
    weight_decay: float | None

    def build(self, variables) -> None:
        super().build(variables)  # type: ignore[misc]
        self._shares = tuple(self.share_of[id(variable)] for variable in variables)

    def update_step(self, gradient, variable, learning_rate) -> None:
        super().update_step(gradient, variable, learning_rate * self._share(variable))  # type: ignore[misc]

    def _apply_weight_decay(self, variables: Sequence) -> None:
        """Each backend has its own in-place decay; it is asked group by group, with the decay of the group."""
        whole = self.weight_decay
        if whole is None:
            return
        try:
            for share in sorted(set(self._shares)):
                self.weight_decay = whole * share
                super()._apply_weight_decay([each for each in variables if self._share(each) == share])  # type: ignore[misc]
        finally:
            self.weight_decay = whole

    def _share(self, variable) -> float:
        return self._shares[self._get_variable_index(variable)]  # type: ignore[attr-defined]


@functools.cache
def _layered(maker: Any) -> Any:
    return type(f"Layered{maker.__name__}", (_Layered, maker), {})
