"""The bed of known truth: the box holds all the evidence, and nothing but the texture tells the class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from zoo.data import load
from zoo.data.patches import CLASSES, PERIOD, SPLITS, Patches, classification, examples, textures
from zoo.data.scenes import tight_box

SMALL = Patches(train=64, validation=16, test=24)


def test_a_picture_without_contrast_differs_inside_its_box_only_and_there_at_every_pixel():
    with_patch, without = (examples(replace(SMALL, contrast=contrast), "train") for contrast in (45.0, 0.0))
    differs = (with_patch.items != without.items).any(axis=-1)
    np.testing.assert_array_equal([tight_box(mask) for mask in differs], with_patch.attributes["box"])
    sides = with_patch.attributes["box"][:, 2:] - with_patch.attributes["box"][:, :2]
    np.testing.assert_array_equal(sides, np.full((64, 2), 16))
    assert differs.sum() > 0.99 * 64 * 16 * 16  # all but the pixels that were cut off at 0 or 255 anyway
    assert with_patch.attributes["box"].min() >= 0
    assert with_patch.attributes["box"].max() <= SMALL.size


def test_without_noise_a_picture_is_grey_and_its_patch():
    found = examples(replace(SMALL, noise=0.0), "test")
    for image, (left, top, right, bottom) in zip(found.items, found.attributes["box"].astype(int), strict=True):
        patch = image[top:bottom, left:right]
        assert {83, 173} == set(np.unique(patch).tolist())
        assert (image == 128).sum() == image.size - patch.size


@pytest.mark.parametrize("phase", [(x, y) for x in range(PERIOD) for y in range(PERIOD)])
def test_no_texture_is_brighter_than_another_and_none_is_a_part_of_another(phase):
    found = textures(range(len(CLASSES)), [phase] * len(CLASSES), 16).reshape(len(CLASSES), -1)
    assert set(np.unique(found).tolist()) == {-1, 1}
    np.testing.assert_array_equal(found.sum(axis=1), 0)
    correlation = found @ found.T / found.shape[1]
    np.testing.assert_array_equal(correlation[:3, :3], np.eye(3))
    assert np.abs(correlation[3, :3]).max() <= 0.5


def test_textures_are_what_their_names_say():
    rows, columns, diagonals, checkers = textures(range(4), [(0, 0)] * 4, 8)
    assert (rows == rows[:, :1]).all()
    assert (columns == columns[:1]).all()
    assert (diagonals[1:, :-1] == diagonals[:-1, 1:]).all()
    np.testing.assert_array_equal(checkers, rows * columns)


def test_place_and_noise_know_nothing_of_the_class():
    """The same pictures under other labels: the classes are permuted, places and noise stay."""
    found = examples(replace(SMALL, train=4000, contrast=0.0), "train")
    centres = [found.attributes["box"][found.labels == label].mean(axis=0) for label in range(4)]
    np.testing.assert_allclose(centres, np.mean(centres, axis=0)[None].repeat(4, axis=0), atol=1.5)  # 0.45 is one standard error
    assert found.items[..., 0].std() == pytest.approx(35, abs=0.2)


def test_the_number_of_pictures_changes_none_of_them():
    few, many = examples(SMALL, "train"), examples(replace(SMALL, train=100), "train")
    np.testing.assert_array_equal(few.items, many.items[:64])
    np.testing.assert_array_equal(few.attributes["box"], many.attributes["box"][:64])
    np.testing.assert_array_equal(few.labels, np.arange(64) % 4)


def test_seeds_and_splits_are_other_pictures():
    pictures = [examples(replace(SMALL, seed=seed, **dict.fromkeys(SPLITS, 8)), split).items for seed in (0, 1) for split in SPLITS]
    for first in range(len(pictures)):
        for second in range(first):
            assert np.mean(pictures[first] == pictures[second]) < 0.05


def test_as_data_set_with_a_name():
    dataset = load("patches", seed=3, size=32)
    assert dataset.classes == CLASSES
    assert dataset.kind == "generated"
    assert dataset["train"].items.shape == (1200, 32, 32, 3)
    np.testing.assert_array_equal(dataset["test"].items, classification(Patches(seed=3, size=32))["test"].items)


@pytest.mark.parametrize("wrong", [{"side": 6}, {"side": 0}, {"side": 68}, {"noise": -1.0}, {"contrast": float("nan")}])
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Patches(**wrong)


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="no split 'counter'; they have train, validation, test"):
        examples(SMALL, "counter")
