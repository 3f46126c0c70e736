"""The table of methods fits the functions, and the estimate counts what really passes through the model."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers, ops

from zoo import explain
from zoo.explain import cost, methods

SIZE = 12
QUICK = {"samples": 3, "steps": 5, "masks": 7, "window": 4, "stride": 4}
"""Small values for the options that make a method long."""


class Counter(layers.Layer):
    """Passes the images on, and counts how many came by forwards and backwards."""

    def __init__(self):
        super().__init__()
        self.counts = SimpleNamespace(forwards=0, backwards=0)

    def call(self, x):
        @ops.custom_gradient
        def counted(x):
            self.counts.forwards += x.shape[0] or 0

            def gradient(*args, upstream=None):
                upstream = args[-1] if upstream is None else upstream
                self.counts.backwards += upstream.shape[0] or 0
                return upstream

            return x, gradient

        return counted(x)


@pytest.fixture
def counted(monkeypatch):
    """A model that counts, which it can only when nothing is compiled."""
    monkeypatch.setattr("zoo.explain.session.jit", lambda function, variables=(): function)
    image = keras.Input((SIZE, SIZE, 3))
    counter = Counter()
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="maps")(counter(image))
    model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    return model, counter.counts


def available():
    return [name for name in methods.METHODS if hasattr(explain, name)]


@pytest.mark.filterwarnings("ignore:guided backpropagation fails")  # it says so at every call
@pytest.mark.parametrize("name", available())
def test_the_estimate_counts_what_passes_through_the_model(name, counted):
    """One picture at a time, so that no chunk is filled up."""
    model, counts = counted
    images = np.random.default_rng(0).uniform(0, 255, (2, SIZE, SIZE, 3)).astype("float32")
    row = methods.METHODS[name]
    options = {key: value for key, value in QUICK.items() if key in row.options()}
    expected = explain.estimate(model, name, images, target=[1, 0], batch_size=1, **options)
    row.function(model, images, [1, 0], batch_size=1, **options)  # whatever is looked up once per model has been looked up
    counts.forwards = counts.backwards = 0
    row.function(model, images, [1, 0], batch_size=1, **options)
    assert counts.forwards == expected.pictures
    if not row.layer:  # a gradient that stops at a layer does not come back to the image
        assert counts.backwards == expected.gradients
    assert bool(expected.gradients) == row.gradient


@pytest.mark.parametrize("name", available())
def test_every_row_says_what_its_function_takes(name):
    row = methods.METHODS[name]
    options = row.options()
    assert ("layer" in options) == row.layer
    assert "batch_size" in options
    assert all(len(text) > 20 and text[0].isupper() and text.endswith(".") for text in (row.read, row.misleads))
    assert row.blind in ("", "class", "weights")
    with pytest.raises(ValueError, match="has no option wheels"):
        row.options({"wheels": 4})


def test_the_arithmetic():
    found = explain.Cost("x", 2, forwards=100, gradients=10, forward_seconds=0.1, gradient_seconds=0.5)
    assert found.pictures == 110
    assert found.seconds == pytest.approx(15)
    assert str(found) == "about 15 s: 100 forward passes and 10 gradients"
    assert explain.Cost("x", 1, 0, 1, None, 0.25).seconds == 0.25
    assert str(explain.Cost("x", 1, 0, 1, None, 0.25)) == "about 0.2 s: 1 gradient"


@pytest.mark.parametrize(("seconds", "text"), [(0.04, "0.04 s"), (0.5, "0.5 s"), (12.3, "12 s"), (150, "2 min"), (7000, "2 h")])
def test_seconds_for_people(seconds, text):
    assert cost.duration(seconds) == text


SIZES = methods.Size(224, 160, channels=1280)


@pytest.mark.parametrize(
    ("function", "options", "expected"),
    [
        (methods._one_gradient, {}, (0, 1)),
        (methods._channels, {"channels": None}, (2 + 1280, 0)),
        (methods._channels, {"channels": 64}, (2 + 64, 0)),
        (methods._channels, {"channels": 9999}, (2 + 1280, 0)),
        (methods._samples, {"samples": 50}, (1, 50)),
        (methods._path, {"steps": 50}, (3, 50)),
        (methods._masks, {"masks": 4000}, (4001, 0)),
        (methods._windows, {"window": 32, "stride": 16}, (2 + 13 * 9, 0)),
        (methods._windows, {"window": (32, 20), "stride": [16, 10]}, (2 + 13 * 15, 0)),
        (methods._windows, {"window": None, "stride": None}, (2 + 13 * 14, 0)),  # windows of 32x23, every 16 and 11
    ],
)
def test_passes_by_hand(function, options, expected):
    assert function(options, SIZES) == expected


def test_more_images_and_more_work_cost_more(cnn, images):
    one, five = (explain.estimate(cnn, "gradcam", images[:count], batch_size=1) for count in (1, 5))
    assert (one.gradients, five.gradients) == (1, 5)
    assert five.seconds == pytest.approx(5 * one.seconds)  # measured once
    assert one.forwards == 0
    assert one.forward_seconds is None


def test_a_speed_is_measured_once(cnn, images, monkeypatch):
    explain.estimate(cnn, explain.saliency, images)
    monkeypatch.setattr(cost, "probe", None)  # whoever asks again, fails
    explain.estimate(cnn, "saliency", images)
    explain.estimate(cnn, methods.METHODS["gradcam"], images)


def test_wrong_questions(cnn, images):
    with pytest.raises(ValueError, match="no method 'gradcm'; did you mean gradcam"):
        explain.estimate(cnn, "gradcm", images)
    with pytest.raises(ValueError, match="looks at the pixels and takes no layer"):
        explain.estimate(cnn, "saliency", images, layer="first")
    with pytest.raises(ValueError, match="has no option steps"):
        explain.estimate(cnn, "gradcam", images, steps=3)
    with pytest.raises(ValueError, match="no layer 'lost'"):
        cost.channels(cnn, images, "lost")
    assert cost.channels(cnn, images) == 8
