"""Objects on their image: the right pixels change, in the right colour, and the picture keeps its size."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.viz import objects

GRAY = np.full((120, 160, 3), 128, np.uint8)


def changed(picture, before=GRAY):
    return (picture != before).any(axis=-1)


def test_nothing_to_draw_changes_nothing():
    np.testing.assert_array_equal(objects(GRAY, []), GRAY)
    np.testing.assert_array_equal(objects(np.zeros((1, 1)), np.zeros((0, 4))), np.zeros((1, 1, 3)))


def test_a_box_is_drawn_on_its_edges_and_nowhere_else():
    marked = changed(objects(GRAY, [[20, 30, 100, 90]]))
    rows, columns = np.nonzero(marked)
    assert rows.min() in (28, 29, 30)
    assert columns.min() in (18, 19, 20)
    assert rows.max() in (89, 90, 91)
    assert columns.max() in (99, 100, 101)
    assert not marked[40:80, 30:90].any()
    assert marked[30:90, 20].all()
    assert marked[30, 20:100].all()


def test_the_picture_grows_with_the_box_in_it():
    marked = changed(objects(GRAY, [[20, 30, 100, 90]], side=320), np.full((240, 320, 3), 128, np.uint8))
    assert marked.shape == (240, 320)
    assert marked[120, 40]
    assert marked[120, 200]
    assert not marked[80:160, 60:180].any()


def test_classes_have_colours_and_the_wrong_ones_stand_out():
    boxes = [[10, 30, 70, 90], [90, 30, 150, 90]]
    one, other = objects(GRAY, boxes, [0, 1], ["a", "b"])[60, 10], objects(GRAY, boxes, [0, 1], ["a", "b"])[60, 90]
    assert (one != other).any()
    picture = objects(GRAY, boxes, [0, 1], ["a", "b"], wrong=[1])
    red, green, blue = picture[60, 90].astype(int)
    assert red > 1.5 * green > 1.5 * blue  # vermilion
    assert np.ptp(picture[60, 10].astype(int)) < 20  # a pale gray
    assert not changed(picture)[:29, :70].any()  # without a tag


def test_a_box_without_area_is_a_cross():
    rows, columns = np.nonzero(changed(objects(GRAY, [[80, 60, 80, 60]])))
    assert 5 < np.ptp(rows) < 30
    assert abs(rows.mean() - 60) < 1.5
    assert abs(columns.mean() - 80) < 1.5


def test_room_is_made_for_what_leaves_the_picture_but_not_without_end():
    assert objects(GRAY, [[150, 10, 176, 50]], room=True).shape[1] > 175
    assert objects(GRAY, [[150, 10, 9000, 50]], room=True).shape == (120, 192, 3)
    assert objects(GRAY, [[150, 10, 9000, 50]]).shape == (120, 160, 3)


def test_outlines_are_filled_and_keypoints_dotted_where_they_were_labelled():
    ring = np.array([[20, 20], [100, 20], [100, 100], [20, 100]])
    marked = changed(objects(GRAY, [[20, 20, 100, 100]], polygons=[[ring]]))
    assert marked[60, 60]
    assert not marked[60, 130]
    points = [[[40, 60, 2], [60, 60, 1], [80, 60, 0]]]
    marked = changed(objects(GRAY, [[20, 20, 100, 100]], keypoints=points))
    assert marked[60, 40]
    assert marked[58:62, 58:62].any()
    assert not marked[57:63, 77:83].any()


def test_a_crowd_is_dashed():
    line = changed(objects(GRAY, [[20, 20, 140, 100]], crowd=[True]))[20, 22:138]
    assert 0.2 < line.mean() < 0.8


def test_scores_are_written_and_any_name_is_safe():
    names = ["$x$ \U0001f600 " * 9]
    with_score = objects(GRAY, [[20, 40, 100, 90]], [0], names, scores=[0.5])
    assert changed(with_score, objects(GRAY, [[20, 40, 100, 90]], [0], names)).any()
    assert objects(GRAY, [[20, 40, 100, 90]], [7], names).shape == GRAY.shape  # a class without a name is a number


@pytest.mark.parametrize(
    ("boxes", "options", "message"),
    [
        ([[1, 2, 3]], {}, r"\(n, 4\)"),
        ([[1, 2, 3, np.nan]], {}, "finite"),
        ([[1, 2, 3, 4]], {"classes": [0, 1]}, "columns of that length"),
        ([[1, 2, 3, 4]], {"scores": []}, "columns of that length"),
    ],
)
def test_wrong_input_is_refused(boxes, options, message):
    with pytest.raises(ValueError, match=message):
        objects(GRAY, boxes, **options)
