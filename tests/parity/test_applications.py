"""Ours and keras.applications are the same function: its weights, in its file format, through our loader, in float64.

The images go to the reference through its own `preprocess_input` (BGR, means subtracted) and to us as they are, so the constants
and the turned channels of the first kernel are compared too. The gate is 1e-9 of what the output says about the image.
"""

from __future__ import annotations

import h5py
import keras
import numpy as np
import pytest

import zoo
from tests.references import difference, images_for, randomise_keras, smooth_images

GATE = 1e-9


def _published(model, path) -> str:
    """A weights-only file in the layout of keras.applications, written by Keras' own legacy code."""
    from keras.src.legacy.saving import legacy_h5_format

    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)
    return str(path)


def _preprocessed(kind, images):
    module = {"vgg": keras.applications.vgg16, "resnet": keras.applications.resnet50}[kind]
    return module.preprocess_input(images.copy())


@pytest.mark.backend
@pytest.mark.parametrize(("ours", "theirs", "kind"), [("vgg16", "VGG16", "vgg"), ("resnet50_v1", "ResNet50", "resnet")])
def test_features_at_even_odd_and_oblong_sizes(ours, theirs, kind, float64, tmp_path):
    reference = getattr(keras.applications, theirs)(weights=None, include_top=False, input_shape=(None, None, 3))
    randomise_keras(reference, _preprocessed(kind, smooth_images(4, 64, 64)))
    weights = _published(reference, tmp_path / "weights.h5")
    unknown = zoo.backbone(ours, weights=weights)
    for size in [(64, 64), (65, 65), (75, 98)]:
        images = images_for(size)
        expected = keras.ops.convert_to_numpy(reference(_preprocessed(kind, images)))
        assert difference(keras.ops.convert_to_numpy(unknown(images)["c5"]), expected) <= GATE, size
    known = zoo.backbone(ours, weights=weights, input_shape=(75, 98, 3))
    assert difference(keras.ops.convert_to_numpy(known(images)["c5"]), expected) <= GATE


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ours", "theirs", "kind", "sizes"),
    [
        ("vgg16", "VGG16", "vgg", [(224, 224)]),
        ("vgg19", "VGG19", "vgg", [(224, 224)]),
        ("resnet50_v1", "ResNet50", "resnet", [(224, 224), (257, 257), (193, 258)]),
        ("resnet101_v1", "ResNet101", "resnet", [(224, 224)]),
        ("resnet152_v1", "ResNet152", "resnet", [(97, 97)]),
    ],
)
def test_logits_and_published_counts(ours, theirs, kind, sizes, float64, tmp_path):
    build = getattr(keras.applications, theirs)
    reference = build(weights=None, classifier_activation=None, input_shape=(*sizes[0], 3))
    trainable = sum(int(np.prod(weight.shape)) for weight in reference.trainable_weights)
    assert zoo.registry.row(ours)[1].parameters == trainable
    randomise_keras(reference, _preprocessed(kind, smooth_images(4, *sizes[0])))
    model = zoo.classifier(ours, weights=_published(reference, tmp_path / "weights.h5"), input_shape=(None, None, 3))
    for size in sizes:
        if size != sizes[0]:
            resized = build(weights=None, classifier_activation=None, input_shape=(*size, 3))
            resized.set_weights(reference.get_weights())
            reference = resized
        images = images_for(size)
        expected = keras.ops.convert_to_numpy(reference(_preprocessed(kind, images)))
        assert difference(keras.ops.convert_to_numpy(model(images)), expected) <= GATE, size
