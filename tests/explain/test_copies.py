"""Copies of an image through a mask, and the numbers of them."""

import numpy as np
import pytest

from zoo.explain.copies import positive, seen_through

PICTURES = np.random.default_rng(0).uniform(0, 255, (2, 20, 30, 3)).astype("float32")


def test_masks_mix_picture_and_background():
    masks = np.zeros((2, 20, 30), "float32")
    masks[0], masks[1] = 1, 0.25
    found = seen_through(masks, PICTURES, np.full_like(PICTURES, 8))
    np.testing.assert_array_equal(found[0], PICTURES[0])
    np.testing.assert_allclose(found[1], 0.25 * PICTURES[1] + 6, rtol=1e-6)


@pytest.mark.parametrize("number", [0, -1, 2.0, True, "2", 9])
def test_a_number_that_must_be_positive(number):
    with pytest.raises(ValueError, match="masks must be an int of at least 1 and at most 8, got"):
        positive(number, "masks", most=8)
