"""ResNeXt as torchvision trained it, with its second recipe. Facts from the source of torchvision 0.28; the file's name carries the
first digits of its sha256."""

from __future__ import annotations

from zoo.weights.publishers import torchvision
from zoo.weights.record import Record

RECORDS: tuple[Record, ...] = (
    torchvision(
        "resnext50_32x4d",
        "resnext50_32x4d-1a0047aa",
        tag="imagenet1k_v2",
        parameters=25_097_128,
        crop=224 / 232,
        top1=0.81198,
        top5=0.9534,
        source="https://github.com/pytorch/vision/issues/3995#new-recipe",
    ),
)
