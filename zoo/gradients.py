"""Gradients and compilation for the backend that Keras runs on: TensorFlow, JAX or torch.

Keras 3 has no call for "the gradient of this function", so the three ways of saying it live here, behind one name each:

    value_and_grad(function)         f(x, *args)  -> ((value, aux), d value / d x)
    tapped_value_and_grad(function)  f(*args)     -> ((value, aux), d value / d y) for a tensor y in the middle
    jit(function)                    f(*args)     compiled once per shape

Functions are written with `keras.ops`; nobody else in the zoo needs to name a backend to differentiate.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops, tree


def value_and_grad(function: Callable, with_respect_to: Sequence[keras.Variable] | None = None) -> Callable:
    """The function f(x, *args) -> ((value, aux), gradient) that also differentiates.

    function:        f(x, *args) -> a scalar tensor, or (scalar, aux) with any structure of tensors as aux.
    with_respect_to: Keras variables; then the result is f(*args) -> ((value, aux), [gradient of each variable]) and
                     `function` reads the variables instead of an x. On JAX a variable that the function assigns is left unchanged.

    x may be a floating tensor or array, or any structure (list, dict) of them; the gradient has its structure, shapes and
    dtypes. What the value does not depend on has gradient zero. aux is None when the function returns a scalar only.
    First derivatives only: value, aux and gradient are detached from the graph on torch.

    Raises TypeError for an x that is not floating, ValueError when the value is not a scalar.
    """
    engine = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[_backend()]
    if with_respect_to is not None:
        return engine(function, list(with_respect_to))

    def differentiated(x, *args):
        return engine(function, None)(tree.map_structure(_floating, x), *args)

    return differentiated


def tapped_value_and_grad(function: Callable) -> Callable:
    """The function f(*args) -> ((value, aux), gradient) that differentiates with respect to a tensor inside `function`.

    function: f(tap, *args) -> scalar or (scalar, aux). It calls `y = tap(y)` exactly once, on one floating tensor, and goes
              on with what `tap` returned. The value is unchanged: the tap adds zero ("additive zero tap").

    The gradient is d value / d y. Only what comes after the tap is differentiated, so the part before it costs a plain
    forward pass. Raises RuntimeError when `tap` is called never or more than once.
    """
    return {"tensorflow": _tensorflow_tapped, "jax": _jax_tapped, "torch": _torch_tapped}[_backend()](function)


def jit(function: Callable, variables: Sequence[keras.Variable] = ()) -> Callable:
    """`function` compiled for the current backend: tf.function, jax.jit; torch runs eagerly, so it is returned as it is.

    function:  f(*args) -> structure of tensors; args are structures of tensors.
    variables: the Keras variables that `function` reads. JAX would otherwise bake their present values into the program and
               ignore later training; given here, they are passed in on every call. The other backends do not need them.
    """
    if _backend() == "tensorflow":
        import tensorflow as tf

        compiled = tf.function(function, autograph=False, reduce_retracing=True)
        # TensorFlow counts traces per source line, and all functions made by one caller share theirs: it would cry wolf
        compiled._omit_frequent_tracing_warning = True
        return compiled
    if _backend() == "jax":
        import jax

        variables = list(variables)

        def stateless(values, args):
            with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
                return function(*args)

        compiled = jax.jit(stateless)
        return lambda *args: compiled([variable.value for variable in variables], args)
    return function


# TensorFlow


def _tensorflow(function, variables):
    import tensorflow as tf

    def run(*args):
        watched = args[0] if variables is None else [variable.value for variable in variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(watched)
            value, aux = _split(function(*args))
        return (value, aux), tape.gradient(value, watched, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    return run


def _tensorflow_tapped(function):
    import tensorflow as tf

    def run(*args):
        tapped = []
        with tf.GradientTape(watch_accessed_variables=False) as tape:

            def tap(y):
                y = tf.identity(y)
                tape.watch(y)
                tapped.append(y)
                return y

            value, aux = _split(function(tap, *args))
        return (value, aux), tape.gradient(value, _only(tapped), unconnected_gradients=tf.UnconnectedGradients.ZERO)

    return run


# JAX


def _jax(function, variables):
    import jax

    def run(*args):
        if variables is None:
            return jax.value_and_grad(lambda x: _split(function(x, *args[1:])), has_aux=True)(args[0])

        def of_values(values):
            with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
                return _split(function(*args))

        return jax.value_and_grad(of_values, has_aux=True)([variable.value for variable in variables])

    return run


def _jax_tapped(function):
    import jax

    def run(*args):
        tapped = []

        def measure(*args):  # JAX needs the shape of the tap before it can differentiate; this pass computes nothing
            def tap(y):
                tapped.append((y.shape, y.dtype))
                return y

            return _split(function(tap, *args))

        jax.eval_shape(measure, *args)
        shape, dtype = _only(tapped)
        return jax.value_and_grad(lambda zero: _split(function(lambda y: y + zero, *args)), has_aux=True)(jax.numpy.zeros(shape, dtype))

    return run


# torch


def _torch(function, variables):
    import torch

    def run(*args):
        if variables is None:
            x = tree.map_structure(lambda leaf: leaf.detach().requires_grad_(True), args[0])
            args = (x, *args[1:])
        else:
            x = [variable.value for variable in variables]
        with torch.enable_grad():
            value, aux = _split(function(*args))
        leaves = tree.flatten(x)
        return (value.detach(), _detach(aux)), tree.pack_sequence_as(x, _torch_gradients(value, leaves))

    return run


def _torch_tapped(function):
    import torch

    def run(*args):
        tapped = []

        def tap(y):
            torch.set_grad_enabled(True)  # from here on torch records; everything before the tap ran without a graph
            tapped.append(y.detach().requires_grad_(True))
            return tapped[-1]

        with torch.no_grad():
            value, aux = _split(function(tap, *args))
            y = _only(tapped)
            gradient = _torch_gradients(value, [y])[0]
        return (value.detach(), _detach(aux)), gradient

    return run


def _torch_gradients(value, leaves):
    import torch

    if not value.requires_grad:
        return [torch.zeros_like(leaf) for leaf in leaves]
    wanted = [leaf for leaf in leaves if leaf.requires_grad]  # a frozen variable does not: its gradient is left at zero
    found = dict(zip(map(id, wanted), torch.autograd.grad(value, wanted, allow_unused=True), strict=True))
    return [torch.zeros_like(leaf) if found.get(id(leaf)) is None else found[id(leaf)] for leaf in leaves]


def _detach(aux):
    return tree.map_structure(lambda leaf: leaf.detach() if hasattr(leaf, "detach") else leaf, aux)


# shared by the three


def _backend() -> str:
    return keras.backend.backend()


def _floating(x):
    x = ops.convert_to_tensor(x)
    if "float" not in keras.backend.standardize_dtype(x.dtype):
        raise TypeError(
            f"a gradient needs a floating x, got {keras.backend.standardize_dtype(x.dtype)}; cast it first: ops.cast(x, 'float32')"
        )
    return x


def _split(result) -> tuple[Any, Any]:
    value, aux = result if isinstance(result, tuple) else (result, None)
    if len(value.shape):
        raise ValueError(f"a gradient needs a scalar value, got shape {tuple(value.shape)}; reduce it first, for example with ops.sum")
    return value, aux


def _only(tapped: list):
    if len(tapped) != 1:
        raise RuntimeError(f"the tap must be called exactly once in the function, it was called {len(tapped)} times")
    return tapped[0]


def global_generator_kept() -> contextlib.AbstractContextManager:
    """What the block draws from the backend's own global generator is undone. Only torch has one that Keras layers draw from."""
    if keras.backend.backend() != "torch":
        return contextlib.nullcontext()
    import torch

    return torch.random.fork_rng()
