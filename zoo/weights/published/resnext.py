"""ResNeXt as torchvision trained it, with its second recipe. Facts from the source of torchvision 0.28; the file's name carries the
first digits of its sha256."""

from __future__ import annotations

from zoo.weights.record import TORCH_PICKLE, Record

RECORDS: tuple[Record, ...] = (
    Record(
        models=("resnext50_32x4d",),
        tag="imagenet1k_v2",
        url="https://download.pytorch.org/models/resnext50_32x4d-1a0047aa.pth",
        digest="sha256:1a0047aa",
        format=TORCH_PICKLE,
        licence="BSD-3-Clause",
        parameters=25_097_128,
        crop=224 / 232,
        top1=0.81198,
        top5=0.9534,
        source="https://github.com/pytorch/vision/issues/3995#new-recipe",
    ),
)
