"""Wide ResNet as torchvision trained it, with its second recipe. Facts from the source of torchvision 0.28; the file's name carries the
first digits of its sha256. The file of the first recipe is left out: it holds half precision."""

from __future__ import annotations

from zoo.weights.publishers import torchvision
from zoo.weights.record import Record

RECORDS: tuple[Record, ...] = (
    torchvision(
        "wide_resnet50_2",
        "wide_resnet50_2-9ba9bcbe",
        tag="imagenet1k_v2",
        parameters=68_951_464,
        crop=224 / 232,
        top1=0.81602,
        top5=0.95758,
        source="https://github.com/pytorch/vision/issues/3995#new-recipe-with-fixres",
    ),
)
