"""NASNet-A, as keras.applications and timm publish it; both converted the authors' own weights.

Accuracies of keras.applications: its table of models; of the timm file, timm's table of results on ImageNet; both, and the licence,
are written down from memory. Sizes are not published.
"""

from __future__ import annotations

from typing import Any

from zoo.weights.publishers import HALF, TIMM, pair, torch_file
from zoo.weights.record import Record

_FACTS: dict[str, Any] = {**HALF, "licence": "Apache-2.0", "bare": "-no-top"}

RECORDS: tuple[Record, ...] = (
    *pair(
        "nasnet_mobile",
        "nasnet/NASNet-mobile",
        **_FACTS,
        full=("020fb642bf7360b370c678b08e0adf61", None, 5_326_716),
        notop=("1ed92395b5b598bdda52abe5c0dbfd63", None, 4_269_716),
        top1=0.744,
        top5=0.919,
    ),
    *pair(
        "nasnet_large",
        "nasnet/NASNet-large",
        **_FACTS,
        full=("11577c9a518f0070763c2b964a382f17", None, 88_949_818),
        notop=("d81d89dc07e6e56530c4e77faddd61b5", None, 84_916_818),
        size=(331, 331),
        top1=0.825,
        top5=0.960,
    ),
    torch_file(
        "nasnet_large_timm",
        f"{TIMM}/v0.1-weights/nasnetalarge-dc4a7b8b.pth",
        tag="tf_in1k",
        licence="Apache-2.0",
        parameters=88_949_818,
        size=(331, 331),
        **HALF,
        interpolation="bicubic",
        crop=0.911,
        top1=0.826,
        top5=0.960,
        source="https://huggingface.co/timm/nasnetalarge.tf_in1k",
    ),
)
