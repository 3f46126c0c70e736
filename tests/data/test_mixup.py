"""mixup: blends that follow from the seed, labels that are blended as the pictures are, and the distribution of the weight."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from zoo.data.mixup import Mixed, beta


class Numbers:
    """A pipeline of one-pixel images: the label is the pixel."""

    def __len__(self):
        return 8

    def steps(self, batch_size, drop_remainder=False):
        return 8 // batch_size

    def evaluation(self, batch_size):
        values = np.arange(8)
        return tf.data.Dataset.from_tensor_slices((values.reshape(8, 1, 1, 1).astype("float32"), values)).batch(batch_size)

    def training(self, batch_size, seed, start_epoch=0, drop_remainder=False):
        return self.evaluation(batch_size).repeat()


def _batches(count, start_epoch=0, seed=3, alpha=0.4):
    return list(Mixed(Numbers(), 8, alpha).training(4, seed, start_epoch).take(count).as_numpy_iterator())


def test_a_label_is_blended_as_its_picture_is():
    """The expected pixel under the blended label is the blended pixel: the straight line of equation 1."""
    for images, rows in _batches(6):
        np.testing.assert_allclose(rows.sum(1), 1, rtol=1e-6)
        np.testing.assert_allclose(rows @ np.arange(8), images.ravel(), rtol=1e-5, atol=1e-5)
        assert ((rows > 0).sum(1) == 2).all(), "each picture is blended with another one"


def test_a_resumed_training_sees_the_same_blends():
    whole, rest = _batches(6), _batches(2, start_epoch=2)
    for (a, b), (c, d) in zip(whole[4:], rest, strict=True):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, d)
    other = _batches(1, seed=4)[0][0]
    assert not np.array_equal(whole[0][0], other)
    assert not np.array_equal(whole[0][0], whole[2][0]), "the same pictures get another weight in the next epoch"


def test_the_weight_is_beta_distributed():
    drawn = np.array([float(beta(tf.constant([0, number], tf.int64), 0.4)) for number in range(1500)])
    assert stats.kstest(drawn, stats.beta(0.4, 0.4).cdf).pvalue > 1e-3


def test_without_alpha_and_in_evaluation_nothing_is_blended():
    for images, rows in (*_batches(2, alpha=0.0), *Mixed(Numbers(), 8).evaluation(4).as_numpy_iterator()):
        np.testing.assert_array_equal(rows.argmax(1), images.ravel())
        assert set(np.unique(rows)) == {0.0, 1.0}


class Squares(Numbers):
    """As `Numbers`, with images of 12 x 16 equal pixels."""

    def evaluation(self, batch_size):
        return super().evaluation(batch_size).map(lambda images, labels: (tf.tile(images, [1, 12, 16, 1]), labels))


def test_cutmix_shares_the_label_by_area():
    """Every pixel is a class, so the mean pixel is the expected class of the blended label, whatever was cut by the border."""
    shares = []
    for images, rows in Mixed(Squares(), 8, alpha=0.0, cutmix=1.0).training(4, 5).take(40).as_numpy_iterator():
        np.testing.assert_allclose(images.mean((1, 2, 3)), rows @ np.arange(8), rtol=1e-5)
        for image, row in zip(images, rows, strict=True):
            assert set(np.unique(image)) <= set(np.flatnonzero(row).astype("float32"))
            mask = image[..., 0] == image.max()
            assert _rectangle(mask) or _rectangle(~mask)
        shares.append(rows.max())
    assert min(shares) < 0.7
    assert max(shares) > 0.95


def _rectangle(mask):
    """Whether a mask (h, w) is empty or all of its own bounding box."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return not len(rows) or bool(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all())


def test_with_both_a_coin_is_tossed_for_every_batch():
    pasted = []
    for images, _ in Mixed(Squares(), 8, alpha=0.4, cutmix=1.0).training(4, 5).take(40).as_numpy_iterator():
        pasted.append(all(float(value).is_integer() for value in np.unique(images)))
    assert 8 < sum(pasted) < 32, "a fair coin falls outside of this in one of 20,000 runs"


def test_mixing_ends_after_its_epochs():
    mixed = Mixed(Numbers(), 8, 0.4, epochs=2).training(4, 3).take(6).as_numpy_iterator()
    assert [bool((rows.max(1) < 1).all()) for _, rows in mixed] == [True] * 4 + [False] * 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"classes": 1}, "two classes"), ({"classes": 3, "alpha": -1}, "alpha must be"), ({"classes": 3, "cutmix": -1}, "cutmix must be")],
)
def test_impossible_wishes_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Mixed(Numbers(), **fields)
