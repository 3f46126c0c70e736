"""Growing and balanced batches: what they hold follows from (seed, epoch), whatever the training started with."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

import zoo
from tests.train.nets import colours
from zoo.data import Augment, Examples, Pipeline
from zoo.data.balanced import BalancedPipeline
from zoo.data.progressive import progressive
from zoo.run import Run
from zoo.train import Recipe, fit

SIZES, EPOCHS = (16, (24, 20), 32), (2, 1, 1)


def pipeline(n=20, augment=None, cache=True):
    images, labels = colours(n, size=32)
    return Pipeline(Examples(images, labels), 32, augment=augment, cache=cache)


def grown(**keywords):
    return progressive(SimpleNamespace(train=pipeline(augment=Augment()), validation=pipeline(6)), SIZES, EPOCHS, **keywords)


def epochs(part, start, count, batch_size=8, seed=5):
    batches = [(np.asarray(x), np.asarray(y)) for x, y in itertools.islice(part.training(batch_size, seed, start), count * 3)]
    return [batches[i : i + 3] for i in range(0, len(batches), 3)]


def test_the_size_follows_from_the_epoch_and_a_resumed_run_sees_the_same_bits():
    data = grown()
    whole = epochs(data.train, 0, 6)
    assert [each[0][0].shape[1:3] for each in whole] == [(16, 16), (16, 16), (24, 20), (32, 32), (32, 32), (32, 32)]
    assert [data.train.size(epoch) for epoch in range(6)] == [each[0][0].shape[1:3] for each in whole]
    for start in range(1, 6):
        for ours, theirs in zip(epochs(data.train, start, 1)[0], whole[start], strict=True):
            np.testing.assert_array_equal(ours[0], theirs[0])
            np.testing.assert_array_equal(ours[1], theirs[1])
    assert next(iter(data.validation.evaluation(6)))[0].shape == (6, 32, 32, 3)


def test_full_size_pictures_are_the_pipelines_own_and_small_ones_keep_their_mean():
    plain = pipeline(augment=Augment())
    ours, theirs = epochs(grown().train, 0, 4), epochs(plain, 0, 4)
    for small, full in zip(ours[0], theirs[0], strict=True):
        np.testing.assert_array_equal(small[1], full[1])
        assert np.abs(small[0].mean(axis=(1, 2)) - full[0].mean(axis=(1, 2))).max() < 2.0  # of 255
    np.testing.assert_array_equal(ours[3][0][0], theirs[3][0][0])


def test_each_stage_has_its_own_changes():
    still, strong = Augment(flip=False, shift=0, zoom=0), Augment(brightness=1.0)
    data = progressive(SimpleNamespace(train=pipeline(), validation=pipeline(6)), (32, 32), (1, 1), augments=(None, strong))
    first, second = epochs(data.train, 0, 2)
    plain = epochs(pipeline(augment=still), 0, 2)
    np.testing.assert_array_equal(first[0][0], plain[0][0][0])
    assert not np.array_equal(second[0][0], plain[1][0][0])


@pytest.mark.backend
def test_fit_trains_through_the_stages_and_resumes(tmp_path):
    recipe = Recipe(epochs=4, batch_size=8)
    data = grown()

    def model():
        with recipe.building():
            return zoo.classifier("small_cnn_micro", classes=3, input_shape=(None, None, 3))

    def run(name):
        return Run.open(tmp_path / name, {}, name=name)

    class Stop(Exception):
        pass

    def kill(epoch, logs=None):
        if epoch == 2:
            raise Stop

    import keras

    whole = fit(model(), data, recipe, run("whole"), verbose=0)
    with pytest.raises(Stop):
        fit(model(), data, recipe, run("torn"), verbose=0, callbacks=[keras.callbacks.LambdaCallback(on_epoch_begin=kill)])
    torn = fit(model(), data, recipe, run("torn"), verbose=0)
    assert [{**row, "seconds": 0} for row in torn.rows] == [{**row, "seconds": 0} for row in whole.rows]


def test_balanced_batches_are_fair_and_repeat():
    labels = np.repeat([0, 1, 2], [70, 25, 5])
    images = np.broadcast_to(np.arange(100, dtype="uint8")[:, None, None, None], (100, 4, 4, 3)).copy()
    part = BalancedPipeline(Pipeline(Examples(images, labels), 4))
    batches = [(np.asarray(x), np.asarray(y)) for x, y in itertools.islice(part.training(50, 1), 2 * 100)]
    for pictures, answers in batches[:4]:
        np.testing.assert_array_equal(labels[pictures[:, 0, 0, 0].astype(int)], answers)
    drawn = np.concatenate([pictures[:, 0, 0, 0] for pictures, _ in batches]).astype(int)
    counts = np.bincount(drawn, minlength=100)
    shares = np.bincount(labels[drawn]) / len(drawn)
    assert np.abs(shares - 1 / 3).max() < 4 * np.sqrt(2 / 9 / len(drawn))  # four standard deviations
    expected = len(drawn) / 3 / np.array([70, 25, 5])[labels]
    assert (np.abs(counts - expected) < 5 * np.sqrt(expected)).all()
    again = next(iter(part.training(50, 1, start_epoch=3)))
    np.testing.assert_array_equal(np.asarray(again[0]), batches[6][0])
    assert sum(len(answers) for _, answers in part.evaluation(30)) == 100


def test_copies_of_one_picture_are_changed_differently():
    images = np.random.default_rng(0).integers(0, 255, (2, 8, 8, 3)).astype("uint8")
    many = Examples(np.repeat(images, [19, 1], axis=0), np.repeat([0, 1], [19, 1]))
    part = BalancedPipeline(Pipeline(many, 8, augment=Augment(brightness=1.0)))
    pictures, answers = (np.asarray(each) for each in next(iter(part.training(20, 0))))
    rare = pictures[answers == 1]
    assert len(rare) > 2
    assert len({picture.tobytes() for picture in rare}) == len(rare)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"sizes": (16,)}, "one size and one number of epochs"),
        ({"sizes": (16, 24, 40)}, r"between 1 and that of the pipeline, \(32, 32\), got \(40, 40\)"),
        ({"epochs": (1, 0, 1)}, "epochs >= 1"),
        ({"augments": (None,)}, "one augmentation for each of 3 stages"),
        ({"data": (colours(), colours())}, "wanted data with .train"),
    ],
)
def test_stages_that_do_not_fit_are_named(keywords, message):
    data = SimpleNamespace(train=pipeline(), validation=pipeline(6))
    with pytest.raises(ValueError, match=message):
        progressive(**{"data": data, "sizes": SIZES, "epochs": EPOCHS, **keywords})


def test_a_model_of_one_size_is_refused():
    with pytest.raises(ValueError, match="vgg_micro takes pictures of 32x32 only.*global pooling"):
        grown(model=zoo.classifier("vgg_micro", classes=3, input_shape=(32, 32, 3)))
    grown(model=zoo.classifier("small_cnn_micro", input_shape=(None, None, 3)))
