"""EfficientNet: Google's ports in keras.applications (licence of the TPU models), and torchvision's.

Their images were resized so that the network's side is that side + 32 cropped in the middle. The accuracies of keras.applications are
those of its table of models, written down from memory; so is the licence. File sizes are stated nowhere exactly.
"""

from __future__ import annotations

from typing import Any

from zoo.weights.publishers import pair, torchvision
from zoo.weights.record import Record

_HOST = "https://storage.googleapis.com/keras-applications"


def _applications(name: str, side: int, top1: float, top5: float, full: tuple, notop: tuple) -> tuple[Record, Record]:
    facts: dict[str, Any] = {"size": (side, side), "crop": round(side / (side + 32), 3), "interpolation": "bicubic"}
    facts |= {"licence": "Apache-2.0", "top1": top1, "top5": top5, "host": _HOST}
    return pair(f"efficientnet_{name}", f"efficientnet{name}", full=(full[0], None, full[1]), notop=(notop[0], None, notop[1]), **facts)


def _torchvision(
    name: str, file: str, parameters: int, side: int, resized: int, top1: float, top5: float, version: int = 1, filter: str = "bicubic"
) -> Record:
    return torchvision(
        f"efficientnet_{name}_torchvision",
        f"efficientnet_{name}{file}",
        tag=f"imagenet1k_v{version}",
        parameters=parameters,
        size=(side, side),
        interpolation=filter,
        crop=round(side / resized, 3),
        top1=top1,
        top5=top5,
        source=f"https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.efficientnet_{name}.html",
    )


RECORDS: tuple[Record, ...] = (
    *_applications(
        "b0", 224, 0.771, 0.933, ("902e53a9f72be733fc0bcb005b3ebbac", 5_330_571), ("50bc09e76180e00e4465e1a485ddc09d", 4_049_571)
    ),
    *_applications(
        "b1", 240, 0.791, 0.944, ("1d254153d4ab51201f1646940f018540", 7_856_239), ("74c4e6b3e1f6a1eea24c589628592432", 6_575_239)
    ),
    *_applications(
        "b2", 260, 0.801, 0.949, ("b15cce36ff4dcbd00b6dd88e7857a6ad", 9_177_569), ("111f8e2ac8aa800a7a99e3239f7bfb39", 7_768_569)
    ),
    *_applications(
        "b3", 300, 0.816, 0.957, ("ffd1fdc53d0ce67064dc6a9c7960ede0", 12_320_535), ("af6d107764bb5b1abb91932881670226", 10_783_535)
    ),
    *_applications(
        "b4", 380, 0.829, 0.964, ("18c95ad55216b8f92d7e70b3a046e2fc", 19_466_823), ("ebc24e6d6c33eaebbd558eafbeedf1ba", 17_673_823)
    ),
    *_applications(
        "b5", 456, 0.836, 0.967, ("ace28f2a6363774853a83a0b21b9421a", 30_562_527), ("38879255a25d3c92d5e44e04ae6cec6f", 28_513_527)
    ),
    *_applications(
        "b6", 528, 0.840, 0.968, ("165f6e37dce68623721b423839de8be5", 43_265_143), ("9ecce42647a20130c1f39a5d4cb75743", 40_960_143)
    ),
    *_applications(
        "b7", 600, 0.843, 0.970, ("8c03f828fec3ef71311cd463b6759d99", 66_658_687), ("cbcfe4450ddf6f3ad90b1b398090fe4a", 64_097_687)
    ),
    _torchvision("b0", "_rwightman-7f5810bc", 5_330_613, 224, 256, 0.77692, 0.93532),
    _torchvision("b1", "_rwightman-bac287d4", 7_856_301, 240, 256, 0.78642, 0.94186),
    _torchvision("b1", "-c27df63c", 7_856_301, 240, 255, 0.79838, 0.94934, version=2, filter="bilinear"),
    _torchvision("b2", "_rwightman-c35c1473", 9_177_631, 288, 288, 0.80608, 0.95310),
    _torchvision("b3", "_rwightman-b3899882", 12_320_606, 300, 320, 0.82008, 0.96054),
    _torchvision("b4", "_rwightman-23ab8bcd", 19_466_912, 380, 384, 0.83384, 0.96594),
    _torchvision("b5", "_lukemelas-1a07897c", 30_562_636, 456, 456, 0.83444, 0.96628),
    _torchvision("b6", "_lukemelas-24a108a5", 43_265_270, 528, 528, 0.84008, 0.96916),
    _torchvision("b7", "_lukemelas-c5b4e57e", 66_658_843, 600, 600, 0.84122, 0.96908),
)
