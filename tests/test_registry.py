"""The registry: names, refusals, and what the rows say about themselves."""

from __future__ import annotations

import types

import numpy as np
import pytest

from tests.backbones.counts import PAPER
from zoo import registry
from zoo.backbones.small_cnn import SmallCNN
from zoo.backbones.variant import Variant

pytestmark = pytest.mark.backend


def test_every_row_has_a_count_derived_without_its_model():
    assert {name: variant.parameters for name, (_, variant) in registry.rows().items()} == PAPER


@pytest.mark.parametrize("family", registry.FAMILIES)
def test_every_family_has_a_micro_row(family):
    import importlib

    module = importlib.import_module(registry.FAMILIES[family].module)
    assert any(name.endswith("_micro") for name in module.VARIANTS)
    assert all(isinstance(variant, Variant) for variant in module.VARIANTS.values())
    assert all(variant.source for variant in module.VARIANTS.values())


def test_an_unknown_name_meets_its_neighbours():
    with pytest.raises(ValueError, match=r"no model called 'resnet5'; did you mean .*resnet50"):
        registry.row("resnet5")
    with pytest.raises(ValueError, match=r"no model called 'zzz'; see zoo.list_models\(\)"):
        registry.row("zzz")


def test_two_rows_of_one_name_are_refused(monkeypatch):
    twin = types.ModuleType("zoo.backbones.twin")
    twin.VARIANTS = {"small_cnn_micro": None}
    monkeypatch.setitem(__import__("sys").modules, "zoo.backbones.twin", twin)
    monkeypatch.setitem(registry.FAMILIES, "twin", registry.Family("zoo.backbones.twin", "", 2026))
    registry.rows.cache_clear()
    try:
        with pytest.raises(ValueError, match="two rows are called 'small_cnn_micro'"):
            registry.rows()
    finally:
        registry.rows.cache_clear()


@pytest.mark.parametrize("shape", [(32, 32), (32, 32, None), (32, 32, 0)])
def test_a_shape_without_channels_last_is_refused(shape):
    with pytest.raises(ValueError, match=r"input_shape must be \(height, width, channels\)"):
        registry.build_classifier("small_cnn_micro", input_shape=shape)


@pytest.mark.parametrize("classes", [0, -1, 2.5, "ten", True])
def test_an_impossible_class_count_is_refused(classes):
    with pytest.raises(ValueError, match="classes must be a positive int"):
        registry.build_classifier("small_cnn_micro", classes=classes)


@pytest.mark.parametrize("kind", [int, np.int64, np.uint8])
def test_a_class_count_may_come_from_an_array(kind):
    model = registry.build_classifier("small_cnn_micro", classes=kind(3))
    assert model.output_shape == (None, 3)
    assert type(model.get_layer("logits").units) is int


def test_an_impossible_output_stride_is_refused():
    with pytest.raises(ValueError, match="resnet_micro has no output_stride=4; legal: 8, 16, 32"):
        registry.build_backbone("resnet_micro", output_stride=4)
    with pytest.raises(ValueError, match="none: this family cannot be dilated"):
        registry.build_backbone("vgg_micro", output_stride=8)


def test_an_unknown_pooling_is_refused():
    with pytest.raises(ValueError, match="pool must be 'average', 'max'"):
        registry.build_backbone("small_cnn_micro", pooling="avg")


def test_changes_replace_fields_of_the_row():
    model = registry.build_classifier("small_cnn_micro", changes={"widths": (2, 3, 4)})
    assert model.get_layer("stage3_block0_conv").filters == 4
    with pytest.raises(ValueError, match="small_cnn_micro has no field width; its fields are .*widths"):
        registry.build_classifier("small_cnn_micro", changes={"width": 3})
    assert isinstance(registry.row("small_cnn_micro")[1], SmallCNN)


@pytest.mark.parametrize(("channels", "mean", "std"), [(2, [5.0, 1.0], [2.0, 6.0]), (4, [5.0, 2.0, 1.0, 5.0], [2.0, 4.0, 6.0, 2.0])])
def test_constants_follow_the_channels(channels, mean, std):
    """More channels take the published constants in turn, two those of the extreme means."""
    model = registry.build_backbone("small_cnn_micro", input_shape=(32, 32, channels), mean=(5, 2, 1), std=(2, 4, 6))
    layer = model.get_layer("normalise")
    assert (layer.mean, layer.std) == (mean, std)


def test_the_models_name_is_free():
    assert registry.build_classifier("small_cnn_micro", model_name="mine").name == "mine"
