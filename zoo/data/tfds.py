"""Any labelled picture set of TensorFlow Datasets -> Dataset.

TFDS downloads and verifies; we take the stored bytes and decode them with the zoo's own decode, so that training and serving agree.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from zoo.data.dataset import Dataset, Examples
from zoo.data.decode import OWN_FILE, ImageError, decode
from zoo.data.extract import whole
from zoo.data.inspection import digest, inspect
from zoo.data.listing import SPLITS
from zoo.data.split import FRACTIONS, stratified

MEMORY = 1 << 30
"""Decoded bytes above which a set is kept as files in the user cache instead of arrays in memory."""

_ENDINGS = ((b"\xff\xd8\xff", ".jpg"), (b"\x89PNG", ".png"), (b"GIF8", ".gif"), (b"BM", ".bmp"), (b"RIFF", ".webp"))


def read_tfds(
    name: str, *, seed: int = 0, skip_bad: bool = False, data_dir: str | os.PathLike | None = None, memory: int = MEMORY
) -> Dataset:
    """The TFDS set `name` ("cats_vs_dogs", "mnist:3.0.1", "cifar10_corrupted/fog_1") as a Dataset.

    seed:     divides train where validation or test is missing; copies of one picture stay in one split.
    skip_bad: leave out and count pictures that cannot be decoded.
    data_dir: where TFDS keeps its sets; default: its own choice (TFDS_DATA_DIR or ~/tensorflow_datasets).
    memory:   a set whose pictures need more decoded bytes than this is written once to the user cache as the stored files and decoded
              when used; a smaller one is held as uint8 arrays.

    Raises ImportError without tensorflow_datasets; ValueError for an unknown set or one without a picture and a class label per example;
    ImageError naming the example; OSError when it is not prepared and the network is forbidden or fails.
    """
    from zoo.download import cache_folder

    builder = _builder(name, data_dir)
    _prepare(builder, name)
    picture, label = _features(builder.info, name)
    classes = tuple(builder.info.features[label].names)
    given = _splits(builder.info, name)
    in_files = _decoded_bytes(builder, given, picture, label) > memory
    folder = cache_folder() / "tfds" / re.sub(r"[^\w.-]+", "-", builder.info.full_name)
    read = {}
    for split, theirs in given.items():
        rows = _in_files(builder, theirs, picture, label, folder) if in_files else _in_memory(builder, theirs, picture, label)
        part = _read(rows, f"tfds:{name}, split {theirs}", len(classes), skip_bad)
        if part is not None:
            read[split] = part
    if "train" not in read:
        raise ValueError(f"tfds:{name} has no class labels in its train split")
    bad = [reason for part in read.values() for reason in part.bad]
    parts, how = _divide(read, seed, classes)
    unused = sorted(set(builder.info.splits) - {given[split] for split in read})
    notes = [f"TensorFlow Datasets: {builder.info.full_name}. Licence: {_licence(builder.info)}.", how]
    if unused:
        notes.append(f"Splits not used: {', '.join(unused)}.")
    if bad:
        notes.append(f"Skipped {len(bad)} bad pictures of {len(bad) + sum(map(len, parts.values()))}, first: {bad[0]}.")
    notes.append("The pictures lie as files in the user cache." if in_files else "The pictures are held in memory.")
    return Dataset(f"tfds:{name}", "public", classes, parts, tuple(notes))


_Row = tuple[np.ndarray | Path | None, int, str]
"""(picture, label, digest of its pixels), or (None, label, why it cannot be used)."""


@dataclass
class _Part:
    """One split as read: pictures, labels, digests, and the reasons of those left out."""

    items: list = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)

    def examples(self) -> Examples:
        return Examples(self.items, np.array(self.labels, np.int64))


def _builder(name: str, data_dir):
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise ImportError("tfds:NAME needs TensorFlow Datasets: pip install tensorflow tensorflow-datasets") from error
    try:
        return tfds.builder(name, data_dir=data_dir, try_gcs=False)
    except tfds.core.DatasetNotFoundError as error:
        raise ValueError(
            f"TensorFlow Datasets has no set called {name!r}; its sets: https://www.tensorflow.org/datasets/catalog"
        ) from error
    except (AssertionError, ValueError, RuntimeError) as error:  # a version or configuration that does not exist, or a broken builder
        raise ValueError(f"TensorFlow Datasets cannot open {name!r}: {' '.join(str(error).split())[:300]}") from error


def _prepare(builder, name: str) -> None:
    from zoo.download import offline

    if os.path.isdir(builder.data_path):
        return
    if offline():
        raise OSError(
            f"ZOO_OFFLINE forbids the network and {name!r} is not prepared in {builder.data_path}; "
            f"prepare it once with the network (tfds build {name}), or point TFDS_DATA_DIR to where it is"
        )
    try:
        builder.download_and_prepare()
    except Exception as error:  # TFDS, requests and the builders themselves raise whatever they like
        said = " ".join(str(error).split())[:300] or type(error).__name__
        raise OSError(
            f"TensorFlow Datasets could not prepare {name!r}: {said}. Without a network use scenes, or point TFDS_DATA_DIR to a copy"
        ) from error


def _features(info, name: str) -> tuple[str, str]:
    """Names of the one picture and the one class label of every example."""
    import tensorflow_datasets as tfds

    features = dict(info.features) if isinstance(info.features, tfds.features.FeaturesDict) else {}
    pair = info.supervised_keys or ()
    found: list[str] = []
    for kind, favourite in ((tfds.features.Image, "image"), (tfds.features.ClassLabel, "label")):
        fitting = [key for key, feature in features.items() if isinstance(feature, kind)]
        choice = [key for key in fitting if key == favourite] or [key for key in fitting if key in pair] or fitting
        found += choice if len(choice) == 1 else []
    if len(found) != 2:
        shown = ", ".join(f"{key}: {type(feature).__name__}" for key, feature in features.items()) or type(info.features).__name__
        raise ValueError(f"tfds:{name} is no classification set: wanted one Image and one ClassLabel per example, it has {shown}")
    return found[0], found[1]


def _splits(info, name: str) -> dict[str, str]:
    """Our split -> its TFDS split."""
    given: dict[str, str] = {}
    for split in info.splits:
        ours = SPLITS.get(split.lower())
        if ours is not None:
            given.setdefault(ours, split)
    if "train" not in given:
        if len(info.splits) != 1:
            raise ValueError(f"tfds:{name} has no train split; it has {', '.join(info.splits)}")
        given = {"train": next(iter(info.splits))}
    return given


def _stored(builder, split: str, picture: str, label: str) -> Iterator[tuple[bytes, int]]:
    """The bytes of every picture as they are stored, with its label, in a fixed order."""
    import tensorflow_datasets as tfds

    data = builder.as_dataset(split=split, shuffle_files=False, decoders={picture: tfds.decode.SkipDecoding()})
    for example in tfds.as_numpy(data):
        yield example[picture], int(example[label])


def _decoded_bytes(builder, given: dict[str, str], picture: str, label: str) -> int:
    """What the whole set would take in memory, from its declared shape or else from its first 32 pictures."""
    count = sum(builder.info.splits[split].num_examples for split in given.values())
    height, width = builder.info.features[picture].shape[:2]
    if height and width:
        return count * height * width * 3
    sizes = []
    for data, _ in itertools.islice(_stored(builder, given["train"], picture, label), 32):
        with contextlib.suppress(ImageError):
            sizes.append(decode(data, limits=OWN_FILE).size)
    return int(count * np.mean(sizes)) if sizes else 0


def _in_memory(builder, split: str, picture: str, label: str) -> Iterator[_Row]:
    for data, number in _stored(builder, split, picture, label):
        try:
            image = decode(data, limits=OWN_FILE)
        except ImageError as error:
            yield None, number, error.reason
        else:
            yield image, number, digest(image)


def _in_files(builder, split: str, picture: str, label: str, folder: Path) -> Iterator[_Row]:
    """The stored bytes as FOLDER/SPLIT/LABEL/NUMBER.jpg, written once, all or nothing."""
    folder = folder / split
    if not folder.is_dir():

        def fill(part: Path) -> None:
            for index, (data, number) in enumerate(_stored(builder, split, picture, label)):
                place = part / str(number)
                place.mkdir(exist_ok=True)
                (place / f"{index:07d}{_ending(data)}").write_bytes(data)

        whole(folder, fill)
    paths = sorted(folder.glob("*/*"), key=lambda path: path.name)
    for path, seen in zip(paths, inspect(folder, paths), strict=True):
        number = int(path.parent.name)
        yield (None, number, seen.reason) if seen.reason else (path, number, seen.pixels)


def _read(rows: Iterator[_Row], where: str, classes: int, skip_bad: bool) -> _Part | None:
    """One split; None when none of its examples has an answer, as in the test split of a competition."""
    part = _Part()
    for index, (item, label, digest_or_reason) in enumerate(rows):
        if item is None:
            if not skip_bad:
                raise ImageError(f"{digest_or_reason}; skip bad pictures with skip_bad (--skip-bad)", f"{where}, example {index}")
            part.bad.append(f"example {index} of {where} ({digest_or_reason})")
            continue
        part.items.append(item)
        part.labels.append(label)
        part.digests.append(digest_or_reason)
    if part.labels and max(part.labels) < 0:
        return None
    wrong = [label for label in part.labels if not 0 <= label < classes]
    if wrong:
        raise ValueError(f"{where}: label {wrong[0]} is outside 0 to {classes - 1} ({classes} classes), {len(wrong)} of {len(part.labels)}")
    return part


def _divide(read: dict[str, _Part], seed: int, classes) -> tuple[dict[str, Examples], str]:
    shares = dict(zip(("train", "validation", "test"), FRACTIONS, strict=True))
    wanted = {name: share for name, share in shares.items() if name == "train" or name not in read}
    if len(wanted) == 1:
        return {name: read[name].examples() for name in shares}, "The splits are those of the set."
    rows = read["train"]
    parts = stratified(rows.labels, wanted, groups=rows.digests, seed=seed, classes=classes)
    named = ", ".join(f"{name} {share / sum(wanted.values()):.0%}" for name, share in wanted.items())
    how = f"Its train split was divided by seed {seed} into {named}, each class in proportion and copies kept together."
    return {name: rows.examples().take(parts[name]) if name in parts else read[name].examples() for name in shares}, how


def _licence(info) -> str:
    found = " ".join(info.redistribution_info.license.split())[:200]
    return found or "not stated by TensorFlow Datasets, see the home page " + (info.homepage or "of the set")


def _ending(data: bytes) -> str:
    return next((ending for start, ending in _ENDINGS if data.startswith(start)), "")
