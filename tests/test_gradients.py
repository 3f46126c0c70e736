"""Gradients against closed forms and central differences in float64, on whatever backend runs."""

import contextlib

import keras
import numpy as np
import pytest
from keras import ops

from zoo.gradients import jit, tapped_value_and_grad, value_and_grad

pytestmark = pytest.mark.backend


@pytest.fixture
def double():
    """float64 throughout; JAX must be asked for it."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    with contextlib.ExitStack() as stack:
        if keras.backend.backend() == "jax":
            import jax

            stack.enter_context(jax.enable_x64(True))
        yield


def numpy(x):
    return ops.convert_to_numpy(x)


def central_differences(function, x, step=1e-5):
    """d function / d x, each element moved both ways."""
    gradient = np.zeros_like(x)
    for place in np.ndindex(*x.shape):
        move = np.zeros_like(x)
        move[place] = step
        gradient[place] = (float(function(x + move)) - float(function(x - move))) / (2 * step)
    return gradient


def test_square_has_gradient_twice_x():
    x = np.array([[1.0, -2.0], [0.5, 0.0]], "float32")
    (value, aux), gradient = value_and_grad(lambda x: ops.sum(x * x))(x)
    assert float(value) == pytest.approx(5.25)
    assert aux is None
    np.testing.assert_allclose(numpy(gradient), 2 * x, rtol=1e-6)


def test_list_of_tensors_further_arguments_and_aux():
    x = [np.array([1.0, 2.0], "float32"), np.array([3.0, 4.0], "float32")]
    (value, aux), gradient = value_and_grad(lambda x, factor: (factor * ops.sum(x[0] * x[1]), {"sum": x[0] + x[1]}))(x, 3.0)
    assert float(value) == pytest.approx(33.0)
    np.testing.assert_allclose(numpy(aux["sum"]), [4.0, 6.0])
    np.testing.assert_allclose(numpy(gradient[0]), 3 * x[1])
    np.testing.assert_allclose(numpy(gradient[1]), 3 * x[0])


def test_what_does_not_matter_has_gradient_zero():
    x = {"used": np.ones(2, "float32"), "unused": np.ones((2, 3), "float32")}
    _, gradient = value_and_grad(lambda x: ops.sum(x["used"]))(x)
    np.testing.assert_array_equal(numpy(gradient["unused"]), np.zeros((2, 3)))
    _, gradient = value_and_grad(lambda x: ops.sum(ops.ones(3)))(x)
    np.testing.assert_array_equal(numpy(gradient["used"]), np.zeros(2))


@pytest.mark.parametrize("activation", ["gelu", "silu", "softplus"])
def test_network_agrees_with_central_differences(double, activation):
    keras.utils.set_random_seed(3)
    image = keras.Input((6, 6, 2))
    x = keras.layers.Conv2D(3, 3, strides=2, activation=activation)(image)
    model = keras.Model(image, keras.layers.Conv2D(2, 2)(x))  # Dense and normalisation round to float32 in Keras on torch
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 2))

    def score(x):
        return ops.sum(ops.square(model(x)))

    _, gradient = value_and_grad(score)(x)
    assert numpy(gradient).dtype == np.float64
    expected = central_differences(lambda x: numpy(score(ops.convert_to_tensor(x))), x)
    np.testing.assert_allclose(numpy(gradient), expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


def test_central_differences_catch_a_planted_wrong_gradient(double):
    @ops.custom_gradient
    def wrong_square(x):
        def grad(*upstream_and_more, upstream=None):
            upstream = upstream_and_more[0] if upstream is None else upstream
            return 3 * x * upstream  # the truth is 2 x

        return x * x, grad

    if keras.backend.backend() == "torch":
        pytest.skip("ops.custom_gradient needs a torch.autograd.Function on torch")
    x = np.array([1.0, 2.0])
    _, gradient = value_and_grad(lambda x: ops.sum(wrong_square(x)))(x)
    assert np.abs(numpy(gradient) - central_differences(lambda x: np.sum(x * x), x)).max() > 0.5


def test_with_respect_to_variables():
    dense = keras.layers.Dense(1)
    dense.build((None, 3))
    x = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], "float32")
    (value, _), (kernel, bias) = value_and_grad(lambda x: ops.sum(dense(x)), with_respect_to=[dense.kernel, dense.bias])(
        ops.convert_to_tensor(x)
    )
    np.testing.assert_allclose(float(value), numpy(ops.sum(dense(x))), rtol=1e-6)
    np.testing.assert_allclose(numpy(kernel)[:, 0], x.sum(0))
    np.testing.assert_allclose(numpy(bias), [2.0])


def test_tap_is_the_gradient_of_the_tensor_in_the_middle():
    x = np.array([1.0, 2.0, 3.0], "float32")

    def function(tap, x):
        y = tap(x * x)
        return ops.sum(y * y * y), y

    (value, y), gradient = tapped_value_and_grad(function)(ops.convert_to_tensor(x))
    assert float(value) == pytest.approx(1 + 64 + 729)
    np.testing.assert_allclose(numpy(y), x**2)
    np.testing.assert_allclose(numpy(gradient), 3 * x**4)


@pytest.mark.parametrize("times", [0, 2])
def test_tap_is_called_exactly_once(times):
    def function(tap, x):
        for _ in range(times):
            x = tap(x)
        return ops.sum(x)

    with pytest.raises(RuntimeError, match=f"called {times} times"):
        tapped_value_and_grad(function)(ops.ones(3))


def test_tap_leaves_the_grad_mode_of_the_caller():
    """Torch's global switch is moved during a tapped call; afterwards other gradients still work, after an error too."""
    with pytest.raises(RuntimeError, match="stop"):
        tapped_value_and_grad(_stopping)(ops.ones(3))
    _, gradient = value_and_grad(lambda x: ops.sum(x * x))(np.ones(2, "float32"))
    np.testing.assert_array_equal(numpy(gradient), [2, 2])
    if keras.backend.backend() == "torch":
        import torch

        assert torch.is_grad_enabled()


def _stopping(tap, x):
    tap(x)
    raise RuntimeError("stop")


def test_compiled_agrees_and_sees_new_weights():
    """JAX bakes captured weights into the program unless they are passed: training would not change the answer."""
    dense = keras.layers.Dense(2)
    dense.build((None, 2))
    run = jit(lambda x: value_and_grad(lambda x: ops.sum(dense(x)))(x)[1], dense.variables)
    x = ops.ones((1, 2))
    for scale in (1.0, 5.0):
        dense.kernel.assign(scale * np.array([[1.0, 2.0], [3.0, 4.0]]))
        np.testing.assert_allclose(numpy(run(x)), [[3 * scale, 7 * scale]])


def test_bad_input_is_named():
    with pytest.raises(TypeError, match="floating x, got int32"):
        value_and_grad(lambda x: ops.sum(x))(np.ones(3, "int32"))
    with pytest.raises(ValueError, match=r"scalar value, got shape \(3,\)"):
        value_and_grad(lambda x: x)(np.ones(3, "float32"))
