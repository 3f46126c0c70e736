"""DenseNet, as keras.applications and torchvision publish it: both from the authors' weights for Torch.

The sizes of the files of keras.applications are not in its source and are left out; accuracies are those that each library states.
"""

from __future__ import annotations

from typing import Any

from zoo.weights.publishers import KERNELS, pair, torchvision
from zoo.weights.record import Record

_FACTS: dict[str, Any] = {"end": KERNELS, "licence": "BSD-3-Clause"}

RECORDS: tuple[Record, ...] = (
    *pair(
        "densenet121",
        "densenet/densenet121",
        **_FACTS,
        top1=0.750,
        top5=0.923,
        full=("9d60b8095a5708f2dcce2bca79d332c7", None, 8_062_504),
        notop=("30ee3e1110167f948a6b9946edeeb738", None, 7_037_504),
    ),
    *pair(
        "densenet169",
        "densenet/densenet169",
        **_FACTS,
        top1=0.762,
        top5=0.932,
        full=("d699b8f76981ab1b30698df4c175e90b", None, 14_307_880),
        notop=("b8c4d4c20dd625c148057b9ff1c1176b", None, 12_642_880),
    ),
    *pair(
        "densenet201",
        "densenet/densenet201",
        **_FACTS,
        top1=0.773,
        top5=0.936,
        full=("1ceb130c1ea1b78c3bf6114dbdfd8807", None, 20_242_984),
        notop=("c13680b51ded0fb44dff2d8f86ac8bb1", None, 18_321_984),
    ),
    torchvision(
        "densenet121_torchvision",
        "densenet121-a639ec97",
        parameters=8_062_504,
        top1=0.74434,
        top5=0.91972,
        source="https://docs.pytorch.org/vision/stable/models/densenet.html",
    ),
)
