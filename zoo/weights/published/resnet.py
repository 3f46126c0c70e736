"""ResNet v1, as keras.applications publishes it.

Trained on BGR images minus the ImageNet mean, with no scaling; mean and std below are written for RGB. File sizes are those that
Keras printed in public download logs. Licence: of Kaiming He's release. The one size that no log shows is left out.
"""

from __future__ import annotations

from typing import Any

from zoo.weights.publishers import CAFFE, KERNELS, pair
from zoo.weights.record import Record

_FACTS: dict[str, Any] = {"end": KERNELS, **CAFFE}

RECORDS: tuple[Record, ...] = (
    *pair(
        "resnet50_v1",
        "resnet/resnet50",
        **_FACTS,
        licence="MIT",
        top1=0.749,
        top5=0.921,
        full=("2cb95161c43110f7111970584f804107", 102_967_424, 25_636_712),
        notop=("4d473c1dd8becc155b73f8504c6f6626", 94_765_736, 23_587_712),
    ),
    *pair(
        "resnet101_v1",
        "resnet/resnet101",
        **_FACTS,
        licence="MIT",
        top1=0.764,
        top5=0.928,
        full=("f1aeb4b969a6efcfb50fad2f0c20cfc5", 179_648_224, 44_707_176),
        notop=("88cf7a10940856eca736dc7b7e228a21", 171_446_536, 42_658_176),
    ),
    *pair(
        "resnet152_v1",
        "resnet/resnet152",
        **_FACTS,
        licence="MIT",
        top1=0.766,
        top5=0.931,
        full=("100835be76be38e30d865e96f2aaae62", None, 60_419_944),
        notop=("ee4c566cf9a93f14d82f913c2dc6dd0c", 234_698_864, 58_370_944),
    ),
)
