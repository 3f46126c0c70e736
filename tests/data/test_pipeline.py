"""The pipeline: order, coverage, exact resumption, cache, errors that name the file."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from zoo.data.augment import Augment
from zoo.data.dataset import Examples
from zoo.data.decode import ImageError, decode, resize
from zoo.data.pipeline import Pipeline

STRONG = Augment(rotate=20, crop=0.3, brightness=0.2, contrast=0.2, saturation=0.3, hue=0.05, erase=0.5)


def coded(count, size=8) -> Examples:
    """Images whose pixel values are their own index, so that any batch tells which image it is."""
    images = np.repeat(np.arange(count, dtype=np.uint8), size * size * 3).reshape(count, size, size, 3)
    return Examples(images, np.arange(count, dtype=np.int64) % 5)


def noisy(count, size=16) -> Examples:
    images = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    return Examples(list(images), np.arange(count, dtype=np.int64) % 3)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Twelve JPEG files of different sizes."""
    folder, random = tmp_path_factory.mktemp("photos"), np.random.default_rng(1)
    paths = []
    for i in range(12):
        coarse = Image.fromarray(random.integers(0, 256, (4, 5, 3), dtype=np.uint8))
        paths.append(folder / f"{i}.jpg")
        coarse.resize((40 + i, 30 + 2 * i), Image.Resampling.BICUBIC).save(paths[-1])
    return Examples(paths, np.arange(12, dtype=np.int64) % 4)


def collect(dataset, batches) -> tuple[list[np.ndarray], list[np.ndarray]]:
    taken = list(dataset.take(batches).as_numpy_iterator())
    assert len(taken) == batches
    return [images for images, _ in taken], [labels for _, labels in taken]


def test_each_epoch_shows_every_image_once_in_another_order():
    pipeline = Pipeline(coded(23), 8)
    steps = pipeline.steps(5)
    assert steps == 5
    images, labels = collect(pipeline.training(5, seed=1), 3 * steps)
    orders = [np.concatenate([batch[:, 0, 0, 0] for batch in images[e * steps : (e + 1) * steps]]).astype(int) for e in range(3)]
    for order in orders:
        assert sorted(order) == list(range(23))
    assert len({tuple(order) for order in [*orders, np.arange(23)]}) == 4
    np.testing.assert_array_equal(np.concatenate(labels), np.concatenate(orders) % 5)
    assert images[steps - 1].shape == (3, 8, 8, 3), "an epoch ends with its own partial batch"


def test_batches_are_float_pixels_and_integer_labels():
    images, labels = next(Pipeline(noisy(6), (16, 16), STRONG).training(4, seed=0).as_numpy_iterator())
    assert (images.dtype, labels.dtype) == (np.float32, np.int64)
    assert images.min() >= 0
    assert 1 < images.max() <= 255


def test_dropping_the_remainder():
    pipeline = Pipeline(coded(10), 8)
    assert pipeline.steps(4, drop_remainder=True) == 2
    images, _ = collect(pipeline.training(4, seed=0, drop_remainder=True), 6)
    assert {len(batch) for batch in images} == {4}
    assert len({image[0, 0, 0] for batch in images[:2] for image in batch}) == 8


def test_the_seed_decides_the_order():
    orders = [np.concatenate(collect(Pipeline(coded(30), 8).training(30, seed=seed), 1)[0])[:, 0, 0, 0] for seed in (1, 2)]
    assert list(orders[0]) != list(orders[1])


def test_the_seed_decides_the_changes():
    one, other = (collect(Pipeline(noisy(1), 16, STRONG).training(1, seed=seed), 1)[0][0] for seed in (1, 2))
    assert np.abs(one - other).max() > 1


def test_a_new_pipeline_repeats():
    one, again = (np.concatenate(collect(Pipeline(noisy(9), 16, STRONG).training(4, seed=1), 3)[0]) for _ in range(2))
    np.testing.assert_array_equal(one, again)


@pytest.mark.parametrize("source", ["memory", "file", "streamed"])
def test_resuming_at_an_epoch_is_identical_to_the_bit(source, photos):
    settings = {"memory": {}, "file": {"memory": 100}, "streamed": {"cache": False}}[source]
    whole = Pipeline(photos, 24, STRONG, **settings)
    steps = whole.steps(5)
    images, labels = collect(whole.training(5, seed=3), 4 * steps)
    resumed_images, resumed_labels = collect(Pipeline(photos, 24, STRONG, **settings).training(5, seed=3, start_epoch=2), 2 * steps)
    for i in range(2 * steps):
        np.testing.assert_array_equal(resumed_images[i], images[2 * steps + i])
        np.testing.assert_array_equal(resumed_labels[i], labels[2 * steps + i])


def test_an_image_is_changed_by_its_key_and_not_by_its_batch(photos):
    """Different batch sizes, and a subset of the cache settings, give the same pixels for the same image and epoch."""

    def by_order(batch_size, **settings):
        pipeline = Pipeline(photos, 24, STRONG, **settings)
        return np.concatenate(collect(pipeline.training(batch_size, seed=3), pipeline.steps(batch_size))[0])

    wanted = by_order(12)
    np.testing.assert_allclose(by_order(5), wanted, atol=1e-3)
    np.testing.assert_allclose(by_order(1, cache=False), wanted, atol=1e-3)


@pytest.mark.parametrize("settings", [{}, {"memory": 100}, {"cache": False}], ids=["memory", "file", "streamed"])
@pytest.mark.parametrize("how", ["squash", "crop", "letterbox"])
def test_evaluation_is_the_zoos_own_decode_in_order(photos, settings, how):
    pipeline = Pipeline(photos, (20, 28), STRONG, how=how, **settings)
    batches = list(pipeline.evaluation(5).as_numpy_iterator())
    assert len(batches) == pipeline.steps(5) == 3
    wanted = np.stack([resize(decode(path), (20, 28), how) for path in photos.items])
    np.testing.assert_array_equal(np.concatenate([images for images, _ in batches]), wanted)
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in batches]), photos.labels)


def test_files_are_decoded_once_when_cached(photos, monkeypatch):
    read = []
    image = Examples.image
    monkeypatch.setattr(Examples, "image", lambda self, index: read.append(index) or image(self, index))
    pipeline = Pipeline(photos, 16)
    collect(pipeline.training(4, seed=0), 9)
    list(pipeline.evaluation(4))
    assert sorted(read) == list(range(12))


def test_pixels_beyond_the_memory_budget_go_to_a_file(photos):
    assert isinstance(Pipeline(photos, 16, memory=100).pixels(), np.memmap)
    assert not isinstance(Pipeline(photos, 16).pixels(), np.memmap)


def test_arrays_of_another_size_are_resized():
    image = np.random.default_rng(0).integers(0, 256, (30, 20, 3), dtype=np.uint8)
    images, _ = next(Pipeline(Examples([image], np.zeros(1, np.int64)), 10).evaluation(1).as_numpy_iterator())
    np.testing.assert_array_equal(images[0], resize(image, 10))


def test_a_damaged_file_is_named(photos, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(photos.items[0].read_bytes()[:300])
    examples = Examples([*photos.items, broken], np.append(photos.labels, 1))
    with pytest.raises(ImageError, match=r"broken\.jpg.*skip_bad"):
        next(iter(Pipeline(examples, 16).training(4, seed=0)))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"broken\.jpg"):
        list(Pipeline(examples, 16, cache=False).evaluation(4))
    with pytest.raises(ImageError, match=r"gone\.jpg"):
        list(Pipeline(Examples([tmp_path / "gone.jpg"], np.zeros(1, np.int64)), 16).evaluation(4))


def test_wrong_requests_say_what_to_do():
    with pytest.raises(ValueError, match="at least one image"):
        Pipeline(Examples([], np.zeros(0, np.int64)), 8)
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        Pipeline(coded(3), 8).training(0, seed=0)
    with pytest.raises(ValueError, match="do not fill one batch of 4"):
        Pipeline(coded(3), 8).training(4, seed=0, drop_remainder=True)
    gray = Examples([np.zeros((8, 8), np.uint8)], np.zeros(1, np.int64))
    with pytest.raises(ValueError, match="image 0 must be uint8"):
        list(Pipeline(gray, 8).evaluation(1))


def test_one_image():
    images, labels = collect(Pipeline(noisy(1), 16, STRONG).training(32, seed=0), 3)
    assert [batch.shape for batch in images] == [(1, 16, 16, 3)] * 3
    assert min(np.abs(images[i] - images[i + 1]).max() for i in (0, 1)) > 1, "every epoch must change the image anew"
    assert [list(batch) for batch in labels] == [[0]] * 3


def test_keras_fits_from_it():
    import keras

    model = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(3)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    pipeline = Pipeline(noisy(10), 16, Augment())
    history = model.fit(
        pipeline.training(4, seed=0),
        steps_per_epoch=pipeline.steps(4),
        epochs=2,
        validation_data=pipeline.evaluation(4),
        shuffle=False,
        verbose=0,
    )
    assert len(history.history["val_loss"]) == 2
