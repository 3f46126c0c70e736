"""Maps lie where their cells looked (bar B12): against sums by hand, effective gradients, and evidence planted in an image."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from zoo import explain
from zoo.explain import session
from zoo.gradients import value_and_grad
from zoo.registry import build_classifier

SIZE = 224
HALVINGS = np.array([1, 2, 4, 8, 16])
"""Pixels from cell to cell before each of the five layers that halve the map."""

CENTRES = {
    "resnet18": 0.0,  # zeros on both sides: every halving keeps the first centre
    "densenet121": 0.5 * (4 + 8 + 16),  # stem like ResNet, then poolings of two, half a pixel of their map each
    "mobilenet_v2": HALVINGS.sum(),  # its zeros, before an even size, are all behind
    "efficientnet_b0": HALVINGS.sum(),
    "vgg16": 0.5 * HALVINGS.sum(),  # poolings of two: the only ones that stretching places well, with ConvNeXt
}
"""Row -> pixel of the centre of cell 0 of its last map at 224, from what its paper and its library say about padding."""


def field_of_row(name):
    with keras.StatelessScope(initialize_variables=False):  # geometry needs no weights
        found = explain.receptive_field(build_classifier(name, input_shape=(SIZE, SIZE, 3)))
    keras.utils.clear_session()
    return found


def centroid(heat):
    """(y, x) of each map (b, h, w), in pixels counted from 0."""
    total = heat.sum((1, 2))
    return np.stack([(heat.sum(2) * np.arange(heat.shape[1])).sum(1), (heat.sum(1) * np.arange(heat.shape[2])).sum(1)], -1) / total[:, None]


def impulses(rows, columns):
    """One map per cell that has neighbours on all sides, one in that cell and zero elsewhere; and the cells (n, 2)."""
    cells = np.array([(row, column) for row in range(1, rows - 1) for column in range(1, columns - 1)])
    heat = np.zeros((len(cells), rows, columns), "float32")
    heat[np.arange(len(cells)), cells[:, 0], cells[:, 1]] = 1
    return heat, cells


@pytest.mark.parametrize("name", CENTRES)
def test_an_impulse_lies_on_the_centre_of_its_cell(name):
    field = field_of_row(name)
    heat, cells = impulses(*field.map_size)
    expected = CENTRES[name] + 32 * cells
    found = centroid(explain.place_heat(heat, (SIZE, SIZE), field))
    np.testing.assert_allclose(found, expected, atol=0.5)  # the bar is one pixel
    stretched = np.abs(centroid(explain.resize_heat(heat, (SIZE, SIZE))) - expected)
    off = abs(15.5 - CENTRES[name])  # stretching always lays the first of seven cells on pixel 15.5
    np.testing.assert_allclose(stretched, off, atol=0.5)
    if name not in ("vgg16", "densenet121"):
        assert stretched.min() > 13, "what other libraries draw misses the same bar"


def test_between_and_beyond_the_centres():
    """Cells at pixels 1, 3, 5 of a row of eight: straight lines between, and the outermost cells hold to the edges."""
    row = keras.Sequential([keras.Input((6, 8, 1)), layers.Conv2D(1, (1, 3), strides=(1, 2), name="row")])
    axis = explain.receptive_field(row, "row").columns
    field = explain.ReceptiveField("map", (2, 8), (1, 3), axis, axis)
    placed = explain.place_heat(np.array([[[10.0, 20.0, -40.0]]]), (2, 8), field)
    np.testing.assert_allclose(placed, [[[10, 10, 15, 20, -10, -40, -40, -40]] * 2])
    assert placed.dtype == np.float64
    assert explain.place_heat(np.zeros((0, 1, 3), "float32"), (2, 8), field).shape == (0, 2, 8)
    for heat, size in ((np.zeros((1, 3, 1)), (2, 8)), (np.zeros((1, 3)), (2, 8)), (np.zeros((1, 1, 3)), (2, 9))):
        with pytest.raises(ValueError, match=r"places maps \(b, 1, 3\) on images \(2, 8\)"):
            explain.place_heat(heat, size, field)


def test_where_stretching_is_right_placing_is_the_same():
    """A pooling of two puts its centres at halves, as half-pixel stretching does; the two programs share nothing."""
    model = keras.Sequential(
        [keras.Input((12, 20, 3)), layers.AveragePooling2D(2), layers.AveragePooling2D(2, name="last"), layers.Flatten()]
    )
    heat = np.random.default_rng(0).normal(size=(2, 3, 5)).astype("float32")
    placed = explain.place_heat(heat, (12, 20), explain.receptive_field(model))
    np.testing.assert_allclose(placed, explain.resize_heat(heat, (12, 20)), atol=1e-5)


def halving_network(size=None):
    """Five convolutions that halve the map, with zeros as EfficientNet pads; positive and linear, so that light is all that counts."""
    image = x = keras.Input((size, size, 1))
    for _ in range(5):
        x = layers.Conv2D(1, 3, strides=2, padding="same", kernel_initializer="ones", use_bias=False)(x)
    return keras.Model(image, layers.Dense(1, kernel_initializer="ones")(layers.GlobalAveragePooling2D()(x)))


@pytest.mark.backend
@pytest.mark.parametrize("method", [explain.gradcam, explain.gradcam_plus_plus], ids=lambda method: method.__name__)
@pytest.mark.parametrize("size", [None, 224])
def test_the_heat_lies_on_the_light(method, size):
    """A spot at the middle of what cell 3, 4 sees: the heat is balanced there, and stretched it lies half a cell beside."""
    image = np.zeros((1, 224, 224, 1), "float32")
    image[0, 126:129, 158:161] = 255  # around pixel 31 + 32 * 3, 31 + 32 * 4
    model = halving_network(size)
    np.testing.assert_allclose(centroid(method(model, image, 0)), [[127, 159]], atol=1)
    np.testing.assert_allclose(centroid(method(model, image, 0, placement="stretch")), [[111.5, 143.5]], atol=1)
    raw = method(model, image, 0, resize=False)
    assert np.unravel_index(raw.argmax(), raw.shape) == (0, 3, 4)
    (box,) = explain.hottest_field(model, image, raw)
    assert box.dtype == np.float32
    np.testing.assert_array_equal(box, [128, 96, 191, 159])  # 63 pixels around 159.5, 127.5: edges, not middles


@pytest.mark.backend
def test_the_field_of_the_hottest_cell_follows_its_map():
    model, image = halving_network(), np.zeros((3, 64, 96, 1), "float32")
    heat = np.zeros((3, 2, 3), "float32")
    heat[0, 0, 2], heat[1, 1, 0], heat[2] = 1, 2, -1
    field = explain.receptive_field(model, image_size=(64, 96))
    found = explain.hottest_field(model, image, heat)
    np.testing.assert_array_equal(found, [field.box(0, 2), field.box(1, 0), (0, 0, 0, 0)])
    with pytest.raises(ValueError, match=r"raw maps \(b, 2, 3\) by resize=False, got shape \(1, 64, 96\)"):
        explain.hottest_field(model, image, explain.gradcam(model, image[:1] + 1, 0))


@pytest.mark.backend
def test_a_map_without_a_known_field_is_stretched():
    image = keras.Input((16, 16, 1))
    x = layers.Conv2D(2, 3, strides=2, padding="same", kernel_initializer="ones", name="known")(image)
    x = layers.Conv2D(2, 3, kernel_initializer="ones", name="unknown")(layers.UpSampling2D()(x))
    model = keras.Model(image, layers.Dense(1, kernel_initializer="ones")(layers.GlobalAveragePooling2D()(x)))
    pictures = np.random.default_rng(0).uniform(0, 255, (2, 16, 16, 1))
    for layer, placement in (("known", "field"), ("unknown", "stretch"), (None, "stretch")):
        assert explain.placement_of(model, pictures, layer) == placement
        default, other = (explain.gradcam(model, pictures, 0, layer, placement=how) for how in ("field", "stretch"))
        assert np.array_equal(default, other) == (placement == "stretch")
    with pytest.raises(ValueError, match="receptive field of this layer of .* is not known"):
        explain.hottest_field(model, pictures, np.zeros((2, 14, 14)))
    with pytest.raises(ValueError, match=r"placement must be one of \('field', 'stretch'\), got 'centre'"):
        explain.gradcam(model, pictures, 0, placement="centre")


def test_the_field_is_computed_once_per_layer_and_size(monkeypatch):
    model, computed, compute = halving_network(), [], session.field_at

    def counting(*arguments):
        computed.append(arguments[1:])
        return compute(*arguments)

    monkeypatch.setattr(session, "field_at", counting)
    for size in (64, 64, 96, 64, 96):
        explain.gradcam(model, np.ones((1, size, size, 1)), 0)
        explain.gradcam_plus_plus(model, np.ones((2, size, size, 1)), 0, batch_size=1)
    assert len(computed) == 2


@pytest.mark.slow
@pytest.mark.parametrize(("name", "centre"), [("ResNet50", 96), ("EfficientNetB0", 127), ("MobileNetV2", 127)])
def test_keras_applications_look_where_the_map_is_laid(name, centre):
    """Untrained weights, random pictures: the squared gradient of the middle cell is balanced within three pixels of its centre, and
    a map placed by the field within one; stretched it lies on pixel 111.5, where the network did not look."""
    keras.utils.set_random_seed(0)
    model = getattr(keras.applications, name)(weights=None, include_top=False, input_shape=(SIZE, SIZE, 3))
    field = explain.receptive_field(model, model.layers[-1])
    assert field.centre(3, 3) == (centre, centre)
    random = np.random.default_rng(1)
    balance = np.zeros(2)
    for _ in range(4):
        picture = random.uniform(0, 255, (1, SIZE, SIZE, 3)).astype("float32") / (127.5 if name == "MobileNetV2" else 1)
        weights = random.normal(size=model.output_shape[-1]).astype("float32")
        _, gradient = value_and_grad(lambda x, w=weights: ops.sum(model(x, training=False)[:, 3, 3] * w))(picture)
        square = np.square(ops.convert_to_numpy(gradient).astype("float64")).sum(-1)
        balance += centroid(square)[0] / 4
    assert np.abs(balance - centre).max() < 3
    assert np.abs(balance - 111.5).min() > 12
    heat, cells = impulses(*field.map_size)
    placed, stretched = centroid(explain.place_heat(heat, (SIZE, SIZE), field)), centroid(explain.resize_heat(heat, (SIZE, SIZE)))
    middle = (cells == 3).all(1)
    assert np.abs(placed[middle] - centre).max() < 1
    assert np.abs(stretched[middle] - centre).min() > 13
