"""Class names that belong to published weights."""

from __future__ import annotations

import functools
from importlib import resources

from zoo.weights.record import Record


@functools.cache
def class_names(which: str | Record = "imagenet") -> tuple[str, ...]:
    """The names of a class list ("imagenet") or of the list a record was trained on, in index order.

    The ImageNet-1k names are those of torchvision (BSD-3-Clause), short WordNet terms in the order of the ILSVRC 2012 synsets.
    """
    name = which.class_list if isinstance(which, Record) else which
    if name != "imagenet":
        raise ValueError(f"there is no class list {name!r}; there is 'imagenet'")
    text = resources.files("zoo.weights").joinpath("imagenet_classes.txt").read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if not line.startswith("#"))
