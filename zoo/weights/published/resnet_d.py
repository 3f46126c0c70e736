"""ResNet-D as timm trained it. Facts from the source of timm 1.0.31 and its results on ImageNet (results-imagenet.csv: at 288
pixels, where the network was trained at 224); the file's name carries the first digits of its sha256."""

from __future__ import annotations

from zoo.weights.publishers import TIMM, torch_file
from zoo.weights.record import Record

RECORDS: tuple[Record, ...] = (
    torch_file(
        "resnet50_d",
        f"{TIMM}/v0.1-weights/resnet50d_ra2-464e36ba.pth",
        tag="ra2_in1k",
        licence="Apache-2.0",
        parameters=25_629_512,
        size=(288, 288),
        crop=0.95,
        interpolation="bicubic",
        top1=0.81356,
        top5=0.95738,
        source="https://huggingface.co/timm/resnet50d.ra2_in1k",
    ),
)
