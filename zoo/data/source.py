"""What `--data` names -> Dataset: one line on the command line for embedded, own and public pictures."""

from __future__ import annotations

import dataclasses
import difflib

import numpy as np

from zoo.data.dataset import Dataset


def load(source: str, *, seed: int = 0, skip_bad: bool = False, size: int | None = None) -> Dataset:
    """The dataset that `source` names:

        "scenes", "scenes:quick"  generated on this machine, no files needed
        "patches"                 generated too: one textured patch in noise, for explanations whose truth is known
        "folder:PATH"             PATH/{train,validation,test}/CLASS/*, or PATH/CLASS/* divided by seed
        "clothing", ...           a public set (`zoo sets`), fetched once
        "tfds:NAME"               TensorFlow Datasets, prepared once

    seed:     of generation and division.
    skip_bad: leave out and count undecodable files instead of stopping on them.
    size:     side in pixels of generated pictures; other sources keep their own sizes.

    Raises ValueError for an unknown source (listing the forms), and what the source raises.
    """
    from zoo.data import sets

    kind, colon, rest = source.partition(":")
    if source in ("scenes", "scenes:quick"):
        dataset = _scenes(rest == "quick", seed, size)
    elif source == "patches":
        from zoo.data.patches import Patches, classification

        dataset = classification(Patches(seed=seed) if size is None else Patches(seed=seed, size=size))
    elif kind == "folder" and rest:
        from zoo.data.folder import read_folder

        dataset = read_folder(rest, seed=seed, skip_bad=skip_bad)
    elif kind == "tfds" and rest:
        from zoo.data.tfds import read_tfds

        dataset = read_tfds(rest, seed=seed, skip_bad=skip_bad)
    elif not colon and source in sets.SETS:
        dataset = sets.load(source, seed=seed, skip_bad=skip_bad)
    else:
        forms = ("scenes", "scenes:quick", "patches", "folder:PATH", *sets.SETS, "tfds:NAME")
        close = difflib.get_close_matches(source, forms, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise ValueError(f"no data is called {source!r}{hint}; the forms are: {', '.join(forms)}")
    return check(dataset)


def check(dataset: Dataset) -> Dataset:
    """The dataset itself, after what every source must keep: train, validation and test with pictures, at least two classes in train, and
    labels within the classes. Raises ValueError naming the split and the label."""
    n = len(dataset.classes)
    for name in ("train", "validation", "test"):
        if not len(dataset[name]):
            raise ValueError(f"{dataset.name} has no pictures in its {name} split")
    for name, part in dataset.splits.items():
        labels = np.asarray(part.labels)
        if not np.issubdtype(labels.dtype, np.integer):
            raise ValueError(f"{dataset.name}, split {name}: labels must be whole numbers, got {labels.dtype}")
        wrong = labels[(labels < 0) | (labels >= n)]
        if len(wrong):
            raise ValueError(
                f"{dataset.name}, split {name}: label {wrong[0]} is outside 0 to {n - 1} ({n} classes), {len(wrong)} of {len(labels)}; "
                "labels count from 0 in the order of the classes"
            )
    if len(np.unique(dataset["train"].labels)) < 2:
        raise ValueError(f"{dataset.name} has pictures of one class only in train; a classifier needs at least two")
    return dataset


def _scenes(quick: bool, seed: int, size: int | None) -> Dataset:
    from zoo.data.scenes import Scenes, classification

    config = dataclasses.replace(Scenes(), seed=seed)
    config = config.quick() if quick else config
    return classification(config if size is None else dataclasses.replace(config, size=size))
