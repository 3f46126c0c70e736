"""Real labels, where they are there (ZOO_DATA): BCCD in Pascal VOC, a small COCO with crowds, keypoints and 80 classes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from zoo.data import labels
from zoo.data.labels import rle


def place(name: str) -> Path:
    root = Path(os.environ.get("ZOO_DATA", "/nowhere")) / name
    if not root.is_dir():
        pytest.skip(f"{name} is not here: ZOO_DATA does not lead to it")
    return root


def test_the_doctor_finds_the_two_slips_of_the_mouse_in_bccd_and_its_leak():
    found = labels.doctor(place("bccd"))
    assert [item.path.name for item in found.of("no area")] == ["BloodImage_00338.jpg", "BloodImage_00343.jpg"]
    sheets = {item.path.stem: item.sheet.rows[item.objects[0]].box for item in found.of("no area")}
    assert sheets == {"BloodImage_00338": (503, 336, 504, 337), "BloodImage_00343": (180, 328, 181, 329)}
    # 37 and 38 show the same cells, moved by a few pixels, in train and validation
    assert [item.path.name for item in found.of("near leak")] == ["BloodImage_00038.jpg"]
    assert {item.kind for item in found} == {"no area", "near leak"}


def test_bccd_has_its_published_counts():
    data = labels.read(place("bccd"))
    assert {split: len(part) for split, part in data.splits.items()} == {"train": 205, "validation": 87, "test": 72}
    assert dict(zip(data.classes, sum(data.counts().values()).tolist(), strict=True)) == {"RBC": 4155, "WBC": 372, "Platelets": 361}


def test_coco_tiny_is_read_as_pycocotools_reads_it():
    oracle = pytest.importorskip("pycocotools.coco", reason="pycocotools is the oracle of COCO files")
    root = place("coco_tiny")
    truth = oracle.COCO(str(root / "instances.json"))
    data = labels.read(root)
    names = {category["id"]: category["name"] for category in truth.loadCats(truth.getCatIds())}
    assert data.classes == tuple(names[number] for number in sorted(names))
    assert len(data.classes) == 80
    count = 0
    for part in data.splits.values():
        for index, (number, objects) in enumerate(zip(part.attributes["id"], part.objects, strict=True)):
            theirs = truth.loadAnns(truth.getAnnIds(imgIds=[int(number)]))
            assert [data.classes[each] for each in objects.classes] == [names[each["category_id"]] for each in theirs]
            assert objects.crowd.tolist() == [bool(each["iscrowd"]) for each in theirs]
            boxes = np.array([each["bbox"] for each in theirs]).reshape(-1, 4)
            np.testing.assert_allclose(objects.boxes, np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1), atol=1e-3)
            if index % 8 == 0:
                same_masks(truth, theirs, objects)
            count += len(objects)
    assert count == 2548


def same_masks(truth, theirs, objects) -> None:
    """Run lengths exactly; polygons but for the pixels on their edges, where rasterisers differ."""
    lengths = objects.attributes.get("rle", [None] * len(objects))
    for index, each in enumerate(theirs):
        if not each["segmentation"]:
            continue
        mask = truth.annToMask(each).astype(bool)
        if lengths[index] is not None:
            np.testing.assert_array_equal(rle.decode(lengths[index]), mask)
            continue
        ours = labels.masks(objects.take([index]), *mask.shape)[0]
        rim = sum(np.linalg.norm(np.diff(ring, axis=0), axis=1).sum() for ring in objects.polygons[index])
        assert (ours != mask).sum() <= max(4.0, rim), each["id"]


def test_keypoints_and_a_round_trip_of_coco_tiny(tmp_path):
    root = place("coco_tiny")
    data = labels.read(root / "person_keypoints.json")
    assert data.keypoint_names[:3] == ("nose", "left_eye", "right_eye")
    assert (1, 2) in data.flip_pairs
    content = json.loads((root / "person_keypoints.json").read_text())
    labelled = sum(sum(seen > 0 for seen in each["keypoints"][2::3]) for each in content["annotations"])
    assert sum(int((each.keypoints[..., 2] > 0).sum()) for part in data.splits.values() for each in part.objects if len(each)) == labelled
    assert labels.write(data, tmp_path / "again", "coco", pictures="link") == []
    again = labels.read(tmp_path / "again")
    for split, part in data.splits.items():
        for ours, truth in zip(again[split].objects, part.objects, strict=True):
            np.testing.assert_array_equal(ours.boxes, truth.boxes)
            np.testing.assert_array_equal(ours.keypoints, truth.keypoints) if len(truth) else None
            assert set(ours.attributes) == set(truth.attributes)
            np.testing.assert_array_equal(ours.attributes.get("area", []), truth.attributes.get("area", []))
