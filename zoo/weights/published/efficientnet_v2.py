"""EfficientNetV2: Google's weights in keras.applications (licence of its AutoML repository), and torchvision's.

The accuracies of keras.applications are those of its table of models; the crops, and that S, M and L are shown whole, those that
timm states for the same weights. The licence is written down from memory. File sizes are stated nowhere exactly.
"""

from __future__ import annotations

from typing import Any

from zoo.weights.publishers import HALF, pair, torchvision
from zoo.weights.record import Record

_LARGE: dict[str, Any] = {"mean": (128.0, 128.0, 128.0), "std": (128.0, 128.0, 128.0), "crop": 1.0}


def _applications(name: str, side: int, top1: float, top5: float, full: tuple, notop: tuple) -> tuple[Record, Record]:
    facts: dict[str, Any] = {"size": (side, side), "interpolation": "bicubic", "licence": "Apache-2.0", "top1": top1, "top5": top5}
    facts |= _LARGE if name in "sml" else {"crop": round(side / (side + 32), 3)}
    file = f"efficientnet_v2/efficientnetv2-{name}"
    return pair(f"efficientnet_v2_{name}", file, full=(full[0], None, full[1]), notop=(notop[0], None, notop[1]), **facts)


def _torchvision(name: str, digits: str, parameters: int, side: int, top1: float, top5: float, **facts: Any) -> Record:
    return torchvision(
        f"efficientnet_v2_{name}_torchvision",
        f"efficientnet_v2_{name}-{digits}",
        parameters=parameters,
        size=(side, side),
        crop=1.0,
        top1=top1,
        top5=top5,
        source=f"https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.efficientnet_v2_{name}.html",
        **facts,
    )


RECORDS: tuple[Record, ...] = (
    *_applications(
        "b0", 224, 0.787, 0.943, ("21ecbf6da12460d5c40bb2f29ceb2188", 7_200_312), ("893217f2bb855e2983157299931e43ff", 5_919_312)
    ),
    *_applications(
        "b1", 240, 0.798, 0.950, ("069f0534ff22adf035c89e2d9547a9dc", 8_212_124), ("0e80663031ca32d657f9caa404b6ec37", 6_931_124)
    ),
    *_applications(
        "b2", 260, 0.805, 0.951, ("424e49f28180edbde1e94797771950a7", 10_178_374), ("1dfe2e7a5d45b6632553a8961ea609eb", 8_769_374)
    ),
    *_applications(
        "b3", 300, 0.820, 0.958, ("1f1fc43bd98a6e4fd8fdfd551e02c7a0", 14_467_622), ("f6abf7b5849ac99a89b50dd3fd532856", 12_930_622)
    ),
    *_applications(
        "s", 384, 0.839, 0.967, ("e1d88a8495beba45748fedd0cecbe016", 21_612_360), ("af0682fb74e8c54910f2d4393339c070", 20_331_360)
    ),
    *_applications(
        "m", 480, 0.853, 0.974, ("a3bf6aa3276309f4fc6a34aa114c95cd", 54_431_388), ("1b8dc055df72dde80d614482840fe342", 53_150_388)
    ),
    *_applications(
        "l", 480, 0.857, 0.975, ("27e6d408b53c7ebc868fefa357689935", 119_027_848), ("b0b66b5c863aef5b46e8608fe1711615", 117_746_848)
    ),
    _torchvision("s", "dd5fe13b", 21_612_470, 384, 0.84228, 0.96878),
    _torchvision("m", "dc08266a", 54_431_545, 480, 0.85112, 0.97156),
    _torchvision(
        "l",
        "59c71312",
        119_028_065,
        480,
        0.85808,
        0.97788,
        **HALF,
        interpolation="bicubic",
    ),
)
