"""The CSV table and the TFRecord: what stands in them, and what may be wrong."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.data import labels
from zoo.data.objects import ObjectExamples, Objects, ObjectSet

HEADER = "filename,width,height,class,xmin,ymin,xmax,ymax\n"


@pytest.fixture
def table(tmp_path, paint):
    def made(text, name="train_labels.csv"):
        for index, picture in enumerate(("a.png", "b.png")):
            paint(tmp_path / "images" / picture, index)
        (tmp_path / name).write_text(text)
        return tmp_path

    return made


def test_edges_from_zero_and_one_line_per_object(table):
    root = table(HEADER + "a.png,80,60,dog,0,0,80,60\na.png,80,60,cat,1.5,2,3,4\n")
    data = labels.read(root)
    np.testing.assert_array_equal(data["train"].objects[0].boxes, [[0, 0, 80, 60], [1.5, 2, 3, 4]])
    assert data.classes == ("cat", "dog")
    assert data["train"].objects[0].classes.tolist() == [1, 0]
    assert [item.path.name for item in labels.doctor(root).of("missing label")] == ["b.png"]


def test_columns_in_another_order_and_more_of_them(table):
    root = table("xmax,ymax,Class,filename,width,height,xmin,ymin,note\n9,8,cat,a.png,80,60,1,2,hm\n")
    np.testing.assert_array_equal(labels.read(root)["train"].objects[0].boxes, [[1, 2, 9, 8]])


def test_negatives_cannot_be_stored_and_that_is_said(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 30, 40, 3), np.uint8)
    part = ObjectExamples(pixels, [Objects([[1, 2, 9, 8]], [0]), Objects.none()])
    said = labels.write(ObjectSet("x", "generated", ("cat",), {"train": part}), tmp_path / "out", "csv")
    assert said == ["csv cannot keep pictures without an object: 1 left out."]
    assert (tmp_path / "out/train_labels.csv").read_text() == HEADER + "000000.png,40,30,cat,1,2,9,8\n"
    assert [path.name for path in (tmp_path / "out/images/train").iterdir()] == ["000000.png"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a.png,80,60,cat,1,2,x,8", "could not convert"),
        ("a.png,80,60,cat,9,2,1,8", "right edge"),
        (",80,60,cat,1,2,9,8", "no filename"),
        ("a.png", "no class"),
        ("z.png,80,60,cat,1,2,9,8", "z.png is not there"),
    ],
)
def test_a_bad_line_is_named(table, line, reason):
    with pytest.raises(labels.LabelError, match=reason):
        labels.read(table(HEADER + "a.png,80,60,cat,1,2,9,8\n" + line + "\n"))


def test_a_table_that_is_none_after_some_lines(table):
    root = table(HEADER + "a.png,80,60,cat,1,2,9,8\n" + "x" * 200_000 + "\n")
    with pytest.raises(labels.LabelError, match="cannot be read further"):
        labels.read(root)
    assert len(labels.read(root, skip_bad=True)["train"].objects[0]) == 1


def test_a_table_without_the_columns(table):
    with pytest.raises(labels.LabelError, match="has no column ymin, ymax"):
        labels.read(table("filename,width,height,class,xmin,xmax\n") / "train_labels.csv")


@pytest.fixture
def records(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 30, 40, 3), np.uint8)
    each = Objects([[1, 2, 21, 17], [0, 0, 40, 30]], [1, 0], difficult=[True, False], crowd=[False, True])
    part = ObjectExamples(pixels, [each, Objects.none()])
    labels.write(ObjectSet("x", "generated", ("cat", "dog"), {"train": part}), tmp_path / "out", "tfrecord")
    return tmp_path / "out", pixels


def test_a_record_holds_the_features_of_the_detection_api(records):
    tf = pytest.importorskip("tensorflow", reason="TFRecord files are TensorFlow's")
    folder, pixels = records
    (first, second) = [tf.train.Example.FromString(raw.numpy()) for raw in tf.data.TFRecordDataset(str(folder / "train.tfrecord"))]
    feature = first.features.feature
    assert feature["image/object/class/label"].int64_list.value == [2, 1]
    assert feature["image/object/class/text"].bytes_list.value == [b"dog", b"cat"]
    np.testing.assert_allclose(feature["image/object/bbox/xmin"].float_list.value, [1 / 40, 0], rtol=1e-6)
    np.testing.assert_allclose(feature["image/object/bbox/ymax"].float_list.value, [17 / 30, 1], rtol=1e-6)
    assert feature["image/height"].int64_list.value == [30]
    assert feature["image/width"].int64_list.value == [40]
    np.testing.assert_array_equal(tf.io.decode_image(feature["image/encoded"].bytes_list.value[0]).numpy(), pixels[0])
    import hashlib

    encoded = feature["image/encoded"].bytes_list.value[0]
    assert feature["image/key/sha256"].bytes_list.value == [hashlib.sha256(encoded).hexdigest().encode()]
    assert not second.features.feature["image/object/bbox/xmin"].float_list.value
    assert 'id: 1\n  name: "cat"' in (folder / "label_map.pbtxt").read_text()


def test_pictures_of_a_record_are_decoded_when_they_are_asked_for(records):
    pytest.importorskip("tensorflow", reason="TFRecord files are TensorFlow's")
    folder, pixels = records
    part = labels.read(folder)["train"]
    for index in range(2):
        np.testing.assert_array_equal(part.image(index), pixels[index])
    assert part.objects[0].crowd.tolist() == [False, True]
    assert part.objects[0].difficult.tolist() == [True, False]
    assert len(part.items[:1]) == 1


def test_a_record_that_was_cut_or_compressed_is_named(records, tmp_path):
    pytest.importorskip("tensorflow", reason="TFRecord files are TensorFlow's")
    folder, _ = records
    path = folder / "train.tfrecord"
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    with pytest.raises(labels.LabelError, match="after 1 records"):
        labels.read(folder)
    assert len(labels.read(folder, skip_bad=True)["train"]) == 1
    import gzip

    path.write_bytes(gzip.compress(whole))
    with pytest.raises(labels.LabelError, match="decompress it first"):
        labels.read(folder)


def test_a_record_with_values_of_another_type_is_named(records):
    tf = pytest.importorskip("tensorflow", reason="TFRecord files are TensorFlow's")
    path = records[0] / "train.tfrecord"
    example = tf.train.Example.FromString(next(iter(tf.data.TFRecordDataset(str(path)))).numpy())
    example.features.feature["image/object/view"].int64_list.value.extend([1, 2])
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(example.SerializeToString())
    with pytest.raises(labels.LabelError, match="record 0: a feature has values of another type"):
        labels.read(records[0])


def test_names_out_of_files_do_not_lead_out_of_the_folder(tmp_path):
    """A backslash separates folders on Windows, and a record may have no name at all."""
    names = np.array(["..\\..\\evil.jpg", "../../worse.jpg", "", ".."], object)
    part = ObjectExamples(np.zeros((4, 8, 8, 3), np.uint8), [Objects.none()] * 4, {"name": names})
    labels.write(ObjectSet("x", "generated", ("cat",), {"train": part}), tmp_path / "out", "voc")
    assert sorted(path.name for path in (tmp_path / "out/JPEGImages").iterdir()) == ["000002.png", "000003.png", "evil.png", "worse.png"]
