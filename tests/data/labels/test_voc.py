"""Traps of Pascal VOC files, each written by hand."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.data import labels
from zoo.data.labels import voc


def annotation(*boxes, filename="a.png", size=(80, 60), extra=""):
    objects = "".join(
        f"<object><name>{name}</name>{extra}<bndbox><xmin>{x}</xmin><ymin>{y}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"
        for name, x, y, x2, y2 in boxes
    )
    sides = f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>"
    return f"<annotation><folder>x</folder><filename>{filename}</filename>{sides}{objects}</annotation>"


@pytest.fixture
def folder(tmp_path, paint):
    paint(tmp_path / "JPEGImages/a.png")
    (tmp_path / "Annotations").mkdir()

    def made(text):
        (tmp_path / "Annotations/a.xml").write_text(text)
        return tmp_path

    return made


def test_pixels_count_from_one_and_the_last_belongs_to_the_box(folder):
    data = labels.read(folder(annotation(("cat", 1, 1, 80, 60), ("cat", 11, 21, 11, 21))))
    np.testing.assert_array_equal(data["all"].objects[0].boxes, [[0, 0, 80, 60], [10, 20, 11, 21]])
    assert list(voc.inclusive(np.array([[0, 0, 80, 60], [10, 20, 11, 21], [3.2, 4, 3.4, 4]], np.float32))) == [
        (1, 1, 80, 60),
        (11, 21, 11, 21),
        (4, 5, 4, 5),  # thinner than a pixel: the pixel it lies in
    ]


def test_difficult_truncated_and_pose(folder):
    extra = "<pose>Left</pose><truncated>1</truncated><difficult>1</difficult>"
    objects = labels.read(folder(annotation(("cat", 1, 1, 9, 9), extra=extra)))["all"].objects[0]
    assert objects.difficult.tolist() == [True]
    assert objects.attributes["truncated"].tolist() == [True]
    assert objects.attributes["pose"].tolist() == ["Left"]


def test_the_name_of_the_file_comes_before_the_filename_in_it(folder, paint):
    root = folder(annotation(("cat", 1, 1, 9, 9), filename="old name.jpg"))
    data = labels.read(root)
    assert data["all"].items[0].name == "a.png"
    assert "old name.jpg" in labels.doctor(root).of("wrong filename")[0].reason


def test_boxes_from_zero_are_found(folder):
    root = folder(annotation(("cat", 0, 10, 20, 20), ("cat", 5, 0, 20, 20), ("cat", 2, 2, 90, 20)))
    found = labels.doctor(root)
    assert found.of("from zero")[0].objects == (0, 1)
    assert found.of("out of range")[0].objects == (2,)


HOSTILE = {
    "an external entity": '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation><filename>&x;</filename></annotation>',
    "a billion laughs": '<!DOCTYPE a [<!ENTITY l "lol">'
    + "".join(f'<!ENTITY l{i} "{f"&l{i - 1 if i > 1 else str()};" * 10}">' for i in range(1, 10))
    + "]><annotation><filename>&l9;</filename></annotation>",
    "a second file": '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd"><annotation/>',
    "utf-16": '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a [<!ENTITY x "y">]><annotation/>'.encode("utf-16"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_doctype_is_refused(name):
    data = HOSTILE[name]
    with pytest.raises(ValueError, match="DOCTYPE"):
        voc.parse(data if isinstance(data, bytes) else data.encode())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<annotation>", "not a whole XML file"),
        ("", "not a whole XML file"),
        ("<html/>", "wanted <annotation>"),
        (annotation(("cat", 9, 1, 3, 9)), "xmax is below xmin"),
        (annotation(("cat", "x", 1, 3, 9)), "xmin must be a number"),
        (annotation(("", 1, 1, 3, 9)), "no name"),
        (annotation(("cat", 1, 1, "nan", 9)), "usable numbers"),
    ],
)
def test_a_bad_file_is_named(folder, text, reason):
    root = folder(text)
    with pytest.raises(labels.LabelError, match=reason):
        labels.read(root)
    assert "a.xml" in str(labels.doctor(root).of("bad label")[0].path)


def test_splits_by_lists_and_pictures_without_annotation(tmp_path, paint):
    for index, stem in enumerate("abcde"):
        paint(tmp_path / f"JPEGImages/{stem}.png", index)
    (tmp_path / "Annotations").mkdir()
    for stem in "abcd":
        (tmp_path / f"Annotations/{stem}.xml").write_text(annotation(("cat", 1, 1, 9, 9), filename=f"{stem}.png"))
    (tmp_path / "ImageSets/Main").mkdir(parents=True)
    (tmp_path / "ImageSets/Main/train.txt").write_text("a\nb 1\n")
    (tmp_path / "ImageSets/Main/val.txt").write_text("c\n")
    (tmp_path / "ImageSets/Main/cat_train.txt").write_text("d\n")
    data = labels.read(tmp_path)
    assert {split: [item.stem for item in part.items] for split, part in data.splits.items()} == {"train": ["a", "b"], "validation": ["c"]}
    found = labels.doctor(tmp_path)
    assert [item.path.name for item in found.of("unlisted")] == ["d.xml"]
    assert [item.path.name for item in found.of("missing label")] == ["e.png"]


def test_the_size_inside_may_be_wrong_and_that_is_found(folder):
    found = labels.doctor(folder(annotation(("cat", 1, 1, 9, 9), size=(160, 120))))
    assert found.of("size")[0].reason == "the labels say 160x120, the picture has 80x60"
    assert not labels.doctor(folder(annotation(("cat", 1, 1, 9, 9), size=(0, 0)))).of("size")


def test_order_of_the_classes(folder):
    root = folder(annotation(("dog 10", 1, 1, 9, 9), ("dog 2", 1, 1, 9, 9)))
    assert labels.read(root).classes == ("dog 2", "dog 10")
    assert labels.read(root, classes=("dog 10", "cat", "dog 2")).classes == ("dog 10", "cat", "dog 2")
    (root / "classes.txt").write_text("wolf\ndog 10\n")
    assert labels.read(root).classes == ("wolf", "dog 10", "dog 2")
