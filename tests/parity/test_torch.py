"""Ours, torchvision's and timm's networks are the same function: their state dict as safetensors, through our loader, in float64.

In training too: one step is compared in output, gradients and moving statistics, where Keras' momentum is one minus torch's.
"""

from __future__ import annotations

import keras
import numpy as np
import pytest

import zoo
from tests.references import difference, images_for, probe, torch_case
from zoo import registry

GATE = 1e-9 if keras.backend.backend() == "tensorflow" else 1e-4
"""Elsewhere Keras 3.15 multiplies and averages float64 in float32 (its `dtypes.result_type`); a wrong border differs by more than 1."""

SIZES = [(64, 64), (65, 65), (75, 98)]

CASES = [
    ("resnet18", "resnet18", "torchvision", SIZES, {}, None),
    *(
        pytest.param(*case, marks=pytest.mark.slow)
        for case in [
            ("resnet50", "resnet50", "torchvision", SIZES, {"replace_stride_with_dilation": [False, False, True]}, 16),
            ("resnet50", "resnet50", "torchvision", SIZES, {"replace_stride_with_dilation": [False, True, True]}, 8),
            ("resnet18", "resnet18", "timm", SIZES, {"output_stride": 8}, 8),
        ]
    ),
]


@pytest.mark.backend
@pytest.mark.parametrize(("ours", "theirs", "library", "sizes", "options", "output_stride"), CASES)
def test_logits(ours, theirs, library, sizes, options, output_stride, float64, tmp_path):
    answers = torch_case(tmp_path, theirs, sizes, library=library, options=options)
    count = sum(value.size for name, value in answers.items() if name.startswith("grad:"))
    assert registry.row(ours)[1].parameters == count, "the published count is that of the live model"
    weights = str(tmp_path / "weights.safetensors")
    unknown = zoo.classifier(ours, weights=weights, input_shape=(None, None, 3), output_stride=output_stride)
    for size in sizes:
        out = keras.ops.convert_to_numpy(unknown(images_for(size), training=False))
        assert difference(out, answers[f"out_{size[0]}x{size[1]}"]) <= GATE, size
    known = registry.build_classifier(ours, input_shape=(*sizes[-1], 3), output_stride=output_stride)
    known.set_weights(unknown.get_weights())
    np.testing.assert_allclose(keras.ops.convert_to_numpy(known(images_for(sizes[-1]), training=False)), out, rtol=GATE, atol=GATE)


@pytest.mark.backend
def test_one_training_step(float64, tmp_path):
    """Outputs with batch statistics, every gradient, and the moving statistics after one pass in training mode."""
    answers = torch_case(tmp_path, "resnet18", SIZES[:1])
    model = zoo.classifier("resnet18", weights=str(tmp_path / "weights.safetensors"), input_shape=(64, 64, 3))
    old = {weight.path: keras.ops.convert_to_numpy(weight) for weight in model.weights}
    images, loss = images_for(SIZES[0]), probe(answers["train_out"].shape)
    count = len(images)

    def dotted(weighting, out):
        return keras.ops.sum(out * weighting, axis=-1) * count  # fit() averages over the batch, torch's side sums

    model.compile(keras.optimizers.SGD(1.0), dotted)
    model.train_on_batch(images, loss)
    steps = {weight.path: old[weight.path] - keras.ops.convert_to_numpy(weight) for weight in model.trainable_weights}
    for theirs, path, turn in _pairs(model):
        expected = turn(answers[f"grad:{theirs}"])
        np.testing.assert_allclose(steps[path], expected, rtol=GATE, atol=GATE * np.abs(expected).max(), err_msg=path)
    for norm, layer in _norms(model):
        np.testing.assert_allclose(layer.moving_mean, answers[f"state:{norm}.running_mean"], rtol=GATE, atol=GATE)
        n = count * int(np.prod(layer.input.shape[1:3]))
        before = old[layer.moving_variance.path]
        unbiased = 0.9 * before + (keras.ops.convert_to_numpy(layer.moving_variance) - 0.9 * before) * n / (n - 1)
        np.testing.assert_allclose(unbiased, answers[f"state:{norm}.running_var"], rtol=GATE)


def _torch_name(layer: str) -> str:
    """Our layer -> torchvision's, written here a second time, independently of the loader's table."""
    if not layer.startswith("stage"):
        return {"stem_conv": "conv1", "stem_norm": "bn1", "logits": "fc"}[layer]
    stage, block, part = layer.split("_", 2)
    unit = {"shortcut_conv": "downsample.0", "shortcut_norm": "downsample.1"}.get(part, part.replace("norm", "bn"))
    return f"layer{int(stage[-1]) - 1}.{block[5:]}.{unit}"


def _pairs(model):
    """(torch's parameter, our path, how torch's array becomes ours)."""
    for weight in model.trainable_weights:
        layer, kind = weight.path.split("/")[-2:]
        theirs = f"{_torch_name(layer)}.{'weight' if kind in ('kernel', 'gamma') else 'bias'}"
        turn = {4: lambda a: a.transpose(2, 3, 1, 0), 2: lambda a: a.T, 1: lambda a: a}[len(weight.shape)]
        yield theirs, weight.path, turn


def _norms(model):
    return [(_torch_name(layer.name), layer) for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
