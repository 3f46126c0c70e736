"""What stands behind the last convolutions of a network: the arithmetic that turns maps into boxes, which int8 must not touch.

A box is a sum of a position in pixels and an offset. One int8 scale for both leaves steps of 2.5 pixels in an image of 640, so the detector
would lose small objects without losing a single class. The convolutions hold nearly all of the work and stay int8.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple


class Node(NamedTuple):
    """One operation of a graph: its name, its kind, and the tensors it reads."""

    name: str
    kind: str
    reads: Sequence[Any]


def behind(makers: Mapping[Any, Node], outputs: Iterable[Any], stops: Iterable[str]) -> list[str]:
    """Names of the operations from the `outputs` back to the first ones of a kind in `stops`, without those.

    makers: {tensor: the operation that makes it}; a tensor without one is an input or a constant.
    """
    stops, waiting, seen = set(stops), list(outputs), set()
    found: dict[str, None] = {}
    while waiting:
        tensor = waiting.pop()
        if tensor in seen or tensor not in makers:
            continue
        seen.add(tensor)
        node = makers[tensor]
        if node.kind not in stops:
            found[node.name] = None
            waiting += node.reads
    return list(found)
