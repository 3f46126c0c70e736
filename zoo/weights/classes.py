"""Class names that belong to published weights."""

from __future__ import annotations

import functools
from importlib import resources

from zoo.weights.record import Record

_FILES = {"imagenet": "imagenet_classes.txt"}
_LISTS = {"cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")}


@functools.cache
def class_names(which: str | Record = "imagenet") -> tuple[str, ...]:
    """The names of a class list ("imagenet", "cifar10") or of the list a record was trained on, in index order.

    The ImageNet-1k names are those of torchvision (BSD-3-Clause), short WordNet terms in the order of the ILSVRC 2012 synsets.
    """
    name = which.class_list if isinstance(which, Record) else which
    if name in _LISTS:
        return _LISTS[name]
    if name not in _FILES:
        raise ValueError(f"there is no class list {name!r}; there are {', '.join(repr(known) for known in (*_FILES, *_LISTS))}")
    text = resources.files("zoo.weights").joinpath(_FILES[name]).read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if not line.startswith("#"))
