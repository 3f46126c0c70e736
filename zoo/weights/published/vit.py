"""ViT, as torchvision trained it from scratch with a recipe after DeiT; every figure from its source.

No record for tiny and small: their only permissive files, of AugReg, are archives of numpy at Google with the names of another
library again, or lie where no digest is published.
"""

from __future__ import annotations

from typing import Any

from zoo.weights.publishers import torchvision
from zoo.weights.record import Record


def _torchvision(size: str, patch: int, digits: str, parameters: int, top1: float, top5: float, crop: float = 0.875) -> Record:
    facts: dict[str, Any] = {"crop": crop, "source": "https://docs.pytorch.org/vision/stable/models/vision_transformer.html"}
    return torchvision(f"vit_{size}_{patch}", f"vit_{size[0]}_{patch}-{digits}", parameters=parameters, top1=top1, top5=top5, **facts)


RECORDS: tuple[Record, ...] = (
    _torchvision("base", 16, "c867db91", 86_567_656, 0.81072, 0.95318),
    _torchvision("base", 32, "d86f8d99", 88_224_232, 0.75912, 0.92466),
    _torchvision("large", 16, "852ce7e3", 304_326_632, 0.79662, 0.94638, crop=224 / 242),
    _torchvision("large", 32, "c7638314", 306_535_400, 0.76972, 0.93070),
)
