"""Receptive fields read from the graph, against gradients to the pixel, sums by hand and published numbers."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from zoo import explain
from zoo.gradients import value_and_grad
from zoo.layers import AdaptiveAveragePooling

pytestmark = pytest.mark.backend


def two_branches(x):
    """On an even size "same" puts its only row of zeros behind; a window of one has none: the branches look at different centres."""
    return layers.Add()([layers.AveragePooling2D(3, 2, padding="same")(x), layers.AveragePooling2D(1, 2)(x)])


CHAINS = {
    "one pixel": {"kernel_size": 1},
    "valid": {"kernel_size": 3},
    "valid, stride 2": {"kernel_size": 3, "strides": 2},
    "same": {"kernel_size": 3, "padding": "same"},
    "same, even window": {"kernel_size": 4, "strides": 2, "padding": "same"},
    "same, stride 2": {"kernel_size": 3, "strides": 2, "padding": "same"},
    "same, stride 3": {"kernel_size": 5, "strides": 3, "padding": "same"},
    "stride wider than the window": {"kernel_size": 1, "strides": 2, "padding": "same"},
    "dilation": {"kernel_size": 3, "padding": "same", "dilation_rate": 2},
    "other columns than rows": {"kernel_size": (3, 5), "padding": "same"},
}


def chain(kind, size):
    """The window, everything else that moves places, and the window once more in a nested model; all kernels are ones."""
    options = {"use_bias": False, "kernel_initializer": "ones", **CHAINS[kind]}
    image = keras.Input((*size, 1))
    x = layers.Conv2D(2, **options)(image)
    x = layers.ZeroPadding2D(((1, 0), (0, 2)))(x)
    x = layers.AveragePooling2D(2, 2, padding="same")(x)
    x = layers.Cropping2D(((0, 1), (1, 0)))(x)
    x = layers.DepthwiseConv2D(3, padding="same", depthwise_initializer="ones", use_bias=False)(x)
    inside = keras.Input(x.shape[1:])
    return keras.Model(image, keras.Model(inside, layers.Conv2D(1, name="last", **options)(inside), name="inside")(x))


def touch(model, row, column):
    """(h, w) float64: the gradient of one cell of the model's map with respect to the image."""
    image = np.ones((1, *model.input_shape[1:]), "float32")
    _, gradient = value_and_grad(lambda x: ops.sum(model(x, training=False)[:, row, column]))(image)
    return ops.convert_to_numpy(gradient)[0].sum(-1).astype("float64")


@pytest.mark.parametrize("size", [(96, 97), (99, 102)], ids=str)
@pytest.mark.parametrize("kind", CHAINS)
def test_a_cell_reacts_to_its_box_and_around_its_centre(kind, size):
    """In the middle of the image to the pixel, and the gradient is balanced there; at two corners no pixel outside the box."""
    model = chain(kind, size)
    field = explain.receptive_field(model, "inside/last")
    rows, columns = field.map_size
    assert (field.image_size, field.map_size) == (size, model.output_shape[1:3])
    for cell in ((rows // 2, columns // 2), (0, columns - 1), (rows - 1, 0)):
        gradient, (left, top, right, bottom) = touch(model, *cell), field.box(*cell)
        y, x = np.nonzero(gradient)
        assert left <= x.min() <= x.max() < right
        assert top <= y.min() <= y.max() < bottom
        if cell == (rows // 2, columns // 2):
            assert (bottom - top, right - left) == field.size, "the image is too small for this test"
            assert (left, top, right, bottom) == (x.min(), y.min(), x.max() + 1, y.max() + 1)
            balance = [(gradient.sum(1 - axis) * np.arange(size[axis])).sum() / gradient.sum() for axis in (0, 1)]
            np.testing.assert_allclose(balance, field.centre(*cell), atol=1e-4)


def test_branches_count_the_same():
    """Both branches are means, so each has the gain 1, and the gradient is balanced at the mean of their centres."""
    image = keras.Input((16, 16, 1))
    model = keras.Model(image, two_branches(image))
    field = explain.receptive_field(model, model.layers[-1])
    assert field.centre(3, 4) == (6.5, 8.5)  # 2 i + 1 and 2 i
    assert field.box(3, 4) == (8, 6, 11, 9)
    gradient = touch(model, 3, 4)
    assert gradient.sum() == pytest.approx(2)
    assert (gradient.sum(1) * np.arange(16)).sum() / 2 == pytest.approx(6.5)


@pytest.mark.parametrize("kind", ["same, stride 2", "same, stride 3", "valid"])
@pytest.mark.parametrize("size", [(48, 49), (51, 54)], ids=str)
def test_a_model_of_any_size_is_given_one(kind, size):
    """Where "same" puts its zeros depends on the size: on an even one its centres are others than on an odd one."""
    image = keras.Input((None, None, 1), name="image")
    fixed = keras.Input((*size, 1), name="image")
    stack = [layers.Conv2D(2, name="first", **CHAINS[kind]), layers.MaxPooling2D(), layers.Conv2D(2, name="last", **CHAINS[kind])]
    given, wanted = (explain.receptive_field(keras.Sequential([x, *stack]), "last", image_size=size) for x in (image, fixed))
    assert given == wanted
    with pytest.raises(ValueError, match=r"images of any size; say which one: image_size="):
        explain.receptive_field(keras.Sequential([image, *stack]), "last")
    with pytest.raises(ValueError, match=r"takes images .*got image_size=\(50, 49\)"):
        explain.receptive_field(keras.Sequential([fixed, *stack]), "last", image_size=(50, 49))


def test_even_and_odd_sizes_have_other_centres():
    model = keras.Sequential([keras.Input((None, None, 3)), *(layers.Conv2D(2, 3, strides=2, padding="same") for _ in range(3))])
    found = [explain.receptive_field(model, model.layers[-1], image_size=(size, size)).centre(0, 0)[0] for size in (64, 65)]
    assert found == [1 + 2 + 4, 0]


@pytest.mark.parametrize(
    ("name", "size", "centre"),
    [("VGG16", 212, 0.5 * (1 + 2 + 4 + 8 + 16)), ("ResNet50", 483, 0), ("MobileNet", 315, 1 + 2 + 4 + 8 + 16)],
)
def test_sizes_that_are_published(name, size, centre):
    """Araujo, Norris & Sim 2019, table of receptive fields, at the last map before the head. The centres are the sums of what each
    halving adds: a pooling of two half a pixel of its map, zeros on one side a whole one, zeros on both sides nothing."""
    with keras.StatelessScope(initialize_variables=False):
        model = getattr(keras.applications, name)(weights=None, include_top=False, input_shape=(224, 224, 3))
    found = explain.receptive_field(model, model.layers[-1])
    assert (found.size, found.stride, found.map_size) == ((size, size), (32, 32), (7, 7))
    assert found.centre(0, 0) == (centre, centre)


def test_a_gate_is_told_apart_from_the_local_path():
    image = keras.Input((9, 9, 3))
    x = layers.Conv2D(4, 3, padding="same")(image)
    model = keras.Model(image, layers.Multiply(name="gated")([x, layers.GlobalAveragePooling2D(keepdims=True)(x)]))
    field = explain.receptive_field(model, "gated")
    assert field.whole
    assert field.size == (3, 3)
    assert not explain.receptive_field(model, model.layers[1]).whole


def test_several_inputs_and_shared_layers():
    """Numbers beside the image have no place; of a shared layer every call has its own field; a nested model is its last layer."""
    shared, pool = layers.Conv2D(3, 3, strides=2, padding="same", name="shared"), layers.GlobalAveragePooling2D()
    image, numbers = keras.Input((32, 32, 3)), keras.Input((1, 1, 3))
    once = shared(layers.Add()([image, numbers]))
    inside = keras.Input((16, 16, 3))
    twice = keras.Model(inside, shared(inside), name="nested")(once)
    model = keras.Model([image, numbers], layers.Dense(2)(pool(twice)))
    assert explain.receptive_field(model, ("shared", 0), (32, 32)).size == (3, 3)
    assert explain.receptive_field(model, ("shared", 1)).size == (7, 7)
    assert explain.receptive_field(model).centre(1, 2) == (3 + 4, 3 + 8)
    with pytest.raises(ValueError, match="'nested' runs 2 times"):
        explain.receptive_field(model, "nested")
    plain = keras.Sequential([image, keras.Sequential([keras.Input((32, 32, 3)), layers.Conv2D(3, 3)], name="nested"), pool])
    assert explain.receptive_field(plain, "nested").size == (3, 3)


class Hiding(layers.Layer):
    """A layer of a layer: its graph is not written down."""

    def __init__(self):
        super().__init__(name="hiding")
        self.inside = layers.Conv2D(3, 3, padding="same")

    def call(self, x):
        return self.inside(x)

    def compute_output_shape(self, input_shape):
        return input_shape


UNKNOWN = {
    "resized": (lambda x: layers.UpSampling2D()(x), "UpSampling2D .* not known"),
    "hidden": (lambda x: Hiding()(x), "Hiding 'hiding' see is not known"),
    "transposed convolution": (lambda x: layers.Conv2DTranspose(3, 3, padding="same")(x), "Conv2DTranspose"),
    "axes swapped": (lambda x: layers.Permute((2, 1, 3))(x), "Permute"),
    "rolled": (lambda x: ops.roll(x, 1, axis=1), "Roll"),
    "a grid made of a sequence": (lambda x: layers.Reshape((4, 4, 12))(layers.Reshape((16, 12))(x)), "Reshape"),
    "branches of two strides": (
        lambda x: layers.Add()([layers.Conv2D(3, 8)(x), layers.Conv2D(3, 1, strides=7)(layers.Cropping2D(((0, 7), (0, 7)))(x))]),
        "branches with strides",
    ),
    "no place is left": (lambda x: layers.Add()([layers.GlobalAveragePooling2D(keepdims=True)(x)] * 2), "have no place on the image"),
}


@pytest.mark.parametrize("kind", UNKNOWN)
def test_what_moves_places_in_an_unknown_way_is_named(kind):
    build, message = UNKNOWN[kind]
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, layers.Conv2D(2, 1, name="last")(build(image)))
    with pytest.raises(ValueError, match=message):
        explain.receptive_field(model, "last")
    after = keras.Model(model.input, [model.output, layers.Conv2D(2, 3, name="aside")(model.input)])
    assert explain.receptive_field(after, "aside").size == (3, 3), "what is unknown elsewhere does no harm"


def test_models_without_a_graph_and_cells_outside_are_refused():
    class Subclassed(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ValueError, match="no functional or built Sequential model"):
        explain.receptive_field(Subclassed())
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(2, 3, name="last"), layers.Flatten(), layers.Dense(2, name="dense")])
    field = explain.receptive_field(model)
    for cell in ((6, 0), (0, -1)):
        with pytest.raises(ValueError, match="has 6x6 cells, counted from 0"):
            field.box(*cell)
    with pytest.raises(ValueError, match=r"wanted a map \(b, h, w, c\)"):
        explain.receptive_field(model, "dense")


def test_adaptive_pooling_is_a_pooling_where_its_windows_are_equal():
    """24 to 4 places: windows of six. 24 to 7: windows of four or five, which no one stride describes."""
    image = keras.Input((24, 24, 1))
    model = keras.Model(image, AdaptiveAveragePooling(4)(image))
    field = explain.receptive_field(model, model.layers[-1])
    y, x = np.nonzero(touch(model, 1, 3))
    assert field.box(1, 3) == (x.min(), y.min(), x.max() + 1, y.max() + 1) == (18, 6, 24, 12)
    uneven = keras.Model(image, layers.Conv2D(1, 1, name="last")(AdaptiveAveragePooling(7)(image)))
    with pytest.raises(ValueError, match="have no place on the image"):
        explain.receptive_field(uneven, "last")
