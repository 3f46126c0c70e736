"""NASNet-A, as keras.applications and timm publish it; both converted the authors' own weights.

Accuracies of keras.applications: its table of models; of the timm file, timm's table of results on ImageNet. Sizes are not published.
"""

from __future__ import annotations

from typing import Any

from zoo.weights.applications import HOST
from zoo.weights.record import APPLICATIONS_H5, TORCH_PICKLE, Record

_HALF = (127.5, 127.5, 127.5)


def _pair(row: str, file: str, full: tuple[str, int], notop: tuple[str, int], **facts: Any) -> tuple[Record, Record]:
    """The two files of a row, which are called otherwise than those of the other families; (md5, numbers stored)."""
    shared: dict[str, Any] = {
        "models": (row,),
        "tag": "imagenet",
        "format": APPLICATIONS_H5,
        "licence": "Apache-2.0",
        "mean": _HALF,
        "std": _HALF,
        "source": "https://keras.io/api/applications/",
        **facts,
    }
    return (
        Record(url=f"{HOST}/nasnet/{file}.h5", digest=f"md5:{full[0]}", parameters=full[1], **shared),
        Record(url=f"{HOST}/nasnet/{file}-no-top.h5", digest=f"md5:{notop[0]}", parameters=notop[1], top=False, **shared),
    )


RECORDS: tuple[Record, ...] = (
    *_pair(
        "nasnet_mobile",
        "NASNet-mobile",
        ("020fb642bf7360b370c678b08e0adf61", 5_326_716),
        ("1ed92395b5b598bdda52abe5c0dbfd63", 4_269_716),
        top1=0.744,
        top5=0.919,
    ),
    *_pair(
        "nasnet_large",
        "NASNet-large",
        ("11577c9a518f0070763c2b964a382f17", 88_949_818),
        ("d81d89dc07e6e56530c4e77faddd61b5", 84_916_818),
        size=(331, 331),
        top1=0.825,
        top5=0.960,
    ),
    Record(
        models=("nasnet_large_timm",),
        tag="tf_in1k",
        url="https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-weights/nasnetalarge-dc4a7b8b.pth",
        digest="sha256:dc4a7b8b",
        format=TORCH_PICKLE,
        licence="Apache-2.0",
        parameters=88_949_818,
        size=(331, 331),
        mean=_HALF,
        std=_HALF,
        interpolation="bicubic",
        crop=0.911,
        top1=0.826,
        top5=0.960,
        source="https://huggingface.co/timm/nasnetalarge.tf_in1k",
    ),
)
