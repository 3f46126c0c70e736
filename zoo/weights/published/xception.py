"""Xception: the author's weights as keras.applications publishes them, and timm's copy of them for torch.

Sizes of the two files of keras.applications are not in its source and are left out; timm's accuracies are those that the source of its
network states.
"""

from __future__ import annotations

from typing import Any

from zoo.weights.applications import pair
from zoo.weights.record import TORCH_PICKLE, Record

_FACTS: dict[str, Any] = {"mean": (127.5, 127.5, 127.5), "std": (127.5, 127.5, 127.5), "size": (299, 299)}

RECORDS: tuple[Record, ...] = (
    *pair(
        "xception",
        "xception/xception",
        end="_weights_tf_dim_ordering_tf_kernels",
        **_FACTS,
        licence="MIT",
        top1=0.790,
        top5=0.945,
        full=("0a58e3b7378bc2990ea3b43d5981f1f6", None, 22_910_480),
        notop=("b0042744bf5b25fce3cb969f33bebb97", None, 20_861_480),
    ),
    Record(
        models=("xception_timm",),
        tag="tf_in1k",
        url="https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-cadene/xception-43020ad28.pth",
        digest="sha256:43020ad28",
        format=TORCH_PICKLE,
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
