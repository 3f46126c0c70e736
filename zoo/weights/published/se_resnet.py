"""SE-ResNet as timm trained it. Facts from the source of timm 1.0.31 and its results on ImageNet (results-imagenet.csv: at 288
pixels, where the network was trained at 224); the file's name carries the first digits of its sha256."""

from __future__ import annotations

from zoo.weights.record import TORCH_PICKLE, Record

RECORDS: tuple[Record, ...] = (
    Record(
        models=("se_resnet50",),
        tag="ra2_in1k",
        url="https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-weights/seresnet50_ra_224-8efdb4bb.pth",
        digest="sha256:8efdb4bb",
        format=TORCH_PICKLE,
        licence="Apache-2.0",
        parameters=28_141_144,
        size=(288, 288),
        crop=0.95,
        interpolation="bicubic",
        top1=0.81284,
        top5=0.95652,
        source="https://huggingface.co/timm/seresnet50.ra2_in1k",
    ),
)
