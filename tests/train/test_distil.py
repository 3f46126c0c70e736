"""Distillation: Hinton's loss in numpy, a student that follows its teacher against its labels, and a resume to the bit."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import layers

from tests.train.nets import colours, net
from tests.train.test_fit import Stop, equal
from zoo.train.check import classes_of
from zoo.train.checkpoint import value_of
from zoo.train.distil import distil

DATA = (colours(), colours(12, seed=1))


def teacher(activation=None, classes=3):
    """Tells colours by their brightness: 0.1 times the mean of each channel."""
    image = keras.Input((8, 8, 3))
    x = layers.BatchNormalization(name="norm")(layers.GlobalAveragePooling2D()(image))
    outputs = layers.Dense(classes, activation=activation, name="answers")(x)
    model = keras.Model(image, outputs, name="teacher")
    model.get_layer("answers").set_weights([0.1 * np.eye(3, classes), np.zeros(classes)])
    return model


def pupil(recipe):
    with recipe.building():
        image = keras.Input((8, 8, 3))
        x = layers.GlobalAveragePooling2D()(layers.Rescaling(1 / 127.5, -1.0)(image))
        return keras.Model(image, layers.Dense(3, name="logits")(x), name="pupil")


def log_softmax(x):
    return x - x.max(axis=1, keepdims=True) - np.log(np.exp(x - x.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True))


@pytest.mark.backend
def test_the_loss_is_hintons(recipe, start):
    """One step of no length on one batch: the epoch's loss is that of the first weights, which numpy knows too."""
    recipe = dataclasses.replace(
        recipe, epochs=1, batch_size=30, optimizer="sgd", schedule="constant", warmup=0.0, learning_rate=1e-30, weight_decay=0.0
    )
    big, small = teacher(), pupil(recipe)
    images, labels = DATA[0]
    said, answer = (np.float64(keras.ops.convert_to_numpy(model(images.astype("float32"), training=False))) for model in (big, small))
    row = distil(big, small, DATA, recipe, start(), temperature=2.5, alpha=0.6, verbose=0).rows[0]
    hard = -log_softmax(answer)[np.arange(30), labels].mean()
    p, q = log_softmax(said / 2.5), log_softmax(answer / 2.5)
    soft = 2.5**2 * (np.exp(p) * (p - q)).sum(axis=1).mean()
    assert row["student_loss"] == pytest.approx(hard, rel=1e-4)
    assert row["distillation_loss"] == pytest.approx(soft, rel=1e-4)
    assert row["loss"] == pytest.approx(0.4 * hard + 0.6 * soft, rel=1e-4)


@pytest.mark.backend
def test_the_student_follows_the_teacher_against_wrong_labels_and_alone_is_saved(recipe, start):
    recipe = dataclasses.replace(recipe, epochs=15, learning_rate=0.3, optimizer="adamw", monitor="val_loss")
    wrong = tuple((images, (labels + 1) % 3) for images, labels in DATA)
    big, small = teacher(), pupil(recipe)
    before = [value_of(weight) for weight in big.weights]
    history = distil(big, small, wrong, recipe, start(), alpha=1.0, verbose=0)
    for weight, old in zip(big.weights, before, strict=True):
        np.testing.assert_array_equal(value_of(weight), old, err_msg=weight.path)
    assert len(big.trainable_weights) == 4
    assert history.rows[-1]["distillation_loss"] < 0.2 * history.rows[0]["distillation_loss"]
    images = DATA[1][0].astype("float32")
    answers = keras.ops.convert_to_numpy(small(images))
    np.testing.assert_array_equal(answers.argmax(axis=1), DATA[1][1])
    loaded = keras.models.load_model(start().model)
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in small.layers]
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(loaded(images)), answers)


@pytest.mark.backend
def test_it_resumes_to_the_bit_and_only_under_the_same_terms(recipe, start):
    def student():
        with recipe.building():
            return net()

    whole = student()
    wanted = distil(teacher(), whole, DATA, recipe, start("whole"), verbose=0)
    with pytest.raises(KeyboardInterrupt):
        distil(teacher(), student(), DATA, recipe, start("torn"), callbacks=[Stop(1, 2)], verbose=0)
    with pytest.raises(ValueError, match="temperature was 4.0, now 3.0"):
        distil(teacher(), student(), DATA, recipe, start("torn"), temperature=3, verbose=0)
    other = teacher()
    other.get_layer("answers").set_weights([np.ones((3, 3)), np.zeros(3)])
    with pytest.raises(ValueError, match="teacher was"):
        distil(other, student(), DATA, recipe, start("torn"), verbose=0)
    resumed = student()
    got = distil(teacher(), resumed, DATA, recipe, start("torn"), verbose=0)
    for ours, theirs in zip(got.rows, wanted.rows, strict=True):
        assert {**ours, "seconds": 0} == {**theirs, "seconds": 0}
    equal(resumed, whole)


def test_bad_input_is_named(recipe, start):
    for keywords, message in (({"temperature": 0}, "temperature must be"), ({"alpha": 0}, "alpha is the teacher's share")):
        with pytest.raises(ValueError, match=message):
            distil(teacher(), pupil(recipe), DATA, recipe, start(), **keywords)
    with pytest.raises(ValueError, match="teacher cannot teach: the model returns probabilities"):
        distil(teacher("softmax"), pupil(recipe), DATA, recipe, start())
    with pytest.raises(ValueError, match="tells 4 classes apart and the student 3"):
        distil(teacher(classes=4), pupil(recipe), DATA, recipe, start())
    assert classes_of(teacher(), DATA[0][0][:2]) == 3
