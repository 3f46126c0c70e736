"""Traps of YOLO text files, each written by hand."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from zoo.data import labels
from zoo.data.labels import names


@pytest.fixture
def yolo(tmp_path, paint):
    """yolo({stem: text or None}, config): images/train, labels/train and data.yaml; returns the folder. Pictures are 80 x 60."""

    def made(texts, config="names: [cat, dog]\ntrain: images/train\n"):
        for index, (stem, text) in enumerate(texts.items()):
            paint(tmp_path / f"images/train/{stem}.png", index)
            (tmp_path / "labels/train").mkdir(parents=True, exist_ok=True)
            if text is not None:
                (tmp_path / f"labels/train/{stem}.txt").write_text(text)
        if config:
            (tmp_path / "data.yaml").write_text(config)
        return tmp_path

    return made


def test_shares_become_pixels_and_a_missing_file_is_a_negative(yolo):
    data = labels.read(yolo({"a": "1 0.5 0.5 0.25 0.5\n\n0 0.1 0.1 0.2 0.2\n", "b": "", "c": None}))
    np.testing.assert_allclose(data["train"].objects[0].boxes, [[30, 15, 50, 45], [0, 0, 16, 12]], atol=1e-5)
    assert data["train"].objects[0].classes.tolist() == [1, 0]
    assert [len(each) for each in data["train"].objects] == [2, 0, 0]
    found = labels.doctor(yolo({"a": "1 0.5 0.5 0.25 0.5\n", "b": "", "c": None}))
    assert [item.path.name for item in found.of("missing label")] == ["c.png"]
    assert [item.path.name for item in found.of("empty")] == ["b.png"]


def test_outlines_have_the_box_around_them(yolo):
    each = labels.read(yolo({"a": "0 0.25 0.5 0.5 0.5 0.5 0.75\n"}))["train"].objects[0]
    np.testing.assert_allclose(each.boxes, [[20, 30, 40, 45]])
    np.testing.assert_allclose(each.polygons[0][0], [[20, 30], [40, 30], [40, 45]])


def test_a_pose_is_told_from_an_outline_by_data_yaml(yolo):
    line = "0 0.5 0.5 0.5 0.5 0.25 0.25 2 0 0 0\n"
    pose = labels.read(yolo({"a": line}, "names: [cat]\ntrain: images/train\nkpt_shape: [2, 3]\nflip_idx: [1, 0]\n"))
    np.testing.assert_allclose(pose["train"].objects[0].keypoints, [[[20, 15, 2], [0, 0, 0]]])
    assert pose.flip_pairs == ((0, 1),)
    outline = labels.read(yolo({"a": line}))["train"].objects[0]
    assert len(outline.polygons[0][0]) == 5


def test_a_pose_without_visibility(yolo):
    line = "0 0.5 0.5 0.5 0.5 0.25 0.25 0 0\n"
    pose = labels.read(yolo({"a": line}, "names: [cat]\ntrain: images/train\nkpt_shape: [2, 2]\n"))
    np.testing.assert_allclose(pose["train"].objects[0].keypoints, [[[20, 15, 2], [0, 0, 0]]])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0 0.5 0.5 0.25", "neither a box"),
        ("0 0.5 0.5 0.25 0.5 0.9", "a prediction with its score"),
        ("0.5 0.5 0.5 0.25 0.5", "begins with the number of a class"),
        ("-1 0.5 0.5 0.25 0.5", "begins with the number of a class"),
        ("cat 0.5 0.5 0.25 0.5", "begins with the number of a class"),
        ("0 0.5 0.5 nan 0.5", "not finite"),
        ("0 0.5 0.5 x 0.5", "could not convert"),
        ("0 0.5 0.5 -0.1 0.5", "below 0"),
        ("7 0.5 0.5 0.1 0.5", "class 7"),
        ("99999999999999999999999 0.5 0.5 0.1 0.5", "no number of a class"),
    ],
)
def test_a_bad_line_is_named_and_left_out_only_when_asked(yolo, line, reason):
    folder = yolo({"a": f"0 0.5 0.5 0.25 0.5\n{line}\n"})
    with pytest.raises(labels.LabelError, match=reason):
        labels.read(folder)
    assert len(labels.read(folder, skip_bad=True)["train"].objects[0]) == 1
    assert labels.doctor(folder)


def test_values_beyond_1_are_read_as_they_are_and_found(yolo):
    folder = yolo({"a": "0 0.9 0.5 0.4 0.5\n", "b": "0 40 30 20 10\n"})
    np.testing.assert_allclose(labels.read(folder)["train"].objects[0].boxes, [[56, 15, 88, 45]], atol=1e-4)
    found = {item.path.name: item.reason for item in labels.doctor(folder).of("out of range")}
    assert set(found) == {"a.png", "b.png"}
    assert "8 px of 80x60" in found["a.png"]
    assert "are these pixels" in found["b.png"]


def test_numbers_from_one_are_recognised(yolo):
    found = labels.doctor(yolo({"a": "1 0.5 0.5 0.25 0.5\n2 0.3 0.5 0.25 0.5\n"}))
    assert "subtract 1" in found.of("off by one")[0].reason
    assert not labels.doctor(yolo({"a": "0 0.5 0.5 0.25 0.5\n1 0.3 0.5 0.25 0.5\n"})).of("off by one")


@pytest.mark.parametrize(
    ("where", "config"),
    [
        ("images/train", None),
        ("train/images", None),
        ("train/images", "names: [cat]\ntrain: ../train/images\n"),  # as Roboflow writes it
        ("elsewhere/images/train", "names: {0: cat}\npath: elsewhere\ntrain: images/train\n"),
        ("images/train", "names:\n  - cat\ntrain: list.txt\n"),
    ],
)
def test_folders_are_found_by_name_or_by_data_yaml(tmp_path, paint, where, config):
    picture = paint(tmp_path / where / "a.png")
    label = tmp_path / where.replace("images", "labels") / "a.txt"
    label.parent.mkdir(parents=True, exist_ok=True)
    label.write_text("0 0.5 0.5 0.25 0.5\n")
    (tmp_path / "list.txt").write_text(f"./{picture.relative_to(tmp_path)}\n")
    if config:
        (tmp_path / "data.yaml").write_text(config)
    data = labels.read(tmp_path)
    assert [len(each) for each in data["train"].objects] == [1]
    assert data.classes == (("cat",) if config else ("0",))


def test_darknet_keeps_everything_in_one_folder(tmp_path, paint):
    paint(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("1 0.5 0.5 0.25 0.5\n")
    (tmp_path / "obj.names").write_text("cat\ndog\n")
    data = labels.read(tmp_path)
    assert data.classes == ("cat", "dog")
    assert data["all"].objects[0].classes.tolist() == [1]


def test_a_list_of_absolute_paths_beside_a_relative_folder(yolo, paint, monkeypatch):
    folder = yolo({"a": "0 .5 .5 .5 .5\n"}, "names: [cat]\ntrain: list.txt\nval: images/val\n")
    (folder / "list.txt").write_text(f"{folder / 'images/train/a.png'}\n")
    paint(folder / "images/val/b.png", 1)
    monkeypatch.chdir(folder.parent)
    data = labels.read(folder.name)
    assert {split: len(part) for split, part in data.splits.items()} == {"train": 1, "validation": 1}


def test_a_data_yaml_that_leads_nowhere(yolo):
    with pytest.raises(labels.LabelError, match="there is no"):
        labels.read(yolo({"a": ""}, "names: [cat]\ntrain: pictures\n"))


def test_pictures_without_any_label_file_are_no_set_of_negatives(yolo):
    with pytest.raises(labels.LabelError, match="not one of 1 pictures has a label file"):
        labels.read(yolo({"a": None}))


YAML = """# a comment
path: ../here # another
train: [images/train, more/train]
val: 'images/val'
nc: 3
names:
  0: cat
  1: "dog: big"
  2: it's
kpt_shape: [17, 3]
"""


@pytest.mark.parametrize("text", [YAML, "names:\n- a\n- 'b c'\n", 'names: ["a, b", c]\nnc: 2\n'])
def test_plain_yaml_reads_what_pyyaml_reads(tmp_path, text, monkeypatch):
    yaml = pytest.importorskip("yaml", reason="PyYAML is the oracle of its own language")
    path = tmp_path / "data.yaml"
    path.write_text(text)
    assert names.plain_yaml(text, path) == yaml.safe_load(text) == names.yaml(path)
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert names.yaml(path) == yaml.safe_load(text)


def test_what_we_write_as_yaml_is_read_by_both(tmp_path):
    yaml = pytest.importorskip("yaml", reason="PyYAML is the oracle of its own language")
    classes = ["cat", 'a "quoted" name', "naïve: # no comment", "007", "\N{AUTOMOBILE}"]
    text = names.data_yaml(classes, {"train": "images/train"}, 2, [1, 0])
    assert names.from_mapping(yaml.safe_load(text)["names"], tmp_path) == classes
    assert names.from_mapping(names.plain_yaml(text, tmp_path)["names"], tmp_path) == classes
    (tmp_path / "label_map.pbtxt").write_text(names.label_map_text(classes), encoding="utf-8")
    assert names.label_map(tmp_path / "label_map.pbtxt") == dict(enumerate(classes, start=1))


@pytest.mark.parametrize(
    "text", ["names: {0: cat, 1: 'a, b'}\n", "names: |\n  a\n", "  - alone\n", "names: &x [a]\ny: *x\nz:\n  {\n", "names: 'a\n"]
)
def test_yaml_that_is_too_much_for_us_is_refused_not_misread(tmp_path, text):
    yaml = pytest.importorskip("yaml", reason="PyYAML is the oracle of its own language")
    try:
        truth = yaml.safe_load(text)
    except yaml.YAMLError:
        truth = object()
    try:
        assert names.plain_yaml(text, tmp_path) == truth
    except ValueError as error:
        assert "line" in str(error)  # noqa: PT017 - either answer is right, a third one is not
