"""ConvNeXt, as keras.applications publishes the authors' weights, and as torchvision trained its own.

Base and larger of keras.applications saw ImageNet-22k first. Accuracies, and the authors' evaluation (bicubic, 224 of 256 pixels),
from memory of the pages named as `source`; addresses, digests and all of torchvision's figures from the installed sources. The MIT
licence is that of the authors' release, which holds the weights. ConvNeXt V2 has no record: its weights are CC-BY-NC-4.0.
"""

from __future__ import annotations

from typing import Any

from zoo.weights.publishers import pair, torchvision
from zoo.weights.record import Record

_ONE: dict[str, Any] = {"licence": "MIT", "interpolation": "bicubic"}
_TWO: dict[str, Any] = {**_ONE, "trained_on": "ImageNet-22k, then ImageNet-1k (ILSVRC 2012), training split"}


def _torchvision(size: str, digits: str, crop: float, parameters: int, top1: float, top5: float) -> Record:
    facts: dict[str, Any] = {"crop": crop, "source": "https://docs.pytorch.org/vision/stable/models/convnext.html"}
    return torchvision(f"convnext_{size}", f"convnext_{size}-{digits}", parameters=parameters, top1=top1, top5=top5, **facts)


RECORDS: tuple[Record, ...] = (
    *pair(
        "convnext_tiny",
        "convnext/convnext_tiny",
        **_ONE,
        top1=0.813,
        full=("8ae6e78ce2933352b1ef4008e6dd2f17bc40771563877d156bc6426c7cf503ff", None, 28_589_128),
        notop=("d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1", None, 27_820_128),
    ),
    *pair(
        "convnext_small",
        "convnext/convnext_small",
        **_ONE,
        top1=0.823,
        full=("ce1277d8f1ee5a0ef0e171469089c18f5233860ceaf9b168049cb9263fd7483c", None, 50_223_688),
        notop=("6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab", None, 49_454_688),
    ),
    *pair(
        "convnext_base",
        "convnext/convnext_base",
        **_TWO,
        top1=0.853,
        full=("52cbb006d3dadd03f6e095a8ca1aca47aecdd75acb4bc74bce1f5c695d0086e6", None, 88_591_464),
        notop=("40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45", None, 87_566_464),
    ),
    *pair(
        "convnext_large",
        "convnext/convnext_large",
        **_TWO,
        top1=0.863,
        full=("070c5ed9ed289581e477741d3b34beffa920db8cf590899d6d2c67fba2a198a6", None, 197_767_336),
        notop=("96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd", None, 196_230_336),
    ),
    *pair(
        "convnext_xlarge",
        "convnext/convnext_xlarge",
        **_TWO,
        top1=0.867,
        full=("c1f5ccab661354fc3a79a10fa99af82f0fbf10ec65cb894a3ae0815f17a889ee", None, 350_196_968),
        notop=("de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05", None, 348_147_968),
    ),
    _torchvision("tiny", "983f1562", 224 / 236, 28_589_128, 0.82520, 0.96146),
    _torchvision("small", "0c510722", 224 / 230, 50_223_688, 0.83616, 0.96650),
    _torchvision("base", "6075fbad", 224 / 232, 88_591_464, 0.84062, 0.96870),
    _torchvision("large", "ea097f82", 224 / 232, 197_767_336, 0.84414, 0.96976),
)
