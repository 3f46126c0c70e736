"""The default layer and finding layers, on networks where "the last convolution" is the wrong answer."""

import keras
import pytest
from keras import layers, ops

from zoo import explain
from zoo.explain.places import find_layer
from zoo.registry import build_classifier


def image():
    return keras.Input((32, 32, 3))


def conv(x, name, **options):
    return layers.Conv2D(4, 3, padding="same", name=name, **options)(x)


def default(inputs, outputs):
    return explain.default_layer(keras.Model(inputs, outputs)).name


def test_mobilenet_ends_in_a_1x1_logits_convolution():
    inputs = image()
    x = layers.GlobalAveragePooling2D(keepdims=True)(layers.ReLU(name="wanted")(conv(inputs, "body")))
    x = layers.Softmax()(layers.Flatten()(layers.Conv2D(5, 1, name="logits")(x)))
    assert default(inputs, x) == "wanted"


def test_residual_shortcut_made_last_is_not_the_answer():
    """Xception: the last convolution is a shortcut, the map that is pooled is the sum."""
    inputs = image()
    main = conv(inputs, "main")
    total = layers.Add(name="wanted")([main, conv(inputs, "shortcut")])
    assert default(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(total))) == "wanted"


def test_squeeze_and_excitation_is_not_the_end():
    """A pooling whose result multiplies a map does not end the space."""
    inputs = image()
    x = conv(inputs, "body")
    gate = layers.Dense(4, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True, name="squeeze")(x))
    x = layers.Multiply(name="wanted")([x, gate])
    assert default(inputs, layers.Dense(2)(layers.GlobalMaxPooling2D()(x))) == "wanted"


def test_two_poolings_of_one_map():
    inputs = image()
    x = conv(inputs, "wanted")
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)])
    assert default(inputs, layers.Dense(2)(x)) == "wanted"


@pytest.mark.parametrize("collapse", ["flatten", "convolution", "mean", "reshape"])
def test_every_kind_of_collapse(collapse):
    inputs = image()
    x = conv(inputs, "wanted", strides=4)
    ends = {
        "flatten": layers.Flatten(),
        "convolution": lambda x: layers.Flatten()(layers.Conv2D(6, 8, name="c5")(x)),  # LeNet-5
        "mean": lambda x: ops.mean(x, axis=(1, 2)),
        "reshape": layers.Reshape((8 * 8 * 4,)),
    }
    assert default(inputs, layers.Dense(2)(ends[collapse](x))) == "wanted"


def test_a_plain_operation_can_be_the_answer():
    inputs = image()
    total = conv(inputs, "a") + conv(inputs, "b")
    model = keras.Model(inputs, layers.GlobalAveragePooling2D()(total))
    assert explain.default_layer(model).name.startswith("add")
    assert explain.gradcam(model, [[[[9.0] * 3] * 32] * 32], 0, relu=False).shape == (1, 32, 32)


def test_registry_rows():
    assert explain.default_layer(build_classifier("small_cnn_micro")).name == "stage2_pool"


@pytest.mark.parametrize("inside", [True, False])
def test_without_a_map_it_says_so(inside):
    inputs = image()
    x = layers.Dense(3)(layers.Flatten()(inputs))
    if inside:
        outer = image()
        inputs, x = outer, keras.Model(inputs, x)(outer)
    with pytest.raises(ValueError, match="no feature map lies between; use saliency"):
        explain.default_layer(keras.Model(inputs, x))


@pytest.mark.backend
def test_one_place_is_refused(images):
    """A stride-32 network on a small image ends in 1x1: a heat map of it would be one grey square."""
    inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(4, 3, strides=16, padding="same", name="last")(inputs)
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    for layer in (None, "last"):
        with pytest.raises(ValueError, match="map of 'last' is 1x1"):
            explain.gradcam(model, images, 0, layer)


def nested():
    def block(name):
        inputs = keras.Input((32, 32, 3))
        return keras.Model(inputs, layers.Conv2D(3, 3, padding="same", name="stage")(inputs), name=name)

    inputs = image()
    return keras.Model(inputs, layers.GlobalAveragePooling2D()(block("two")(block("one")(inputs))))


def test_paths_into_nested_models():
    model = nested()
    inner = model.get_layer("one").get_layer("stage")
    assert find_layer(model, "one/stage").operation is inner
    assert find_layer(model, inner).operation is inner
    assert find_layer(model, "one").operation is model.get_layer("one")
    with pytest.raises(ValueError, match="'stage' occurs 2 times.*one/stage, two/stage"):
        find_layer(model, "stage")


def test_unknown_layers_are_named_with_their_neighbours():
    model = build_classifier("small_cnn_micro")
    with pytest.raises(ValueError, match="no layer 'stage2_pol'; did you mean stage2_pool"):
        find_layer(model, "stage2_pol")
    with pytest.raises(ValueError, match="'logits' is no part of the model"):
        find_layer(model, build_classifier("small_cnn_micro", model_name="other").get_layer("logits"))


def test_layer_without_a_map_is_refused(cnn, images):
    with pytest.raises(ValueError, match=r"'logits' gives shape \(5, 4\), wanted one map"):
        explain.gradcam(cnn, images, 0, "logits")


def test_subclassed_model_that_never_ran_asks_for_images():
    class Fresh(keras.Model):
        def __init__(self):
            super().__init__()
            self.body, self.pool = layers.Conv2D(3, 3, name="body"), layers.GlobalAveragePooling2D()

        def call(self, x):
            return self.pool(self.body(x))

    model = Fresh()
    with pytest.raises(ValueError, match="pass images="):
        explain.default_layer(model)
    assert explain.default_layer(model, [[[[1.0] * 3] * 8] * 8]).name == "body"
