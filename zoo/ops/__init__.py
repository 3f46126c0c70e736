"""Tensor -> tensor without weights, on every backend: boxes, anchors, matchers, non-maximum suppression."""
