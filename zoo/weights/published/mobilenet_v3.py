"""MobileNetV3, as keras.applications and torchvision publish it.

Top-1 of keras.applications from the table in its source, which states no top-5. Sizes in bytes are not published.
"""

from __future__ import annotations

from typing import Any

from zoo.weights.publishers import HALF, pair, torchvision
from zoo.weights.record import Record

_SETS = (
    # row, name of the file, top-1, (md5, numbers stored) with the head, the same without
    (
        "large",
        "large_224_1.0_float",
        0.756,
        ("59e551e166be033d707958cf9e29a6a7", 5_507_432),
        ("07fb09a5933dd0c8eaafa16978110389", 2_996_352),
    ),
    (
        "large_075",
        "large_224_0.75_float",
        0.733,
        ("765b44a33ad4005b3ac83185abf1d0eb", 4_012_616),
        ("40af19a13ebea4e2ee0c676887f69a2e", 1_808_736),
    ),
    (
        "large_minimalistic",
        "large_minimalistic_224_1.0_float",
        0.723,
        ("675e7b876c45c57e9e63e6d90a36599c", 3_948_688),
        ("ec5221f64a2f6d1ef965a614bdae7973", 1_437_608),
    ),
    (
        "small",
        "small_224_1.0_float",
        0.681,
        ("8768d4c2e7dee89b9d02b2d03d65d862", 2_554_968),
        ("d3e8ec802a04aa4fc771ee12a9a9b836", 939_120),
    ),
    (
        "small_075",
        "small_224_0.75_float",
        0.654,
        ("cb65d4e5be93758266aa0a7f2c6708b7", 2_051_552),
        ("ebdb5cc8e0b497cd13a7c275d475c819", 583_160),
    ),
    (
        "small_minimalistic",
        "small_minimalistic_224_1.0_float",
        0.619,
        ("99cd97fb2fcdad2bf028eb838de69e37", 2_056_848),
        ("cde8136e733e811080d9fcd8a252f7e4", 441_000),
    ),
)


def _torchvision(size: str, digits: str, parameters: int, resized: int, top1: float, top5: float, recipe: str, **facts: Any) -> Record:
    return torchvision(
        f"mobilenet_v3_{size}_torchvision",
        f"mobilenet_v3_{size}-{digits}",
        parameters=parameters,
        crop=224 / resized,
        top1=top1,
        top5=top5,
        source=f"https://github.com/pytorch/vision/{recipe}",
        **facts,
    )


_V1 = "tree/main/references/classification#mobilenetv3-large--small"

RECORDS: tuple[Record, ...] = (
    *(
        record
        for row, file, top1, full, notop in _SETS
        for record in pair(
            f"mobilenet_v3_{row}",
            f"mobilenet_v3/weights_mobilenet_v3_{file}",
            bare="_no_top_v2",
            **HALF,
            licence="Apache-2.0",
            top1=top1,
            source="https://keras.io/api/applications/mobilenet/",
            full=(full[0], None, full[1]),
            notop=(notop[0], None, notop[1]),
        )
    ),
    _torchvision("large", "5c1a4163", 5_507_432, 232, 0.75274, 0.92566, "issues/3995#new-recipe-with-reg-tuning", tag="imagenet1k_v2"),
    _torchvision("small", "047dcff4", 2_554_968, 256, 0.67668, 0.87402, _V1),
)
