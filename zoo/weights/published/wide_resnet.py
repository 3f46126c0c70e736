"""Wide ResNet as torchvision trained it, with its second recipe. Facts from the source of torchvision 0.28; the file's name carries the
first digits of its sha256. The file of the first recipe is left out: it holds half precision."""

from __future__ import annotations

from zoo.weights.record import TORCH_PICKLE, Record

RECORDS: tuple[Record, ...] = (
    Record(
        models=("wide_resnet50_2",),
        tag="imagenet1k_v2",
        url="https://download.pytorch.org/models/wide_resnet50_2-9ba9bcbe.pth",
        digest="sha256:9ba9bcbe",
        format=TORCH_PICKLE,
        licence="BSD-3-Clause",
        parameters=68_951_464,
        crop=224 / 232,
        top1=0.81602,
        top5=0.95758,
        source="https://github.com/pytorch/vision/issues/3995#new-recipe-with-fixres",
    ),
)
