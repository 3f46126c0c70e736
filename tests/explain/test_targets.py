"""What can be explained, and what the errors say about what cannot."""

import re

import numpy as np
import pytest
from keras import ops

from zoo import explain
from zoo.explain import ClassScore

LOGITS = np.array([[1.0, 5.0, 2.0], [7.0, 0.0, 3.0]], "float32")


@pytest.mark.backend
@pytest.mark.parametrize(
    ("index", "expected"), [(2, [2, 3]), ([1, 0], [5, 7]), (np.array([0, 2]), [1, 3]), (np.int64(1), [5, 0]), (None, [5, 7])]
)
def test_class_score_picks_logits(index, expected):
    np.testing.assert_array_equal(ops.convert_to_numpy(ClassScore(index)(ops.convert_to_tensor(LOGITS))), expected)


@pytest.mark.backend
def test_class_score_picks_an_output():
    outputs = {"a": ops.convert_to_tensor(LOGITS), "b": ops.convert_to_tensor(2 * LOGITS)}
    np.testing.assert_array_equal(ops.convert_to_numpy(ClassScore(0, output="b")(outputs)), [2, 14])
    np.testing.assert_array_equal(ops.convert_to_numpy(ClassScore(0, output=1)(list(outputs.values()))), [2, 14])
    with pytest.raises(ValueError, match=r"outputs \['a', 'b'\], output='c'"):
        ClassScore(0, output="c")(outputs)


@pytest.mark.parametrize("method", [explain.gradcam, explain.saliency])
@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        (4, ValueError, "must be 0 to 3, because the model has 4 outputs, got 4"),
        (-1, ValueError, "must be 0 to 3.* got -1"),
        ([0, 1, 2, 3, 9], ValueError, "got 9"),
        ([0, 1], ValueError, "2 classes for 5 images"),
        ([], ValueError, "0 classes for 5 images"),
        (True, TypeError, r"is an int, got True \(bool\)"),
        ([0, 1, 2, 3, False], TypeError, "got False"),
        (1.0, TypeError, r"got 1.0 \(float\)"),
        (np.array([1.5] * 5), TypeError, "got 1.5"),
        ("cat", TypeError, "target is None .* got 'cat'"),
        (lambda outputs: ops.sum(outputs), ValueError, r"one score per image, shape \(b,\), got \(\)"),
        (ClassScore(0, output="other"), ValueError, "single output, output='other'"),
    ],
    ids=lambda value: re.sub(r" at 0x[0-9a-f]+", "", str(value)),
)
def test_wrong_targets_are_named(method, target, error, message, cnn, images):
    with pytest.raises(error, match=message):
        method(cnn, images, target)


@pytest.mark.backend
def test_any_callable_is_a_target(cnn, images):
    """A contrast of two classes is linear in the score, and so is Grad-CAM before its ReLU."""

    def contrast(outputs):
        return outputs[:, 1] - outputs[:, 3]

    one, three, both = (explain.gradcam(cnn, images, target, relu=False) for target in (1, 3, contrast))
    np.testing.assert_allclose(both, one - three, atol=1e-6 * np.abs(one).max())


def test_targets_are_values():
    """Equal targets share a compiled function."""
    assert ClassScore([1, 2]) == ClassScore((1, 2))
    assert hash(ClassScore(3)) == hash(ClassScore(3))
