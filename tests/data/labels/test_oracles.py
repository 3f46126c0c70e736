"""Other libraries read what we write, and write what we read: globox for boxes, pycocotools for everything of COCO."""

from __future__ import annotations

import json

import numpy as np
import pytest

from zoo.data import labels
from zoo.data.objects import ObjectExamples, Objects, ObjectSet


@pytest.fixture
def data(tmp_path, paint):
    """Whole-pixel boxes, so that every format can hold them exactly."""
    rng = np.random.default_rng(3)
    items = [paint(tmp_path / "photos" / f"photo_{index}.jpg", index, size=(120, 160)) for index in range(5)]
    objects = []
    for index in range(5):
        n = index  # the first has none
        corner = rng.integers(0, 100, (n, 2))
        boxes = np.concatenate([corner, corner + rng.integers(2, 20, (n, 2))], axis=1)
        objects.append(Objects(boxes, rng.integers(0, 3, n)) if n else Objects.none())
    return ObjectSet("made", "generated", ("cat", "dog", "fox"), {"train": ObjectExamples(items, objects)})


def told(data) -> dict[str, list]:
    """{picture: its (class, box)s, sorted}, of ours."""
    part = data["train"]
    return {
        str(item.stem): sorted((data.classes[number], *map(float, box)) for number, box in zip(each.classes, each.boxes, strict=True))
        for item, each in zip(part.items, part.objects, strict=True)
    }


def theirs(annotations, number=False) -> dict[str, list]:
    name = (lambda label: ("cat", "dog", "fox")[int(label)]) if number else (lambda label: label)
    return {
        str(each.image_id).rsplit(".", 1)[0]: sorted((name(box.label), *map(float, box.ltrb)) for box in each.boxes) for each in annotations
    }


def close(ours: dict[str, list], other: dict[str, list], shift=(0, 0, 0, 0), empty=True) -> None:
    if not empty:
        ours = {name: boxes for name, boxes in ours.items() if boxes}
        other = {name: boxes for name, boxes in other.items() if boxes}
    assert ours.keys() == other.keys()
    for name, boxes in ours.items():
        assert [box[0] for box in boxes] == [box[0] for box in other[name]]
        np.testing.assert_allclose(
            np.array([box[1:] for box in boxes]).reshape(-1, 4) + shift,
            np.array([box[1:] for box in other[name]]).reshape(-1, 4),
            atol=1e-3,
        )


def test_globox_reads_ours(data, tmp_path):
    globox = pytest.importorskip("globox", reason="globox is the oracle of conversions")
    labels.write(data, tmp_path / "coco", "coco")
    labels.write(data, tmp_path / "yolo", "yolo")
    labels.write(data, tmp_path / "voc", "voc")
    ours = told(data)
    close(ours, theirs(globox.AnnotationSet.from_coco(tmp_path / "coco/annotations/instances_train.json")), empty=False)
    found = globox.AnnotationSet.from_yolo_v5(tmp_path / "yolo/labels/train", image_folder=tmp_path / "yolo/images/train")
    close(ours, theirs(found, number=True))
    # globox takes xmin and ymin as they stand; the format counts from 1 (VOC2007 development kit, section 4)
    close(ours, theirs(globox.AnnotationSet.from_pascal_voc(tmp_path / "voc/Annotations")), shift=(1, 1, 0, 0))


def test_we_read_globox(data, tmp_path):
    globox = pytest.importorskip("globox", reason="globox is the oracle of conversions")
    labels.write(data, tmp_path / "coco", "coco")
    set_ = globox.AnnotationSet.from_coco(tmp_path / "coco/annotations/instances_train.json")
    folder = tmp_path / "theirs"
    folder.mkdir()
    set_.save_coco(folder / "labels.json", auto_ids=True)
    close(told(data), _ours(folder, tmp_path / "photos", "coco"), empty=False)
    (tmp_path / "y").mkdir()
    set_.save_yolo_v5(tmp_path / "y" / "labels", label_to_id={"cat": 0, "dog": 1, "fox": 2})
    for item in data["train"].items:
        (tmp_path / "y" / "images").mkdir(exist_ok=True)
        (tmp_path / "y" / "images" / item.name).write_bytes(item.read_bytes())
    close(told(data), _ours(tmp_path / "y", None, "yolo", classes=data.classes))
    (tmp_path / "v").mkdir()
    set_.save_pascal_voc(tmp_path / "v" / "Annotations")
    close(told(data), _ours(tmp_path / "v", tmp_path / "photos", "voc"), shift=(-1, -1, 0, 0), empty=False)


def _ours(folder, images, format, classes=()) -> dict[str, list]:
    found = labels.read(folder, format, images=images, classes=classes)
    (split,) = found.splits
    return told(ObjectSet("x", "folder", found.classes, {"train": found[split]}))


def test_pycocotools_reads_ours(tmp_path, coco):
    oracle = pytest.importorskip("pycocotools.coco", reason="pycocotools is the oracle of COCO files")
    square = [10, 10, 30, 10, 30, 25, 10, 25]
    mask = np.zeros((60, 80), np.uint8)
    mask[30:50, 40:70] = 1
    from pycocotools.mask import encode

    squeezed = encode(np.asfortranarray(mask))
    folder = coco(
        [
            {"bbox": [10, 10, 20, 15], "segmentation": [square], "area": 300, "iscrowd": 0},
            {
                "bbox": [40, 30, 30, 20],
                "segmentation": {"size": [60, 80], "counts": squeezed["counts"].decode()},
                "area": 600,
                "iscrowd": 1,
            },
            {"bbox": [0.5, 0.25, 7.125, 9.0625], "segmentation": [], "category_id": 2},
        ]
    )
    labels.write(labels.read(folder), tmp_path / "out", "coco")
    written = oracle.COCO(str(tmp_path / "out/annotations/instances_all.json"))
    found = written.loadAnns(written.getAnnIds())
    assert [each["id"] for each in found] == [1, 2, 3]
    assert [each["iscrowd"] for each in found] == [0, 1, 0]
    assert [each["bbox"] for each in found] == [[10, 10, 20, 15], [40, 30, 30, 20], [0.5, 0.25, 7.125, 9.0625]]
    assert written.annToMask(found[0]).sum() == 300
    np.testing.assert_array_equal(written.annToMask(found[1]), mask)
    assert [category["name"] for category in written.loadCats(written.getCatIds())] == ["cat", "dog"]


def test_a_perfect_detector_scores_1_on_what_we_write(tmp_path, coco):
    """With annotation ids from 0, pycocotools would miss the first object: what a writer must not do."""
    oracle = pytest.importorskip("pycocotools.coco", reason="pycocotools is the oracle of COCO files")
    from pycocotools.cocoeval import COCOeval

    folder = coco([{"id": 0, "bbox": [10, 10, 20, 15]}, {"id": 1, "bbox": [40, 30, 30, 20]}])
    labels.write(labels.read(folder), tmp_path / "out", "coco")
    file = tmp_path / "out/annotations/instances_all.json"
    truth = oracle.COCO(str(file))
    answers = [
        {**{key: each[key] for key in ("image_id", "category_id", "bbox")}, "score": 0.9}
        for each in json.loads(file.read_text())["annotations"]
    ]
    scored = COCOeval(truth, truth.loadRes(answers), "bbox")
    scored.evaluate()
    scored.accumulate()
    scored.summarize()
    assert scored.stats[0] == pytest.approx(1.0)
