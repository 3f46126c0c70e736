"""What covers an image: by word, by number, by blur."""

import numpy as np
import pytest
from scipy import ndimage

from zoo.explain.fill import filling

PICTURES = np.random.default_rng(0).uniform(0, 255, (2, 20, 30, 3)).astype("float32")


def test_fill_by_word_and_by_number():
    for word, level in (("black", 0), ("grey", 127.5), ("white", 255)):
        np.testing.assert_array_equal(filling(PICTURES, word), np.full(PICTURES.shape, level))
    np.testing.assert_allclose(filling(PICTURES, "mean")[1, 3, 4], PICTURES[1].reshape(-1, 3).mean(0), rtol=1e-5)
    np.testing.assert_array_equal(filling(PICTURES, 3)[0, 0, 0], [3, 3, 3])
    np.testing.assert_array_equal(filling(PICTURES, [1, 2, 3])[1, 5, 5], [1, 2, 3])
    np.testing.assert_array_equal(filling(PICTURES, PICTURES[0])[1], PICTURES[0])
    np.testing.assert_array_equal(filling(PICTURES, PICTURES[::-1]), PICTURES[::-1])
    assert filling(PICTURES, np.zeros(3, "uint8")).dtype == np.float32


def test_blur_is_scipys_with_mirrored_borders_and_a_tenth_of_the_shorter_side():
    expected = [ndimage.gaussian_filter(picture.astype("float64"), (2, 2, 0), mode="reflect", truncate=4) for picture in PICTURES]
    np.testing.assert_allclose(filling(PICTURES, "blur"), expected, rtol=1e-5)


def test_blur_keeps_a_plain_image_and_removes_a_fine_pattern():
    """Borders too: a blur that pads with black would darken them."""
    np.testing.assert_allclose(filling(np.full((1, 20, 30, 3), 200, "float32"), "blur"), np.full((1, 20, 30, 3), 200), rtol=1e-5)
    checkers = np.where(np.indices((40, 40)).sum(0) % 2, 255, 0).astype("float32")[None, :, :, None]
    assert np.abs(filling(checkers, "blur") - 127.5).max() < 2


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        ("pink", "cover is 'black', 'grey', 'white', 'mean', 'blur' or numbers in .* got 'pink'"),
        (np.nan, "cover must be finite"),
        ([1, 2], r"the cover of images \(2, 20, 30, 3\) is a number, a colour .* got \(2,\)"),
    ],
)
def test_wrong_fill_is_named(fill, message):
    with pytest.raises(ValueError, match=message):
        filling(PICTURES, fill, "cover")
