"""BN-Inception: neither keras.applications nor torchvision nor timm has it."""

from __future__ import annotations
