"""A layer that computes with a rewritten kernel: masked, shared or rounded. What pruning, clustering and quantisation have in common.

    kernel (a weight of the plain layer) -> rewrite -> rewrite -> the plain layer computes with the result

A rewrite is a Keras layer from kernel to kernel, of the same shape. Masks, counters, centroids and ranges are its weights, so that they
are in every checkpoint and in every compiled program: a Keras constraint is traced into the program as it was in the first step on JAX,
and a callback is called once per `steps_per_execution` updates. The plain layer is called as it is, with another value for its kernel,
so whatever it does with it (strides, groups, separable) stays Keras' own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from zoo.layers import StandardisedConv2D

_ONE_KERNEL = (
    layers.Dense,
    layers.EinsumDense,
    layers.Conv1D,
    layers.Conv2D,
    layers.Conv3D,
    layers.DepthwiseConv1D,
    layers.DepthwiseConv2D,
)
_TRANSPOSED = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
_SEPARABLE = (layers.SeparableConv1D, layers.SeparableConv2D)


@keras.saving.register_keras_serializable(package="zoo")
class Rewritten(layers.Wrapper):
    """`layer`, computing with rewritten kernels.

    layer:    any layer; its name becomes that of this layer, so a model keeps its layer names.
    rewrites: {attribute of the kernel: rewrites in order}, for example {"kernel": [...]}; each is a layer whose
              call(kernel, training) returns a kernel of the same shape.
    """

    def __init__(self, layer: keras.Layer, rewrites: dict[str, list[keras.Layer]], **kwargs):
        # float32 without autocast: the rewrites see the kernel as it is stored; the layer itself casts by its own policy
        super().__init__(layer, **{"name": layer.name, "trainable": layer.trainable, **kwargs, "dtype": "float32"}, autocast=False)
        self._convert_input_args = False
        self.rewrites = rewrites

    def build(self, input_shape=None):
        super().build(input_shape)
        for name, chain in self.rewrites.items():
            variable = getattr(self.layer, name)
            for rewrite in chain:
                if not rewrite.built:
                    rewrite.build(tuple(variable.shape))
            if any(rewrite.replaces for rewrite in chain):
                variable.trainable = False  # nothing of it reaches the output any more

    def call(self, inputs, training=None):
        values = {id(variable): variable.value for variable in self.layer.variables}
        for name, chain in self.rewrites.items():
            kernel = getattr(self.layer, name)
            for rewrite in chain:
                values[id(kernel)] = rewrite(values[id(kernel)], training=training)
        mapping = [(variable, values[id(variable)]) for variable in self.layer.variables]
        with keras.StatelessScope(state_mapping=mapping):
            return self.layer(inputs)

    def kernels(self) -> dict[str, np.ndarray]:
        """The kernels that inference computes with, by attribute."""
        found = {}
        for name, chain in self.rewrites.items():
            value = getattr(self.layer, name).value
            for rewrite in chain:
                value = rewrite(value, training=False)
            found[name] = ops.convert_to_numpy(value)
        return found

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)

    def get_config(self):
        return {**super().get_config(), "rewrites": keras.saving.serialize_keras_object(self.rewrites)}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = {**config, "rewrites": keras.saving.deserialize_keras_object(config["rewrites"], custom_objects=custom_objects)}
        return super().from_config(config, custom_objects)


@keras.saving.register_keras_serializable(package="zoo")
class Rewrite(keras.Layer):
    """kernel -> kernel. `start(kernel)` sets its weights when a model is wrapped; a loaded model has them from the file.

    replaces: whether the kernel that comes in has no influence on the one that goes out.
    uses:     how often the model calls the layer in one forward pass; 1 but for shared layers.
    """

    replaces = False

    def __init__(self, uses: int = 1, **kwargs):
        super().__init__(**kwargs)
        self.uses = uses

    def start(self, kernel: np.ndarray) -> None:
        """Nothing to set."""

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "uses": self.uses}


def kernel_names(layer) -> tuple[str, ...]:
    """The attributes of `layer` that hold its kernels; empty when it has none that may be rewritten.

    A kernel that the layer standardises before use is left out: zeros in what is stored would be no zeros in what is computed.
    """
    if isinstance(layer, StandardisedConv2D):
        return ()
    if isinstance(layer, _SEPARABLE):
        return ("depthwise_kernel", "pointwise_kernel")
    return ("kernel",) if isinstance(layer, _ONE_KERNEL + _TRANSPOSED) else ()


def rewrite(
    model: keras.Model,
    chain_for: Callable[[keras.Layer, str, np.ndarray], list],
    names: Collection[str] | None = None,
    call: Callable[..., Any] | None = None,
) -> keras.Model:
    """A functional model with the architecture, layer names and weights of `model`, some kernels rewritten; `model` is left as it is.

    chain_for: (layer, attribute, kernel) -> the rewrites of this kernel, none to leave it alone.
    names:     the layers that may be rewritten, by name; None means all that have a kernel.
    call:      (layer of `model`, its copy, inputs) -> outputs, to put further layers around it; default: the copy called.

    Raises ValueError for a model that is not built, a subclassed or already rewritten one, and for names without a kernel.
    """
    model = functional(model)
    chosen = _chosen(model, names)
    pairs: list[tuple[keras.Layer, keras.Layer]] = []

    def clone(layer):
        chains = {}
        if layer.name in chosen:
            chains = {name: chain_for(layer, name, ops.convert_to_numpy(getattr(layer, name))) for name in kernel_names(layer)}
        fresh = layer.__class__.from_config(layer.get_config())
        chains = {name: chain for name, chain in chains.items() if chain}
        pairs.append((layer, Rewritten(fresh, chains) if chains else fresh))
        return pairs[-1][1]

    uses: dict[int, int] = {}

    def counted(layer, *args, **kwargs):
        uses[id(layer)] = uses.get(id(layer), 0) + 1
        origin = next((old for old, new in pairs if new is layer), None)
        return layer(*args, **kwargs) if call is None or origin is None else call(origin, layer, *args, **kwargs)

    result = keras.models.clone_model(model, clone_function=clone, call_function=counted, recursive=True)
    for old, new in pairs:
        if isinstance(old, keras.Layer):
            _fill(old, new, uses.get(id(new), 1))
    return result


def _fill(old: keras.Layer, new: keras.Layer, uses: int) -> None:
    """Give `new` the weights of `old`, and start its rewrites from them."""
    if not isinstance(new, Rewritten):
        new.set_weights(old.get_weights())
        return
    new.layer.set_weights(old.get_weights())
    for name, chain in new.rewrites.items():
        for step in chain:
            step.uses = uses
            step.start(ops.convert_to_numpy(getattr(new.layer, name)))


def strip(model: keras.Model) -> keras.Model:
    """The plain architecture again, each kernel holding what `model` computed with at inference.

    Same layer names and classes as before `prune`, `cluster` or `quantise_aware`, equal outputs (those of a quantisation-aware model
    except for the rounding of what flows between layers). The result saves, exports and trains like any model; training it further
    moves the zeros and shared values, unless it is pruned or clustered again.
    """
    model = functional(model)
    pairs: list[tuple[keras.Layer, keras.Layer]] = []

    def clone(layer):
        plain = layer.layer if isinstance(layer, Rewritten) else layer
        pairs.append((layer, plain.__class__.from_config(plain.get_config())))
        return pairs[-1][1]

    def call(layer, *args, **kwargs):
        return args[0] if getattr(layer, "leaves_with_strip", False) else layer(*args, **kwargs)

    result = keras.models.clone_model(model, clone_function=clone, call_function=call, recursive=True)
    for old, new in pairs:
        if isinstance(old, Rewritten):
            new.set_weights(old.layer.get_weights())
            for name, kernel in old.kernels().items():
                getattr(new, name).assign(kernel)
        elif isinstance(old, keras.Layer) and new.built:
            new.set_weights(old.get_weights())
    return result


def functional(model: keras.Model) -> keras.Model:
    """`model` as a functional model; a Sequential has one inside."""
    if not isinstance(model, keras.Model):
        raise TypeError(f"wanted a keras.Model, got {type(model).__name__}")
    if isinstance(model, keras.Sequential) and model.built:
        return keras.Model(model.inputs, model.outputs, name=model.name)
    if not model.built or not hasattr(model, "inputs") or not hasattr(model, "operations"):
        raise ValueError(
            f"wanted a built functional or Sequential model, got {type(model).__name__} {model.name!r}: the layers of a subclassed "
            "model cannot be exchanged. Write it with keras.Input and keras.Model(inputs, outputs), or give a Sequential an Input first"
        )
    return model


def _chosen(model: keras.Model, names: Collection[str] | None) -> set[str]:
    flat = [layer for layer in model._flatten_layers(include_self=False) if not isinstance(layer, keras.Model)]
    done = [layer.name for layer in flat if isinstance(layer, Rewritten)]
    if done:
        raise ValueError(f"{model.name!r} is already pruned, clustered or quantisation-aware (layer {done[0]!r}); call strip(model) first")
    able = {layer.name for layer in flat if kernel_names(layer)}
    if names is None:
        return able
    if isinstance(names, str):
        raise TypeError(f"wanted layers as a collection of names, got the text {names!r}; write [{names!r}]")
    wrong = sorted(set(names) - able)
    if wrong:
        raise ValueError(f"there is no layer with a kernel to rewrite named {', '.join(wrong)}; there are {', '.join(sorted(able))}")
    return set(names)
