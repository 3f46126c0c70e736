"""What depends on the learned weights changes with them; what does not, stays; and the model is as it was, to the bit."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from tests.explain import patches
from zoo import explain
from zoo.explain import baselines
from zoo.explain.randomisation import _cloned, _randomised

pytestmark = pytest.mark.backend


def blind(model, images, target=None, **options):
    return baselines.sobel_map(images)


class Subclassed(keras.Model):
    """Keras cannot clone it: no configuration."""

    def __init__(self, width):
        super().__init__()
        self.first = layers.Conv2D(width, 3, activation="relu", name="first")
        self.logits = layers.Dense(3, name="logits")

    def call(self, x):
        return self.logits(ops.mean(self.first(x / 255.0), axis=(1, 2)))


def weights(model):
    return [np.array(array) for array in model.get_weights()]


def unchanged(model, before):
    return all(np.array_equal(a, b) for a, b in zip(weights(model), before, strict=True))


@pytest.mark.parametrize("order", ["all", "cascade", "independent"])
def test_a_map_that_ignores_the_model_never_changes(order, cnn, images):
    found = explain.randomisation(cnn, images, blind, order=order)
    np.testing.assert_allclose(found.similarity, 1)
    np.testing.assert_allclose(found.overall, 1)


def test_a_map_that_is_a_random_network_is_unlike_itself(cnn, images):
    """A layer is shown by itself: after shuffling its weights, little is left of its order."""

    def first(model, images, target=None, **options):
        return explain.feature_maps(model, images, "first")[..., 0]

    independent = explain.randomisation(cnn, images, first, order="independent")
    assert independent.layers == ("logits", "last", "first")
    np.testing.assert_allclose(independent.similarity[:2], 1)  # what comes later does not matter to it
    assert np.nanmean(independent.similarity[2]) < 0.9
    cascade = explain.randomisation(cnn, images, first, order="cascade")
    np.testing.assert_allclose(cascade.similarity[:2], 1)
    np.testing.assert_array_equal(cascade.overall, cascade.similarity[-1])


def test_stages_group_neighbours(cnn, images):
    assert explain.randomisation(cnn, images, blind, order="cascade", stages=2).layers == ("logits, last", "first")
    assert explain.randomisation(cnn, images, blind, order="all", draws=2).layers == ("logits, last, first",) * 2


@pytest.mark.parametrize("redraw", [False, True])
def test_weights_keep_their_distribution(redraw):
    random = np.random.default_rng(0)
    value = random.normal(3, 2, (40, 50)).astype("float32")
    made = _randomised(value, random, redraw)
    assert made.shape == value.shape
    assert made.dtype == value.dtype
    assert not np.array_equal(made, value)
    assert (made.mean(), made.std()) == pytest.approx((value.mean(), value.std()), rel=0.1)
    if not redraw:
        np.testing.assert_array_equal(np.sort(made.ravel()), np.sort(value.ravel()))
    assert (_randomised(np.abs(value), random, redraw) >= 0).all()  # a variance stays one


def failing(model, images, target=None, **options):
    if failing.calls:
        raise RuntimeError("the method fails")
    failing.calls += 1
    return baselines.sobel_map(images)


@pytest.mark.parametrize("kind", ["cloned", "restored"])
def test_the_model_is_left_as_it_was(kind, cnn, images):
    model = cnn if kind == "cloned" else Subclassed(4)
    model(ops.convert_to_tensor(images.astype("float32")))
    before = weights(model)
    assert (_cloned(model) is None) == (kind == "restored")
    found = explain.randomisation(model, images, "saliency", 1, order="cascade")
    assert (found.similarity[-1] < 1).all()
    assert unchanged(model, before)
    failing.calls = 0
    with pytest.raises(RuntimeError, match="the method fails"):
        explain.randomisation(model, images, failing)
    assert unchanged(model, before)


def test_the_class_stays_that_of_the_learned_model(cnn, images):
    """A random network predicts something else; the question must not change with it."""
    asked = []

    def recording(model, images, target=None, **options):
        asked.append(target.data(len(images), (4,)))
        return baselines.random_map(images)

    explain.randomisation(cnn, images, recording)
    answers = keras.ops.convert_to_numpy(cnn(ops.convert_to_tensor(images.astype("float32")))).argmax(1)
    assert len(asked) == 4
    for classes in asked:
        np.testing.assert_array_equal(classes, answers)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"order": "some"}, '"all", "cascade" or "independent"'),
        ({"draws": 0}, "draws must be"),
        ({"stages": 0, "order": "cascade"}, "stages"),
    ],
)
def test_wrong_questions(change, message, cnn, images):
    with pytest.raises(ValueError, match=message):
        explain.randomisation(cnn, images, blind, **change)


def test_nothing_to_randomise(images):
    image = keras.Input((16, 16, 3))
    model = keras.Model(image, layers.GlobalAveragePooling2D()(image), name="bare")
    with pytest.raises(ValueError, match="'bare' has no trained weights"):
        explain.randomisation(model, images, blind)


@pytest.mark.parametrize("method", ["gradcam", "hirescam", "saliency", "input_x_gradient"])
def test_gradient_methods_depend_on_what_was_learned(method, learned):
    """Bar B9. Grad-CAM++ misses it on this network: it counts positive gradients only, so a part of its map is mere activity."""
    images, classes, _ = patches.draw(16, seed=1)
    found = explain.randomisation(learned, images, method, classes.tolist())
    assert np.nanmean(found.overall) <= 0.3
