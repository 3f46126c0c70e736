"""What a detection dataset accepts, and what it says to the rest."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.data.objects import ObjectExamples, Objects, ObjectSet

SQUARE = [[0, 0], [4, 0], [4, 4]]


def test_no_object_is_a_label_too():
    nothing = Objects.none()
    assert len(nothing) == 0
    assert nothing.boxes.shape == (0, 4)
    assert nothing.crowd.shape == nothing.difficult.shape == nothing.classes.shape == (0,)
    assert len(Objects([], [])) == 0


def test_lists_become_arrays_and_flags_fill_in():
    objects = Objects([[1, 2, 3, 5]], [4])
    assert objects.boxes.dtype == np.float32
    assert objects.classes.dtype == np.int64
    assert not objects.crowd.any()
    assert objects.area.tolist() == [6]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"boxes": [[1, 2, 3]]}, r"\(n, 4\)"),
        ({"boxes": [[5, 2, 3, 4]]}, "left <= right"),
        ({"boxes": [[1, 2, float("nan"), 4]]}, "not finite"),
        ({"classes": [0, 1]}, "classes"),
        ({"classes": [-1]}, ">= 0"),
        ({"classes": [0.5]}, "whole numbers"),
        ({"masks": np.zeros((2, 3, 3))}, "masks"),
        ({"masks": np.zeros((3, 3))}, r"\(n, height, width\)"),
        ({"keypoints": np.zeros((1, 2, 2))}, r"\(n, k, 3\)"),
        ({"keypoints": np.full((1, 2, 3), np.inf)}, "keypoint"),
        ({"polygons": [[[[0, 0], [1, 1]]]]}, "at least 3 points"),
        ({"crowd": [True, False]}, "crowd"),
        ({"attributes": {"name": ["a", "b"]}}, "name"),
    ],
)
def test_what_is_wrong_is_told(fields, message):
    with pytest.raises(ValueError, match=message):
        Objects(**{"boxes": [[0, 0, 4, 4]], "classes": [0], **fields})


def test_take_and_join_keep_everything_together():
    masks = np.arange(3)[:, None, None] == np.arange(12).reshape(1, 3, 4) % 3
    objects = Objects(
        boxes=[[0, 0, 1, 1], [0, 0, 2, 2], [0, 0, 3, 3]],
        classes=[5, 6, 7],
        masks=masks,
        polygons=[[SQUARE], [], [SQUARE, SQUARE]],
        keypoints=np.arange(18).reshape(3, 2, 3),
        crowd=[False, True, False],
        difficult=[True, False, False],
        attributes={"id": [10, 11, 12]},
    )
    taken = objects.take([2, 0])
    assert taken.classes.tolist() == [7, 5]
    assert [len(rings) for rings in taken.polygons] == [2, 1]
    assert taken.attributes["id"].tolist() == [12, 10]
    assert objects.take(objects.crowd).classes.tolist() == [6]
    again = Objects.joined([objects.take([0]), Objects.none(), objects.take([1, 2])])
    for name in ("boxes", "classes", "masks", "keypoints", "crowd", "difficult"):
        assert (getattr(again, name) == getattr(objects, name)).all()
    assert [len(rings) for rings in again.polygons] == [1, 0, 2]
    assert again.attributes["id"].tolist() == [10, 11, 12]
    assert len(Objects.joined([])) == len(Objects.joined([Objects.none()])) == 0


def test_a_split_and_a_set_check_their_parts():
    images = np.zeros((2, 8, 8, 3), np.uint8)
    one = Objects([[0, 0, 4, 4]], [1])
    with pytest.raises(ValueError, match=r"Objects\.none"):
        ObjectExamples(images, [one])
    with pytest.raises(ValueError, match="columns"):
        ObjectExamples(images, [one, one], {"id": np.arange(3)})
    part = ObjectExamples(images, [one, Objects.none()], {"id": np.array([7, 8])})
    assert part.take([1, 0]).attributes["id"].tolist() == [8, 7]
    assert part.image(0).shape == (8, 8, 3)
    data = ObjectSet("toys", "folder", ("a", "b"), {"train": part})
    assert data.counts()["train"].tolist() == [0, 1]
    with pytest.raises(ValueError, match="no split 'test'; it has train"):
        data["test"]
    with pytest.raises(ValueError, match="split train, image 0: class 1 is outside 0 to 0"):
        ObjectSet("toys", "folder", ("a",), {"train": part})
    named = Objects([[0, 0, 4, 4]], [0], keypoints=np.zeros((1, 2, 3)))
    with pytest.raises(ValueError, match="wanted 3 keypoints"):
        ObjectSet("toys", "folder", ("a",), {"train": ObjectExamples(images[:1], [named])}, keypoint_names=("x", "y", "z"))
