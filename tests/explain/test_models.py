"""The model matrix (bar B11): the same small network in every form that Keras knows must give the same explanation."""

import functools

import keras
import numpy as np
import pytest
from keras import layers, ops

from zoo import explain

pytestmark = pytest.mark.backend

PICTURES = np.random.default_rng(7).integers(0, 256, (5, 16, 16, 3)).astype("uint8")


def trunk():
    """Fresh layers of the network; `alike` gives them one set of weights."""
    return [
        layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", name="first"),
        layers.Conv2D(6, 3, padding="same", activation="relu", name="last"),
    ]


def head():
    return [layers.GlobalAveragePooling2D(name="pool"), layers.Dense(3, activation="softmax", name="logits")]


def run(stack, x):
    for layer in stack:
        x = layer(x)
    return x


def functional(shape=(16, 16, 3)):
    image = keras.Input(shape)
    return keras.Model(image, run(trunk() + head(), image))


def sequential_with_input():
    return keras.Sequential([keras.Input((16, 16, 3)), *trunk(), *head()])


def sequential_without_input():
    return keras.Sequential(trunk() + head())


def nested():
    inside = keras.Input((16, 16, 3))
    backbone = keras.Model(inside, run(trunk(), inside), name="backbone")
    image = keras.Input((16, 16, 3))
    return keras.Model(image, run(head(), backbone(image)))


def nested_twice():
    inside, middle, image = (keras.Input((16, 16, 3)) for _ in range(3))
    backbone = keras.Model(inside, run(trunk(), inside), name="backbone")
    outer = keras.Model(middle, backbone(middle), name="outer")
    return keras.Model(image, run(head(), outer(image)))


def nested_in_sequential():
    inside = keras.Input((16, 16, 3))
    backbone = keras.Model(inside, run(trunk(), inside), name="backbone")
    return keras.Sequential([keras.Input((16, 16, 3)), backbone, *head()])


def nested_with_its_pooling():
    """The collapse happens inside the nested model: keras.applications with pooling="avg"."""
    inside, image = keras.Input((16, 16, 3)), keras.Input((16, 16, 3))
    pool, logits = head()
    backbone = keras.Model(inside, pool(run(trunk(), inside)), name="backbone")
    return keras.Model(image, logits(backbone(image)))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.stack = trunk()
        self.pool, self.logits = head()

    def call(self, x):
        return self.logits(self.pool(run(self.stack, x)))


class PlainPooling(Subclassed):
    """The collapse is a plain operation that no layer sees."""

    def call(self, x):
        return self.logits(ops.mean(run(self.stack, x), axis=(1, 2)))


class Block(layers.Layer):
    """A layer made of layers that hides the collapse from the graph of a functional model."""

    def __init__(self, **options):
        super().__init__(**options)
        self.stack = trunk()
        self.pool = head()[0]

    def call(self, x):
        return self.pool(run(self.stack, x))


def functional_with_subclassed_block():
    image = keras.Input((16, 16, 3))
    return keras.Model(image, head()[1](Block(name="block")(image)))


def any_size():
    return functional((None, None, 3))


def bfloat16():
    keras.config.set_dtype_policy("mixed_bfloat16")
    return functional()


def float16():
    keras.config.set_dtype_policy("mixed_float16")
    return functional()


FORMS = [sequential_with_input, sequential_without_input, nested, nested_twice, nested_in_sequential, nested_with_its_pooling]
FORMS += [Subclassed, PlainPooling, functional_with_subclassed_block, any_size]
WITHOUT_GRAPH = (Subclassed, PlainPooling, functional_with_subclassed_block)
"""Where layers sit is not written down in these: their maps are stretched over the image, not placed by receptive fields."""


def alike(model, images):
    """The model, built, with the weights of `functional()` under seed 5: every form holds the same arrays in the same order."""
    model(ops.convert_to_tensor(images.astype("float32")))
    keras.utils.set_random_seed(5)
    model.set_weights([np.random.default_rng(5).normal(0, 0.3, weight.shape) for weight in model.get_weights()])
    return model


@pytest.mark.parametrize("make", FORMS, ids=lambda make: make.__name__)
def test_every_form_gives_the_same_explanation(make, images):
    images = images[:2]
    reference = alike(functional(), images)
    model = alike(make(), images)
    maps = explain.default_layer(model, images).name
    assert maps in ("last", "pool")  # "pool" stands for what it reads
    placement = explain.placement_of(model, images)
    assert placement == ("stretch" if make in WITHOUT_GRAPH else "field")
    for method, how in ((explain.gradcam, {"placement": placement}), (explain.saliency, {})):
        expected = method(reference, images, [2, 0], **how)
        np.testing.assert_allclose(method(model, images, [2, 0]), expected, rtol=1e-5, atol=1e-6 * expected.max(), err_msg=method.__name__)
    expected = explain.gradcam(reference, images, 1, layer="first", relu=False, placement=placement)
    found = explain.gradcam(model, images, 1, layer="first", relu=False)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())


def raw(method):
    """The method's map of the layer itself: where it is placed depends on whether the form tells its geometry."""
    return functools.wraps(method)(functools.partial(method, resize=False))


def occlusion(*arguments):
    return explain.occlusion(*arguments, window=4, stride=4)


def rise(*arguments):
    return explain.rise(*arguments, masks=20)


METHODS = [*(raw(method) for method in (explain.eigencam, explain.hirescam, explain.layercam, explain.scorecam)), occlusion, rise]


@functools.cache
def of_the_functional_model(method, batch, *target):
    """What a method gives for the functional form; batch: how many of the images."""
    keras.config.set_dtype_policy("float32")
    images = PICTURES[:batch]
    return method(alike(functional(), images), images, *target)


@pytest.mark.parametrize("make", FORMS, ids=lambda make: make.__name__)
def test_every_method_on_every_form(make):
    images = PICTURES[:2]
    model = alike(make(), images)
    for method in METHODS:
        expected = of_the_functional_model(method, 2, (2, 0))
        found = method(model, images, [2, 0])
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max(), err_msg=method.__name__)


GRADIENTS = {
    "gradient": explain.gradient,
    "input_x_gradient": explain.input_x_gradient,
    "smoothgrad": lambda *args: explain.smoothgrad(*args, samples=2),
    "vargrad": lambda *args: explain.vargrad(*args, samples=2),
    "integrated_gradients": lambda *args: explain.integrated_gradients(*args, steps=2).heat,
    "guided_backprop": explain.guided_backprop,
}


@pytest.fixture(scope="module")
def functional_gradients():
    """The images, and what every gradient method says about them in the functional form."""
    images = np.random.default_rng(7).integers(0, 256, (2, 16, 16, 3)).astype("uint8")
    model = alike(functional(), images)
    return images, {name: method(model, images, [2, 0]) for name, method in GRADIENTS.items()}


@pytest.mark.filterwarnings("ignore:guided backpropagation fails")
@pytest.mark.parametrize("make", FORMS, ids=lambda make: make.__name__)
def test_every_form_gives_the_same_gradients(make, functional_gradients):
    images, expected = functional_gradients
    model = alike(make(), images)
    for name, method in GRADIENTS.items():
        found, scale = method(model, images, [2, 0]), np.abs(expected[name]).max()
        np.testing.assert_allclose(found, expected[name], atol=1e-5 * scale, rtol=0, err_msg=name)


@pytest.mark.filterwarnings("ignore:guided backpropagation fails")
@pytest.mark.parametrize(("make", "cosine"), [(float16, 0.97), (bfloat16, 0.9)])
def test_gradients_in_mixed_precision(make, cosine, functional_gradients):
    """A ReLU whose input is nearly zero may switch by rounding, so the pictures are compared, not their pixels."""
    images, expected = functional_gradients
    model = alike(make(), images)
    for name in ("gradient", "integrated_gradients", "guided_backprop"):
        found = GRADIENTS[name](model, images, [2, 0])
        assert found.dtype == np.float32
        alike_as = np.vdot(found, expected[name]) / np.linalg.norm(found) / np.linalg.norm(expected[name])
        assert alike_as >= cosine, f"{name} {alike_as}"


@pytest.mark.parametrize("method", [explain.gradcam, *METHODS], ids=lambda method: method.__name__)
@pytest.mark.parametrize(("make", "tolerance"), [(float16, 0.01), (bfloat16, 0.08)])
def test_mixed_precision(make, tolerance, method):
    expected = of_the_functional_model(method, 5, 1)
    found = method(alike(make(), PICTURES), PICTURES, 1)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=tolerance * np.abs(expected).max())


def test_never_built_sequential(images):
    assert explain.gradcam(sequential_without_input(), images, 1, relu=False).shape == (5, 16, 16)


def test_loaded_model_and_compiled_with_jit(tmp_path, images):
    model = alike(nested(), images)
    model.compile("sgd", loss="mse", jit_compile=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(explain.gradcam(loaded, images, 1), explain.gradcam(model, images, 1), rtol=1e-5, atol=1e-7)


def test_other_sizes_of_a_model_without_one(images):
    model = alike(any_size(), images)
    assert explain.gradcam(model, np.zeros((2, 24, 40, 3)), 0, relu=False).shape == (2, 24, 40)
    assert explain.gradcam(model, np.ones((2, 24, 40, 3)), 0, resize=False, relu=False).shape == (2, 12, 20)


def test_dict_input_and_dict_output(images):
    image, number = keras.Input((16, 16, 3), name="image"), keras.Input((2,), name="number")
    x = layers.Concatenate()([head()[0](run(trunk(), image)), number])
    model = keras.Model(
        {"image": image, "number": number}, {"a": layers.Dense(3)(x), "z": layers.Dense(2, activation="softmax", name="z")(x)}
    )
    batch = {"image": images, "number": np.ones((5, 2))}
    assert explain.gradcam(model, batch, explain.ClassScore(1, output="z"), relu=False).shape == (5, 16, 16)
    assert explain.saliency(model, batch, explain.ClassScore(1, output="z"), batch_size=2).shape == (5, 16, 16)
    with pytest.raises(ValueError, match=r"outputs \['a', 'z'\].*output='a'"):
        explain.gradcam(model, batch, 1)


def test_shared_layers_of_a_siamese_model(images):
    """Each call of a shared layer has its own map; the first is the default."""
    left, right = keras.Input((16, 16, 3)), keras.Input((16, 16, 3))
    stack, pool = trunk(), head()[0]
    difference = layers.Subtract()([pool(run(stack, left)), pool(run(stack, right))])
    model = keras.Model([left, right], layers.Dense(2, use_bias=False)(difference))
    first, second = (explain.gradcam(model, [images, images[::-1]], 0, layer=("last", call), relu=False) for call in (0, 1))
    np.testing.assert_array_equal(explain.gradcam(model, [images, images[::-1]], 0, relu=False), first)
    np.testing.assert_allclose(second, -first[::-1], rtol=1e-5, atol=1e-7)  # by symmetry
    with pytest.raises(ValueError, match="'last' is called 2 times"):
        explain.gradcam(model, [images, images], 0, layer=("last", 2))


@pytest.mark.parametrize("method", [explain.gradcam, explain.saliency, *METHODS], ids=lambda method: method.__name__)
def test_channels_first_is_refused(method, images):
    """Read as channels last, its maps would have the height for their channels, without any error."""
    image, inside = keras.Input((16, 16, 3)), keras.Input((3, 16, 16))
    pool = layers.GlobalAveragePooling2D(data_format="channels_first", name="pool")
    model = keras.Model(image, layers.Dense(2)(keras.Model(inside, pool(inside), name="first")(layers.Permute((3, 1, 2))(image))))
    with pytest.raises(ValueError, match="layer 'first/pool' of .* works channels first"):
        method(model, images, 1)


def test_segmenter_explains_a_pixel(images):
    """The default layer is the one before the last weights, not the softmax; the target is any callable."""
    image = keras.Input((16, 16, 3))
    x = run(trunk(), layers.Rescaling(1 / 255)(image))
    outputs = layers.Conv2D(3, 1, activation="softmax", name="classes")(x)
    model = keras.Model(image, layers.UpSampling2D(2)(outputs))
    assert explain.default_layer(model).name == "last"
    heat = explain.gradcam(model, images, lambda outputs: outputs[:, 4, 4, 1], relu=False)
    assert heat.shape == (5, 16, 16)
    with pytest.raises(ValueError, match=r"needs an output \(b, classes\)"):
        explain.gradcam(model, images, 1)
