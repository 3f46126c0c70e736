"""Multilayer perceptrons."""

from __future__ import annotations

from tests.backbones.counts.terms import dense

PAPER = {
    "mlp": dense(32 * 32 * 3, 352, 256, 10),
    "mlp_mnist": dense(28 * 28, 300, 100, 10),
    "mlp_micro": dense(8 * 8 * 3, 16, 10, 10),
    "mlp_mnist_micro": dense(8 * 8, 16, 10, 10),
}

MICRO = {"mlp": "mlp_micro", "mlp_mnist": "mlp_mnist_micro"}
