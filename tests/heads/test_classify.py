"""The classification head: where dropout sits, which level it takes, what it refuses."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo.backbones.variant import Top
from zoo.heads.classify import classify, deepest, pool

pytestmark = pytest.mark.backend


def _layers(top: Top, **options) -> list[str]:
    """Names of the head's layers in the order of the data."""
    image = keras.Input((4, 4, 3))
    return [layer.name for layer in keras.Model(image, classify({"c1": image}, top, 5, **options)).layers[1:]]


def test_dropout_sits_where_the_paper_put_it():
    assert _layers(Top(hidden=(4, 4), dropout=0.5)) == ["pool", "fc1", "dropout1", "fc2", "dropout2", "logits"]
    assert _layers(Top(hidden=(4, 4), dropout=0.5, dropout_at="before")) == ["pool", "dropout1", "fc1", "dropout2", "fc2", "logits"]
    assert _layers(Top(dropout=0.5)) == ["pool", "dropout", "logits"]
    assert _layers(Top(hidden=(4,), dropout=0.5), dropout=0.0) == ["pool", "fc1", "logits"]


def test_the_deepest_level_is_by_number_not_by_letter():
    assert deepest({"c9": 9, "c10": 10, "c2": 2}) == 10
    with pytest.raises(ValueError, match="at least one pyramid level"):
        deepest({})


def test_pooling():
    x = np.random.default_rng(0).normal(size=(2, 4, 6, 3)).astype("float32")
    for how, expected in {"average": x.mean((1, 2)), "max": x.max((1, 2)), "flatten": x.reshape(2, -1)}.items():
        image = keras.Input((4, 6, 3))
        out = keras.Model(image, pool(image, how))(x)
        np.testing.assert_allclose(keras.ops.convert_to_numpy(out), expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="needs a fixed input size"):
        pool(keras.Input((None, 4, 3)), "flatten")
    with pytest.raises(ValueError, match="pool must be"):
        pool(keras.Input((4, 4, 3)), "mean")
