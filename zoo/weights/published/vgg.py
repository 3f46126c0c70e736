"""VGG, as keras.applications publishes it.

Trained on BGR images minus the ImageNet mean, with no scaling; mean and std below are written for RGB. File sizes are those that
Keras printed in public download logs. Licence: of the authors' release.
"""

from __future__ import annotations

from typing import Any

from zoo.weights.publishers import CAFFE, KERNELS, pair
from zoo.weights.record import Record

_FACTS: dict[str, Any] = {"end": KERNELS, **CAFFE}

RECORDS: tuple[Record, ...] = (
    *pair(
        "vgg16",
        "vgg16/vgg16",
        **_FACTS,
        licence="CC-BY-4.0",
        top1=0.713,
        top5=0.901,
        full=("64373286793e3c8b2b4e3219cbf3544b", 553_467_096, 138_357_544),
        notop=("6d6bbae143d832006294945121d1f1fc", 58_889_256, 14_714_688),
    ),
    *pair(
        "vgg19",
        "vgg19/vgg19",
        **_FACTS,
        licence="CC-BY-4.0",
        top1=0.713,
        top5=0.900,
        full=("cbe5617147190e668d6c5d5026f83318", 574_710_816, 143_667_240),
        notop=("253f8cb515780f3b799900260a226db6", 80_134_624, 20_024_384),
    ),
)
