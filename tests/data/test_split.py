"""Properties that a division must have, on drawn cases: complete, disjoint, in proportion, copies together, repeatable."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data.split import stratified

THIRDS = {"train": 0.7, "validation": 0.15, "test": 0.15}


@pytest.mark.parametrize("n", [3, 4, 5, 7, 10, 20, 100, 333])
def test_single_pictures_get_the_nearest_whole_share(n):
    parts = stratified([0] * n, THIRDS)
    for name, share in THIRDS.items():
        assert len(parts[name]) >= 1
        assert abs(len(parts[name]) - n * share) < 1 or n < 7  # below, the guarantee of one picture each decides


def test_exact_shares():
    parts = stratified([0] * 20 + [1] * 100, THIRDS, seed=3)
    assert [len(parts[name]) for name in THIRDS] == [84, 18, 18]
    assert [int((parts[name] < 20).sum()) for name in THIRDS] == [14, 3, 3]


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(3, 12), min_size=1, max_size=4),
    copies=st.lists(st.integers(1, 4), min_size=48, max_size=48),
    seed=st.integers(0, 3),
    names=st.sampled_from([("train", "test"), ("train", "validation", "test")]),
)
def test_every_division_is_complete_disjoint_and_keeps_groups(counts, copies, seed, names):
    labels, groups = [], []
    for label, count in enumerate(counts):
        for group in range(count):
            size = copies[(label * 12 + group) % 48]
            labels += [label] * size
            groups += [(label, group)] * size
    order = np.random.default_rng(seed).permutation(len(labels))
    labels, groups = np.array(labels)[order], [groups[i] for i in order]
    parts = stratified(labels, {name: THIRDS[name] for name in names}, groups=groups, seed=seed)
    assert list(parts) == list(names)
    assert sorted(np.concatenate(list(parts.values()))) == list(range(len(labels)))
    homes = {}
    for name, indices in parts.items():
        assert set(labels[indices]) == set(range(len(counts)))  # every class in every split
        assert list(indices) == sorted(indices)
        for i in indices:
            homes.setdefault(groups[i], set()).add(name)
    assert all(len(names) == 1 for names in homes.values())


def test_the_seed_decides_and_repeats():
    labels = [0, 1] * 50
    first, again, other = (stratified(labels, THIRDS, seed=seed) for seed in (0, 0, 1))
    assert all(np.array_equal(first[name], again[name]) for name in THIRDS)
    assert not np.array_equal(first["test"], other["test"])


def test_every_picture_has_the_same_chance():
    """Over many seeds each of 20 pictures is tested about 3 times in 20, so the order on disk does not decide."""
    hits = Counter(int(i) for seed in range(400) for i in stratified([0] * 20, THIRDS, seed=seed)["test"])
    assert set(hits) == set(range(20))
    assert max(abs(hits[i] - 60) for i in range(20)) < 5 * np.sqrt(400 * 0.15 * 0.85)


def test_a_group_with_two_labels_stays_together():
    labels = [0] * 9 + [1] * 9
    groups = [*range(8), "x", "x", *range(20, 28)]
    for seed in range(10):
        parts = stratified(labels, THIRDS, groups=groups, seed=seed)
        assert len({name for name, indices in parts.items() if {8, 9} & set(indices.tolist())}) == 1


def test_a_class_too_small_is_named():
    with pytest.raises(ValueError, match="class 'emu' has 2 distinct pictures, too few .* at least 3, leave the class out, or make"):
        stratified([0] * 5 + [1] * 2, THIRDS, classes=["cat", "emu"])
    with pytest.raises(ValueError, match="class 0 has 1 distinct picture,"):
        stratified([0] * 5, THIRDS, groups=[7] * 5)
    assert {name: len(part) for name, part in stratified([0, 0], {"train": 1, "test": 1}).items()} == {"train": 1, "test": 1}


def test_nothing_gives_nothing():
    assert {name: part.tolist() for name, part in stratified([], THIRDS).items()} == {"train": [], "validation": [], "test": []}


@pytest.mark.parametrize("shares", [{}, {"train": 0.0}, {"train": -1, "test": 2}, {"train": float("nan")}])
def test_shares_must_be_above_zero(shares):
    with pytest.raises(ValueError, match="share above 0"):
        stratified([0, 1], shares)


def test_groups_must_fit():
    with pytest.raises(ValueError, match="2 images, 1 values"):
        stratified([0, 1], THIRDS, groups=[0])
