"""GoogLeNet, as torchvision publishes it: ported by torchvision from TensorFlow, so that images are scaled to [-1, 1].

The file also holds the two auxiliary classifiers, which are not read. torchvision states its size only to a kilobyte.
"""

from __future__ import annotations

from zoo.weights.record import TORCH_PICKLE, Record

RECORDS: tuple[Record, ...] = (
    Record(
        models=("googlenet_torchvision",),
        tag="imagenet1k_v1",
        url="https://download.pytorch.org/models/googlenet-1378be20.pth",
        digest="sha256:1378be20",
        format=TORCH_PICKLE,
        licence="BSD-3-Clause",
        parameters=13_019_960,
        mean=(127.5,) * 3,
        std=(127.5,) * 3,
        top1=0.69778,
        top5=0.8953,
        source="https://docs.pytorch.org/vision/stable/models/googlenet.html",
    ),
)
