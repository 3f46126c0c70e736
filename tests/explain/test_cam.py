"""Class activation maps against closed forms (bars B6, B7) and for what they leave behind (B8)."""

import itertools

import keras
import numpy as np
import pytest
from keras import layers, ops

from zoo import explain
from zoo.registry import build_classifier

FORMS = ("dense", "activation", "ops", "cast behind")

pytestmark = pytest.mark.backend

CAMS = [explain.gradcam, explain.gradcam_plus_plus]


def numpy(x):
    return ops.convert_to_numpy(x)


def test_pooling_and_dense_head_is_the_class_activation_map(cnn, images):
    """Zhou et al. 2016: with global average pooling and a Dense layer, CAM = sum of maps times the weights of the class."""
    kernel = numpy(cnn.get_layer("logits").kernel)
    maps = explain.feature_maps(cnn, images)
    assert maps.shape == (5, 8, 8, 8)
    cam = maps @ kernel[:, 2] / 64  # 64 places share the mean
    np.testing.assert_allclose(explain.gradcam(cnn, images, 2, resize=False, relu=False), cam, atol=1e-6 * np.abs(cam).max())
    np.testing.assert_allclose(explain.gradcam(cnn, images, 2, resize=False), np.maximum(cam, 0), atol=1e-6 * np.abs(cam).max())


def test_plus_plus_follows_equation_19(cnn, images):
    """Constant gradient g = w / 64: the weight of a channel is 64 g^3 / (2 g^2 + sum(maps) g^3 + 1e-6) for g > 0, else 0."""
    gradient = numpy(cnn.get_layer("logits").kernel)[:, 1].astype("float64") / 64
    maps = explain.feature_maps(cnn, images).astype("float64")
    weights = np.where(gradient > 0, 64 * gradient**3 / (2 * gradient**2 + maps.sum((1, 2)) * gradient**3 + 1e-6), 0)
    expected = np.einsum("bhwc,bc->bhw", maps, weights)
    np.testing.assert_allclose(explain.gradcam_plus_plus(cnn, images, 1, resize=False), expected, atol=1e-5 * expected.max())


def test_linear_model_has_its_weights_as_saliency(images):
    image = keras.Input(images.shape[1:])
    model = keras.Model(image, layers.Dense(3, name="d")(layers.Flatten()(image)))
    kernel = numpy(model.get_layer("d").kernel).reshape(*images.shape[1:], 3)
    found = explain.saliency(model, images, [0, 1, 2, 0, 1])
    for row, index in zip(found, [0, 1, 2, 0, 1], strict=True):
        np.testing.assert_allclose(row, np.abs(kernel[..., index]).max(-1), rtol=1e-6)


@pytest.mark.parametrize("method", [*CAMS, explain.saliency])
def test_batch_loop_and_chunks_agree(method, images):
    """Every third image has another target, chunks do not divide the batch."""
    model = build_classifier("small_cnn_micro", input_shape=(16, 16, 3))
    target = [3, 0, 9, 3, 1]
    whole = method(model, images, target)
    assert whole.shape == (5, 16, 16)
    assert whole.dtype == np.float32
    for chunked in (method(model, images, target, batch_size=2), np.concatenate([method(model, images[i], target[i]) for i in range(5)])):
        np.testing.assert_allclose(chunked, whole, atol=1e-5 * whole.max())


@pytest.mark.parametrize("method", [*CAMS, explain.saliency])
def test_no_target_is_the_predicted_class(method, cnn, images):
    kernel, bias = cnn.get_layer("logits").get_weights()
    cnn.get_layer("logits").set_weights([kernel, bias - numpy(cnn(images.astype("float32"))).mean(0)])  # so that classes compete
    predicted = numpy(cnn(images.astype("float32"))).argmax(-1)
    assert len(set(predicted.tolist())) > 1
    np.testing.assert_array_equal(method(cnn, images), method(cnn, images, predicted))


@pytest.mark.parametrize("method", [*CAMS, explain.saliency])
@pytest.mark.parametrize(("form", "final"), [*itertools.product(FORMS, ["softmax", "sigmoid"]), ("softmax layer", "softmax")])
def test_probabilities_are_explained_by_their_logits(method, final, form, cnn, images):
    """The explanation under a final activation, in whatever form, is that of the logits."""
    features = cnn.get_layer("pool").output
    if form == "dense":
        head = layers.Dense(4, activation=final)
        outputs = head(features)
        head.set_weights(cnn.get_layer("logits").get_weights())
    elif form == "softmax layer":
        outputs = layers.Softmax()(cnn.output)
    elif form == "ops":
        outputs = getattr(ops, final)(cnn.output)
    else:
        outputs = layers.Activation(final)(cnn.output)
    if form == "cast behind":
        outputs = layers.Activation("linear", dtype="float32")(outputs)
    model = keras.Model(cnn.input, outputs)
    before = numpy(model(images.astype("float32")))
    expected = method(cnn, images, 1)
    np.testing.assert_allclose(method(model, images, 1), expected, rtol=1e-5, atol=1e-6 * expected.max())
    np.testing.assert_array_equal(numpy(model(images.astype("float32"))), before)


@pytest.mark.parametrize("method", [*CAMS, explain.saliency])
def test_large_logits_and_a_black_image_stay_finite(method, cnn, images):
    """exp(1e4) overflows: the published Grad-CAM++ would return NaN."""
    head = cnn.get_layer("logits")
    head.set_weights([1e5 * weight for weight in head.get_weights()])
    assert np.abs(numpy(cnn(images.astype("float32")))).max() > 1e4
    images[0] = 0
    assert np.isfinite(method(cnn, images)).all()


def test_only_negative_evidence_is_a_zero_map(cnn, images):
    head = cnn.get_layer("logits")
    head.set_weights([-np.abs(head.get_weights()[0]), head.get_weights()[1]])
    assert explain.gradcam(cnn, images, 0, relu=False).max() <= 0
    heat = explain.gradcam(cnn, images, 0)
    np.testing.assert_array_equal(heat, np.zeros((5, 16, 16)))
    with pytest.warns(UserWarning, match="5 of 5 heat maps hold no positive evidence"):
        np.testing.assert_array_equal(explain.normalise_heat(heat), heat)


def test_score_that_ignores_the_layer_warns(images):
    image = keras.Input((16, 16, 3))
    unused = layers.Conv2D(2, 3, name="unused")(image)
    used = layers.GlobalAveragePooling2D()(layers.Conv2D(2, 3)(image))
    model = keras.Model(image, {"logits": layers.Dense(3)(used), "other": layers.GlobalMaxPooling2D()(unused)})
    with pytest.warns(UserWarning, match="does not depend on this layer"):
        explain.gradcam(model, images, explain.ClassScore(0, output="logits"), layer="unused")


class Stop(Exception):
    pass


def stopping_target(outputs):
    raise Stop


@pytest.mark.parametrize("target", [None, stopping_target])
def test_nothing_is_left_behind(target, images):
    """Bitwise: weights, outputs, seed states, attributes of every layer; after success and after an error inside."""
    image = keras.Input((16, 16, 3))
    x = layers.Dropout(0.5, seed=3)(layers.Conv2D(4, 3, name="conv")(image))
    model = keras.Model(image, layers.Dense(3, activation="softmax", name="head")(layers.GlobalAveragePooling2D()(x)))
    outputs = numpy(model(images.astype("float32")))
    state = [numpy(variable.value) for variable in model.variables]
    attributes = [dict(vars(layer)) for layer in model.layers]
    trainable = [layer.trainable for layer in model.layers]
    for method in (*CAMS, explain.saliency):
        if target is None:
            method(model, images)
        else:
            with pytest.raises(Stop):
                method(model, images, target)
    for before, variable in zip(state, model.variables, strict=True):
        np.testing.assert_array_equal(before, numpy(variable.value))
    for before, layer in zip(attributes, model.layers, strict=True):
        assert set(vars(layer)) - set(before) <= {"_torch_params"}
        assert vars(layer).get("activation") is before.get("activation")
        assert "call" not in vars(layer)
    assert trainable == [layer.trainable for layer in model.layers]
    np.testing.assert_array_equal(outputs, numpy(model(images.astype("float32"))))


def test_new_weights_change_the_answer(cnn, images):
    """Compiled functions must not remember the weights of their first call."""
    before = explain.gradcam(cnn, images, 2, relu=False)
    head = cnn.get_layer("logits")
    head.set_weights([2 * weight for weight in head.get_weights()])
    np.testing.assert_allclose(explain.gradcam(cnn, images, 2, relu=False), 2 * before, rtol=1e-5, atol=1e-7)


def test_single_image_list_and_float_are_accepted(cnn, images):
    whole = explain.gradcam(cnn, images, 1)
    np.testing.assert_array_equal(explain.gradcam(cnn, images.astype("float64"), 1), whole)
    np.testing.assert_array_equal(explain.gradcam(cnn, list(images), 1), whole)
    assert explain.gradcam(cnn, images[0], 1).shape == (1, 16, 16)
