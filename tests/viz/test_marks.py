"""Boxes and captions on pictures."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.viz import captioned, marked
from zoo.viz.style import PALETTE

GREY = np.full((200, 300, 3), 110, np.uint8)


def _rgb(colour: str) -> list[int]:
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]


def test_a_box_is_where_it_was_asked_in_the_colour_of_its_class():
    before = GREY.copy()
    drawn = marked(GREY, np.array([[50, 60, 150, 120]]), ["cat 90%"], [2])
    np.testing.assert_array_equal(GREY, before)
    for row, column in ((60, 100), (120, 100), (90, 50), (90, 150)):
        assert drawn[row, column].tolist() == _rgb(PALETTE[2])
    assert drawn[90, 100].tolist() == [110] * 3
    assert (drawn[123:] == 110).all()


def test_no_box_leaves_the_picture_as_it_is():
    np.testing.assert_array_equal(marked(GREY, np.zeros((0, 4)), [], []), GREY)


def test_boxes_at_and_over_the_border_and_foreign_letters_are_drawn():
    drawn = marked(GREY, np.array([[-20, -20, 400, 300], [0, 0, 0, 0], [280, 190, 310, 215]]), ["世界", "a\nb", ""], [0, 9, 100])
    assert drawn.shape == GREY.shape


def test_a_caption_is_below():
    drawn = captioned(GREY, ["one", "two"])
    np.testing.assert_array_equal(drawn[:200], GREY)
    assert (drawn[200:] < 100).any()
    assert (captioned(GREY, [])[200:] == 255).all()


def test_numbers_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="a text and a class for each of 1 boxes, got 0 texts"):
        marked(GREY, np.zeros((1, 4)), [], [0])
