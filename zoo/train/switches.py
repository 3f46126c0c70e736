"""The three switches that change how fast a step runs but not which model is trained, and which of their values are worth measuring."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from zoo.train.recipe import Recipe

FUSINGS = (8, 32)
"""Steps per execution that are tried besides 1."""


@dataclass(frozen=True)
class Switches:
    """precision: of the model; jit: whether XLA (torch: torch.compile) compiles a step; steps_per_execution: steps per call."""

    precision: str = "float32"
    jit: bool = False
    steps_per_execution: int = 1

    def __str__(self) -> str:
        steps = "1 step a call" if self.steps_per_execution == 1 else f"{self.steps_per_execution} steps a call"
        return f"{self.precision}, jit {'on' if self.jit else 'off'}, {steps}"

    def into(self, recipe: Recipe) -> Recipe:
        """The recipe with these three fields."""
        return dataclasses.replace(recipe, **dataclasses.asdict(self))


@dataclass(frozen=True)
class Offer:
    """What is measured here, and what is not and why.

    plain:    the reference of every ratio: the first value of each switch.
    steps:    the switches at one step per call, plain first.
    fusings:  numbers of steps per call that are tried with the fastest of them.
    refused:  {switches: the reason why they are not measured}.
    """

    plain: Switches
    steps: tuple[Switches, ...]
    fusings: tuple[int, ...]
    refused: dict[Switches, str]


def offer(
    backend: str,
    accelerated: bool,
    *,
    precisions: Sequence[str] | None = None,
    jits: Sequence[bool] | None = None,
    fusings: Sequence[int] | None = None,
    epoch: int | None = None,
) -> Offer:
    """What to measure on a device.

    backend:     "tensorflow", "jax" or "torch"; accelerated: whether it computes on a GPU or TPU.
    precisions, jits, fusings: the values to try, the first being the reference; None for those that can win here.
    epoch:       steps of an epoch, where they are known: `fit` fuses only a divisor of them.

    Raises ValueError for fused steps on torch, and for an empty list.
    """
    for name, values in {"precisions": precisions, "jits": jits, "fusings": fusings}.items():
        if values is not None and not len(values):
            raise ValueError(f"{name} must hold at least one value to measure, or be None, got {values!r}")
    refused: dict[Switches, str] = {}
    usual = backend == "jax"
    if jits is None:
        jits = (False, True) if backend == "tensorflow" else (usual,)
        if backend == "jax":
            refused[Switches("float32", False)] = "JAX without jit dispatches every operation by itself, forward and backward"
        if backend == "torch":
            refused[Switches("float32", True)] = (
                "torch.compile takes most of a minute to compile and then loses in Keras; jits=(False, True)"
            )
    if precisions is None:
        precisions = ("float32", "mixed_bfloat16") + (("mixed_float16",) if accelerated else ())
        if not accelerated:
            refused[Switches("mixed_float16", jits[0])] = "processors convert float16 for every operation: up to 6 times slower"
    plain = Switches(precisions[0], jits[0], 1)
    if backend == "torch":
        if fusings is not None and set(fusings) != {1}:
            raise ValueError(f"torch runs one step per call, got fusings={tuple(fusings)}; leave it out")
        refused[Switches(plain.precision, plain.jit, FUSINGS[0])] = "Keras fuses steps on TensorFlow and JAX only"
        fusings = ()
    wanted = FUSINGS if fusings is None else tuple(fusings)
    reached = dict.fromkeys(wanted if epoch is None else (largest_divisor(epoch, number) for number in wanted))
    for number in wanted:
        if epoch is not None and largest_divisor(epoch, number) == 1 and number > 1:
            refused[Switches(plain.precision, plain.jit, number)] = f"no number up to {number} divides the {epoch} steps of an epoch"
    steps = tuple(Switches(precision, jit) for precision in dict.fromkeys(precisions) for jit in dict.fromkeys(jits))
    return Offer(plain, steps, tuple(number for number in reached if number > 1), refused)


def largest_divisor(steps: int, most: int) -> int:
    """The largest divisor of `steps` that is not above `most`."""
    return max(number for number in range(1, most + 1) if steps % number == 0)
