"""What goes in and how maps are shown: no image, one pixel, NaN and wrong sizes first."""

import numpy as np
import pytest
from keras import ops

from zoo import explain
from zoo.explain.images import chunks


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (np.zeros((0, 16, 16, 3)), ValueError, "at least one"),
        (np.zeros((16, 16)), ValueError, r"channels last, got shape \(16, 16\)"),
        (np.full((1, 16, 16, 3), np.nan), ValueError, "768 values that are NaN"),
        (np.zeros((1, 3, 16, 16)), ValueError, r"takes images of shape \(16, 16, 3\).*got \(3, 16, 16\)"),
        (np.zeros((1, 15, 16, 3)), ValueError, "resize them first"),
        (np.zeros((1, 16, 16, 3), bool), TypeError, "dtype bool"),
        (np.full((1, 16, 16, 3), "a"), TypeError, "must be numbers"),
    ],
    ids=lambda value: str(getattr(value, "shape", "")),
)
def test_wrong_images_are_named(images, error, message, cnn):
    with pytest.raises(error, match=message):
        explain.gradcam(cnn, images, 0)


@pytest.mark.parametrize("size", [0, -1, 2.0, True])
def test_wrong_batch_size(size, cnn, images):
    with pytest.raises(ValueError, match="batch_size must be a positive int"):
        explain.gradcam(cnn, images, 0, batch_size=size)


def test_only_models_are_explained(images):
    with pytest.raises(TypeError, match="got function"):
        explain.gradcam(test_only_models_are_explained, images)


@pytest.mark.parametrize(("total", "size"), [(1, 1), (1, 32), (5, 2), (6, 3)])
def test_chunks_have_one_size_and_cover_everything(total, size):
    batch = np.arange(total)
    parts = list(chunks(batch, size))
    assert {len(part) for _, part in parts} == {min(size, total)}
    np.testing.assert_array_equal(np.concatenate([part[: rows.stop - rows.start] for rows, part in parts]), batch)


@pytest.mark.backend
def test_resize_has_half_pixel_centres():
    """Doubling a ramp by half-pixel bilinear weights: outer pixels clamp, inner ones lie at 1/4 and 3/4. Align-corners would give 1/3."""
    ramp = np.array([[[0.0, 1.0, 2.0]]], "float32")
    np.testing.assert_allclose(explain.resize_heat(ramp, (1, 6))[0, 0], [0, 0.25, 0.75, 1.25, 1.75, 2], atol=1e-6)
    np.testing.assert_allclose(explain.resize_heat(np.full((2, 1, 1), -3.0, "float32"), (4, 5)), np.full((2, 4, 5), -3), rtol=1e-6)


def test_normalise_stretches_each_map_by_itself():
    heat = np.array([[[0.0, 2.0], [1.0, 4.0]], [[-1e-9, 1e-9], [0.0, 0.0]]])
    np.testing.assert_allclose(explain.normalise_heat(heat), [[[0, 0.5], [0.25, 1]], [[0, 1], [0.5, 0.5]]])
    np.testing.assert_array_equal(explain.normalise_heat(np.full((2, 2), 5.0)), np.ones((2, 2)))


@pytest.mark.parametrize("value", [0.0, -2.0])
def test_map_without_evidence_is_zero_with_a_warning(value):
    heat = np.stack([np.full((3, 3), value), np.arange(9.0).reshape(3, 3)])
    with pytest.warns(UserWarning, match="1 of 2 heat maps"):
        shown = explain.normalise_heat(heat)
    assert shown[0].max() == 0
    assert shown[1].max() == 1


def test_normalise_refuses_nan():
    with pytest.raises(ValueError, match="finite"):
        explain.normalise_heat(np.array([[np.nan]]))


def test_normalised_heat_leaves_its_argument(cnn, images):
    heat = explain.gradcam(cnn, images, 0, relu=False)
    before = heat.copy()
    explain.normalise_heat(np.abs(heat))
    np.testing.assert_array_equal(heat, before)
    assert ops.shape(heat) == (5, 16, 16)
