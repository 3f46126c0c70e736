"""What of a model learns, and how fast: one row per stage."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import keras
from keras import ops

from zoo.train.stages import stages


@dataclass(frozen=True)
class Row:
    """One stage of a model.

    layers:     how many of its layers have weights.
    parameters: numbers in all their weights, statistics included.
    trainable:  how many of these numbers learn.
    bn:         "inference" (all its batch normalisation uses stored statistics), "train", "mixed", or "none" without one.
    rate:       (lowest, highest) learning rate of its weights now; None without an optimiser or where nothing learns.
    """

    stage: str
    layers: int
    parameters: int
    trainable: int
    bn: str
    rate: tuple[float, float] | None


@dataclass(frozen=True)
class Report:
    """The rows of a model from the image to the output. `print` shows them as a table."""

    rows: tuple[Row, ...]

    def __str__(self) -> str:
        head = ("stage", "layers", "parameters", "trainable", "batch norm", "learning rate")
        cells: list[tuple[str, ...]] = [
            (r.stage, f"{r.layers}", f"{r.parameters:,}", f"{r.trainable:,}", r.bn, _span(r.rate)) for r in self.rows
        ]
        whole = (sum(r.layers for r in self.rows), sum(r.parameters for r in self.rows), sum(r.trainable for r in self.rows))
        cells.append(("all", *(f"{number:,}" for number in whole), "", ""))
        wide = [max(len(line[column]) for line in (head, *cells)) for column in range(len(head))]
        return "\n".join("  ".join(cell.ljust(side) for cell, side in zip(line, wide, strict=True)).rstrip() for line in (head, *cells))


def trainable_report(
    model: keras.Model, optimizer: keras.optimizers.Optimizer | None = None, levels: Mapping[str, str | Sequence[str]] | None = None
) -> Report:
    """What of each stage learns.

    optimizer: whose learning rates are told; default: the one `model` was compiled with, if any. Layer-wise rates are known of Keras'
               `MultiOptimizer`, once built, and of an optimiser with `share_of` (id of a variable -> its share of the rate).
    levels:    as in `zoo.train.stages.stages`.
    """
    optimizer = getattr(model, "optimizer", None) if optimizer is None else optimizer
    return Report(tuple(_row(name, own, optimizer) for name, own in stages(model, levels).items()))


def _row(name: str, own: list[keras.Layer], optimizer) -> Row:
    layers = [layer for layer in own if layer.weights]
    weights = list({id(weight): weight for layer in layers for weight in layer.weights}.values())
    learning = [weight for weight in weights if weight.trainable]
    norms = [part for layer in own for part in layer._flatten_layers() if isinstance(part, keras.layers.BatchNormalization)]
    modes = {"train" if norm.trainable else "inference" for norm in norms}
    rates = [] if optimizer is None else [_rate(optimizer, weight) for weight in learning]
    return Row(
        name,
        len(layers),
        sum(math.prod(weight.shape) for weight in weights),
        sum(math.prod(weight.shape) for weight in learning),
        "none" if not modes else modes.pop() if len(modes) == 1 else "mixed",
        (min(rates), max(rates)) if rates else None,
    )


def _rate(optimizer, weight) -> float:
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # mixed_float16 wraps it
    if isinstance(optimizer, keras.optimizers.MultiOptimizer):
        optimizer = optimizer.optimizers[optimizer._var_to_optimizer_idx[optimizer._var_key(weight)]]
    share = getattr(optimizer, "share_of", {}).get(id(weight), 1.0)
    return float(ops.convert_to_numpy(optimizer.learning_rate)) * share


def _span(rate: tuple[float, float] | None) -> str:
    if rate is None:
        return "-"
    return f"{rate[0]:.3g}" if rate[0] == rate[1] else f"{rate[0]:.3g} to {rate[1]:.3g}"
