"""Traps of COCO files, each written by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from zoo.data import labels


def test_eighty_classes_with_ids_to_ninety_become_0_to_79(coco):
    ids = [number for number in range(1, 91) if number not in (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)]  # the ten that COCO left out
    categories = [{"id": number, "name": f"class {number}"} for number in reversed(ids)]
    folder = coco([{"bbox": [1, 1, 9, 9], "category_id": number} for number in (1, 13, 90)], categories=categories)
    data = labels.read(folder)
    assert len(data.classes) == 80
    assert data["all"].objects[0].classes.tolist() == [0, 11, 79]
    assert [data.classes[number] for number in (0, 11, 79)] == ["class 1", "class 13", "class 90"]


def test_boxes_are_corner_and_size(coco):
    data = labels.read(coco([{"bbox": [10, 20.5, 30, 4.25]}]))
    np.testing.assert_array_equal(data["all"].objects[0].boxes, [[10, 20.5, 40, 24.75]])


def test_ids_of_zero_are_read_warned_about_and_not_written(coco, tmp_path):
    folder = coco([{"id": 0, "bbox": [1, 1, 9, 9], "category_id": 0}], categories=[{"id": 0, "name": "cat"}])
    data = labels.read(folder)
    assert data["all"].objects[0].classes.tolist() == [0]
    assert any("2 ids of 0" in note for note in data.notes)
    assert len(labels.doctor(folder).of("zero id")) == 2
    labels.write(data, tmp_path / "out", "coco")
    content = json.loads((tmp_path / "out/annotations/instances_all.json").read_text())
    assert content["annotations"][0]["id"] == 1
    assert content["categories"][0]["id"] == 1


def test_picture_numbers_are_kept(coco, tmp_path):
    images = [{"id": 139, "file_name": "b.png", "width": 80, "height": 60}, {"id": 9, "file_name": "a.png", "width": 80, "height": 60}]
    data = labels.read(coco([{"bbox": [1, 1, 9, 9], "image_id": 9}], images))
    assert data["all"].attributes["id"].tolist() == [139, 9]
    labels.write(data, tmp_path / "out", "coco")
    assert labels.read(tmp_path / "out")["all"].attributes["id"].tolist() == [139, 9]


def test_one_name_with_two_ids_in_two_files_is_one_class(tmp_path, paint):
    for split, number in (("train", 1), ("val", 7)):
        paint(tmp_path / f"images/{split}2017/{split}.png", number)
        content = {
            "images": [{"id": 1, "file_name": f"{split}.png", "width": 80, "height": 60}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": number, "bbox": [0, 0, 5, 5]}],
            "categories": [{"id": number, "name": "cat"}, {"id": number + 1, "name": f"only {split}"}],
        }
        (tmp_path / "annotations").mkdir(exist_ok=True)
        (tmp_path / f"annotations/instances_{split}2017.json").write_text(json.dumps(content))
        (tmp_path / f"annotations/captions_{split}2017.json").write_text(json.dumps({"images": [], "annotations": []}))
    data = labels.read(tmp_path)
    assert list(data.splits) == ["train", "validation"]
    assert data["train"].objects[0].classes.tolist() == data["validation"].objects[0].classes.tolist() == [0]
    assert data.classes[0] == "cat"


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        ({"bbox": [1, 2, 3]}, r"bbox must be \[x, y, width, height\]"),
        ({"bbox": [1, 2, -3, 4]}, "right edge lies left"),
        ({"bbox": [1, float("nan"), 3, 4]}, "not made of usable numbers"),
        ({"bbox": [1, 2, 3, 4], "category_id": 5}, "category id 5 is not listed"),
        ({"bbox": [1, 2, 3, 4], "image_id": 8}, "image 8, which is not listed"),
        ({"bbox": [1, 2, 3, 4], "image_id": [1]}, "without usable id"),
        ({"bbox": [1, 2, 3, 4], "segmentation": [[1, 2, 3]]}, "even number of at least 6"),
        ({"bbox": [1, 2, 3, 4], "segmentation": {"size": [2, 2], "counts": [3]}}, "sum 4"),
        ({"bbox": [1, 2, 3, 4], "keypoints": [1, 2]}, "reshape"),
        ({"bbox": [1, 2, 3, 4], "keypoints": [1, float("nan"), 2]}, "not a finite number"),
        ({"bbox": [1, 2, 3, 4], "segmentation": [[1, 2, float("inf"), 4, 5, 6]]}, "not a finite number"),
        ({"bbox": [1, 2, 10**400, 4]}, "too large"),
        ({"bbox": [1, 2, 3, 4], "segmentation": {"size": [10**6, 10**6], "counts": [10**12 - 1]}}, "with sum"),
    ],
)
def test_a_bad_annotation_is_named_and_left_out_only_when_asked(coco, annotation, reason):
    folder = coco([{"bbox": [1, 1, 9, 9]}, annotation])
    with pytest.raises(labels.LabelError, match=reason) as caught:
        labels.read(folder)
    assert "skip_bad" in str(caught.value)
    data = labels.read(folder, skip_bad=True)
    assert len(data["all"].objects[0]) == 1
    assert any("Left out 1 faulty entry" in note for note in data.notes)
    assert labels.doctor(folder)


def test_pictures_that_are_not_there_and_that_are_broken(coco):
    images = [{"id": number, "file_name": f"{number}.png", "width": 80, "height": 60} for number in (1, 2, 3)]
    folder = coco([{"bbox": [1, 1, 9, 9], "image_id": number} for number in (1, 2, 3)], images)
    (folder / "2.png").unlink()
    (folder / "3.png").write_bytes((folder / "1.png").read_bytes()[:60])
    with pytest.raises(labels.LabelError, match=r"2 faults"):
        labels.read(folder)
    assert len(labels.read(folder, skip_bad=True)["all"]) == 1
    found = labels.doctor(folder)
    assert [item.reason.split()[0] for item in found.of("missing picture")] == ["2.png"]
    assert [item.path.name for item in found.of("bad picture")] == ["3.png"]


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"images": [], "annotations": []}', '{"images": [1], "annotations": [], "categories": []}']
)
def test_a_file_that_is_no_coco_file(tmp_path, content):
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(labels.LabelError, match="x.json"):
        labels.read(tmp_path / "x.json")


def test_a_mask_that_would_fill_the_memory_is_never_filled(coco):
    data = labels.read(coco([{"bbox": [1, 2, 3, 4], "segmentation": {"size": [10**6, 10**6], "counts": [10**12]}}]))
    with pytest.raises(ValueError, match="its image"):
        labels.masks(data["all"].objects[0], 60, 80)


def test_a_box_may_be_left_out_where_there_is_an_outline(coco):
    data = labels.read(coco([{"segmentation": [[10, 20, 30, 20, 30, 45]]}]))
    np.testing.assert_array_equal(data["all"].objects[0].boxes, [[10, 20, 30, 45]])
