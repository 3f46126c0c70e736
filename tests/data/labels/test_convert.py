"""Any format to any other: what a format can keep comes back within its precision, what it cannot is said."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data import labels
from zoo.data.labels import rle
from zoo.data.objects import ObjectExamples, Objects, ObjectSet

HEIGHT, WIDTH = 48, 64
CLASSES = ("cat", "dog with, a comma", 'naïve <fox> & "co"')
PRECISION = {"coco": 0.0, "yolo": 1e-5, "voc": 0.5, "csv": 0.0, "tfrecord": 1e-5}
"""Pixels by which an edge may move in a picture of 64 x 48."""
FORMATS = sorted(labels.FORMATS)

sides = st.floats(0, 1, width=32)


@st.composite
def objects(draw, least):
    """Boxes of at least two pixels inside the picture, with every mark that a format may have."""
    n = draw(st.integers(least, 4))
    boxes = []
    for _ in range(n):
        left, top = draw(sides) * (WIDTH - 3), draw(sides) * (HEIGHT - 3)
        boxes.append((left, top, left + 2 + draw(sides) * (WIDTH - left - 2), top + 2 + draw(sides) * (HEIGHT - top - 2)))
    boxes = np.minimum(np.array(boxes, np.float32).reshape(-1, 4), np.array([WIDTH, HEIGHT, WIDTH, HEIGHT], np.float32))
    flags = st.lists(st.booleans(), min_size=n, max_size=n)
    classes = draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    return Objects(boxes, classes, difficult=draw(flags), attributes={"truncated": np.array(draw(flags), bool)} if n else {})


@st.composite
def sets(draw):
    """Two splits of random pictures; the first of each has an object, since a table of objects cannot tell of a split without."""
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    splits = {}
    for split, count in (("train", 2), ("validation", 1)):
        parts = [draw(objects(1)), *(draw(objects(0)) for _ in range(count - 1))]
        splits[split] = ObjectExamples(rng.integers(0, 256, (count, HEIGHT, WIDTH, 3), np.uint8), parts)
    return ObjectSet("made", "generated", CLASSES, splits)


@settings(max_examples=20, deadline=None)
@given(first=st.sampled_from(FORMATS), second=st.sampled_from(FORMATS), data=sets())
def test_through_two_formats_and_back(first, second, data):
    with tempfile.TemporaryDirectory() as folder:
        labels.write(data, Path(folder, "one"), first)
        middle = labels.read(Path(folder, "one"))
        labels.write(middle, Path(folder, "two"), second)
        back = labels.read(Path(folder, "two"))
        precision = PRECISION[first] + PRECISION[second]
        keeps = labels.FORMATS[first].keeps & labels.FORMATS[second].keeps
        assert list(back.splits) == ["train", "validation"]
        assert back.classes == CLASSES
        for split, part in data.splits.items():
            kept = [index for index, each in enumerate(part.objects) if len(each) or "empty" in keeps]
            assert len(back[split]) == len(kept)
            for place, index in enumerate(kept):
                np.testing.assert_array_equal(back[split].image(place), part.image(index))
                same(back[split].objects[place], part.objects[index], precision, keeps)


def same(ours: Objects, truth: Objects, precision: float, keeps: frozenset[str]) -> None:
    np.testing.assert_array_equal(ours.classes, truth.classes)
    np.testing.assert_allclose(ours.boxes, truth.boxes, rtol=0, atol=precision)
    if "difficult" in keeps:
        np.testing.assert_array_equal(ours.difficult, truth.difficult)
    if "truncated" in keeps and len(truth):
        np.testing.assert_array_equal(ours.attributes["truncated"], truth.attributes["truncated"])


@pytest.mark.parametrize("format", FORMATS)
def test_what_was_written_once_is_written_again_without_a_change(tmp_path, format):
    """A format's precision is lost once, not with every conversion."""
    rng = np.random.default_rng(0)
    boxes = np.sort(rng.uniform(0, 48, (40, 2, 2)), axis=1).reshape(-1, 4).astype(np.float32) + np.array([0, 0, 3, 0], np.float32)
    part = ObjectExamples(rng.integers(0, 256, (1, 52, 52, 3), np.uint8), [Objects(boxes, np.arange(40) % 2)])
    labels.write(ObjectSet("made", "generated", ("a", "b"), {"train": part}), tmp_path / "1", format)
    once = labels.read(tmp_path / "1")
    labels.write(once, tmp_path / "2", format)
    np.testing.assert_allclose(labels.read(tmp_path / "2")["train"].objects[0].boxes, once["train"].objects[0].boxes, rtol=0, atol=1e-5)


def rich() -> ObjectSet:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[10:20, 30:60] = True
    lengths = np.empty(3, object)
    lengths[2] = rle.encode(mask)
    triangle, square = [[5, 5], [15, 5], [10, 12.5]], [[20, 20], [30, 20], [30, 30], [20, 30]]
    each = Objects(
        boxes=[[5, 5, 30, 30], [20, 20, 30, 30], [30, 10, 60, 20]],
        classes=[0, 1, 2],
        polygons=((triangle, square), (square,), ()),
        keypoints=[[[6, 6, 2], [10.25, 12, 1]], [[0, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 0]]],
        crowd=[False, False, True],
        difficult=[False, True, False],
        attributes={"rle": lengths, "colour": np.array(["red", "", "blue"]), "area": np.array([137.5, 100, 300])},
    )
    pixels = np.random.default_rng(0).integers(0, 256, (2, HEIGHT, WIDTH, 3), np.uint8)
    names = ("left ear", "right ear")
    return ObjectSet("rich", "generated", CLASSES, {"train": ObjectExamples(pixels, [each, Objects.none()])}, (), names, ((0, 1),))


def test_coco_keeps_everything(tmp_path):
    data = rich()
    assert labels.write(data, tmp_path / "set", "coco") == []
    back = labels.read(tmp_path / "set")
    truth, ours = data["train"].objects[0], back["train"].objects[0]
    assert back.keypoint_names == data.keypoint_names
    assert back.flip_pairs == data.flip_pairs
    same(ours, truth, 0, frozenset({"difficult"}))
    np.testing.assert_array_equal(ours.keypoints, truth.keypoints)
    np.testing.assert_array_equal(ours.crowd, truth.crowd)
    assert ours.attributes["colour"].tolist() == ["red", "", "blue"]
    assert ours.attributes["area"].tolist() == [137.5, 100, 300]
    assert ours.attributes["rle"][2] == truth.attributes["rle"][2]
    assert ours.attributes["rle"][0] is None
    for mine, theirs in zip(ours.polygons, truth.polygons, strict=True):
        assert [ring.tolist() for ring in mine] == [ring.tolist() for ring in theirs]
    every = labels.read(tmp_path / "set", masks=True)["train"].objects[0].masks
    np.testing.assert_array_equal(every, labels.masks(truth, HEIGHT, WIDTH))
    assert every[2].sum() == 300
    assert every[1].sum() == 100


@pytest.mark.parametrize(
    ("format", "rows", "lost"),
    [
        ("yolo", "auto", {"outlines", "masks", "crowd", "difficult", "other"}),
        ("yolo", "polygons", {"masks", "keypoints", "crowd", "difficult", "other"}),
        ("yolo", "boxes", {"outlines", "masks", "keypoints", "crowd", "difficult", "other"}),
        ("voc", "auto", {"outlines", "masks", "keypoints", "crowd", "other"}),
        ("csv", "auto", {"outlines", "masks", "keypoints", "crowd", "difficult", "empty", "other"}),
        ("tfrecord", "auto", {"outlines", "masks", "keypoints", "other"}),
    ],
)
def test_what_a_format_cannot_keep_is_said(tmp_path, format, rows, lost):
    from zoo.data.labels.formats import PARTS

    said = labels.write(rich(), tmp_path / "set", format, rows=rows)
    assert said == labels.losses(rich(), format, rows)
    assert {part for part, words in PARTS.items() if any(words in sentence for sentence in said)} - {
        "masks" if "masks" not in lost else ""
    } == lost


def test_a_crowd_is_never_written_as_an_ordinary_object(tmp_path):
    for format in ("yolo", "csv"):
        labels.write(rich(), tmp_path / format, format)
        assert len(labels.read(tmp_path / format)["train"].objects[0]) == 2
    labels.write(rich(), tmp_path / "voc", "voc")
    assert labels.read(tmp_path / "voc")["train"].objects[0].difficult.tolist() == [False, True, True]


def test_keypoints_and_outlines_travel_through_yolo(tmp_path):
    data = rich()
    labels.write(data, tmp_path / "pose", "yolo")
    back = labels.read(tmp_path / "pose")
    np.testing.assert_allclose(back["train"].objects[0].keypoints, data["train"].objects[0].keypoints[:2], atol=1e-5)
    assert back.flip_pairs == ((0, 1),)
    labels.write(data, tmp_path / "outline", "yolo", rows="polygons")
    ours = labels.read(tmp_path / "outline", masks=True)["train"].objects[0]
    np.testing.assert_array_equal(ours.masks, labels.masks(data["train"].objects[0], HEIGHT, WIDTH)[:2])


def test_pictures_of_one_name_in_two_folders_stay_apart(tmp_path, paint):
    items = [paint(tmp_path / "a" / "1.png", 1), paint(tmp_path / "b" / "1.png", 2), paint(tmp_path / "b" / "1.JPG", 3)]
    each = [Objects([[0, 0, 10 + i, 10]], [0]) for i in range(3)]
    data = ObjectSet("three", "folder", ("x",), {"train": ObjectExamples(items, each)})
    for format in FORMATS:
        labels.write(data, tmp_path / format, format)
        back = labels.read(tmp_path / format)["train"]
        found = {int(objects.boxes[0, 2]): back.image(index) for index, objects in enumerate(back.objects)}
        assert sorted(found) == [10, 11, 12]
        np.testing.assert_array_equal(found[11], data["train"].image(1))


def test_links_and_no_pictures(tmp_path, paint):
    item = paint(tmp_path / "photos" / "1.png", 1)
    data = ObjectSet("one", "folder", ("x",), {"train": ObjectExamples([item], [Objects([[0, 0, 10, 10]], [0])])})
    labels.write(data, tmp_path / "linked", "yolo", pictures="link")
    assert (tmp_path / "linked/images/train/1.png").is_symlink()
    labels.write(data, tmp_path / "bare", "voc", pictures="none")
    assert not (tmp_path / "bare/JPEGImages").exists()
    assert len(labels.read(tmp_path / "bare", images=tmp_path / "photos")["train"].objects[0]) == 1


def test_wrong_wishes_are_refused(tmp_path):
    data = rich()
    with pytest.raises(ValueError, match="no label format 'coc'; formats: coco"):
        labels.write(data, tmp_path / "x", "coc")
    with pytest.raises(ValueError, match="pictures must be"):
        labels.write(data, tmp_path / "x", "coco", pictures="move")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(ValueError, match="not empty"):
        labels.write(data, tmp_path / "full", "coco")
    with pytest.raises(FileNotFoundError, match="there is no"):
        labels.read(tmp_path / "absent")
    with pytest.raises(labels.LabelError, match="holds no labels"):
        labels.read(tmp_path / "full")
    with pytest.raises(ValueError, match="no label format"):
        labels.read(tmp_path / "full", "xml")


def test_two_formats_in_one_folder_are_asked_about(tmp_path):
    labels.write(rich(), tmp_path / "set", "coco")
    (tmp_path / "set" / "labels.csv").write_text("filename,width,height,class,xmin,ymin,xmax,ymax\n")
    with pytest.raises(labels.LabelError, match="several formats: coco, csv"):
        labels.read(tmp_path / "set")
    assert len(labels.read(tmp_path / "set", "coco")["train"]) == 2
