"""The choices in a request's address: ?threshold=0.4&annotated=1. An unknown or impossible one is refused, never ignored."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Number:
    """A number from `low` to `high`, both included, `default` where nothing is said; `meaning` for people."""

    kind: type
    low: float
    high: float
    default: float
    meaning: str

    @property
    def range(self) -> str:
        """What is wanted, in words."""
        return f"{'a whole number' if self.kind is int else 'a number'} from {self.low:g} to {self.high:g} ({self.meaning})"


def read(given: Mapping[str, list[str]], known: Mapping[str, Number]) -> dict[str, Any]:
    """{name: texts} as an address gives them -> {name: number} of every known parameter.

    Raises ValueError that says what was wanted: an unknown name, one given twice, not a number, or out of range.
    """
    chosen: dict[str, Any] = {name: number.default for name, number in known.items()}
    for name, texts in given.items():
        if name not in known:
            raise ValueError(f"there is no parameter {name[:40]!r}; there are {', '.join(known)}")
        if len(texts) != 1:
            raise ValueError(f"{name} was given {len(texts)} times; give it once")
        number = known[name]
        try:
            value = number.kind(texts[0])
        except ValueError:
            value = math.nan
        if not number.low <= value <= number.high:  # NaN is in no range
            raise ValueError(f"{name} must be {number.range}, got {texts[0][:40]!r}")
        chosen[name] = value
    return chosen
