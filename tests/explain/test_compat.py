"""tf-keras-vis 0.8.7 as a peer: where its numbers are ours, where it fails, and where it is wrong without a word.

Each claim of `docs/explain.md` ("If you come from tf-keras-vis") is a test of its own. A test of a defect fails when tf-keras-vis is
mended: then the page and `zoo.explain.compat` must change too.
"""

import keras
import numpy as np
import pytest
from keras import layers

from zoo import explain
from zoo.explain import compat

pytestmark = [
    pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf-keras-vis needs KERAS_BACKEND=tensorflow"),
    pytest.mark.filterwarnings("ignore:Please import `zoom` from the `scipy.ndimage`:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The structure of `inputs` doesn't match the expected structure:UserWarning"),
]
pytest.importorskip("tf_keras_vis", reason="the peer is not installed; it comes with the projects extra")

CLASSES = [1, 0, 2, 2, 1]
RAW = {"expand_cam": False, "normalize_cam": False}


def relative(found, expected):
    """The largest difference, in units of the largest expected value."""
    assert np.shape(found) == np.shape(expected)
    return np.abs(np.asarray(found) - expected).max() / np.abs(expected).max()


def trunk():
    return [
        layers.Rescaling(1 / 127.5, -1),
        layers.Conv2D(6, 3, strides=2, padding="same", activation="relu", name="first"),
        layers.Conv2D(8, 3, strides=2, padding="same", activation="relu", name="last"),
    ]


def head(classes=3, activation="softmax", flat=False):
    return [layers.Flatten() if flat else layers.GlobalAveragePooling2D(), layers.Dense(classes, activation=activation, name="head")]


def run(stack, x):
    for layer in stack:
        x = layer(x)
    return x


def functional(flat=False, **options):
    image = keras.Input((16, 16, 3))
    return keras.Model(image, run([*trunk(), *head(flat=flat, **options)], image))


def sequential():
    return keras.Sequential([keras.Input((16, 16, 3)), *trunk(), *head()])


def nested():
    inside, image = keras.Input((16, 16, 3)), keras.Input((16, 16, 3))
    backbone = keras.Model(inside, run(trunk(), inside), name="backbone")
    return keras.Model(image, run(head(), backbone(image)))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.stack = [*trunk(), *head()]

    def call(self, x):
        return run(self.stack, x)


def subclassed():
    model = Subclassed()
    model(np.zeros((1, 16, 16, 3), "float32"))
    return model


def bfloat16():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        return functional()
    finally:
        keras.config.set_dtype_policy(policy)


def with_weights(model, seed=1):
    """Weights that depend on the shapes alone, so that the same network in another form answers the same."""
    random = np.random.default_rng(seed)
    model.set_weights([random.normal(0, 1 / np.sqrt(max(np.prod(w.shape[:-1]), 1)), w.shape) for w in model.get_weights()])
    return model


@pytest.fixture
def images():
    return np.random.default_rng(7).uniform(0, 255, (5, 16, 16, 3)).astype("float32")


@pytest.fixture
def theirs():
    """Their classes by name; imported here, because the import alone gives warnings."""
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
    from tf_keras_vis.layercam import Layercam
    from tf_keras_vis.saliency import Saliency
    from tf_keras_vis.scorecam import Scorecam
    from tf_keras_vis.utils import model_modifiers, scores

    class Namespace:
        pass

    found = Namespace()
    for one in (Gradcam, GradcamPlusPlus, Layercam, Saliency, Scorecam):
        setattr(found, one.__name__, one)
    for module in (model_modifiers, scores):
        for name in ("ReplaceToLinear", "GuidedBackpropagation", "CategoricalScore", "BinaryScore", "InactiveScore"):
            if hasattr(module, name):
                setattr(found, name, getattr(module, name))
    return found


# Where their numbers are ours


@pytest.mark.parametrize("modified", [True, False], ids=["logits", "probabilities"])
@pytest.mark.parametrize("name", ["Gradcam", "Layercam"])
def test_maps_of_functional_models_are_equal(name, modified, theirs, images):
    """Behind a Flatten, so that the gradient varies from place to place. Theirs also changes the model: it gets a copy."""
    model = with_weights(functional(flat=True))
    options = {**RAW, "activation_modifier": None}
    expected = getattr(theirs, name)(model, model_modifier=theirs.ReplaceToLinear() if modified else None)(
        theirs.CategoricalScore(CLASSES), images, **options
    )
    for score, modifier in (
        (theirs.CategoricalScore(CLASSES), theirs.ReplaceToLinear()),
        (compat.CategoricalScore(CLASSES), compat.ReplaceToLinear()),
        (lambda outputs: [outputs[i][c] for i, c in enumerate(CLASSES)], compat.ReplaceToLinear),
    ):
        found = getattr(compat, name)(model, model_modifier=modifier if modified else None)(score, images, **options)
        assert relative(found, expected) <= 1e-5
    assert np.abs(expected).max() > 0
    if modified:
        ours = {"Gradcam": explain.gradcam, "Layercam": explain.layercam}[name]
        assert relative(ours(model, images, CLASSES, resize=False, relu=False), expected) <= 1e-5


def test_a_function_that_modifies_the_model_works_on_a_copy(theirs, images):
    def linear(model):
        model.layers[-1].activation = keras.activations.linear

    model = with_weights(functional(flat=True))
    expected = theirs.Gradcam(model, model_modifier=linear)(theirs.CategoricalScore(CLASSES), images, **RAW)
    found = compat.Gradcam(model, model_modifier=linear)(compat.CategoricalScore(CLASSES), images, **RAW)
    assert relative(found, expected) <= 1e-5
    assert model.layers[-1].activation is keras.activations.softmax


@pytest.mark.parametrize("kept", [True, [True, False, True, True, False]], ids=["one", "each"])
def test_binary_scores_are_equal(kept, theirs, images):
    model = with_weights(functional(classes=1, activation="sigmoid", flat=True))
    expected = theirs.Gradcam(model)(theirs.BinaryScore(kept), images, activation_modifier=None, **RAW)
    for score in (theirs.BinaryScore(kept), compat.BinaryScore(kept)):
        assert relative(compat.Gradcam(model)(score, images, activation_modifier=None, **RAW), expected) <= 1e-5


def test_several_outputs_are_equal(theirs, images):
    image = keras.Input((16, 16, 3))
    x = run(trunk(), image)
    model = with_weights(keras.Model(image, [run(head(3, flat=True)[:1] + [layers.Dense(n, name=f"head{n}")], x) for n in (3, 4)]))
    for active in (0, 1):
        scores = [theirs.CategoricalScore(CLASSES), theirs.InactiveScore()]
        scores = scores if active == 0 else scores[::-1]
        expected = theirs.Gradcam(model)(scores, images, penultimate_layer="last", **RAW)
        found = compat.Gradcam(model)(scores, images, penultimate_layer="last", **RAW)
        assert relative(found, expected) <= 1e-5
    with pytest.raises(ValueError, match="exactly one score must be active, got 2 of 2"):
        compat.Gradcam(model)([compat.CategoricalScore(0)] * 2, images)


def test_a_segmenters_class_is_averaged_over_the_places(theirs, images):
    image = keras.Input((16, 16, 3))
    model = with_weights(keras.Model(image, layers.Conv2D(4, 1, name="classes")(layers.Conv2D(5, 3, padding="same", name="seen")(image))))
    expected = theirs.Gradcam(model)(theirs.CategoricalScore([1, 2, 3, 0, 1]), images, penultimate_layer="seen", **RAW)
    found = compat.Gradcam(model)(compat.CategoricalScore([1, 2, 3, 0, 1]), images, penultimate_layer="seen", **RAW)
    assert relative(found, expected) <= 1e-5


def test_saliency_is_equal(theirs, images):
    model = with_weights(functional(flat=True))
    expected = theirs.Saliency(model, theirs.ReplaceToLinear())(theirs.CategoricalScore(CLASSES), images, normalize_map=False)
    assert relative(explain.saliency(model, images, CLASSES), expected) <= 1e-5
    found = compat.Saliency(model, compat.ReplaceToLinear())(compat.CategoricalScore(CLASSES), images, normalize_map=False)
    assert relative(found, expected) <= 1e-5


def test_smoothgrad_is_equal_on_the_same_noise_without_their_absolute_value(theirs, images, monkeypatch):
    """Theirs draws from numpy's global generator; here it is handed the zoo's documented draws."""
    model = with_weights(functional(flat=True))
    draws = np.stack([np.random.default_rng([0, copy]).standard_normal((16, 16, 3)) for copy in range(4)])[:, None]

    def handed(mean, sigma, shape):
        return (mean + np.asarray(sigma) * np.broadcast_to(draws, shape)).astype("float32")

    monkeypatch.setattr(np.random, "normal", handed)
    options = {"smooth_samples": 4, "smooth_noise": 0.1, "keepdims": True, "normalize_map": False}
    explainer, score = theirs.Saliency(model, theirs.ReplaceToLinear()), theirs.CategoricalScore(CLASSES)
    ours = explain.smoothgrad(model, images, CLASSES, samples=4, noise=0.1, channels="keep")
    assert relative(explainer(score, images, gradient_modifier=None, **options), ours) <= 1e-5
    assert relative(explainer(score, images, **options), np.abs(ours)) > 0.05  # by default theirs averages absolute gradients
    found = compat.Saliency(model, compat.ReplaceToLinear())(compat.CategoricalScore(CLASSES), images, 4, 0.1, normalize_map=False)
    np.testing.assert_array_equal(found, explain.smoothgrad(model, images, CLASSES, samples=4, noise=0.1, channels="max"))


# Where they differ on purpose


def test_their_grad_cam_plus_plus_makes_alpha_sum_to_one(theirs, images):
    """Behind global pooling a channel has one gradient: alpha is constant, and what is left of their formula is sum(max(w, 0) * map)."""
    model = with_weights(functional())
    found = theirs.GradcamPlusPlus(model, theirs.ReplaceToLinear())(theirs.CategoricalScore(CLASSES), images, expand_cam=False)
    maps = explain.feature_maps(model, images)
    weights = np.maximum(model.get_layer("head").get_weights()[0].T[CLASSES], 0)  # (b, c)
    expected = explain.normalise_heat(np.einsum("bhwc,bc->bhw", maps, weights))
    assert relative(found, expected) <= 1e-4
    ours = explain.normalise_heat(explain.gradcam_plus_plus(model, images, CLASSES, resize=False))
    assert relative(ours, expected) > 0.01
    assert np.corrcoef(ours.ravel(), expected.ravel())[0, 1] > 0.9


def test_their_score_cam_weighs_by_a_softmax_over_the_classes(theirs, images):
    """The explained layer keeps the image's size, so that no enlarging blurs the comparison."""
    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(layers.Rescaling(1 / 255)(image))
    model = with_weights(keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x))))
    found = theirs.Scorecam(model)(theirs.CategoricalScore(CLASSES), images, **RAW)
    maps = explain.feature_maps(model, images)
    masks = (maps - maps.min(axis=(1, 2), keepdims=True)) / (np.ptp(maps, axis=(1, 2), keepdims=True) + 1e-7)
    logits = np.stack([model(images * masks[..., channel, None]).numpy() for channel in range(4)], axis=1)  # (b, channels, classes)
    chances = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    weights = chances[np.arange(5), :, CLASSES]
    assert relative(found, np.einsum("bhwc,bc->bhw", maps, weights)) <= 1e-4


# Where theirs fails, and the same call through zoo.explain.compat does not

KINDS = {
    "sequential": (sequential, AttributeError, "'Sequential' object has no attribute 'output_names'"),
    "nested": (nested, ValueError, "is not connected to `?inputs"),
    "subclassed": (subclassed, (ValueError, AttributeError, NotImplementedError, TypeError), "."),
}


@pytest.mark.parametrize("kind", KINDS)
def test_model_kinds_that_fail_there(kind, theirs, images):
    build, error, message = KINDS[kind]
    model = with_weights(build())
    with pytest.raises(error, match=message):
        theirs.Gradcam(model, theirs.ReplaceToLinear())(theirs.CategoricalScore(CLASSES), images)
    found = compat.Gradcam(model, theirs.ReplaceToLinear())(theirs.CategoricalScore(CLASSES), images, **RAW)
    plain = with_weights(functional())
    assert relative(found, explain.gradcam(plain, images, CLASSES, resize=False)) <= 1e-5


def test_bfloat16_fails_there(theirs, images):
    model, plain = with_weights(bfloat16()), with_weights(functional())
    for one in (model, plain):  # evidence in every image
        one.get_layer("head").set_weights([np.abs(weight) for weight in one.get_layer("head").get_weights()])
    with pytest.raises((RuntimeError, TypeError, ValueError)):
        theirs.Gradcam(model, theirs.ReplaceToLinear())(theirs.CategoricalScore(CLASSES), images)
    found = compat.Gradcam(model, theirs.ReplaceToLinear())(theirs.CategoricalScore(CLASSES), images)
    assert found.dtype == np.float32
    expected = explain.normalise_heat(explain.gradcam(plain, images, CLASSES))
    assert np.abs(found - expected).mean() < 0.05  # bfloat16 has 8 bits


def test_a_sequential_model_is_taken_there_as_it_is(theirs, images):
    model = with_weights(sequential())
    expected = theirs.Gradcam(model)(theirs.CategoricalScore(CLASSES), images, **RAW)
    assert relative(compat.Gradcam(model)(compat.CategoricalScore(CLASSES), images, **RAW), expected) <= 1e-5


# Where theirs is wrong without a word


def test_their_score_cam_of_a_sigmoid_is_the_plain_sum_of_the_channels(theirs, images):
    model = with_weights(functional(classes=1, activation="sigmoid"))
    found = theirs.Scorecam(model)(theirs.BinaryScore(True), images, **RAW)
    model.get_layer("head").set_weights([np.full((8, 1), 5.0), np.zeros(1)])  # another model altogether
    again = theirs.Scorecam(model)(theirs.BinaryScore(True), images, **RAW)
    np.testing.assert_allclose(found, explain.feature_maps(model, images).sum(-1), rtol=1e-5)
    np.testing.assert_array_equal(found, again)


def test_their_guided_backpropagation_does_not_see_a_relu_layer(theirs, images):
    image = keras.Input((16, 16, 3))
    x = layers.Rescaling(1 / 127.5, -1)(image)
    for width in (6, 8):
        x = layers.ReLU()(layers.Conv2D(width, 3)(x))
    model = with_weights(keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x))))
    score, options = theirs.CategoricalScore(CLASSES), {"keepdims": True, "normalize_map": False, "gradient_modifier": None}
    plain = theirs.Saliency(model)(score, images, **options)
    guided = theirs.Saliency(model, theirs.GuidedBackpropagation())(score, images, **options)
    np.testing.assert_array_equal(guided, plain)
    with pytest.warns(UserWarning, match="fails the weight randomisation check"):
        ours = explain.guided_backprop(model, images, CLASSES, channels="keep")
    assert relative(ours, plain) > 0.1
    with pytest.raises(ValueError, match=r"call zoo\.explain\.guided_backprop"):
        compat.Saliency(model, theirs.GuidedBackpropagation())


def test_their_linear_modifier_leaves_a_softmax_layer(theirs, images):
    image = keras.Input((16, 16, 3))
    model = with_weights(keras.Model(image, layers.Softmax()(run([*trunk(), *head(activation=None)], image))))
    modified = theirs.Gradcam(model, theirs.ReplaceToLinear()).model
    np.testing.assert_allclose(modified(images).numpy().sum(-1), 1, rtol=1e-5)
    found = compat.Gradcam(model, theirs.ReplaceToLinear())(theirs.CategoricalScore(CLASSES), images, normalize_cam=False)
    assert relative(found, explain.gradcam(with_weights(functional()), images, CLASSES)) <= 1e-5


def test_their_grad_cam_plus_plus_overflows(theirs, images):
    model = with_weights(functional(activation=None))
    model.get_layer("head").set_weights([np.abs(model.get_layer("head").get_weights()[0]) * 1e4, np.zeros(3)])
    assert not np.isfinite(theirs.GradcamPlusPlus(model)(theirs.CategoricalScore(CLASSES), images)).all()
    assert np.isfinite(compat.GradcamPlusPlus(model)(compat.CategoricalScore(CLASSES), images)).all()


def test_their_enlarging_aligns_the_corners(theirs):
    """One bright cell of 4 in a row of 16 pixels: its middle is at 2 (pixel 1.5), theirs draws it in the corner."""
    image = keras.Input((16, 16, 1))
    cells = layers.Conv2D(1, 4, strides=4, use_bias=False, name="cells", kernel_initializer="ones")(image)
    model = keras.Model(image, layers.GlobalAveragePooling2D()(cells))
    bright = np.zeros((1, 16, 16, 1), "float32")
    bright[0, 4:8, 4:8] = 255
    heat = {
        "theirs": theirs.Gradcam(model)(theirs.CategoricalScore(0), bright)[0],
        "ours": compat.Gradcam(model)(compat.CategoricalScore(0), bright)[0],
    }
    middle = {name: (found.sum(0) @ np.arange(16)) / found.sum() for name, found in heat.items()}
    assert middle["ours"] == pytest.approx(5.5)  # the centre of pixels 4 to 7
    assert middle["theirs"] == pytest.approx(5, abs=0.1)


def test_their_default_layer_is_the_last_one_called_convolution(theirs, images):
    """A separable convolution is none for them: the map of another tensor is shown."""
    image = keras.Input((16, 16, 3))
    early = layers.Conv2D(5, 3, padding="same", activation="relu", name="early")(image)
    late = layers.SeparableConv2D(7, 3, strides=2, padding="same", activation="relu", name="late")(early)
    model = with_weights(keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(late))))
    found = theirs.Gradcam(model)(theirs.CategoricalScore(CLASSES), images, **RAW)
    assert relative(found, explain.gradcam(model, images, CLASSES, layer="early", resize=False)) <= 1e-5
    assert explain.default_layer(model).name == "late"
    assert compat.Gradcam(model)(compat.CategoricalScore(CLASSES), images, **RAW).shape == (5, 8, 8)


def test_their_small_maps_become_black(theirs, images):
    """They divide by the range plus 1e-7, so the brightest place of a map of small values is far from 1."""
    model = with_weights(functional(activation=None))
    model.get_layer("head").set_weights([np.abs(model.get_layer("head").get_weights()[0]) * 1e-9, np.zeros(3)])
    score = theirs.CategoricalScore(CLASSES)
    assert theirs.Gradcam(model)(score, images).max() < 0.1
    np.testing.assert_allclose(compat.Gradcam(model)(score, images).max(axis=(1, 2)), 1)
