"""Weights of the usual layers."""

from __future__ import annotations


def conv(inputs: int, outputs: int, kernel: int, bias: bool = True, groups: int = 1) -> int:
    return outputs * (inputs // groups * kernel * kernel + bias)


def dense(*widths: int) -> int:
    """A chain of fully connected layers."""
    return sum(outputs * (inputs + 1) for inputs, outputs in zip(widths[:-1], widths[1:], strict=True))
