"""Every rung of the ladder gives the same pictures, so what is compared is the pace and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from tests.data.test_pipeline import noisy
from zoo.data.augment import Augment
from zoo.data.pace import RUNGS, _source, ladder, parts

AUGMENT = Augment(flip=False, shift=0.0, zoom=0.0, brightness=0.3)


def _epoch(name: str, epoch: int):
    """Images and labels of one epoch, sorted by their pixels."""
    source = _source(name, noisy(7), 16, 3, AUGMENT, 5)
    batches = list(source(epoch).as_numpy_iterator())
    images, labels = (np.concatenate(part) for part in zip(*batches, strict=True))
    order = np.argsort(images.sum(axis=(1, 2, 3)))
    return images[order], labels[order]


@pytest.mark.parametrize("name", [name for name in RUNGS if name != "naive"])
def test_every_rung_gives_the_changed_pictures_of_the_naive_one(name):
    for epoch in (0, 1):
        ours, naive = _epoch(name, epoch), _epoch("naive", epoch)
        np.testing.assert_allclose(ours[0], naive[0], atol=1e-3)
        np.testing.assert_array_equal(ours[1], naive[1])
    assert np.abs(_epoch(name, 0)[0] - _epoch(name, 1)[0]).max() > 1, "an epoch changes its pictures anew"


def test_the_rows_count_every_image_and_split_the_time():
    seen = []
    rows = ladder(noisy(7), 16, batch_size=3, epochs=2, augment=AUGMENT, step=seen.append)
    assert [row.name for row in rows] == list(RUNGS)
    assert sum(map(len, seen)) == 7 * 2 * len(RUNGS)
    for row in rows:
        assert row.first > 0
        assert row.waiting > 0
        assert row.working > 0
        assert row.later < 7 / row.waiting, "the consumer's own work is part of the pace"
    with pytest.raises(ValueError, match="at least 2 epochs"):
        ladder(noisy(7), 16, epochs=1)


def test_the_parts_of_the_work():
    seconds = parts(noisy(3), 8, augment=AUGMENT)
    assert list(seconds) == ["decode", "resize", "change"]
    assert all(value >= 0 for value in seconds.values())
    assert seconds["change"] > 0
