"""ResNet v2, as keras.applications publishes it; no size is stated there. Licence: of TensorFlow's model garden, which trained it.

Accuracies are those of the table at keras.io/api/applications; they and the licence are written down from memory.
"""

from __future__ import annotations

from typing import Any

from zoo.weights.publishers import HALF, KERNELS, pair
from zoo.weights.record import Record

_FACTS: dict[str, Any] = {
    "end": KERNELS,
    "licence": "Apache-2.0",
    **HALF,
}

RECORDS: tuple[Record, ...] = (
    *pair(
        "resnet50_v2",
        "resnet/resnet50v2",
        **_FACTS,
        top1=0.760,
        top5=0.930,
        full=("3ef43a0b657b3be2300d5770ece849e0", None, 25_613_800),
        notop=("fac2f116257151a9d068a22e544a4917", None, 23_564_800),
    ),
    *pair(
        "resnet101_v2",
        "resnet/resnet101v2",
        **_FACTS,
        top1=0.772,
        top5=0.938,
        full=("6343647c601c52e1368623803854d971", None, 44_675_560),
        notop=("c0ed64b8031c3730f411d2eb4eea35b5", None, 42_626_560),
    ),
    *pair(
        "resnet152_v2",
        "resnet/resnet152v2",
        **_FACTS,
        top1=0.780,
        top5=0.942,
        full=("a49b44d1979771252814e80f8ec446f9", None, 60_380_648),
        notop=("ed17cf2e0169df9d443503ef94b23b33", None, 58_331_648),
    ),
)
