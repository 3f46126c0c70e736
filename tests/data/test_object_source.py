"""One line for every kind of labelled pictures."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo.data.object_source import divided, load_objects, tidy
from zoo.data.objects import ObjectExamples, Objects, ObjectSet
from zoo.data.sprites import CLASSES


def test_scenes_have_every_kind_of_truth():
    data = load_objects("scenes", size=64, train=6, validation=2, test=1, seed=3)
    assert data.classes == CLASSES
    assert [len(data[split]) for split in ("train", "validation", "test")] == [6, 2, 1]
    assert data.kind == "generated"
    for objects in data["train"].objects:
        assert len(objects) >= 1
        assert objects.keypoints.shape == (len(objects), 4, 3)
        for box, mask in zip(objects.boxes, objects.masks, strict=True):
            rows, columns = np.nonzero(mask)
            assert box.tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    again = load_objects("scenes", size=64, train=2, validation=1, test=1, seed=3)
    assert (again["train"].items == data["train"].items[:2]).all()


def test_signs_can_be_given_as_folders(tmp_path):
    random = np.random.default_rng(0)
    for number in range(3):
        (tmp_path / "frames").mkdir(exist_ok=True)
        Image.fromarray(random.integers(0, 256, (50, 80, 3), np.uint8)).save(tmp_path / "frames" / f"{number}.png")
        for kind in ("left", "right"):
            (tmp_path / "signs" / kind).mkdir(exist_ok=True, parents=True)
            Image.fromarray(random.integers(0, 256, (20, 20, 3), np.uint8)).save(tmp_path / "signs" / kind / f"{number}.png")
    sizes = {"size": 48, "train": 2, "validation": 1, "test": 1}
    data = load_objects("scenes:signs", frames=tmp_path / "frames", signs=tmp_path / "signs", **sizes)
    assert data.classes == ("left", "right")
    assert "given signs on given pictures" in data.notes[0]
    frames = iter([np.zeros((30, 30, 3), np.uint8)] * 3)
    assert load_objects("scenes:signs", frames=frames, **sizes).classes[0] == "stop"
    with pytest.raises(ValueError, match="is a file"):
        load_objects("scenes:signs", frames=tmp_path / "frames" / "0.png")
    with pytest.raises(ValueError, match="holds no pictures"):
        load_objects("scenes:signs", frames=tmp_path / "signs" / ".." / "empty" if (tmp_path / "empty").mkdir() is None else "")
    with pytest.raises(ValueError, match="no folders"):
        load_objects("scenes:signs", signs=tmp_path / "empty")


@pytest.mark.parametrize("source", ["scene", "folder:", "bcdc", "tfds:coco", "", "svg:x"])
def test_an_unknown_source_is_told_with_all_forms(source):
    with pytest.raises(ValueError, match="scenes:signs, bccd, folder:PATH"):
        load_objects(source)


def labelled(count: int, split: str = "all") -> ObjectSet:
    images = np.arange(count, dtype=np.uint8)[:, None, None, None] + np.zeros((1, 4, 4, 3), np.uint8)
    return ObjectSet("toys", "folder", ("a",), {split: ObjectExamples(images, [Objects([[0, 0, 2, 2]], [0])] * count)})


def test_what_is_not_divided_is_divided_by_seed():
    data = divided(labelled(20), seed=0)
    assert {name: len(part) for name, part in data.splits.items()} == {"train": 14, "validation": 3, "test": 3}
    numbers = {name: [int(image.flat[0]) for image in part.items] for name, part in data.splits.items()}
    assert sorted(sum(numbers.values(), [])) == list(range(20))
    assert "14 pictures for train" in data.notes[-1]
    same, other = ([int(image.flat[0]) for image in divided(labelled(20), seed)["test"].items] for seed in (0, 1))
    assert same == numbers["test"] != other


def test_splits_that_are_there_stay():
    whole = ObjectSet("toys", "folder", ("a",), {name: labelled(20)["all"] for name in ("train", "validation", "test")})
    assert divided(whole, 0) is whole
    two = ObjectSet("toys", "folder", ("a",), {name: labelled(20)["all"] for name in ("train", "validation")})
    found = divided(two, 0)
    assert {name: len(part) for name, part in found.splits.items()} == {"train": 17, "validation": 20, "test": 3}
    with pytest.raises(ValueError, match="too few"):
        divided(labelled(2), 0)
    with pytest.raises(ValueError, match="no train"):
        divided(ObjectSet("toys", "folder", ("a",), {name: labelled(9)["all"] for name in ("validation", "test")}), 0)


def test_boxes_without_a_size_are_left_out_and_counted():
    objects = Objects([[0, 0, 9, 9], [3, 3, 3, 3], [1, 1, 2, 9]], [0, 0, 0])
    data = ObjectSet("toys", "folder", ("a",), {"train": ObjectExamples(np.zeros((1, 9, 9, 3), np.uint8), [objects])})
    assert tidy(data)["train"].objects[0].boxes.tolist() == [[0, 0, 9, 9]]
    assert tidy(data).notes[0].startswith("2 boxes")
    assert tidy(tidy(data)).notes == tidy(data).notes


def test_labels_of_a_folder_are_read_and_divided(tmp_path):
    pytest.importorskip("zoo.data.labels", reason="the readers of label files are not there yet")
    for number in range(6):
        Image.new("RGB", (40, 30), (number, 0, 0)).save(tmp_path / f"{number}.png")
        box = "<bndbox><xmin>3</xmin><ymin>5</ymin><xmax>12</xmax><ymax>20</ymax></bndbox>"
        text = f"<annotation><filename>{number}.png</filename><object><name>cat</name>{box}</object></annotation>"
        (tmp_path / f"{number}.xml").write_text(text)
    for source in (f"folder:{tmp_path}", f"voc:{tmp_path}"):
        data = load_objects(source)
        assert data.name == source
        assert {name: len(part) for name, part in data.splits.items()} == {"train": 4, "validation": 1, "test": 1}
        assert data["train"].objects[0].boxes.tolist() == [[2, 4, 12, 20]]
        assert data["train"].image(0).shape == (30, 40, 3)


def test_the_real_blood_cells():
    pytest.importorskip("zoo.data.labels", reason="the readers of label files are not there yet")
    if not Path(os.environ.get("ZOO_DATA", ""), "bccd", "Annotations").is_dir():
        pytest.skip("ZOO_DATA holds no bccd")
    data = load_objects("bccd")
    assert {name: len(part) for name, part in data.splits.items()} == {"train": 205, "validation": 87, "test": 72}
    # 4,888 boxes by the makers, two of them without a size
    totals = dict(zip(data.classes, np.sum(list(data.counts().values()), axis=0), strict=True))
    assert totals == {"Platelets": 361, "RBC": 4153, "WBC": 372}
    assert data.kind == "public"
    assert "MIT" in data.notes[0]
