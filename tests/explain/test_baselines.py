"""Maps that know nothing of the model, against scipy and scikit-image."""

import numpy as np
import pytest
from scipy import ndimage
from skimage import filters

from zoo.explain import baselines

IMAGES = np.random.default_rng(3).integers(0, 256, (2, 11, 14, 3)).astype("uint8")


def test_edges_are_those_of_scipy_and_scikit_image():
    found = baselines.sobel_map(IMAGES)
    grey = IMAGES.mean(-1)
    for image, edges in zip(grey, found, strict=True):
        down, across = (ndimage.sobel(image, axis=axis, mode="nearest") for axis in (0, 1))
        np.testing.assert_allclose(edges, np.hypot(down, across), rtol=1e-5)
        other = filters.sobel(image, mode="nearest")  # divided by the filter's size, and by sqrt(2)
        np.testing.assert_allclose(edges, other * 4 * np.sqrt(2), rtol=1e-5)
    assert not baselines.sobel_map(np.full((1, 5, 5, 3), 77)).any()


def test_the_centre_is_the_maximum_and_the_corners_the_minimum():
    heat = baselines.centre_map(np.zeros((2, 9, 13, 3)))
    assert heat.shape == (2, 9, 13)
    assert np.unravel_index(heat[1].argmax(), (9, 13)) == (4, 6)
    np.testing.assert_allclose(heat, heat[:, ::-1, ::-1], atol=1e-6)
    assert 0 <= heat.min() == pytest.approx(heat[0, 0, 0])


def test_chance_is_seeded():
    np.testing.assert_array_equal(baselines.random_map(IMAGES, 3), baselines.random_map(IMAGES, 3))
    assert not np.array_equal(baselines.random_map(IMAGES, 3), baselines.random_map(IMAGES, 4))
    for name, baseline in baselines.BASELINES.items():
        heat = baseline(IMAGES, 0)
        assert (heat.shape, heat.dtype) == ((2, 11, 14), np.float32), name
        assert heat.min() >= 0


def test_one_image_needs_its_batch_axis():
    with pytest.raises(ValueError, match=r"images are \(b, h, w, c\)"):
        baselines.sobel_map(IMAGES[0])
