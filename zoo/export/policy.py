"""A model trained in mixed precision, as the same model in float32: converters know neither bfloat16 nor Keras' casts."""

from __future__ import annotations

import keras


def in_float32(model: keras.Model) -> keras.Model:
    """`model` itself where every layer computes in float32 or float64, else a copy that does, with the same weights.

    Mixed precision keeps its weights in float32, so nothing is lost; the copy rounds less than the training did.
    """
    computing = (layer for layer in model._flatten_layers() if not isinstance(layer, keras.layers.InputLayer | keras.Model))
    if not any(layer.compute_dtype in ("float16", "bfloat16") for layer in computing):
        return model
    copy = type(model).from_config(_plain(model.get_config()))
    copy.set_weights(model.get_weights())
    return copy


def _plain(config):
    """The same configuration with every half-precision policy replaced by float32, however deep."""
    if isinstance(config, keras.DTypePolicy):
        return "float32" if config.compute_dtype in ("float16", "bfloat16") else config
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            return "float32" if any(half in config["config"]["name"] for half in ("float16", "bfloat16")) else config
        return {key: _plain(value) for key, value in config.items()}
    return [_plain(value) for value in config] if isinstance(config, list) else config
