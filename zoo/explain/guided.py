"""Guided backpropagation: at every ReLU, only what speaks for the target is passed back.

The gradient of a ReLU is zero where its input is negative. Guided backpropagation (Springenberg et al. 2014, arXiv:1412.6806)
also drops a gradient that is itself negative. Its sharp pictures show edges of the image more than what the network
learned: they hardly change when the network's weights are drawn anew (Adebayo et al. 2018, arXiv:1810.03292), so it warns.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator

import keras
import numpy as np
from keras import ops

from zoo.explain.gradient import check_channels, heat_of
from zoo.explain.places import operations
from zoo.explain.progress import Progress
from zoo.explain.session import image_gradients
from zoo.explain.tap import method, substituted

FUNCTIONS = {keras.activations.relu, keras.activations.relu6, keras.activations.leaky_relu, ops.relu, ops.relu6, ops.leaky_relu}
OPERATIONS = {"ReLU", "Relu", "ReLU6", "Relu6", "LeakyReLU", "LeakyRelu"}
"""The kinds of a ReLU in Keras: the layers, and the operations that keras.ops and keras.activations put into a graph."""


def guided_backprop(
    model, images, target=None, *, channels: str = "sum", batch_size: int = 32, progress: Progress | None = None
) -> np.ndarray:
    """The guided gradient, signed: float32 (b, h, w) or (b, h, w, c), in score per grey level of [0, 255].

    Every ReLU of the model is guided: activation="relu" of any layer, Activation, ReLU and LeakyReLU layers with their options,
    keras.ops.relu in a functional graph, in nested models too. A relu that the Python code of a layer or a subclassed model
    applies by itself cannot be seen and is not.

    Arguments and errors are those of `gradient`; ValueError for a model without a ReLU that can be seen, where it would be the
    plain gradient. Always gives a UserWarning: it fails the weight randomisation check (Adebayo et al. 2018).
    """
    check_channels(channels)
    if isinstance(model, keras.Model) and model.built:
        _rectifiers(model)  # refuses before anything is run
    warnings.warn(
        "guided backpropagation fails the weight randomisation check (Adebayo et al. 2018): its picture hardly depends on what the "
        "network learned; do not take it for the network's reason",
        stacklevel=2,
    )
    found, _ = image_gradients(model, images, target, batch_size, around=_guided, progress=progress)
    return heat_of(found, channels)


@contextlib.contextmanager
def _guided(model) -> Iterator[None]:
    """Within the block, every ReLU of the model passes back positive gradients only."""
    with contextlib.ExitStack() as stack:
        for owner, name in _rectifiers(model):
            stack.enter_context(substituted(owner, name, lambda original, *args, **kwargs: _keep_positive(original(*args, **kwargs))))
        yield


def _rectifiers(model) -> list[tuple]:
    """(operation, name of the method or attribute that rectifies) of every ReLU."""
    found = []
    for operation in operations(model):
        if type(operation).__name__ in OPERATIONS:
            found.append((operation, method(operation)))
        elif _is_relu(getattr(operation, "activation", None)):
            found.append((operation, "activation"))
    if not found:
        raise ValueError(
            f"the model {model.name!r} has no ReLU that can be seen, its guided gradient would be the plain one; use gradient or saliency"
        )
    return found


def _is_relu(activation) -> bool:
    activation = getattr(activation, "original", activation)  # another thread may have substituted it in a model that shares the layer
    return any(activation is function for function in FUNCTIONS)


def _keep_positive(x):
    """x; what comes back through it loses its negative part."""

    @ops.custom_gradient
    def passed(x):
        def back(*args, upstream=None):  # torch passes the inputs first and the gradient by name, the others the gradient alone
            return ops.maximum(args[0] if upstream is None else upstream, 0)

        return x + 0, back

    return passed(x)
