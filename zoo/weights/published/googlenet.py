"""GoogLeNet, as torchvision publishes it: ported by torchvision from TensorFlow, so that images are scaled to [-1, 1].

The file also holds the two auxiliary classifiers, which are not read. torchvision states its size only to a kilobyte.
"""

from __future__ import annotations

from zoo.weights.publishers import HALF, torchvision
from zoo.weights.record import Record

RECORDS: tuple[Record, ...] = (
    torchvision(
        "googlenet_torchvision",
        "googlenet-1378be20",
        parameters=13_019_960,
        **HALF,
        top1=0.69778,
        top5=0.8953,
        source="https://docs.pytorch.org/vision/stable/models/googlenet.html",
    ),
)
