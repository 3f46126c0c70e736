"""Planted faults: the doctor, who does not know of them, finds each in its file; without them the copy is healthy."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.data import labels
from zoo.data.labels.planted import KINDS, plant
from zoo.data.objects import ObjectExamples, Objects, ObjectSet


def written(folder, pictures=12):
    random = np.random.default_rng(0)
    parts = {}
    for split, count in (("train", pictures), ("validation", 4)):
        images = [random.integers(0, 255, (6, 8, 3), np.uint8).repeat(8, axis=0).repeat(8, axis=1) for _ in range(count)]
        objects = [Objects([[4, 6, 20, 30], [30, 10, 50, 40]], [index % 2, (index + 1) % 2]) for index in range(count)]
        parts[split] = ObjectExamples(images, objects)
    labels.write(ObjectSet("squares", "generated", ("a", "b"), parts), folder, "yolo", rows="boxes")
    return folder


def test_every_planted_fault_is_found_in_its_file_and_was_not_there_before(tmp_path):
    healthy = labels.doctor(written(tmp_path / "healthy"), "yolo")
    assert not any(healthy.of(kind) for kind in KINDS)
    folder = written(tmp_path / "planted")
    planted = plant(folder, 2)
    assert tuple(planted) == KINDS
    assert len(set(planted.values())) == len(KINDS)
    checkup = labels.doctor(folder, "yolo")
    for kind, name in planted.items():
        found = checkup.of(kind)
        assert len(found) == 1, kind
        stems = {found[0].path.stem, *([found[0].other.picture.stem] if found[0].other else [])}
        assert name.removesuffix(".txt") in {stem.removeprefix("copy_of_") for stem in stems}, kind


def test_too_few_pictures_or_classes_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"at least 9 training pictures .* has 5 with 2"):
        plant(written(tmp_path / "few", 5), 2)
    with pytest.raises(ValueError, match="at least 2 classes"):
        plant(written(tmp_path / "one"), 1)
