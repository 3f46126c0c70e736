"""Every published weight set the zoo can fetch, one `Record` each; one file per family, each with `RECORDS`.

Facts and where they come from: addresses and md5 sums of keras.applications from the source of Keras 3.15, which publishes
nothing stronger than md5 for most files; those of torchvision and timm from the sources of torchvision 0.28 and timm 1.0.31, whose
file names carry the first eight digits of the sha256. Accuracies are those that the publishers state.
"""

from __future__ import annotations

import importlib
import pkgutil

from zoo.weights.record import Record

TABLE: tuple[Record, ...] = tuple(
    record
    for found in sorted(pkgutil.iter_modules(__path__), key=lambda found: found.name)
    for record in getattr(importlib.import_module(f"{__name__}.{found.name}"), "RECORDS", ())
)
"""Every record; see `records`."""


def records(row: str) -> list[Record]:
    """The records that fit a row of the zoo."""
    return [record for record in TABLE if row in record.models]
