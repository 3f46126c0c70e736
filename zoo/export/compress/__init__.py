"""Smaller models: pruned, clustered, trained for int8, and all three in this order. What each gives is in docs/compression.md."""

from __future__ import annotations

from zoo.export.compress.cluster import cluster
from zoo.export.compress.int8 import kernels_of, write_int8
from zoo.export.compress.prune import prune, sparsity_at
from zoo.export.compress.quantise_aware import quantise_aware
from zoo.export.compress.rewrite import strip
from zoo.export.compress.size import Size, size_of, table

__all__ = ["Size", "cluster", "kernels_of", "prune", "quantise_aware", "size_of", "sparsity_at", "strip", "table", "write_int8"]
