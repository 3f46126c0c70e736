"""Every published weight set the zoo can fetch, one `Record` each.

Facts and where they come from: addresses and md5 sums from the source of Keras 3.15 (`keras/src/applications/vgg16.py`,
`vgg19.py`, `resnet.py`), which publishes nothing stronger than md5 for these files; sizes from download logs printed by
Keras itself in public notebooks (the one size that no log shows is left out); accuracies from keras.io/api/applications;
licences from the original releases: VGG by its authors under CC-BY-4.0, the ResNets by Kaiming He under MIT.

All of them were trained on BGR images minus the ImageNet mean, with no scaling. Our models take RGB, so the loader turns
the input channels of the first convolution round, and mean and std below are written for RGB.
"""

from __future__ import annotations

from typing import Any

from zoo.weights.record import APPLICATIONS_H5, Record

_HOST = "https://storage.googleapis.com/tensorflow/keras-applications"
_NAME = "weights_tf_dim_ordering_tf_kernels"


def _pair(row: str, file: str, *, licence: str, top1: float, top5: float, full: tuple, notop: tuple) -> tuple[Record, Record]:
    """The file with the head and the one without; `full` and `notop` are (md5, bytes, numbers stored)."""
    shared: dict[str, Any] = {
        "models": (row,),
        "tag": "imagenet",
        "format": APPLICATIONS_H5,
        "licence": licence,
        "mean": (123.68, 116.779, 103.939),
        "std": (1.0, 1.0, 1.0),
        "top1": top1,
        "top5": top5,
        "source": "https://keras.io/api/applications/",
    }
    return (
        Record(url=f"{_HOST}/{file}_{_NAME}.h5", digest=f"md5:{full[0]}", bytes=full[1], parameters=full[2], **shared),
        Record(url=f"{_HOST}/{file}_{_NAME}_notop.h5", digest=f"md5:{notop[0]}", bytes=notop[1], parameters=notop[2], top=False, **shared),
    )


TABLE: tuple[Record, ...] = (
    *_pair(
        "vgg16",
        "vgg16/vgg16",
        licence="CC-BY-4.0",
        top1=0.713,
        top5=0.901,
        full=("64373286793e3c8b2b4e3219cbf3544b", 553_467_096, 138_357_544),
        notop=("6d6bbae143d832006294945121d1f1fc", 58_889_256, 14_714_688),
    ),
    *_pair(
        "vgg19",
        "vgg19/vgg19",
        licence="CC-BY-4.0",
        top1=0.713,
        top5=0.900,
        full=("cbe5617147190e668d6c5d5026f83318", 574_710_816, 143_667_240),
        notop=("253f8cb515780f3b799900260a226db6", 80_134_624, 20_024_384),
    ),
    *_pair(
        "resnet50_v1",
        "resnet/resnet50",
        licence="MIT",
        top1=0.749,
        top5=0.921,
        full=("2cb95161c43110f7111970584f804107", 102_967_424, 25_636_712),
        notop=("4d473c1dd8becc155b73f8504c6f6626", 94_765_736, 23_587_712),
    ),
    *_pair(
        "resnet101_v1",
        "resnet/resnet101",
        licence="MIT",
        top1=0.764,
        top5=0.928,
        full=("f1aeb4b969a6efcfb50fad2f0c20cfc5", 179_648_224, 44_707_176),
        notop=("88cf7a10940856eca736dc7b7e228a21", 171_446_536, 42_658_176),
    ),
    *_pair(
        "resnet152_v1",
        "resnet/resnet152",
        licence="MIT",
        top1=0.766,
        top5=0.931,
        full=("100835be76be38e30d865e96f2aaae62", None, 60_419_944),
        notop=("ee4c566cf9a93f14d82f913c2dc6dd0c", 234_698_864, 58_370_944),
    ),
)
"""Every record; see `records`."""


def records(row: str) -> list[Record]:
    """The records that fit a row of the zoo."""
    return [record for record in TABLE if row in record.models]
