"""What the anatomy counts, against gradients, published tables and numbers counted by hand."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from tests import references
from zoo import anatomy, registry
from zoo.explain.window import EVERYTHING, PIXEL, Axis, meet
from zoo.gradients import value_and_grad

ROOT = Path(__file__).resolve().parents[1]
SIZE = 161
"""Odd and no multiple of a stride, so that a padding on the wrong side shows."""


def _measured(name: str, **options) -> anatomy.Anatomy:
    with keras.StatelessScope(initialize_variables=False):
        backbone = registry.build_backbone(name, **options)
        found = anatomy.measure(registry.build_classifier(name, **options), anatomy.levels(backbone))
    keras.utils.clear_session()
    return found


# --- receptive fields


def _positive_and_linear(model: keras.Model, seed: int = 0) -> keras.Model:
    """The same graph where nothing cancels, saturates or chooses: positive kernels, no activation, mean for maximum."""

    def plain(layer):
        config = {**layer.get_config(), "dtype": "float64"}
        if isinstance(layer, layers.MaxPooling2D):
            return layers.AveragePooling2D.from_config(config)
        if isinstance(layer, layers.ReLU | layers.Activation):
            return layers.Activation("linear", name=layer.name, dtype="float64")
        if "activation" in config:
            config["activation"] = "linear"
        return type(layer).from_config(config)

    model = keras.models.clone_model(model, clone_function=plain)
    random = np.random.default_rng(seed)
    for weight in model.trainable_weights:
        fan = max(1, int(np.prod(weight.shape[:-1])))
        weight.assign(random.uniform(0.5, 1.5, weight.shape) / fan)
    return model


def _touched(model: keras.Model, place: tuple[int, int]) -> np.ndarray:
    """(h, w): which pixels of the image the unit at `place` of the model's output reacts to."""
    image = np.random.default_rng(1).uniform(0, 255, (1, *model.input_shape[1:]))
    _, gradient = value_and_grad(lambda x: keras.ops.sum(model(x, training=False)[:, place[0], place[1]]))(image)
    return (keras.ops.convert_to_numpy(gradient)[0] != 0).any(-1)


def _agree(axis: Axis, unit: int, touched: np.ndarray, size: int) -> bool:
    """First and last touched pixel are the window's; beyond the image's end a map may stop before the image does, and so may its view."""
    first, last = int(axis.first + unit * axis.step), int(axis.last + unit * axis.step)
    end = touched.max() == last if last < size else touched.max() < size
    return bool(touched.min() == max(0, first) and end)


LOCAL = [
    "alexnet_micro",
    "lenet_modern_micro",
    "mobilenet_v2_micro",
    "nasnet_micro",
    "resnet_bottleneck_micro",
    "resnet_micro",
    "vgg_micro",
]


@pytest.mark.backend
@pytest.mark.parametrize("name", [name for name in LOCAL if name in registry.rows()])
def test_the_receptive_field_is_where_the_gradient_is(name):
    """Of every level, at the middle and at a corner, to the pixel."""
    size = 61 if name == "nasnet_micro" else SIZE  # a level of which sees a thousand pixels anyway
    backbone = registry.build_backbone(name, input_shape=(size, size + 9, 3))
    found = anatomy.measure(backbone, anatomy.levels(backbone))
    plain = _positive_and_linear(backbone)
    for key, part in found.levels.items():
        assert not part.view.whole
        level = keras.Model(plain.inputs, plain.get_layer(part.name).output)
        height, width = part.shape[:2]
        for place in {(height // 2, width // 2), (height - 1, 0)}:
            rows, columns = np.nonzero(_touched(level, place))
            assert _agree(part.view.axes[0], place[0], rows, size), (key, place, rows.min(), rows.max(), part)
            assert _agree(part.view.axes[1], place[1], columns, size + 9), (key, place, columns.min(), columns.max(), part)


@pytest.mark.backend
@pytest.mark.parametrize("output_stride", [8, 16])
def test_dilation_widens_the_view_and_keeps_the_stride(output_stride):
    backbone = registry.build_backbone("resnet_micro", input_shape=(SIZE, SIZE, 3), output_stride=output_stride)
    part = anatomy.measure(backbone, anatomy.levels(backbone)).levels["c5"]
    assert part.stride == output_stride
    assert part.field == _measured("resnet_micro", input_shape=(SIZE, SIZE, 3)).levels["c5"].field
    plain = _positive_and_linear(backbone)
    level = keras.Model(plain.inputs, plain.get_layer(part.name).output)
    place = (part.shape[0] // 2,) * 2
    assert _agree(part.view.axes[0], place[0], np.nonzero(_touched(level, place))[0], SIZE)


@pytest.mark.backend
@pytest.mark.parametrize(
    "build",
    [
        lambda x: layers.Multiply()([x, layers.GlobalAveragePooling2D(keepdims=True)(x)]),
        lambda x: layers.Add()([x, layers.Dense(4)(layers.GlobalMaxPooling2D(keepdims=True)(x))]),
    ],
)
def test_a_gate_lets_every_unit_see_all(build):
    image = keras.Input((9, 9, 3))
    x = layers.Conv2D(4, 3, padding="same", name="conv")(image)
    model = keras.Model(image, build(x))
    part = anatomy.measure(model, {"c1": model.layers[-1].name}).levels["c1"]
    assert part.view.whole
    assert (part.field, part.stride) == (3, 1), "the local path is kept apart"
    touched = _touched(keras.Model(image, model.output), (4, 4))
    assert touched.sum() > 9


@pytest.mark.parametrize(
    ("name", "field", "stride"),
    [("vgg16", 212, 32), ("mobilenet", 315, 32), ("inception_v3_keras", 1311, 32), ("inception_v3", 1311, 32)],
)
def test_receptive_fields_that_are_published(name, field, stride):
    """Araujo, Norris & Sim 2019, table of receptive fields. Its ResNet (483) strides in the last block of a stage, ours in the first:
    those are left to the gradients above."""
    last = list(_measured(name).levels.values())[-1]
    assert (last.field, last.stride) == (field, stride)


def test_where_branches_meet_the_wider_counts():
    a, b, both = Axis(-1, 1, 2, centre=0), Axis(-3, 0, 2, centre=-1.5), Axis(-3, 1, 2, centre=-0.75)
    assert meet([anatomy.View(a, a), anatomy.View(b, b), EVERYTHING]) == anatomy.View(both, both, whole=True)
    assert PIXEL.axes[0].side == 1
    with pytest.raises(ValueError, match="branches with strides"):
        meet([PIXEL, anatomy.View(a, a)])


def test_a_layer_that_is_not_known_is_named():
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, layers.UpSampling2D(name="up")(image))
    with pytest.raises(ValueError, match=r"UpSampling2D 'up' see is not known"):
        anatomy.measure(model)
    with pytest.raises(ValueError, match="takes images of any size"):
        anatomy.measure(registry.build_classifier("resnet_micro", input_shape=(None, None, 3)))


# --- work


_READ = """
import json, warnings
warnings.simplefilter("ignore")
from zoo.verify.torch_side import library
models = library("torchvision").models
print(json.dumps({name: [w.meta["_ops"], w.meta["num_params"]] for name in models.list_models(module=models)
                  for w in [models.get_model_weights(name).DEFAULT] if tuple(w.meta["min_size"])[0] <= 224}))
"""
SAME = {
    **{name: name for name in ("resnet18", "resnet50", "resnet152", "vgg11", "vgg16", "vgg19_bn", "densenet121")},
    **{
        "alexnet_torchvision": "alexnet",
        "squeezenet1_0": "squeezenet1_0",
        "resnext50_32x4d": "resnext50_32x4d",
        "googlenet_torchvision": "googlenet",
    },
    **{"mobilenet_v2_torchvision": "mobilenet_v2", "wide_resnet50_2": "wide_resnet50_2", "convnext_tiny": "convnext_tiny"},
    **{"mobilenet_v3_large_torchvision": "mobilenet_v3_large", "mobilenet_v3_large": "mobilenet_v3_large"},
    **{"vit_base_32": "vit_b_32"},
}
"""Our row -> torchvision's model of the same work."""


@pytest.fixture(scope="module")
def published() -> dict:
    """torchvision's own table of weights: {model: [billions of multiply-adds, parameters]}."""
    references.require("torch", "torchvision")
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", _READ], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(("name", "theirs"), SAME.items())
def test_multiply_adds_are_those_that_torchvision_publishes(name, theirs, published):
    """To the last digit that it prints; its attention counts both products, as ours does."""
    wanted, parameters = published[theirs]
    found = _measured(name, input_shape=(224, 224, 3))
    assert found.multiply_adds / 1e9 == pytest.approx(wanted, abs=0.0011 if wanted < 1 else 0.006)
    if registry.row(name)[1].parameters == parameters:
        assert found.parameters == parameters


@pytest.mark.parametrize(("name", "gmacs"), [("nasnet_mobile", 0.564), ("nasnet_large", 23.8)])
def test_multiply_adds_of_papers(name, gmacs):
    """Zoph et al. 2018, tables 2 and 3: 564 million and 23.8 billion."""
    assert _measured(name).multiply_adds / 1e9 == pytest.approx(gmacs, rel=0.005)


@pytest.mark.parametrize(("name", "millions"), [("resnet50", 11.1), ("resnet101", 16.2), ("vgg16", 13.56), ("vit_base_16", 23.90)])
def test_activations_are_the_published_ones(name, millions):
    """Radosavovic et al. 2020, table 4 (ResNet-50 11.1, ResNet-101 16.2); timm's table for the others."""
    assert _measured(name).activations / 1e6 == pytest.approx(millions, abs=0.06)


def test_work_of_a_graph_counted_by_hand():
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, strides=2, padding="same", name="conv")(image)  # 16 places of 3 x 3 x 3 x 4
    x = layers.SeparableConv2D(6, 5, padding="same", name="separable")(x)  # 16 of 5 x 5 x 4 and of 4 x 6
    x = layers.Dense(5, name="dense")(layers.Flatten()(x))  # 96 x 5
    found = anatomy.measure(keras.Model(image, x))
    by_name = {part.name: part for part in found.parts}
    assert by_name["conv"].multiply_adds == 16 * 108
    assert by_name["separable"].multiply_adds == 16 * (100 + 24)
    assert by_name["dense"].multiply_adds == 480
    assert [by_name[name].activations for name in ("conv", "separable", "dense")] == [64, 16 * (4 + 6), 5]
    assert [by_name[name].parameters for name in ("conv", "separable", "dense")] == [112, 130, 485]
    assert found.weight_bytes == 4 * (112 + 130 + 485)


def test_attention_counts_both_products():
    from zoo.layers import Attention

    tokens = keras.Input((7, 36))
    (part,) = anatomy.measure(keras.Model(tokens, Attention(3, name="attention")(tokens))).parts
    assert part.multiply_adds == 2 * 7 * 7 * 12
    assert part.activations == 3 * 7 * 7 + 7 * 12


def test_memory_of_a_graph_counted_by_hand():
    """1 + 2 while a is made; a (2) and b (4) while b is made; a, b and their sum (4) at last. Dropout is free."""
    image = keras.Input((4, 4, 1))
    a = layers.Dropout(0.5)(layers.Conv2D(2, 1, name="a")(image))
    b = layers.Conv2D(2, 1, name="b")(a)
    model = keras.Model(image, layers.Add()([a, b]))
    assert anatomy.measure(model).peak_bytes == 4 * 16 * 6
    deep = keras.Model(image, layers.Conv2D(1, 1)(layers.Conv2D(9, 1)(layers.Conv2D(1, 1)(image))))
    assert anatomy.measure(deep).peak_bytes == 4 * 16 * 10, "what nobody reads any more is gone"


# --- the table


def test_stages_and_table_hold_every_layer_once():
    found = _measured("resnet_micro")
    assert [stage.name for stage in found.stages] == ["c1", "c2", "c3", "c4", "c5", "head"]
    assert sum(stage.layers for stage in found.stages) == len(found.parts)
    assert sum(stage.multiply_adds for stage in found.stages) == found.multiply_adds
    assert found.parameters == registry.row("resnet_micro")[1].parameters
    rows = list(csv.DictReader(io.StringIO(found.csv())))
    assert [row["layer"] for row in rows] == [part.name for part in found.parts]
    first = next(row for row in rows if row["layer"] == "stem_conv")
    assert (first["field"], first["stride"], first["output"], first["stage"]) == ("7x7", "2x2", "16x16x2", "c1")
    with pytest.raises(ValueError, match="'nowhere', which the model does not have"):
        anatomy.measure(registry.build_classifier("resnet_micro"), {"c1": "nowhere"})


def test_the_command_writes_two_pictures_and_the_table(tmp_path, capsys):
    from PIL import Image

    from zoo.__main__ import main

    assert main(["anatomy", "resnet_micro", "-o", str(tmp_path), "--size", "64"]) == 0
    names = [Path(line).name for line in capsys.readouterr().out.splitlines()]
    assert names == ["resnet_micro_anatomy.png", "resnet_micro_maps.png", "resnet_micro_anatomy.csv"]
    for name in names[:2]:
        with Image.open(tmp_path / name) as picture:
            assert min(picture.size) > 500
            assert len(set(picture.convert("L").resize((64, 64)).tobytes())) > 5
    assert (tmp_path / names[2]).read_text().count("\n") == len(_measured("resnet_micro").parts) + 1
    assert main(["anatomy", "resnet_mikro"]) == 2
    assert "did you mean" in capsys.readouterr().err
