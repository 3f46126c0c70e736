"""What every detector row must do: learn with every weight, compiled, in half precision, and be the same after saving."""

import keras
import numpy as np
import pytest
from keras import ops

import zoo
from tests.detect.pictures import rectangles
from zoo import gradients
from zoo.detect.detections import detect
from zoo.detect.model import Detector
from zoo.metrics import Truth
from zoo.metrics.detection import average_precision

pytestmark = pytest.mark.backend

FAMILIES = ("retinanet_micro", "yolov3_micro", "yolov5_style_micro", "yolov8_style_micro")
OTHERS = ("retinanet_p5_micro", "yolov3_spp_micro", "yolov3_tiny_micro")
ROWS = [*FAMILIES, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)]
QUICK = "yolov8_style_micro"
ONE_QUICK = [FAMILIES[0], *(pytest.param(name, marks=pytest.mark.slow) for name in (*FAMILIES[1:], *OTHERS))]


def build(name):
    keras.utils.set_random_seed(0)
    return zoo.detector(name)


@pytest.mark.parametrize("name", ROWS)
def test_one_step_gives_every_weight_a_finite_gradient_that_is_not_zero(name):
    model = build(name)
    assert type(model) is Detector
    images, truth = map_to_tensors(*rectangles())

    def loss():
        return model.compute_loss(images, truth, model(images, training=True))

    (value, _), slopes = gradients.value_and_grad(loss, model.trainable_variables)()
    assert np.isfinite(float(ops.convert_to_numpy(value)))
    for variable, slope in zip(model.trainable_variables, slopes, strict=True):
        slope = ops.convert_to_numpy(slope)
        assert np.isfinite(slope).all(), variable.path
        assert np.abs(slope).max() > 0, variable.path


@pytest.mark.slow
@pytest.mark.parametrize("name", [*FAMILIES, *OTHERS])
def test_trains_compiled(name):
    if keras.backend.backend() == "torch":
        pytest.skip("jit_compile=True on torch is torch.compile, which needs a C++ compiler; Keras' default there is eager")
    model = build(name)
    images, truth = rectangles()
    model.compile("adam", jit_compile=True)
    history = model.fit(images, truth, batch_size=8, epochs=2, verbose=0).history
    assert np.isfinite(list(history.values())).all()


@pytest.mark.parametrize("name", ONE_QUICK)
def test_trains_and_is_the_same_to_the_bit_after_saving(name, tmp_path):
    model = build(name)
    images, truth = rectangles()
    model.compile("adam")
    history = model.fit(images, truth, batch_size=8, epochs=2, verbose=0).history
    assert set(history) == {"loss", *model.criterion.parts}
    assert np.isfinite(list(history.values())).all()
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", compile=False)
    assert again.criterion == model.criterion
    assert again.levels == model.levels
    theirs = again.predict(images, verbose=0)
    for output, ours in model.predict(images, verbose=0).items():
        np.testing.assert_array_equal(theirs[output], ours)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("name", [QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in FAMILIES if name != QUICK)])
def test_half_precision_keeps_outputs_and_loss_in_float32(name, precision):
    keras.config.set_dtype_policy(precision)
    model = build(name)
    assert {keras.backend.standardize_dtype(output.dtype) for output in model.outputs} == {"float32"}
    images, truth = map_to_tensors(*rectangles(2))
    total = model.compute_loss(images, truth, model(images))
    assert keras.backend.standardize_dtype(total.dtype) == "float32"
    assert np.isfinite(float(ops.convert_to_numpy(total)))


HEART = {"retinanet_micro": (100, 0.005), "yolov3_micro": (400, 0.01), "yolov5_style_micro": (400, 0.01), "yolov8_style_micro": (400, 0.01)}
"""Row -> (steps, rate): points that must outbid each other for an object learn later than anchors with an overlap of their own."""


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name == "retinanet_micro" else pytest.mark.slow) for name in FAMILIES])
def test_knows_eight_pictures_by_heart(name):
    steps, rate = HEART[name]
    model = build(name)
    images, truth = rectangles()
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps)))
    model.fit(images, truth, batch_size=8, epochs=steps, verbose=0)
    assert ap50(model, images, truth) > 0.9


def test_stages_of_a_row_are_its_levels_its_neck_and_its_head():
    from zoo.train.stages import backbone_of, stages

    model = build(QUICK)
    parts = stages(model)
    assert list(parts)[-2:] == ["neck", "head"]
    assert all(layer.name.startswith("head_") for layer in parts["head"] if layer.weights)
    assert not any(layer.name.startswith("head_") for name, own in parts.items() if name != "head" for layer in own)
    assert {layer.name for layer in backbone_of(model)}.isdisjoint(layer.name for layer in parts["neck"])
    assert sum(len([layer for layer in own if layer.weights]) for own in parts.values()) == len([x for x in model.layers if x.weights])


def map_to_tensors(images, truth):
    return ops.convert_to_tensor(images.astype("float32")), {name: ops.convert_to_tensor(column) for name, column in truth.items()}


def ap50(model, images, truth):
    """COCO's AP at IoU 0.5 by `zoo.metrics`, which has its own tests."""
    truths = [Truth(boxes, classes) for boxes, classes in zip(truth["boxes"], truth["classes"], strict=True)]
    return average_precision(truths, detect(model, images, threshold=0.05), 3).ap(0.5)
