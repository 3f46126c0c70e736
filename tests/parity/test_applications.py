"""Ours and keras.applications are the same function: its weights, in its file format, through our loader, in float64.

The images go to the reference through its own `preprocess_input` (BGR, means subtracted) and to us as they are, so the constants
and the turned channels of the first kernel are compared too. The gate is 1e-9 of what the output says about the image. These two run on
every backend; every row is compared by its certificate, see test_certificates.py.
"""

from __future__ import annotations

import keras
import pytest

import zoo
from tests.references import difference, images_for, smooth_images
from zoo.verify.keras_side import publish, randomise

GATE = 1e-9


def _published(model, path) -> str:
    publish(model, path)
    return str(path)


def _preprocessed(kind, images):
    module = {"vgg": keras.applications.vgg16, "resnet": keras.applications.resnet50}[kind]
    return module.preprocess_input(images.copy())


@pytest.mark.slow
@pytest.mark.backend
@pytest.mark.parametrize(("ours", "theirs", "kind"), [("vgg16", "VGG16", "vgg"), ("resnet50_v1", "ResNet50", "resnet")])
def test_features_at_even_odd_and_oblong_sizes(ours, theirs, kind, float64, tmp_path):
    reference = getattr(keras.applications, theirs)(weights=None, include_top=False, input_shape=(None, None, 3))
    randomise(reference, _preprocessed(kind, smooth_images(4, 64, 64)))
    weights = _published(reference, tmp_path / "weights.h5")
    unknown = zoo.backbone(ours, weights=weights)
    for size in [(64, 64), (65, 65), (75, 98)]:
        images = images_for(size)
        expected = keras.ops.convert_to_numpy(reference(_preprocessed(kind, images)))
        assert difference(keras.ops.convert_to_numpy(unknown(images)["c5"]), expected) <= GATE, size
    known = zoo.backbone(ours, weights=weights, input_shape=(75, 98, 3))
    assert difference(keras.ops.convert_to_numpy(known(images)["c5"]), expected) <= GATE
