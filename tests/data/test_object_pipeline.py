"""Batches of objects: form, order, resumption, and the way back to the pictures."""

from __future__ import annotations

import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf

from zoo.data.decode import resize
from zoo.data.kept import Kept
from zoo.data.letterbox import unletterbox
from zoo.data.object_augment import ObjectAugment
from zoo.data.object_pipeline import ObjectPipeline
from zoo.data.objects import ObjectExamples, Objects, ObjectSet

SHAPES = ((30, 40), (40, 30), (32, 32), (20, 44), (36, 36), (28, 40), (40, 40))
WILD = ObjectAugment(rotate=10, mosaic=0.5, mixup=0.3, copy_paste=0.3, crop=0.3, brightness=0.2, hue=0.1)


def objects_of(number: int) -> Objects:
    """`number` % 3 objects of class 0 or 1, with masks and keypoints; that of class 1 is at the lower right."""
    height, width = SHAPES[number]
    boxes = np.array([[2, 3, 10, 12], [width - 12, height - 14, width - 2, height - 3]][: number % 3], float)
    masks = np.zeros((len(boxes), height, width), bool)
    for mask, (left, top, right, bottom) in zip(masks, boxes.astype(int), strict=True):
        mask[top:bottom, left:right] = True
    middle = np.concatenate([(boxes.reshape(-1, 4)[:, :2] + boxes.reshape(-1, 4)[:, 2:]) / 2, np.full((len(boxes), 1), 2)], axis=1)
    return Objects(boxes, np.arange(len(boxes)), masks=masks, keypoints=middle[:, None])


def toys() -> ObjectSet:
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (*shape, 3), np.uint8) for shape in SHAPES]
    part = ObjectExamples(images, [objects_of(number) for number in range(len(SHAPES))])
    return ObjectSet("toys", "folder", ("a", "b"), {"train": part, "validation": part.take([1, 2, 3])})


def batches(dataset, count: int) -> list:
    return [(images.numpy(), {name: each.numpy() for name, each in truth.items()}) for images, truth in dataset.take(count)]


def same(first, second) -> bool:
    return len(first) == len(second) and all(
        (a[0] == b[0]).all() and a[1].keys() == b[1].keys() and all((a[1][name] == b[1][name]).all() for name in a[1])
        for a, b in zip(first, second, strict=True)
    )


def test_a_batch_has_the_agreed_form():
    pipeline = ObjectPipeline(toys(), (24, 32), most=5, augment=WILD, masks=True, keypoints=True)
    dataset = pipeline.train.training(3, seed=0)
    images, truth = dataset.element_spec
    assert images.shape.as_list() == [None, 24, 32, 3]
    assert {name: each.shape.as_list() for name, each in truth.items()} == {
        "boxes": [None, 5, 4],
        "classes": [None, 5],
        "masks": [None, 5, 24, 32],
        "keypoints": [None, 5, 1, 3],
    }
    for images, truth in batches(dataset, 9):
        assert images.dtype == np.float32
        assert images.min() >= 0
        assert images.max() <= 255
        assert truth["boxes"].dtype == np.float32
        assert truth["classes"].dtype == np.int32
        assert truth["masks"].dtype == np.uint8
        empty = truth["classes"] == -1
        assert set(np.unique(truth["classes"])) <= {-1, 0, 1}
        for name in ("boxes", "masks", "keypoints"):
            assert (truth[name][empty] == 0).all()
        boxes = truth["boxes"][~empty]
        assert (boxes[:, 2:] - boxes[:, :2] >= 2).all()
        assert (boxes >= 0).all()
        assert (boxes <= (32, 24, 32, 24)).all()
        assert truth["masks"][~empty].any(axis=(1, 2)).all()


@pytest.mark.parametrize("augment", [None, WILD])
def test_a_resumed_run_sees_the_same_bits(augment):
    pipeline = ObjectPipeline(toys(), 24, augment=augment)
    steps = pipeline.train.steps(3)
    assert steps == 3
    through = batches(pipeline.train.training(3, seed=5), 4 * steps)
    again = batches(ObjectPipeline(toys(), 24, augment=augment).train.training(3, seed=5, start_epoch=2), 2 * steps)
    assert same(through[2 * steps :], again)
    assert not same(through[:steps], through[steps : 2 * steps])
    assert not same(through[:steps], batches(pipeline.train.training(3, seed=6), steps))


def test_every_picture_comes_once_in_an_epoch_and_whole_without_augmentation():
    pipeline = ObjectPipeline(toys(), 40)
    data = toys()["train"]
    wanted = sorted(resize(image, 40, "letterbox").sum() for image in data.items)
    for epoch in range(2):
        images = np.concatenate([images for images, _ in batches(pipeline.train.training(3, 0, epoch), 3)])
        assert sorted(images.sum(axis=(1, 2, 3))) == wanted


def test_pieces_of_a_batch_make_the_batch():
    split = ObjectPipeline(toys(), 24, augment=WILD).train
    whole = batches(split.training(4, 0, drop_remainder=True), 2)
    parts = [batches(split.training(4, 0, drop_remainder=True, part=(i, 2)), 2) for i in range(2)]
    joined = [
        (np.concatenate([a[0], b[0]]), {name: np.concatenate([a[1][name], b[1][name]]) for name in a[1]})
        for a, b in zip(*parts, strict=True)
    ]
    assert same(whole, joined)


def test_cache_file_and_fresh_decoding_give_the_same(tmp_path):
    kept, mapped, fresh = (
        ObjectPipeline(toys(), 24, augment=WILD, **how) for how in ({}, {"memory": 0}, {"cache": False})
    )  # in memory, in a file, decoded anew
    first = batches(kept.train.training(3, 1), 3)
    assert same(first, batches(mapped.train.training(3, 1), 3))
    assert same(first, batches(fresh.train.training(3, 1), 3))


def test_evaluation_is_letterboxed_in_order_and_leads_back():
    data = toys()
    split = ObjectPipeline(data, (24, 48), most=2, augment=WILD, masks=True, keypoints=True).train
    found = batches(split.evaluation(3), 99)
    assert [len(images) for images, _ in found] == [3, 3, 1]
    assert int(split.evaluation(3).cardinality()) == split.steps(3) == 3
    number = 0
    for images, truth in found:
        back = unletterbox(truth["boxes"], truth["letterbox"])
        for row in range(len(images)):
            objects = data["train"].objects[number]
            n = len(objects)
            assert (images[row] == resize(data["train"].items[number], (24, 48), "letterbox")).all()
            assert (truth["classes"][row] == [*objects.classes, *[-1] * (2 - n)]).all()
            assert abs(back[row, :n] - objects.boxes).max(initial=0) <= 1e-4
            assert (truth["letterbox"][row] == split.letterbox(number).row).all()
            inside = split.letterbox(number).points(objects.keypoints[..., :2])
            assert abs(truth["keypoints"][row, :n, :, :2] - inside).max(initial=0) <= 1e-4
            number += 1


def test_crowds_are_no_target_but_known_to_a_metric():
    first = toys()["train"].take(range(3))
    marked = [dataclasses.replace(each, crowd=np.arange(len(each)) == 1, difficult=np.arange(len(each)) == 0) for each in first.objects]
    data = ObjectSet("toys", "folder", ("a", "b"), {"train": ObjectExamples(first.items, marked)})
    split = ObjectPipeline(data, 40).train
    ((_, truth),) = batches(split.evaluation(3), 1)
    assert truth["classes"].tolist() == [[-1, -1], [0, -1], [0, -1]]
    assert truth["crowd"].tolist() == [[-1, -1], [-1, -1], [-1, 1]]
    assert truth["difficult"].tolist() == [[False, False], [True, False], [True, False]]
    assert truth["boxes"][2, 1].any()
    ((_, truth),) = batches(split.training(3, 0), 1)
    assert sorted(truth["classes"].ravel()) == [-1, -1, -1, -1, 0, 0]
    assert (truth["boxes"][truth["classes"] < 0] == 0).all()


def test_mosaic_closes_for_the_last_epochs():
    split = ObjectPipeline(toys(), 40, augment=ObjectAugment(mosaic=1.0, flip=False), epochs=5, close_mosaic=2).train
    plain = ObjectPipeline(toys(), 40, augment=ObjectAugment(flip=False)).train
    for epoch, closed in ((0, False), (2, False), (3, True), (4, True)):
        equal = [(split.example(index, 0, epoch)[0] == plain.example(index, 0, epoch)[0]).all() for index in range(7)]
        assert equal == [closed] * 7


def test_too_many_objects_are_an_error_or_the_largest():
    crowded = Objects([[0, 0, 3, 3], [0, 0, 9, 9], [0, 0, 6, 6]], [0, 1, 1])
    part = ObjectExamples(np.zeros((2, 16, 16, 3), np.uint8), [Objects.none(), crowded])
    data = ObjectSet("toys", "folder", ("a", "b"), {"train": part})
    with pytest.raises(ValueError, match=r"split train, image 1 .* has 3 objects, and there are 2 rows"):
        ObjectPipeline(data, 16, most=2, overflow="error")
    pipeline = ObjectPipeline(data, 16, most=2)
    assert pipeline.overfull() == {"train": 1}
    ((_, truth),) = batches(pipeline.train.evaluation(2), 1)
    assert truth["boxes"][1].tolist() == [[0, 0, 9, 9], [0, 0, 6, 6]]
    assert pipeline.train.left_out == 1
    assert ObjectPipeline(data, 16).most == 3
    assert ObjectPipeline(data, 16, augment=ObjectAugment(mosaic=1)).most == 6


def test_outlines_become_masks():
    square = np.array([[4, 4], [12, 4], [12, 10], [4, 10]])
    objects = Objects([[4, 4, 12, 10]], [0], polygons=[[square]])
    data = ObjectSet("toys", "folder", ("a",), {"train": ObjectExamples(np.zeros((1, 16, 16, 3), np.uint8), [objects])})
    for augment in (None, ObjectAugment(copy_paste=0.5, flip=False, shift=0, zoom=0)):
        ((_, truth),) = batches(ObjectPipeline(data, 16, augment=augment, masks=True).train.training(1, 0), 1)
        rows, columns = np.nonzero(truth["masks"][0, 0])
        assert [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1, len(rows)] == [4, 4, 12, 10, 48]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "size"),
        ({"most": 0}, "most"),
        ({"overflow": "drop"}, "overflow"),
        ({"detail": 0.5}, "detail"),
        ({"close_mosaic": 3}, "close_mosaic"),
        ({"close_mosaic": 3, "epochs": 2}, "close_mosaic"),
    ],
)
def test_what_cannot_be_is_told(options, message):
    with pytest.raises(ValueError, match=message):
        ObjectPipeline(toys(), **{"size": 24, **options})


def test_what_the_data_lack_is_told():
    boxes = Objects([[0, 0, 4, 4]], [0])
    data = ObjectSet("toys", "folder", ("a",), {"train": ObjectExamples(np.zeros((1, 8, 8, 3), np.uint8), [boxes])})
    with pytest.raises(ValueError, match="neither mask nor outline"):
        ObjectPipeline(data, 8, masks=True)
    with pytest.raises(ValueError, match="neither mask nor outline"):
        ObjectPipeline(data, 8, augment=ObjectAugment(copy_paste=0.5))
    with pytest.raises(ValueError, match="keypoints"):
        ObjectPipeline(data, 8, keypoints=True)
    with pytest.raises(ValueError, match="no split 'validation'"):
        ObjectPipeline(data, 8).validation  # noqa: B018
    with pytest.raises(ValueError, match="batch_size"):
        ObjectPipeline(data, 8).train.training(0, 0)
    with pytest.raises(ValueError, match="do not fill"):
        ObjectPipeline(data, 8).train.training(2, 0, drop_remainder=True)


def test_a_damaged_picture_is_named(tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"\x89PNG\r\n\x1a\nno more")
    data = ObjectSet("toys", "folder", ("a",), {"train": ObjectExamples([bad], [Objects.none()])})
    for cache in (True, False):
        with pytest.raises(tf.errors.OpError, match=r"bad\.png"):
            batches(ObjectPipeline(data, 8, cache=cache).train.training(1, 0), 1)


def test_detail_keeps_crops_sharp():
    fine = np.zeros((64, 64, 3), np.uint8)
    fine[:, ::2] = 255  # stripes of one pixel, gone at half the size
    data = ObjectSet("toys", "folder", ("a",), {"train": ObjectExamples(fine[None], [Objects.none()])})
    zoom = ObjectAugment(crop=1.0, crop_area=0.05, flip=False, shift=0, zoom=0, visible=1e-6)
    rough, sharp = (
        np.mean([ObjectPipeline(data, 32, augment=zoom, detail=detail).train.example(0, epoch=epoch)[0].std() for epoch in range(6)])
        for detail in (1.0, 2.0)
    )
    assert sharp > 2 * rough


def test_threads_that_ask_at_once_decode_every_picture_once(monkeypatch):
    decoded = []

    def slow(self, index):
        decoded.append(index)
        time.sleep(0.01)
        return self.examples.items[index]

    monkeypatch.setattr(Kept, "_decoded", slow)
    images = [np.full((20 + index, 30, 3), index, np.uint8) for index in range(8)]
    kept = Kept(ObjectExamples(images, [Objects.none()] * 8), (16, 16))
    with ThreadPoolExecutor(4) as pool:
        pictures = list(pool.map(kept, range(8)))
    assert sorted(decoded) == list(range(8))
    assert [int(picture.image[0, 0, 0]) for picture in pictures] == list(range(8))
