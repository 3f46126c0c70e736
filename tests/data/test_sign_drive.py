"""The generated drive: signs grow as things do that come nearer, and every pixel that is not the road belongs to a sign or its pole."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.data.roads import road
from zoo.data.sign_drive import FIRST, LAST, SignDrive, sign_drive
from zoo.data.signs import SIGNS

DRIVE = SignDrive(size=96, signs=3, gap=9, life=16, seed=4)


@pytest.fixture(scope="module")
def frames():
    return list(sign_drive(DRIVE))


def test_every_sign_is_passed_once_with_one_class(frames):
    assert len(frames) == DRIVE.frames == 34
    seen: dict[int, set[int]] = {}
    for _, found in frames:
        for number, kind in zip(found.attributes["number"].tolist(), found.classes.tolist(), strict=True):
            seen.setdefault(number, set()).add(kind)
    assert {number: list(kinds) for number, kinds in seen.items()} == {i: [kind] for i, kind in enumerate(DRIVE.classes.tolist())}


def test_signs_come_nearer_at_a_steady_speed(frames):
    """Seen size is 1 / distance, so its inverse falls on a straight line, as long as the whole sign is in the picture."""
    heights: dict[int, float] = {}
    for frame, (_, found) in enumerate(frames):
        for box, number in zip(found.boxes, found.attributes["number"], strict=True):
            if number == 1 and box.min() > 0 and box.max() < DRIVE.size:
                heights[frame] = box[3] - box[1]
    assert len(heights) >= 8
    inverse = DRIVE.size / np.array(list(heights.values()))
    wanted = [1 / FIRST + (frame - DRIVE.gap) / (DRIVE.life - 1) * (1 / LAST - 1 / FIRST) for frame in heights]
    # A height is known to the pixel: of 10 pixels the inverse is known to a fifth.
    np.testing.assert_allclose(inverse, wanted, rtol=0.2)
    assert np.corrcoef(inverse, wanted)[0, 1] > 0.98


def test_right_and_left_in_turns_and_gone_at_the_sides(frames):
    middles = {number: [] for number in range(3)}
    for _, found in frames:
        for box, number in zip(found.boxes, found.attributes["number"], strict=True):
            middles[int(number)].append((box[0] + box[2]) / 2 / DRIVE.size)
    for number, way in middles.items():
        outwards = np.array(way) if number % 2 == 0 else 1 - np.array(way)
        assert (outwards > 0.5).all()
        assert (np.diff(outwards) > -0.02).all()
        assert outwards[-1] > 0.85


def test_every_changed_pixel_belongs_to_a_sign_or_stands_below_one():
    empty = road(np.random.default_rng((4, 8)), 96).astype(int)
    changed = 0
    for image, found in sign_drive(SignDrive(size=96, signs=1, gap=1, life=16, seed=4)):
        y, x = np.nonzero(np.abs(image - empty).max(axis=-1) > 40)
        if len(found):
            left, top, right, _ = found.boxes[0]
            assert ((x >= left - 2) & (x <= right + 2) & (y >= top - 2)).all()
            changed += len(x)
    assert changed > 100


def test_the_same_seed_is_the_same_drive_and_frames_are_made_one_at_a_time():
    first, second = sign_drive(DRIVE), sign_drive(DRIVE)
    assert iter(first) is first
    for _ in range(3):
        np.testing.assert_array_equal(next(first)[0], next(second)[0])
    other = next(sign_drive(SignDrive(size=96, signs=3, gap=9, life=16, seed=5)))[0]
    assert np.abs(other.astype(int) - next(sign_drive(DRIVE))[0]).mean() > 3


def test_all_classes_before_one_comes_again():
    assert sorted(SignDrive(signs=len(SIGNS)).classes) == list(range(len(SIGNS)))
    assert len(SignDrive(signs=20).classes) == 20


@pytest.mark.parametrize("wrong", [{"size": 32}, {"signs": 0}, {"gap": 0}, {"life": 1}])
def test_impossible_drives_are_refused(wrong):
    with pytest.raises(ValueError, match="wanted size >= 64"):
        SignDrive(**wrong)
