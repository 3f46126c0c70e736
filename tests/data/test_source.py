"""One word on the command line -> one dataset, and what every dataset must keep."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest
from PIL import Image

from zoo.data import load
from zoo.data.dataset import Dataset, Examples
from zoo.data.source import check


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))


def dataset(classes=("cat", "dog"), **labels) -> Dataset:
    labels = {"train": [0, 1], "validation": [0], "test": [1], **labels}
    splits = {name: Examples([np.zeros((2, 2, 3), np.uint8)] * len(own), np.array(own)) for name, own in labels.items()}
    return Dataset("mine", "folder", classes, splits)


@pytest.mark.parametrize("source", ["", "photos", "folder", "folder:", "tfds:", "scenes:slow", "clothing:x", "http://x", "/photos"])
def test_an_unknown_source_lists_the_forms(source):
    with pytest.raises(ValueError, match="the forms are: scenes, scenes:quick, patches, folder:PATH, clothing, flowers, tfds:NAME"):
        load(source)


def test_a_near_miss_is_guessed():
    with pytest.raises(ValueError, match="did you mean clothing"):
        load("clothes")


def test_a_folder(tmp_path):
    for i in range(12):
        path = tmp_path / "my: photos" / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (16, 16, 3), np.uint8)).save(path)
    found = load(f"folder:{tmp_path / 'my: photos'}")
    assert (found.name, found.kind) == ("folder:my: photos", "folder")
    (path.parent / "bad.png").write_bytes(b"")
    with pytest.raises(ValueError, match="empty file"):
        load(f"folder:{tmp_path / 'my: photos'}")
    assert load(f"folder:{tmp_path / 'my: photos'}", skip_bad=True, seed=1).classes == ("a", "b")


def test_a_public_set(monkeypatch):
    from zoo.data import sets

    monkeypatch.setattr(
        sets, "load", lambda name, *, seed, skip_bad: dataset() if (name, seed, skip_bad) == ("clothing", 5, True) else None
    )
    assert load("clothing", seed=5, skip_bad=True).name == "mine"


def test_tensorflow_datasets(monkeypatch):
    fake = types.SimpleNamespace(read_tfds=lambda name, *, seed, skip_bad: dataset() if (name, seed) == ("mnist:3.0.1", 2) else None)
    monkeypatch.setitem(sys.modules, "zoo.data.tfds", fake)
    assert load("tfds:mnist:3.0.1", seed=2).name == "mine"


@pytest.mark.parametrize(("source", "size"), [("scenes", None), ("scenes:quick", None), ("scenes:quick", 48)])
def test_scenes_are_told_seed_size_and_haste(source, size, monkeypatch):
    import dataclasses

    @dataclasses.dataclass(frozen=True)
    class Scenes:
        size: int = 96
        seed: int = 0
        train: int = 2000

        def quick(self):
            return dataclasses.replace(self, train=100)

    seen = []
    fake = types.SimpleNamespace(Scenes=Scenes, classification=lambda config: seen.append(config) or dataset())
    monkeypatch.setitem(sys.modules, "zoo.data.scenes", fake)
    load(source, seed=7, size=size)
    assert seen == [Scenes(size or 96, 7, 100 if "quick" in source else 2000)]


def test_a_good_dataset_passes_as_it_is():
    good = dataset(counter=[0, 0])
    assert check(good) is good


@pytest.mark.parametrize(("label", "split"), [(2, "train"), (-1, "test"), (255, "extra")])
def test_labels_outside_the_classes_are_named(label, split):
    with pytest.raises(ValueError, match=rf"mine, split {split}: label {label} is outside 0 to 1 \(2 classes\), 1 of 3"):
        check(dataset(**{split: [0, 1, label]}))


def test_labels_must_be_whole_numbers():
    with pytest.raises(ValueError, match="split train: labels must be whole numbers, got float64"):
        check(dataset(train=[0.0, 1.0]))


def test_one_class_only_and_empty_splits():
    with pytest.raises(ValueError, match="pictures of one class only in train"):
        check(dataset(train=[1, 1]))
    with pytest.raises(ValueError, match="no pictures in its validation split"):
        check(dataset(validation=[]))
    with pytest.raises(ValueError, match="no split 'test'"):
        check(Dataset("mine", "folder", ("a",), {name: part for name, part in dataset().splits.items() if name != "test"}))
