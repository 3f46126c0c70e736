"""Weights for RGB in a model for other images: where all channels are equal, the answer is that to the RGB picture."""

from __future__ import annotations

import h5py
import keras
import numpy as np
import pytest

import zoo
from tests import references
from zoo import registry
from zoo.backbones.variant import channel_shares, kept_channels
from zoo.weights import find, foreign, load_weights, save_weights
from zoo.weights.load import constants
from zoo.weights.tree import tree

ROWS = ["resnet_micro", "efficientnet_micro", "vgg_micro", "mobilenet_v2_micro", "vit_micro"]
"""Stems with and without bias, padded "same" and explicitly, 3x3, 7x7, and the patches of a transformer."""


@pytest.fixture(autouse=True)
def wide():
    """Everything in float64."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    with references.wide_numbers():
        yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


def _random(row: str, **options):
    model = registry.build_classifier(row, **options)
    random = np.random.default_rng(0)
    for path, variable in tree(model).items():
        low, high = (0.5, 1.5) if path.endswith(("gamma", "moving_variance")) else (-0.5, 0.5)
        variable.assign(random.uniform(low, high, variable.shape))
    return model


def _answer(model, gray) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(np.repeat(gray, model.inputs[0].shape[-1], -1), training=False))


def _require_same(adapted, rgb) -> None:
    """On gray images; the constant shift of a channel matters too, so the picture has an even half and borders."""
    size = registry.row(rgb.name)[1].input_shape[:2]
    gray = references.smooth_images(2, *size, channels=1, seed=3)
    gray[:, : size[0] // 2] = 17.0
    expected = _answer(rgb, gray)
    assert np.abs(expected[0] - expected[1]).max() > 1e-6 * np.abs(expected).max(), "the network must react to its image"
    np.testing.assert_allclose(_answer(adapted, gray), expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


@pytest.mark.backend
@pytest.mark.parametrize("channels", [1, 2, 4, 5, 6, 7])
@pytest.mark.parametrize("row", ROWS)
def test_gray_over_any_number_of_channels_scores_as_over_three(row, channels, tmp_path):
    rgb = _random(row)
    assert len(set(constants(rgb)[0])) == len(set(registry.row(row)[1].mean))
    save_weights(rgb, tmp_path / "a.safetensors")
    size = registry.row(row)[1].input_shape[:2]
    _require_same(zoo.classifier(row, weights=tmp_path / "a.safetensors", input_shape=(*size, channels)), rgb)


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("row", ["resnet_v1_micro", "vgg_micro"])
def test_files_for_bgr_are_turned_round_before(row, channels, tmp_path):
    """A file in the layout of keras.applications, whose first kernel is for BGR, with the constants that belong to it."""
    variant = registry.row(row)[1]
    family = registry.family(row)
    names = foreign.table(family, variant, "applications_h5")
    source = _random(row)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["layer_names"] = [theirs[0].encode() for theirs in names.values()]
        for number, (ours, (theirs, *_)) in enumerate(names.items()):
            values = {p.rpartition("/")[2]: keras.ops.convert_to_numpy(v) for p, v in tree(source).items() if p.startswith(f"{ours}/")}
            group = file.create_group(theirs)
            group.attrs["weight_names"] = [f"{theirs}/{weight}:0".encode() for weight in values]
            for weight, value in values.items():
                group.create_dataset(f"{theirs}/{weight}:0", data=value[:, :, ::-1] if number == 0 and weight == "kernel" else value)
    assert find(row, tmp_path / "a.h5").mean == pytest.approx((123.68, 116.779, 103.939), abs=0.01)
    size = variant.input_shape[:2]
    rgb, other = (zoo.classifier(row, weights=tmp_path / "a.h5", input_shape=(*size, c)) for c in (3, channels))
    np.testing.assert_array_equal(
        *(keras.ops.convert_to_numpy(tree(model)[f"{next(iter(names))}/kernel"]) for model in (rgb, source)), "read as RGB"
    )
    _require_same(other, rgb)


@pytest.mark.parametrize("channels", [2, 3, 4, 7])
@pytest.mark.parametrize("mean", [(123.675, 116.28, 103.53), (1.0, 5.0, 3.0), (2.0, 2.0, 2.0), (1.0, 1.0, 4.0)])
def test_the_shares_say_a_gray_value_in_other_words(mean, channels):
    """For every published channel: the shares of the new normalised values are its normalised value."""
    std, gray = (58.4, 57.1, 40.0), np.linspace(0, 255, 7)
    kept = kept_channels(mean, channels)
    shares = np.array(channel_shares(mean, std, channels))
    new = np.array([(gray - mean[i]) / std[i] for i in kept])
    np.testing.assert_allclose(shares.T @ new, [(gray - m) / s for m, s in zip(mean, std, strict=True)], rtol=1e-12, atol=1e-12)
    assert shares.min() >= 0, "between the extremes nothing is amplified"


def test_two_channels_need_the_constants_of_the_file(tmp_path):
    """A model of the user's own has no row to take them from."""
    rgb = _random("small_cnn_micro", model_name="mine")
    rgb.save_weights(tmp_path / "a.weights.h5")
    two = registry.build_classifier("small_cnn_micro", model_name="mine", input_shape=(32, 32, 2))
    before = two.get_weights()
    with pytest.raises(ValueError, match="can only serve 2 when the mean and std of its images are known.*zoo.save_weights"):
        load_weights(two, tmp_path / "a.weights.h5")
    for old, new in zip(before, two.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)
