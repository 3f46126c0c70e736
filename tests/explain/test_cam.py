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

CAMS = [explain.gradcam, explain.gradcam_plus_plus, explain.hirescam, explain.layercam]


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


def test_pooling_and_dense_head_makes_three_methods_one(cnn, images):
    """A constant gradient is its own mean: HiResCAM is Grad-CAM, and so is Layer-CAM where no weight is negative."""
    gradcam, hirescam = (method(cnn, images, 2, relu=False) for method in (explain.gradcam, explain.hirescam))
    np.testing.assert_allclose(hirescam, gradcam, atol=1e-6 * np.abs(gradcam).max())
    kernel = numpy(cnn.get_layer("logits").kernel)
    cam = explain.feature_maps(cnn, images) @ np.maximum(kernel[:, 2], 0) / 64
    layercam = explain.layercam(cnn, images, 2, resize=False, relu=False)
    np.testing.assert_allclose(layercam, cam, atol=1e-6 * cam.max())
    assert np.abs(layercam - explain.gradcam(cnn, images, 2, resize=False, relu=False)).max() > 0.1 * cam.max()
    cnn.get_layer("logits").set_weights([np.abs(kernel), np.zeros(4)])
    gradcam, layercam = (method(cnn, images, 2) for method in (explain.gradcam, explain.layercam))
    np.testing.assert_allclose(layercam, gradcam, atol=1e-6 * gradcam.max())


def test_small_network_worked_out_by_hand():
    """The 4x4 image 0..15, two 3x3 convolutions of ones with biases -50 and -75, relu, and a linear head of signs.

    Captum tests its Grad-CAM on this network. The convolutions give [[-5, 4], [31, 40]] and [[-30, -21], [6, 15]]; the score is
    0 + 4 + 31 + 40 + 0 - 0 - 6 - 15 = 54; its gradients are [[0, 1], [1, 1]] and [[0, 0], [-1, -1]], on the mean 3/4 and -1/2.
    """
    image = keras.Input((4, 4, 1))
    conv, head = layers.Conv2D(2, 3, name="conv"), layers.Dense(1)
    model = keras.Model(image, head(layers.Flatten()(layers.ReLU()(conv(image)))))
    conv.set_weights([np.ones((3, 3, 1, 2)), np.array([-50, -75])])
    head.set_weights([np.stack([[1, 1, 1, 1], [1, -1, -1, -1]], axis=-1).reshape(8, 1), np.zeros(1)])
    picture = np.arange(16.0).reshape(1, 4, 4, 1)
    assert numpy(model(picture)).item() == 54
    options = {"layer": "conv", "resize": False, "relu": False}
    np.testing.assert_allclose(explain.gradcam(model, picture, 0, **options)[0], [[11.25, 13.5], [20.25, 22.5]], rtol=1e-6)
    np.testing.assert_allclose(explain.hirescam(model, picture, 0, **options)[0], [[0, 4], [25, 25]], rtol=1e-6)
    np.testing.assert_allclose(explain.layercam(model, picture, 0, **options)[0], [[0, 4], [31, 40]], rtol=1e-6)


def test_hirescam_sums_to_the_score_under_a_linear_head(images):
    """Draelos and Carin 2020: a Flatten and a Dense layer are linear, so map times gradient is each place's share. Grad-CAM is not."""
    image = keras.Input((16, 16, 3))
    maps = layers.Conv2D(5, 3, strides=2, activation="relu")(layers.Rescaling(1 / 255)(image))
    dense = layers.Dense(3, bias_initializer="ones")
    model = keras.Model(image, dense(layers.Flatten()(maps)))
    score = numpy(model(images.astype("float32")))[:, 1] - 1
    shares = explain.hirescam(model, images, 1, resize=False, relu=False).sum((1, 2))
    np.testing.assert_allclose(shares, score, atol=1e-5 * np.abs(score).max())
    means = explain.gradcam(model, images, 1, resize=False, relu=False).sum((1, 2))
    assert np.abs(means - score).max() > 0.1 * np.abs(score).max()


@pytest.mark.parametrize("sign", [1, -1])
def test_eigencam_of_one_pattern_is_that_pattern(sign, images):
    """A map that is one pattern times a vector has one component: the pattern, less its mean, times the vector's length."""
    image = keras.Input((16, 16, 1))
    conv = layers.Conv2D(3, 1, use_bias=False, name="conv")
    model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(conv(image))))
    vector = sign * np.array([2.0, -0.5, 1.0])
    conv.set_weights([vector.reshape(1, 1, 1, 3)])
    pattern = images[..., :1].astype("float64")
    expected = sign * (pattern - pattern.mean((1, 2), keepdims=True))[..., 0] * np.linalg.norm(vector)  # larger where channels sum to more
    found = explain.eigencam(model, pattern, relu=False)
    np.testing.assert_allclose(found, expected, atol=1e-5 * expected.max())
    np.testing.assert_allclose(explain.eigencam(model, pattern), np.maximum(expected, 0), atol=1e-5 * expected.max())


def test_eigencam_is_the_best_approximation_of_rank_one(cnn, images):
    """Eckart and Young: what its direction explains is the largest eigenvalue of the covariance, here by numpy in float64."""
    maps = explain.feature_maps(cnn, images).astype("float64").reshape(5, 64, 8)
    maps -= maps.mean(1, keepdims=True)
    largest = [np.linalg.eigvalsh(places.T @ places).max() for places in maps]
    heat = explain.eigencam(cnn, images, resize=False, relu=False).reshape(5, 64)
    np.testing.assert_allclose((heat**2).sum(1), largest, rtol=1e-5)
    assert ((heat * maps.sum(-1)).sum(1) >= 0).all()


def test_eigencam_is_blind_to_the_class_and_asks_for_none(cnn, images):
    expected = explain.eigencam(cnn, images)
    for target in (0, [3, 2, 1, 0, 0], stopping_target):
        np.testing.assert_array_equal(explain.eigencam(cnn, images, target), expected)
    cnn.get_layer("logits").set_weights([-weight for weight in cnn.get_layer("logits").get_weights()])
    np.testing.assert_array_equal(explain.eigencam(cnn, images), expected)
    image = keras.Input((16, 16, 3))
    segmenter = keras.Model(image, [layers.Conv2D(2, 1)(layers.Conv2D(4, 3, name="last")(image)), image])
    assert explain.eigencam(segmenter, images, layer="last", resize=False).shape == (5, 14, 14)


def test_eigencam_of_a_flat_map_is_zero_and_warns(images):
    image = keras.Input((16, 16, 3))
    model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(layers.Conv2D(3, 1)(image))))
    with pytest.warns(UserWarning, match="or the map is flat"):
        np.testing.assert_array_equal(explain.eigencam(model, np.full_like(images, 0)), np.zeros((5, 16, 16)))


def test_linear_model_has_its_weights_as_saliency(images):
    image = keras.Input(images.shape[1:])
    model = keras.Model(image, layers.Dense(3, name="d")(layers.Flatten()(image)))
    kernel = numpy(model.get_layer("d").kernel).reshape(*images.shape[1:], 3)
    found = explain.saliency(model, images, [0, 1, 2, 0, 1])
    for row, index in zip(found, [0, 1, 2, 0, 1], strict=True):
        np.testing.assert_allclose(row, np.abs(kernel[..., index]).max(-1), rtol=1e-6)


@pytest.mark.parametrize("method", [*CAMS, explain.eigencam, explain.saliency])
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


@pytest.mark.parametrize("method", [explain.gradcam, explain.gradcam_plus_plus, explain.saliency])
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


@pytest.mark.parametrize("method", [*CAMS, explain.eigencam, explain.saliency])
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
    for method in (explain.gradcam, explain.hirescam):
        assert method(cnn, images, 0, relu=False).max() <= 0
        np.testing.assert_array_equal(method(cnn, images, 0), np.zeros((5, 16, 16)))
    with pytest.warns(UserWarning, match="the heat is zero everywhere"):  # Layer-CAM gives negative gradients no weight at all
        explain.layercam(cnn, images, 0, relu=False)
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
