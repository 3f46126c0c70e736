"""Xception: the author's weights as keras.applications publishes them, and timm's copy of them for torch.

Sizes of the two files of keras.applications are not in its source and are left out; timm's accuracies are those that the source of its
network states.
"""

from __future__ import annotations

from typing import Any

from zoo.weights.publishers import HALF, KERNELS, TIMM, pair, torch_file
from zoo.weights.record import Record

_FACTS: dict[str, Any] = {**HALF, "size": (299, 299)}

RECORDS: tuple[Record, ...] = (
    *pair(
        "xception",
        "xception/xception",
        end=KERNELS,
        **_FACTS,
        licence="MIT",
        top1=0.790,
        top5=0.945,
        full=("0a58e3b7378bc2990ea3b43d5981f1f6", None, 22_910_480),
        notop=("b0042744bf5b25fce3cb969f33bebb97", None, 20_861_480),
    ),
    torch_file(
        "xception_timm",
        f"{TIMM}/v0.1-cadene/xception-43020ad28.pth",
        tag="tf_in1k",
        licence="Apache-2.0",
        parameters=22_910_480,
        interpolation="bicubic",
        crop=0.8975,
        top1=0.78892,
        top5=0.94292,
        source="https://github.com/huggingface/pytorch-image-models/blob/main/timm/models/xception.py",
        **_FACTS,
    ),
)
