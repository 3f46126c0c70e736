"""What is refused before the first step, by its message; and that good data passes silently."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.train.nets import colours, net
from zoo.train import check_batch, check_labels

IMAGES, LABELS = colours(6)


@pytest.fixture(scope="module")
def model():
    return net()


@pytest.mark.backend
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64", "float16"])
def test_good_batches_pass(model, dtype):
    assert check_batch(model, IMAGES.astype(dtype), LABELS) == 3
    assert check_batch(model, IMAGES.astype(dtype), LABELS.astype("uint8")) == 3
    assert check_batch(model, IMAGES.astype(dtype)) is None
    check_batch(model, np.zeros((1, 8, 8, 3), dtype), [2])


def _with(value):
    images = IMAGES.astype("float32")
    images[4, 0, 0, 0] = value
    return images


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (IMAGES[0], LABELS, r"batch of images \(b, h, w, c\), got shape \(8, 8, 3\); add the batch axis"),
        (IMAGES[:0], LABELS[:0], "at least one image"),
        (IMAGES[..., :1], LABELS, r"wants 3 channels, got images with 1 .*input_shape=\(h, w, 1\)"),
        (
            IMAGES[:, :4],
            LABELS,
            r"wants images of 8x8 pixels \(height x width\), got 4x8; resize them, or build it with input_shape=\(4, 8, 3\)",
        ),
        (IMAGES.astype("int32"), LABELS, "uint8 or float, got int32"),
        (IMAGES > 100, LABELS, "uint8 or float, got bool"),
        (_with(np.nan), LABELS, r"image 4 of the batch holds NaN or infinity \(1 of 6 images\)"),
        (_with(np.inf), LABELS, "image 4 of the batch holds NaN or infinity"),
        (IMAGES / 127.5 - 1.0 - 1.0, LABELS, r"values in \[0, 255\], got \[-2, .*the model's first layer normalises"),
        (IMAGES.astype("float32") * 257, LABELS, r"values in \[0, 255\], got \[0, "),
        (IMAGES, LABELS[:5], "6 images and 5 labels"),
        (IMAGES, np.eye(3)[LABELS], r"shape \(6, 3\), which looks one-hot; give labels.argmax"),
        (IMAGES, LABELS[:, None], r"shape \(6, 1\); give labels.reshape"),
        (IMAGES, LABELS.astype("float32"), "integer labels, got float32"),
        (IMAGES, np.array(list("abcabc")), "integer labels, got <U1"),
        (IMAGES, LABELS + 1, r"label 3 \(position 2; 2 of 6\) is outside \[0, 3\): the model has 3 outputs. Build with classes=4 or more"),
        (IMAGES, LABELS - 1, r"label -1 \(position 0; 2 of 6\) is outside \[0, 3\)"),
    ],
)
def test_bad_batches_are_refused(model, images, labels, message):
    with pytest.raises(ValueError, match=message):
        check_batch(model, images, labels)


def test_images_divided_by_255_warn(model):
    with pytest.warns(UserWarning, match=r"looks like \[0, 1\]; the model wants \[0, 255\]"):
        check_batch(model, (IMAGES / 255.0).astype("float32"), LABELS)


def test_a_black_batch_and_a_dark_uint8_batch_do_not_warn(model):
    check_batch(model, np.zeros((2, 8, 8, 3), "float32"), [0, 1])
    check_batch(model, np.ones((2, 8, 8, 3), "uint8"), [0, 1])


def test_probabilities_are_refused():
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, layers.Dense(3, activation="softmax")(layers.Flatten()(image)))
    with pytest.raises(ValueError, match="returns probabilities .* build it with activation=None"):
        check_batch(model, IMAGES, LABELS)


def test_a_model_without_logits_is_refused():
    image = keras.Input((8, 8, 3))
    for outputs in (layers.Conv2D(3, 3)(image), {"c1": layers.Conv2D(3, 3)(image)}):
        with pytest.raises(ValueError, match=r"returns logits \(b, classes\), got (shape|dict)"):
            check_batch(keras.Model(image, outputs), IMAGES, LABELS)


def test_nan_weights_before_the_first_step_are_named():
    model = net()
    model.get_layer("conv").kernel.assign(np.full((3, 3, 3, 8), np.nan, "float32"))
    with pytest.raises(ValueError, match="weight 'conv/kernel' of the model holds NaN"):
        check_batch(model, IMAGES, LABELS)


def test_one_class_only_warns():
    with pytest.warns(UserWarning, match="all 4 training labels are 1: with one class there is nothing to tell apart"):
        check_labels([1, 1, 1, 1], 3)


def test_classes_without_an_image_warn():
    with pytest.warns(
        UserWarning, match="12 outputs but the training labels hold 2 classes; without an image: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10"
    ):
        check_labels([0, 11], 12)
    check_labels([1, 1], 3, teaches=False)
    check_labels([0, 1, 2], 3)
