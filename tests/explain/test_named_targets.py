"""Targets of every kind of model: their scores in closed form, their gradients by finite differences, and what they refuse."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from zoo import explain
from zoo.explain.session import probe

CORNERS = np.array([[0, 0], [3, 1], [5, 5], [2, 6]], "float64")  # upper left corners of the anchors' boxes
BOX = [[1.0, 1.0, 6.0, 7.0], [4.0, 4.0, 9.0, 9.0]]
MASK = np.zeros((2, 4, 4), bool)
MASK[0, :2, 1:] = MASK[1, 3] = True
REFERENCE = np.random.default_rng(1).normal(size=(2, 5)).astype("float32")


def image_and_features():
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, strides=2, padding="same", activation="tanh", name="maps")(layers.Rescaling(1 / 128, -1)(image))
    return image, x


def vector(classes):
    image, x = image_and_features()
    return keras.Model(image, layers.Dense(classes)(layers.Flatten()(x)))


def classifier():
    return vector(4)


def embedder():
    return vector(5)


def segmenter():
    image, x = image_and_features()
    return keras.Model(image, layers.Conv2D(3, 3, padding="same")(x))


def captioner():
    image, x = image_and_features()
    return keras.Model(image, layers.Dense(6)(layers.Reshape((4, 16))(x)))


def detector():
    """Boxes before non-maximum suppression: fixed corners, learned sides between 4 and 8 pixels."""
    image, x = image_and_features()
    x = layers.Reshape((4, 16))(x)
    sides = 4 + 4 * layers.Dense(2, activation="sigmoid")(x)
    corners = layers.Lambda(lambda sides: ops.zeros_like(sides) + ops.cast(ops.convert_to_tensor(CORNERS), sides.dtype))(sides)
    return keras.Model(image, {"boxes": layers.Concatenate()([corners, corners + sides]), "scores": layers.Dense(3)(x)})


def overlap(a, b):
    """Of boxes (..., 4) and (4,)."""
    width = np.minimum(a[..., 2], b[2]) - np.maximum(a[..., 0], b[0])
    height = np.minimum(a[..., 3], b[3]) - np.maximum(a[..., 1], b[1])
    both = np.clip(width, 0, None) * np.clip(height, 0, None)
    return both / ((a[..., 2] - a[..., 0]) * (a[..., 3] - a[..., 1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def boxed(out, row, index):
    return np.max(overlap(out["boxes"][row], np.array(BOX[row])) / (1 + np.exp(-out["scores"][row, :, index])))


# for each target: the model, the target, and its score for an image's row of the outputs, in numpy
CASES = {
    "contrast": (classifier, explain.Contrast([1, 2], 3), lambda out, row: out[row, [1, 2][row]] - out[row, 3]),
    "similarity": (
        embedder,
        explain.Similarity(REFERENCE),
        lambda out, row: out[row] @ REFERENCE[row] / np.linalg.norm(out[row]) / np.linalg.norm(REFERENCE[row]),
    ),
    "region": (segmenter, explain.Region(MASK, [0, 2]), lambda out, row: out[row, MASK[row], [0, 2][row]].mean()),
    "pixel": (segmenter, explain.Pixel([[1, 2], [3, 0]], 1), lambda out, row: out[row, [1, 3][row], [2, 0][row], 1]),
    "anchor": (detector, explain.BoxScore([1, 0], anchor=[3, 2]), lambda out, row: out["scores"][row, [3, 2][row], [1, 0][row]]),
    "box": (detector, explain.BoxScore(2, box=BOX), lambda out, row: boxed(out, row, 2)),
    "word": (captioner, explain.WordScore([2, 0], [5, 1]), lambda out, row: out[row, [2, 0][row], [5, 1][row]]),
}
every_target = pytest.mark.parametrize(("make", "target", "truth"), CASES.values(), ids=CASES)


def filled(model):
    random = np.random.default_rng(3)
    model.set_weights([random.normal(0, 0.4, weight.shape) for weight in model.get_weights()])
    return model


def pictures():
    return np.random.default_rng(4).uniform(0, 255, (2, 8, 8, 3))


def outputs(model, images):
    return keras.tree.map_structure(ops.convert_to_numpy, model(ops.cast(images, keras.config.floatx())))


@pytest.mark.backend
@every_target
def test_scores_in_closed_form(make, target, truth):
    model, images = filled(make()), pictures()
    with probe(model, images, target, 1) as asked:
        found = asked.scores(images, np.arange(2))
    out = outputs(model, images)
    np.testing.assert_allclose(found, [truth(out, row) for row in range(2)], rtol=1e-5, atol=5e-6)  # a contrast cancels
    np.testing.assert_allclose(
        ops.convert_to_numpy(target(keras.tree.map_structure(ops.convert_to_tensor, out))), found, rtol=1e-5, atol=5e-6
    )


@every_target
def test_gradients_by_finite_differences(make, target, truth):
    """Central differences of the numpy score, in float64, at pixels all over the image."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    model, images = filled(make()), pictures()
    found = explain.gradient(model, images, target, channels="keep")
    assert found.dtype == np.float64
    scale = np.abs(found).max()
    for y, x, channel in [(0, 0, 0), (2, 5, 1), (4, 4, 2), (7, 1, 0), (6, 7, 1)]:
        step = np.zeros_like(images)
        step[:, y, x, channel] = 1e-3
        above, below = outputs(model, images + step), outputs(model, images - step)
        for row in range(2):
            difference = (truth(above, row) - truth(below, row)) / 2e-3
            assert abs(found[row, y, x, channel] - difference) <= 1e-6 * scale


@pytest.mark.backend
@every_target
def test_every_method_takes_every_target(make, target, truth):
    model, images = filled(make()), pictures()
    with probe(model, images, target, 2) as asked:
        gained = asked.scores(images, [0, 1]) - asked.scores(0 * images, [0, 1])
    summed = explain.integrated_gradients(model, images, target, steps=100).heat.sum((1, 2))
    bar = 0.1 if getattr(target, "box", None) is not None else 0.02  # the best anchor changes on the way: a jump of the gradient
    np.testing.assert_allclose(summed, gained, atol=bar * np.abs(gained).max())
    for method in (explain.gradcam, explain.saliency, explain.input_x_gradient):
        heat = method(model, images, target, batch_size=1)
        assert heat.shape == (2, 8, 8)
        assert np.isfinite(heat).all()
    assert explain.smoothgrad(model, images, target, samples=2).shape == (2, 8, 8)


OTHERS = {
    "contrast": explain.Contrast(0, [1, 2]),
    "similarity": explain.Similarity(REFERENCE[0]),
    "region": explain.Region(MASK[1], None),
    "pixel": explain.Pixel((0, 3), [0, 1]),
    "anchor": explain.BoxScore(None, anchor=0),
    "box": explain.BoxScore([0, 1], box=BOX[1]),
    "word": explain.WordScore(3, None),
}


@pytest.mark.backend
@pytest.mark.parametrize("name", CASES)
def test_other_data_does_not_trace_again(name):
    class Counting(layers.Layer):
        runs = 0

        def call(self, x):
            Counting.runs += 1
            return x

    make, target, _ = CASES[name]
    inner = make()
    image = keras.Input((8, 8, 3))
    model = filled(keras.Model(image, inner(Counting()(image))))
    images = pictures()
    explain.gradient(model, images, target)
    before = Counting.runs
    first = explain.gradient(model, images, OTHERS[name])
    assert Counting.runs - before == (1 if keras.backend.backend() == "torch" else 0)
    assert np.abs(first - explain.gradient(model, images, target)).max() > 0


@pytest.mark.backend
@pytest.mark.parametrize(
    ("make", "open_target", "named"),
    [
        (classifier, lambda: explain.Contrast(None, 3), lambda out: explain.Contrast(out[:, :3].argmax(-1), 3)),
        (segmenter, lambda: explain.Pixel((1, 2)), lambda out: explain.Pixel((1, 2), out[:, 1, 2].argmax(-1))),
        (
            segmenter,
            lambda: explain.Region(MASK),
            lambda out: explain.Region(MASK, [out[row, MASK[row]].mean(0).argmax() for row in (0, 1)]),
        ),
        (captioner, lambda: explain.WordScore(1), lambda out: explain.WordScore(1, out[:, 1].argmax(-1))),
        (detector, lambda: explain.BoxScore(anchor=2), lambda out: explain.BoxScore(out["scores"][:, 2].argmax(-1), anchor=2)),
        (
            detector,
            lambda: explain.BoxScore(box=BOX),
            lambda out: explain.BoxScore([np.argmax([boxed(out, row, index) for index in range(3)]) for row in (0, 1)], box=BOX),
        ),
    ],
    ids=["contrast", "pixel", "region", "word", "anchor", "box"],
)
def test_the_predicted_class_is_that_of_the_unchanged_image(make, open_target, named):
    model, images = filled(make()), pictures()
    if make is classifier:  # class 3 must not be the predicted one
        kernel, bias = model.layers[-1].get_weights()
        model.layers[-1].set_weights([kernel, bias - [0, 0, 0, 99]])
    changed = images[::-1]
    found = []
    for target in (open_target(), named(outputs(model, images))):
        with probe(model, images, target, 2) as asked:
            found.append(asked.scores(changed, np.arange(2)))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)


@pytest.mark.backend
def test_softmax_heads_are_cut():
    """The explanation under a softmax is that of the logits, for maps and captions too."""
    for make, target in ((segmenter, explain.Region(MASK, 1)), (captioner, explain.WordScore(1, 2)), (classifier, explain.Contrast(0, 1))):
        plain = filled(make())
        model = keras.Model(plain.input, layers.Softmax()(plain.output))
        expected = explain.gradient(plain, pictures(), target)
        np.testing.assert_allclose(explain.gradient(model, pictures(), target), expected, atol=1e-6 * np.abs(expected).max())
    plain = filled(detector())
    model = keras.Model(plain.input, {**plain.output, "scores": layers.Activation("sigmoid")(plain.output["scores"])})
    for target in (explain.BoxScore(1, anchor=2), explain.BoxScore(1, box=BOX)):
        expected = explain.gradient(plain, pictures(), target)
        np.testing.assert_allclose(explain.gradient(model, pictures(), target), expected, atol=1e-6 * np.abs(expected).max())
    with_none = explain.gradient(model, pictures(), explain.BoxScore(1, box=BOX, probability="none"))
    np.testing.assert_allclose(with_none, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.backend
def test_a_box_that_nothing_overlaps_has_no_heat():
    with pytest.warns(UserWarning, match="zero everywhere"):
        heat = explain.gradient(filled(detector()), pictures(), explain.BoxScore(1, box=[50, 50, 60, 60]))
    np.testing.assert_array_equal(heat, np.zeros((2, 8, 8)))


@pytest.mark.backend
def test_an_embedding_of_zeros_has_cosine_zero():
    model = embedder()
    model.set_weights([np.zeros(weight.shape) for weight in model.get_weights()])
    with pytest.warns(UserWarning, match="zero everywhere"):
        assert not explain.gradient(model, pictures(), explain.Similarity(REFERENCE)).any()


@pytest.mark.backend
def test_a_channel_is_a_target():
    """The gradient of a channel's mean is that of the same mean as an output."""
    model = filled(classifier())
    maps = layers.GlobalAveragePooling2D()(model.get_layer("maps").output)
    expected = explain.gradient(keras.Model(model.input, maps), pictures(), [2, 0])
    for layer in ("maps", model.get_layer("maps")):
        found = explain.gradient(model, pictures(), explain.Channel(layer, [2, 0]))
        np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("make", "target", "message"),
    [
        (classifier, lambda: explain.Contrast(1, 1), "two classes, got class 1 twice for image 0"),
        (classifier, lambda: explain.Contrast([0, 1], [1, 1]), "class 1 twice for image 1"),
        (classifier, lambda: explain.Contrast(0, 4), "must be 0 to 3.* got 4"),
        (segmenter, lambda: explain.Contrast(0, 1), r"needs an output \(b, classes\), got shape \(b, 4, 4, 3\)"),
        (embedder, lambda: explain.Similarity(np.ones(4)), r"reference has shape \(4,\), the output of the 2 images \(2, 5\)"),
        (embedder, lambda: explain.Similarity(np.zeros(5)), "not all zero"),
        (embedder, lambda: explain.Similarity(np.ones((2, 1, 5))), "a reference is an embedding"),
        (segmenter, lambda: explain.Similarity(np.ones(5)), r"wanted an output \(b, c\)"),
        (segmenter, lambda: explain.Region(np.ones((8, 8)), 0), "resize the mask to the output"),
        (segmenter, lambda: explain.Region(MASK & (np.arange(2) == 0)[:, None, None], 0), "mask of image 1 is empty"),
        (segmenter, lambda: explain.Region(np.full((4, 4), 0.5), 0), "bool or 0/1"),
        (segmenter, lambda: explain.Region(MASK, 3), "must be 0 to 2"),
        (classifier, lambda: explain.Region(MASK), r"needs an output \(b, h, w, classes\)"),
        (segmenter, lambda: explain.Pixel((4, 0)), r"must lie in the output of size \(4, 4\)"),
        (segmenter, lambda: explain.Pixel([(0, 0)] * 3), "3 pixels for 2 images"),
        (segmenter, lambda: explain.Pixel((0.5, 1)), "a pixel is"),
        (detector, lambda: explain.BoxScore(1), "needs an anchor or a box"),
        (detector, lambda: explain.BoxScore(1, anchor=0, box=BOX), "and not both"),
        (detector, lambda: explain.BoxScore(1, anchor=4), "anchor must be 0 to 3, because the output has 4 anchors, got 4"),
        (detector, lambda: explain.BoxScore(3, anchor=0), "class must be 0 to 2"),
        (detector, lambda: explain.BoxScore(1, box=[3, 3, 3, 4]), "x1 < x2"),
        (detector, lambda: explain.BoxScore(1, box=BOX * 2), "4 boxes for 2 images"),
        (detector, lambda: explain.BoxScore(1, box=BOX, boxes="scores"), r"a box for each anchor, \(4, 4\), got \(4, 3\)"),
        (detector, lambda: explain.BoxScore(1, box=BOX, probability="logit"), "got 'logit'"),
        (classifier, lambda: explain.BoxScore(1, anchor=0, output=None), r"needs an output of class scores \(b, anchors, classes\)"),
        (captioner, lambda: explain.WordScore(4, 0), "position must be 0 to 3, because the captions have 4 positions"),
        (captioner, lambda: explain.WordScore(0, 6), "word must be 0 to 5, because the vocabulary has 6 words"),
        (captioner, lambda: explain.WordScore([0, 1, 2], 0), "3 positions for 2 images"),
        (classifier, lambda: explain.WordScore(0, 0), r"needs an output \(b, positions, vocabulary\)"),
        (classifier, lambda: explain.Channel("maps", 4), "channel must be 0 to 3, because the layer has 4 channels"),
        (classifier, lambda: explain.Channel("map", 0), "did you mean maps"),
    ],
)
def test_wrong_targets_are_named(make, target, message):
    with pytest.raises(ValueError, match=message):
        explain.gradient(make(), pictures(), target())


@pytest.mark.parametrize(
    "make",
    [
        lambda: explain.Contrast(0, None),
        lambda: explain.Contrast(0, 1.5),
        lambda: explain.WordScore(None),
        lambda: explain.WordScore(0, "cat"),
        lambda: explain.Channel("maps", None),
        lambda: explain.BoxScore(True, anchor=0),
    ],
)
def test_what_is_no_number_is_refused(make):
    with pytest.raises(TypeError):
        make()


def test_probabilities_that_cannot_be_left_out_are_told_about():
    image, x = image_and_features()
    probabilities = layers.Conv2D(3, 1, activation="softmax")(x)
    model = keras.Model(image, layers.UpSampling2D(2)(probabilities))
    with pytest.warns(UserWarning, match="seems to end in probabilities"):
        explain.gradient(model, pictures(), explain.Pixel((0, 0), 1))
