"""Asking a model about changed copies of its images: whose score, of which class, in which chunks."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from tests.explain.test_session import counting
from zoo import explain
from zoo.explain.session import probe

pytestmark = pytest.mark.backend

ROWS = np.array([4, 0, 0, 2, 1, 3, 2])


def numpy(x):
    return ops.convert_to_numpy(x)


@pytest.fixture
def copies():
    return np.random.default_rng(3).uniform(0, 255, (len(ROWS), 16, 16, 3)).astype("float32")


@pytest.mark.parametrize("batch_size", [1, 3, 7, 32])
def test_each_copy_is_scored_for_the_class_of_its_image(batch_size, cnn, images, copies):
    classes = np.array([3, 0, 2, 1, 3])
    with probe(cnn, images, classes, batch_size) as asked:
        found = asked.scores(copies, ROWS)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, numpy(cnn(copies))[np.arange(7), classes[ROWS]], rtol=1e-5, atol=1e-6)


def test_the_unchanged_image_decides_the_predicted_class(cnn, images):
    kernel, bias = cnn.get_layer("logits").get_weights()
    cnn.get_layer("logits").set_weights([kernel, bias - numpy(cnn(images.astype("float32"))).mean(0)])  # so that classes compete
    predicted = numpy(cnn(images.astype("float32"))).argmax(-1)
    inverted = 255 - images.astype("float32")
    outputs = numpy(cnn(inverted))
    assert (outputs.argmax(-1) != predicted).any()
    with probe(cnn, images, None, 2) as asked:
        found = asked.scores(inverted, np.arange(5))
    np.testing.assert_allclose(found, outputs[np.arange(5), predicted], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("batch_size", [2, 32])
def test_gradients_of_a_linear_model_are_its_weights(batch_size, images, copies):
    image = keras.Input((16, 16, 3))
    model = keras.Model(image, layers.Dense(3, name="d", activation="softmax")(layers.Flatten()(image)))
    kernel = numpy(model.get_layer("d").kernel).reshape(16, 16, 3, 3)
    classes = np.array([2, 1, 0, 1, 2])
    with probe(model, images, classes, batch_size) as asked:
        found, largest = asked.gradients(copies, ROWS), asked.gradients(copies, ROWS, _largest)
    expected = kernel.transpose(3, 0, 1, 2)[classes[ROWS]]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(largest, expected.max(-1), rtol=1e-5, atol=1e-7)


def _largest(gradients):
    return ops.max(gradients, axis=-1)


def test_a_callable_target_is_asked_as_it_is(cnn, images, copies):
    with probe(cnn, images, lambda outputs: outputs[:, 1] - outputs[:, 0], 4) as asked:
        found = asked.scores(copies, ROWS)
    outputs = numpy(cnn(copies))
    np.testing.assert_allclose(found, outputs[:, 1] - outputs[:, 0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("structure", [dict, list])
def test_only_the_image_of_several_inputs_changes(structure, images, copies):
    """The number comes before the image, and stays that of the image whose copy is asked about."""
    number, image = keras.Input((1,), name="a_number"), keras.Input((16, 16, 3), name="image")
    score = layers.Add()([layers.Flatten()(number), ops.mean(image, axis=(1, 2))[:, :1]])
    model = keras.Model({"a_number": number, "image": image} if structure is dict else [number, image], score)
    numbers = np.arange(5.0)[:, None] * 1000
    batch = {"a_number": numbers, "image": images} if structure is dict else [numbers, images]
    with probe(model, batch, 0, 2) as asked:
        np.testing.assert_array_equal(asked.pictures, images)
        found, gradients = asked.scores(copies, ROWS), asked.gradients(copies, ROWS)
    np.testing.assert_allclose(found, 1000 * ROWS + copies[..., 0].mean((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(gradients, np.broadcast_to([1 / 256, 0, 0], copies.shape), rtol=1e-5)


def test_wrong_shapes_are_named(cnn, images, copies):
    with probe(cnn, images, 0, 2) as asked:
        for pictures, rows in [(copies, ROWS[:3]), (copies[:, :8], ROWS), (copies[0], ROWS), (copies, ROWS[None])]:
            with pytest.raises(ValueError, match=r"changed pictures are \(n, 16, 16, 3\) with rows \(n,\), got shapes"):
                asked.scores(pictures, rows)
            with pytest.raises(ValueError, match="changed pictures are"):
                asked.gradients(pictures, rows)


def test_chunks_of_one_size_are_traced_once(images, copies):
    kind = counting()
    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3)(kind()(image))
    model = keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))

    def ask(target):
        with probe(model, images, target, 2) as asked:
            asked.scores(copies, ROWS)  # four chunks of two
            asked.scores(copies[:2], ROWS[:2])
            asked.gradients(copies, ROWS)

    ask(None)
    after_first = kind.runs
    for target in (1, [0, 1, 2, 0, 1], None):
        ask(target)
    calls = 3 * (3 + 4 + 1 + 4) if keras.backend.backend() == "torch" else 0  # three chunks settle the predicted class
    assert kind.runs - after_first == calls


def test_the_model_is_free_again_after_an_error(cnn, images):
    with pytest.raises(ZeroDivisionError), probe(cnn, images, 0, 2):
        raise ZeroDivisionError
    assert explain.saliency(cnn, images, 0).any()
