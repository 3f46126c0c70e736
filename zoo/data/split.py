"""Divide images into splits: by seed, every class in its proportion, copies of one picture always together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

FRACTIONS = (0.7, 0.15, 0.15)
"""Default shares of train, validation and test."""


def stratified(
    labels: np.ndarray | Sequence[int],
    fractions: Mapping[str, float],
    *,
    groups: Sequence | None = None,
    seed: int = 0,
    classes: Sequence[str] | None = None,
) -> dict[str, np.ndarray]:
    """{split: sorted indices int64}, disjoint and complete.

    labels:    int (n,).
    fractions: {split: share}; positive, scaled to sum 1. Every split gets that share of each class, rounded, and at least one
               picture of it. Large groups can make it uneven.
    groups:    n hashable values; images of equal value (copies of one picture) stay in one split. A group with several labels
               counts for the first image's.
    seed:      the same labels, groups and seed give the same splits.
    classes:   names for messages.

    Raises ValueError for a class with fewer distinct pictures than there are splits.
    """
    names = list(fractions)
    shares = np.array([fractions[name] for name in names], float)
    if not len(names) or not np.all(np.isfinite(shares)) or np.any(shares <= 0):
        raise ValueError(f"every split needs a share above 0, got {dict(fractions)}")
    labels = np.asarray(labels)
    members = _members(len(labels), groups)
    of_class: dict[int, list[np.ndarray]] = {int(label): [] for label in np.unique(labels)}
    for indices in members:
        of_class[int(labels[indices[0]])].append(indices)
    parts: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for label, own in of_class.items():
        if len(own) < len(names):
            called = repr(classes[label]) if classes is not None else str(label)
            raise ValueError(
                f"class {called} has {len(own)} distinct picture{'s' * (len(own) != 1)}, too few to divide into {', '.join(names)}; "
                f"add pictures until there are at least {len(names)}, leave the class out, or make the split folders yourself"
            )
        order = np.random.default_rng((seed, label)).permutation(len(own))
        for name, indices in _deal([own[i] for i in order], names, shares / shares.sum()):
            parts[name].append(indices)
    return {name: np.sort(np.concatenate(parts[name])).astype(np.int64) if parts[name] else np.empty(0, np.int64) for name in names}


def _members(n: int, groups: Sequence | None) -> list[np.ndarray]:
    if groups is None:
        return [np.array([i]) for i in range(n)]
    if len(groups) != n:
        raise ValueError(f"groups must have one value per image: {n} images, {len(groups)} values")
    found: dict = {}
    for i, value in enumerate(groups):
        found.setdefault(value, []).append(i)
    return [np.array(indices) for indices in found.values()]


def _deal(groups: list[np.ndarray], names: list[str], shares: np.ndarray):
    """Largest groups first, each to the split that still lacks most; a split must not starve while groups remain."""
    wanted = _whole(sum(map(len, groups)), shares)
    groups = sorted(groups, key=len, reverse=True)  # stable: the shuffle decides among equals
    empty = set(range(len(names)))
    for position, indices in enumerate(groups):
        candidates = empty if len(groups) - position <= len(empty) else range(len(names))
        chosen = max(candidates, key=lambda i: (wanted[i], -i))
        wanted[chosen] -= len(indices)
        empty.discard(chosen)
        yield names[chosen], indices


def _whole(n: int, shares: np.ndarray) -> np.ndarray:
    """Largest remainders: whole numbers with sum n, each at least 1 and within 1 of its share where that allows it."""
    exact = n * shares
    counts = np.maximum(np.floor(exact), 1)
    while counts.sum() > n:
        counts[np.argmax(np.where(counts > 1, counts - exact, -np.inf))] -= 1
    while counts.sum() < n:
        counts[np.argmax(exact - counts)] += 1
    return counts
