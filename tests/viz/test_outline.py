"""A box on an image: its own pixels only, visible on any ground, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="outlines need matplotlib; install with the extra 'plots'")

from zoo import viz

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)


@pytest.mark.parametrize("box", [(0, 0, 0, 0), (5, 5, 5, 9), (9, 5, 2, 8), (70, 0, 90, 5)])
def test_a_box_without_area_draws_nothing(box):
    np.testing.assert_array_equal(viz.outlined(IMAGE, box, "unseen"), IMAGE)


@pytest.mark.parametrize("box", [(0, 0, 60, 40), (10, 5, 30, 25), (59, 39, 60, 40)])
def test_the_outline_lies_inside_the_box_and_on_its_edge(box):
    left, top, right, bottom = box
    drawn = (viz.outlined(IMAGE, box) != IMAGE).any(-1)
    inside = np.zeros((40, 60), bool)
    inside[top:bottom, left:right] = True
    assert not drawn[~inside].any()
    rows, columns = np.nonzero(drawn)
    assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == box
    core = inside.copy()
    core[top : top + 4], core[bottom - 4 : bottom], core[:, left : left + 4], core[:, right - 4 : right] = False, False, False, False
    assert not drawn[core].any()


@pytest.mark.parametrize("ground", [0, 128, 255])
def test_the_line_shows_on_any_ground(ground):
    image = np.full((40, 60, 3), ground, np.uint8)
    drawn = viz.outlined(image, (10, 5, 30, 25)).astype(int)
    assert np.abs(drawn - ground).max() > 100


@pytest.mark.parametrize("label", ["cell 3, 4", "x" * 200, "价格 $5", 7])
@pytest.mark.parametrize("box", [(0, 0, 10, 10), (50, 35, 60, 40)])
def test_a_label_stays_on_the_image(label, box):
    plain, labelled = viz.outlined(IMAGE, box), viz.outlined(IMAGE, box, label)
    assert labelled.shape == IMAGE.shape
    assert labelled.dtype == np.uint8
    assert (plain != labelled).any()


def test_the_argument_is_left_alone():
    before = IMAGE.copy()
    viz.outlined(IMAGE, (0, 0, 60, 40), "whole")
    np.testing.assert_array_equal(IMAGE, before)


@pytest.mark.parametrize("box", [(1, 2, 3), [[0, 0, 1, 1]], (0, 0, np.nan, 4)])
def test_what_is_no_box_is_named(box):
    with pytest.raises(ValueError, match="four finite numbers xyxy"):
        viz.outlined(IMAGE, box)
