"""What a recipe asks of pictures reaches the batches, and a resumed epoch sees the same bits."""

import numpy as np
import pytest

from zoo.data.augment import Augment
from zoo.data.changes import Chain
from zoo.data.dataset import Examples
from zoo.data.mixup import Mixed
from zoo.data.pipeline import Pipeline

ALL = {"flip": True, "crop": 0.5, "colour": 0.3, "random_augment": 0.9, "erasing": 0.5, "repeats": 3, "mixup": 0.2, "cutmix": 1.0}


def _pipeline(augment=None, n=12):
    images = np.random.default_rng(0).integers(0, 256, (n, 8, 8, 3)).astype("uint8")
    images[:, 0, 0, 0] = np.arange(n)  # the picture's own number, where nothing changes it
    return Pipeline(Examples(images, np.arange(n) % 4), 8, augment)


def _batches(pipeline, start_epoch=0, count=6):
    return list(pipeline.training(5, 7, start_epoch).take(count).as_numpy_iterator())


def test_a_resumed_epoch_is_the_same_to_the_bit():
    whole = _batches(_pipeline().changed(4, **ALL, mix_epochs=2), count=9)
    rest = _batches(_pipeline().changed(4, **ALL, mix_epochs=2), start_epoch=1, count=6)
    for (a, b), (c, d) in zip(whole[3:], rest, strict=True):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, d)
    mixed = [bool(((rows > 0).sum(1) > 1).any()) for _, rows in whole]
    assert any(mixed[:6])
    assert not any(mixed[6:]), "two epochs mix, the third does not"


def test_repeats_follow_each_other_and_differ():
    pipeline = _pipeline().changed(4, repeats=3)
    numbers = [int(image[0, 0, 0]) for images, _ in _batches(pipeline, count=3) for image in images]
    assert (len(numbers), len(set(numbers))) == (12, 4)
    assert numbers == [number for number in dict.fromkeys(numbers) for _ in range(3)]
    changed = _pipeline().changed(4, repeats=3, colour=0.9)
    images = np.concatenate([images for images, _ in _batches(changed, count=3)])
    assert all(not np.array_equal(images[0], images[index]) for index in (1, 2))


def test_repeats_that_do_not_divide_keep_the_length_of_the_epoch():
    pipeline = Pipeline(Examples(np.zeros((10, 8, 8, 3), "uint8"), np.arange(10)), 8, repeats=3)
    labels = np.concatenate([labels for _, labels in pipeline.training(5, 1).take(2).as_numpy_iterator()])
    assert len(labels) == 10
    assert sorted(np.bincount(labels, minlength=10)) == [0] * 6 + [1, 3, 3, 3]


def test_nothing_asked_changes_nothing():
    plain, asked = _pipeline(), _pipeline().changed(4)
    for (a, b), (c, d) in zip(_batches(plain), _batches(asked), strict=True):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, d)


def test_the_original_pipeline_stays_as_it_was():
    pipeline = _pipeline()
    changed = pipeline.changed(4, flip=True, mixup=0.2)
    assert isinstance(changed, Mixed)
    assert (pipeline.augment, pipeline.repeats) == (None, 1)


def test_the_first_part_of_a_chain_draws_as_it_would_alone():
    single, chain = Augment(), Chain((Augment(), Augment(erase=1.0)))
    np.testing.assert_array_equal(chain.draws([3, 4]).numpy()[:16], single.draws([3, 4]).numpy())
    assert not np.array_equal(chain.draws([3, 4]).numpy()[16:], single.draws([3, 4]).numpy())


def test_an_augmentation_is_said_in_one_place():
    with pytest.raises(ValueError, match="say it in one place"):
        _pipeline(Augment()).changed(4, flip=True)
    assert isinstance(_pipeline(Augment()).changed(4, mixup=0.2), Mixed)
    with pytest.raises(ValueError, match="at least one change"):
        Chain(())
    with pytest.raises(ValueError, match="repeats must be at least 1"):
        Pipeline(Examples(np.zeros((2, 8, 8, 3), "uint8"), np.arange(2)), 8, repeats=0)
