"""TensorFlow Datasets without a network: builders written here, prepared in a temporary folder, read back by us."""

from __future__ import annotations

import builtins
import io

import numpy as np
import pytest
from PIL import Image

from zoo.data.decode import ImageError
from zoo.data.tfds import read_tfds

tfds = pytest.importorskip("tensorflow_datasets", reason="tensorflow_datasets is not installed")


def picture(seed: int, side: int = 16) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)


class ZooTiny(tfds.core.GeneratorBasedBuilder):
    """Ten pictures of each of three classes in train, and three of each in test."""

    VERSION = tfds.core.Version("1.0.0")
    SPLITS = {"train": 30, "test": 9}
    SHAPE = (16, 16, 3)
    NAMES = ("ant", "bee", "cow")

    def _info(self):
        features = tfds.features.FeaturesDict(self.features())
        return tfds.core.DatasetInfo(builder=self, features=features, license="CC0 1.0")

    def features(self):
        return {"image": tfds.features.Image(shape=self.SHAPE), "label": tfds.features.ClassLabel(names=self.NAMES)}

    def _split_generators(self, dl_manager):
        return {name: self._generate_examples(name, count) for name, count in self.SPLITS.items()}

    def _generate_examples(self, split, count):
        for i in range(count):
            yield i, self.example(i + 1000 * (split != "train"), i)

    def example(self, seed, i):
        return {"image": picture(seed), "label": self.NAMES[i % 3]}


class ZooFree(ZooTiny):
    """Pictures of several sizes, names that are not "image" and "label", all three splits, one split that we do not know."""

    SPLITS = {"train": 12, "val": 6, "test": 6, "unsupervised": 3}

    def features(self):
        return {"photo": tfds.features.Image(), "label_2": tfds.features.ClassLabel(names=self.NAMES), "n": np.int64}

    def example(self, seed, i):
        return {"photo": picture(seed, 10 + i % 5), "label_2": self.NAMES[i % 3], "n": i}


class ZooBad(ZooTiny):
    """Some of its stored files are no pictures."""

    SHAPE = (None, None, 3)

    def example(self, seed, i):
        file = io.BytesIO()
        Image.fromarray(picture(seed)).save(file, "PNG")
        return {"image": io.BytesIO(file.getvalue()[: 40 if i == 4 else None]), "label": self.NAMES[i % 3]}


class ZooHidden(ZooTiny):
    """A test split without answers, as competitions have it."""

    def _generate_examples(self, split, count):
        for i in range(count):
            yield i, {"image": picture(i + 1000 * (split != "train")), "label": i % 3 if split == "train" else -1}


class ZooBoxes(ZooTiny):
    def features(self):
        return {"image": tfds.features.Image(), "objects": tfds.features.Sequence({"label": tfds.features.ClassLabel(num_classes=3)})}


class ZooGray(ZooTiny):
    SHAPE = (16, 16, 1)

    def example(self, seed, i):
        return {"image": picture(seed)[..., :1], "label": self.NAMES[i % 3]}


class ZooNetless(ZooTiny):
    def _split_generators(self, dl_manager):
        raise ConnectionError("Name or service not known")


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ZOO_OFFLINE", raising=False)
    monkeypatch.setenv("NO_GCE_CHECK", "true")


def read(name, tmp_path, **options):
    return read_tfds(name, data_dir=tmp_path / "tfds", **options)


def test_a_set_arrives_with_its_pixels_names_and_licence(tmp_path):
    dataset = read("zoo_tiny", tmp_path)
    assert (dataset.name, dataset.kind, dataset.classes) == ("tfds:zoo_tiny", "public", ("ant", "bee", "cow"))
    assert {name: list(counts) for name, counts in dataset.counts().items()} == {"train": [8] * 3, "validation": [2] * 3, "test": [3] * 3}
    assert "zoo_tiny/1.0.0. Licence: CC0 1.0" in dataset.notes[0]
    assert "Its train split was divided by seed 0" in dataset.notes[1]
    known = {picture(i).tobytes(): i % 3 for i in range(30)}
    for split in ("train", "validation"):
        part = dataset[split]
        assert [known[part.image(i).tobytes()] for i in range(len(part))] == list(part.labels)
    tested = {picture(1000 + i).tobytes(): i % 3 for i in range(9)}
    assert {image.tobytes(): int(label) for image, label in zip(dataset["test"].items, dataset["test"].labels, strict=True)} == tested
    assert read("zoo_tiny", tmp_path, seed=0)["validation"].labels.tolist() == dataset["validation"].labels.tolist()


def test_a_large_set_becomes_files_that_hold_the_same_pixels(tmp_path):
    small, large = read("zoo_tiny", tmp_path), read("zoo_tiny", tmp_path, memory=1000)
    for split, part in large.splits.items():
        assert all(path.is_relative_to(tmp_path / "cache" / "tfds") for path in part.items)
        assert list(part.labels) == list(small[split].labels)
        for i in range(len(part)):
            np.testing.assert_array_equal(part.image(i), small[split].image(i))
    assert "files in the user cache" in large.notes[-1]
    assert "held in memory" in small.notes[-1]
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache" / "tfds").rglob("*.*")}
    assert len([path for path in written if path.is_file()]) == 39
    read("zoo_tiny", tmp_path, memory=1000)
    assert written == {path: path.stat().st_mtime_ns for path in (tmp_path / "cache" / "tfds").rglob("*.*")}


def test_given_splits_other_names_and_several_sizes(tmp_path):
    dataset = read("zoo_free", tmp_path)
    assert {name: len(part) for name, part in dataset.splits.items()} == {"train": 12, "validation": 6, "test": 6}
    assert sorted({image.shape for image in dataset["train"].items}) == [(side, side, 3) for side in range(10, 15)]
    assert "The splits are those of the set." in dataset.notes
    assert "Splits not used: unsupervised." in dataset.notes


@pytest.mark.parametrize("memory", [1 << 30, 1000])
def test_bad_pictures_stop_unless_skipped(memory, tmp_path):
    with pytest.raises(ImageError, match=r"tfds:zoo_bad, split (train|test), example \d+: truncated or damaged PNG.*skip_bad"):
        read("zoo_bad", tmp_path, memory=memory)
    dataset = read("zoo_bad", tmp_path, skip_bad=True, memory=memory)
    assert sum(map(len, dataset.splits.values())) == 37
    assert any("Skipped 2 bad pictures of 39" in note for note in dataset.notes)


def test_a_split_without_answers_is_not_used(tmp_path):
    dataset = read("zoo_hidden", tmp_path)
    assert sum(map(len, dataset.splits.values())) == 30
    assert min(len(part) for part in dataset.splits.values()) >= 3
    assert "Splits not used: test." in dataset.notes


def test_gray_pictures_become_rgb(tmp_path):
    image = read("zoo_gray", tmp_path)["test"].image(0)
    assert image.shape == (16, 16, 3)
    assert (image == image[..., :1]).all()


def test_a_set_that_is_no_classification_is_told_what_it_has(tmp_path, monkeypatch):
    monkeypatch.setattr("zoo.data.tfds._prepare", lambda builder, name: None)
    with pytest.raises(
        ValueError, match="zoo_boxes is no classification set: wanted one Image and one ClassLabel per example, it has image: Im"
    ):
        read("zoo_boxes", tmp_path)


def test_unknown_names_and_versions(tmp_path):
    with pytest.raises(ValueError, match="has no set called 'no_such_set_at_all'"):
        read("no_such_set_at_all", tmp_path)
    with pytest.raises(ValueError, match="cannot open 'zoo_tiny:9.9.9'"):
        read("zoo_tiny:9.9.9", tmp_path)


def test_offline_and_not_prepared(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    with pytest.raises(OSError, match="ZOO_OFFLINE forbids the network and 'zoo_tiny' is not prepared"):
        read("zoo_tiny", tmp_path)
    monkeypatch.delenv("ZOO_OFFLINE")
    read("zoo_tiny", tmp_path)
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    assert len(read("zoo_tiny", tmp_path)["test"]) == 9


def test_no_network_is_a_clear_error(tmp_path):
    with pytest.raises(OSError, match="could not prepare 'zoo_netless': Name or service not known. Without a network use scenes"):
        read("zoo_netless", tmp_path)


def test_without_the_package_the_install_line_is_told(monkeypatch):
    real = builtins.__import__

    def absent(name, *arguments):
        if name == "tensorflow_datasets":
            raise ImportError(name)
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(ImportError, match="pip install tensorflow tensorflow-datasets"):
        read_tfds("mnist")
