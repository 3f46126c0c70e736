"""What every detector's row promises: its published count, its outputs, and any class count, size and backbone."""

from __future__ import annotations

import functools

import keras
import numpy as np
import pytest

import zoo
from tests.detect.counts import PAPER
from zoo.detect import ROWS
from zoo.detect.build import build

pytestmark = pytest.mark.backend
MICRO = [name for name in ROWS if name.endswith("_micro")]
KINDS = ["retinanet_micro", "yolov3_spp_micro", "yolov5_style_micro", "yolov8_style_micro"]
"""One row of each kind; the others differ from them in a switch."""
MICRO_COSTLY = pytest.mark.parametrize("name", [name if name in KINDS else pytest.param(name, marks=pytest.mark.slow) for name in MICRO])
SOON = ("retinanet_resnet50_fpn_p5", "yolov3", "yolov3_tiny", "yolov5_style_n", "yolov8_style_n", *MICRO)
"""Counted in the fast suite; the others differ from them in a number."""


def _counts(name: str, classes: int | None = None) -> tuple[int, int]:
    """(trainable, other) numbers of a row, built at 64 pixels without giving the weights a value."""
    with keras.StatelessScope(initialize_variables=False):
        model = build(name, input_shape=(64, 64, 3), classes=classes).detector
        found = tuple(sum(int(np.prod(w.shape)) for w in ws) for ws in (model.trainable_weights, model.non_trainable_weights))
    keras.utils.clear_session()  # forgets the variables that wait for a value
    return found


def _model(name: str, **options):
    keras.utils.set_random_seed(0)
    return zoo.detector(name, **options)


@functools.cache
def _known(name: str):
    """The row as published, built once for the tests that only look at it."""
    return _model(name)


def _images(shape, seed: int = 0, count: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 255, (count, *shape)).astype("float32")


def _out(model, images) -> dict:
    return {key: keras.ops.convert_to_numpy(value) for key, value in model(images, training=False).items()}


def test_every_row_has_a_count_derived_without_its_model():
    assert {name: row.parameters for name, row in ROWS.items()} == PAPER


@pytest.mark.parametrize("name", [name if name in SOON else pytest.param(name, marks=pytest.mark.slow) for name in ROWS])
def test_every_row_has_the_published_number_of_trainable_parameters(name):
    assert _counts(name)[0] == ROWS[name].parameters


PUBLISHED = {
    "yolov8_style_n": (3_157_200 - 16, 10_592),
    "yolov8_style_s": (11_166_560 - 16, 20_032),
    "yolov8_style_m": (25_902_640 - 16, 33_120),
    "yolov8_style_l": (43_691_520 - 16, 46_464),
    "yolov8_style_x": (68_229_648 - 16, 58_080),
}
"""The authors' numbers, of which 16 are a convolution with fixed weights, and the moving statistics."""


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n[-1] in "smlx" else n for n in PUBLISHED])
def test_v8_style_has_the_published_numbers_of_weights_and_of_moving_statistics(name):
    assert _counts(name) == PUBLISHED[name]


@pytest.mark.parametrize(
    ("classes", "count"), [pytest.param(21, 32_615_969, marks=pytest.mark.slow), pytest.param(81, 33_860_669, marks=pytest.mark.slow)]
)
def test_retinanet_has_torchvisions_counts_at_other_class_counts(classes, count):
    assert _counts("retinanet_resnet50_fpn_p5", classes)[0] == count


def test_retinanets_published_count_leaves_out_what_torchvision_freezes():
    """Without the gains and shifts of its normalisations, two for each of 26,560 maps."""
    assert ROWS["retinanet_resnet50_fpn_p5"].parameters - 2 * 26_560 == 34_014_999
    # torchvision's second version has P6 from C5, and 8 normalisations of 256 maps instead of biases in its heads; 11 classes more.
    assert ROWS["retinanet_resnet50_fpn"].parameters + 8 * 256 + 11 * 9 * (9 * 256 + 1) == 38_198_935


@pytest.mark.parametrize("name", MICRO)
def test_outputs(name):
    row = ROWS[name]
    out = _out(_known(name), _images(row.input_shape))
    anchors = {"retinanet": 9, "yolov3": 3, "yolov5": 3, "yolov8": 1}[row.kind]
    total = sum(anchors * (-(-64 // stride)) ** 2 for stride in row.strides)
    shapes = {"boxes": (2, total, 4), "scores": (2, total, 3)}
    extra = {"retinanet": {"deltas": 4}, "yolov3": {"raw": 8}, "yolov5": {"raw": 8}, "yolov8": {"distances": 64}}[row.kind]
    shapes |= {key: (2, total, width) for key, width in extra.items()}
    assert {key: value.shape for key, value in out.items()} == shapes
    assert all(value.dtype == np.float32 and np.isfinite(value).all() for value in out.values())
    assert (out["boxes"][..., 2:] >= out["boxes"][..., :2]).all()


@pytest.mark.parametrize("name", MICRO)
def test_names_are_flat_and_stable(name):
    layers = _known(name).layers
    names = [layer.name for layer in layers]
    with keras.StatelessScope(initialize_variables=False):
        assert names == [layer.name for layer in build(name).detector.layers], "names must not depend on what was built before"
    assert len(set(names)) == len(names)
    assert not any(isinstance(layer, keras.layers.Lambda | keras.Model) for layer in layers)


@MICRO_COSTLY
def test_logits_and_boxes_are_float32_under_mixed_precision(name):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = _model(name)
        assert {value.dtype for value in model.output.values()} == {"float32"}
        out = _out(model, _images(ROWS[name].input_shape))
        assert all(value.dtype == np.float32 and np.isfinite(value).all() for value in out.values())
    finally:
        keras.config.set_dtype_policy("float32")


@MICRO_COSTLY
def test_any_size_and_class_count_build(name):
    """Odd sides are halved upwards everywhere, so that enlarged maps fit the finer ones."""
    out = _out(_model(name, classes=1, input_shape=(37, 70, 3)), _images((37, 70, 3)))
    assert out["scores"].shape[-1] == 1
    assert np.isfinite(out["boxes"]).all()


@MICRO_COSTLY
def test_saved_model_answers_to_the_bit(name, tmp_path):
    model, images = _known(name), _images(ROWS[name].input_shape)
    model.save(tmp_path / "model.keras")
    loaded = _out(keras.saving.load_model(tmp_path / "model.keras"), images)
    for key, value in _out(model, images).items():
        np.testing.assert_array_equal(loaded[key], value)


@MICRO_COSTLY
def test_weight_archive_round_trip(name, tmp_path):
    model, images = _model(name, classes=2), _images(ROWS[name].input_shape)
    zoo.save_weights(model, tmp_path / "weights.safetensors")
    filled = zoo.detector(name, weights=tmp_path / "weights.safetensors")
    for key, value in _out(model, images).items():
        np.testing.assert_array_equal(_out(filled, images)[key], value)


# --- heads on other backbones

HEADS = ("retinanet_micro", "yolov3_micro", "yolov3_tiny_micro", "yolov5_style_micro", "yolov8_style_micro")
BODIES = ("mobilenet_v2_micro", "convnext_micro", "efficientnet_micro", "densenet_micro", "vgg_micro", "darknet_micro")


@pytest.mark.parametrize("backbone", [name if name == "convnext_micro" else pytest.param(name, marks=pytest.mark.slow) for name in BODIES])
@pytest.mark.parametrize("name", HEADS)
def test_a_head_stands_on_any_backbone_with_the_levels(name, backbone):
    model = _model(name, backbone=backbone)
    out = _out(model, _images((64, 64, 3)))
    assert np.isfinite(out["boxes"]).all()
    own = {layer.name for layer in zoo.backbone(backbone, input_shape=(64, 64, 3)).layers}
    used = {layer.name for layer in model.layers}
    assert len(own & used) > len(own) // 2
    normalise = model.get_layer("normalise")
    assert normalise.mean == zoo.backbone(backbone).get_layer("normalise").mean


def test_a_published_size_stands_on_a_published_backbone():
    with keras.StatelessScope(initialize_variables=False):
        model = build("yolov8_style_n", backbone="mobilenet_v2", classes=3, input_shape=(64, 64, 3)).detector
        assert {key: value.shape[1:] for key, value in model.output.items()}["scores"] == (84, 3)
    keras.utils.clear_session()


def test_a_backbone_without_the_levels_is_refused_with_what_it_has():
    with pytest.raises(
        ValueError,
        match=r"strides 8, 16, 32; .* no level at stride 8 \(8x8 cells\) and .*stride 32 \(2x2 cells\), only c1 .*Choose a backbone",
    ):
        zoo.detector("retinanet_micro", backbone="small_cnn_micro")


def test_backbone_weights_fill_the_backbone_only(tmp_path):
    keras.utils.set_random_seed(1)
    classifier = zoo.classifier("mobilenet_v2_micro")
    zoo.save_weights(classifier, tmp_path / "body.safetensors")
    model = _model("yolov8_style_micro", backbone="mobilenet_v2_micro", backbone_weights=tmp_path / "body.safetensors")
    own = {layer.name: layer for layer in classifier.layers if layer.weights and layer.name != "logits"}
    for name, layer in own.items():
        for mine, theirs in zip(model.get_layer(name).weights, layer.weights, strict=True):
            np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (mine, theirs)))
    assert len(own) < len([layer for layer in model.layers if layer.weights])


# --- refusals


def test_bad_requests_are_told_what_to_do(tmp_path):
    with pytest.raises(ValueError, match="no detector called 'yolov8_style_q'; did you mean yolov8_style_"):
        zoo.detector("yolov8_style_q")
    with pytest.raises(ValueError, match="classes must be a positive int, got 0; background is no class"):
        zoo.detector("yolov3_micro", classes=0)
    with pytest.raises(ValueError, match="all known, since a detector's boxes belong to one size"):
        zoo.detector("yolov3_micro", input_shape=(None, None, 3))
    with pytest.raises(ValueError, match="cannot take an image of 31x64 pixels: the smallest legal side is 32"):
        zoo.detector("yolov3_micro", input_shape=(31, 64, 3))
    with pytest.raises(ValueError, match="has no field anchor; its fields are .*anchors"):
        zoo.detector("yolov3_micro", changes={"anchor": ()})
    with pytest.raises(ValueError, match="yolov3_micro has no published weights 'coco'; it has none"):
        zoo.detector("yolov3_micro", weights="coco")
    with pytest.raises(ValueError, match="has no weights of its own; pass backbone="):
        zoo.detector("yolov8_style_micro", backbone_weights="imagenet")
    with pytest.raises(ValueError, match="not both"):
        zoo.detector("retinanet_micro", backbone_weights="a.safetensors", weights="b.safetensors")
    zoo.save_weights(zoo.detector("yolov3_micro"), tmp_path / "weights.safetensors")
    with pytest.raises(ValueError, match="holds weights of yolov3_micro, not of yolov8_style_micro"):
        zoo.detector("yolov8_style_micro", weights=tmp_path / "weights.safetensors")
