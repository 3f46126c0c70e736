"""tf-keras-vis' classes with the zoo's answers, on every backend and without tf-keras-vis."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from zoo import explain
from zoo.explain import compat

pytestmark = pytest.mark.backend
CLASSES = [1, 0, 2, 3, 1]
RAW = {"expand_cam": False, "normalize_cam": False}


@pytest.mark.parametrize("name", ["Gradcam", "GradcamPlusPlus", "Layercam", "Scorecam", "Saliency"])
def test_each_class_gives_the_zoos_map(name, cnn, images):
    method = {"Gradcam": "gradcam", "GradcamPlusPlus": "gradcam_plus_plus"}.get(name, name.lower())
    expected = getattr(explain, method)(cnn, images, CLASSES)
    raw = {"normalize_map" if name == "Saliency" else "normalize_cam": False}
    explainer = getattr(compat, name)(cnn)
    np.testing.assert_allclose(explainer(compat.CategoricalScore(CLASSES), images, **raw), expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(explainer(compat.CategoricalScore(CLASSES), images), explain.normalise_heat(expected), atol=1e-5)

    def of_each_image(outputs):
        return [outputs[i][c] for i, c in enumerate(CLASSES)]

    if name == "Scorecam":
        with pytest.raises(ValueError, match="give a CategoricalScore or a BinaryScore"):
            explainer(of_each_image, images)
    else:
        np.testing.assert_allclose(explainer(of_each_image, images, batch_size=2, **raw), expected, rtol=1e-5, atol=1e-7)


def test_smoothgrad_is_asked_by_its_samples(cnn, images):
    found = compat.Saliency(cnn)(compat.CategoricalScore(2), images, 3, 0.1, normalize_map=False)
    np.testing.assert_array_equal(found, explain.smoothgrad(cnn, images, 2, samples=3, noise=0.1, channels="max"))
    with pytest.raises(ValueError, match="give a CategoricalScore or a BinaryScore"):
        compat.Saliency(cnn)(lambda outputs: outputs[:, 0], images, 3)


def test_the_probability_is_explained_unless_it_is_replaced(cnn, images):
    model = keras.Model(cnn.input, layers.Softmax()(cnn.output))
    score = compat.CategoricalScore(CLASSES)
    linear = compat.Gradcam(model, compat.ReplaceToLinear())(score, images, activation_modifier=None, **RAW)
    np.testing.assert_allclose(linear, explain.gradcam(cnn, images, CLASSES, resize=False, relu=False), rtol=1e-5, atol=1e-7)

    def probability(outputs):
        return ops.take_along_axis(outputs, ops.convert_to_tensor(CLASSES)[:, None], axis=-1)[:, 0]

    kept = compat.Gradcam(model)(score, images, activation_modifier=None, **RAW)
    np.testing.assert_allclose(kept, explain.gradcam(model, images, probability, resize=False, relu=False), rtol=1e-5, atol=1e-7)


def test_binary_scores_and_several_outputs(cnn, images):
    one = layers.Dense(1, activation="sigmoid", name="one")(cnn.get_layer("pool").output)
    model = keras.Model(cnn.input, {"many": cnn.output, "one": one})
    keep = [True, False, False, True, False]
    positive = explain.gradcam(model, images, explain.ClassScore(0, output="one"), resize=False, relu=False)
    scores = [compat.InactiveScore(), compat.BinaryScore(keep)]
    found = compat.Gradcam(model, compat.ReplaceToLinear())(scores, images, activation_modifier=None, **RAW)
    signs = np.where(keep, 1, -1)[:, None, None]
    np.testing.assert_allclose(found, signs * positive, rtol=1e-5, atol=1e-7)


def sigmoid(cnn):
    return keras.Model(cnn.input, layers.Dense(1, activation="sigmoid", name="one")(cnn.get_layer("pool").output))


def test_score_cam_of_a_sigmoid_depends_on_the_head(cnn, images):
    model = sigmoid(cnn)
    explainer = compat.Scorecam(model, compat.ReplaceToLinear())
    found = []
    for sign in (1, -1):
        model.get_layer("one").set_weights([sign * np.linspace(-50, 50, 8)[:, None], np.zeros(1)])
        found.append(explainer(compat.BinaryScore(True), images, **RAW))
    assert np.abs(found[1] - found[0]).max() > 0.1 * found[0].max()


def test_arguments_without_a_counterpart_are_refused(cnn, images):
    explainer = compat.Gradcam(cnn)
    with pytest.raises(TypeError, match="gradient_modifier has no counterpart"):
        explainer(compat.CategoricalScore(0), images, gradient_modifier=np.abs)
    with pytest.raises(TypeError, match="training has no counterpart"):
        explainer(compat.CategoricalScore(0), images, training=True)
    with pytest.raises(TypeError, match="a score is a CategoricalScore"):
        explainer(3, images)
    with pytest.raises(ValueError, match="2 classes for 5 images"):
        explainer(compat.CategoricalScore([0, 1]), images)
    with pytest.raises(ValueError, match=r"needs an output \(b, 1\)"):
        explainer(compat.BinaryScore(True), images)


def test_layers_by_index_name_and_object_are_the_same(cnn, images):
    model = cnn
    explainer, score = compat.Gradcam(model), compat.CategoricalScore(1)
    expected = explainer(score, images, penultimate_layer="last")
    number = model.layers.index(model.get_layer("last"))
    for layer in (number, model.get_layer("last"), None, -1):
        np.testing.assert_array_equal(explainer(score, images, penultimate_layer=layer, training=False), expected)
    np.testing.assert_array_equal(explainer(score, [images], seek_penultimate_conv_layer=False)[0], expected)


def test_fewer_channels_are_asked_as_max_n(cnn, images):
    model = cnn
    found = compat.ScoreCAM(model)(compat.CategoricalScore(1), images, max_N=3, normalize_cam=False)

    np.testing.assert_allclose(found, explain.scorecam(model, images, 1, channels=3), rtol=1e-5, atol=1e-7)
