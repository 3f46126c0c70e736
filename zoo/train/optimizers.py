"""A recipe's fields -> one of Keras' optimisers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from zoo.train.layer_decay import scaled
from zoo.train.schedules import Schedule

if TYPE_CHECKING:
    from zoo.train.recipe import Recipe

NOT_DECAYED = (r"(bias|beta|gamma|alpha|scale|token|embedding)(:\d+)?$",)
"""Names of variables that weight decay leaves alone, besides every scalar and vector. TensorFlow's optimiser adds ":0" to them."""


def make(recipe: Recipe, steps: int, model: keras.Model | None = None) -> keras.optimizers.Optimizer:
    """A fresh optimiser for `steps` batches in all; see `Recipe.optimizer_for`."""
    maker, arguments = _kind(recipe)
    arguments |= {"learning_rate": _rate(recipe, steps), "global_clipnorm": recipe.clip_norm}
    if recipe.accumulation > 1:
        arguments["gradient_accumulation_steps"] = recipe.accumulation
    if recipe.ema is not None:
        arguments |= {"use_ema": True, "ema_momentum": recipe.ema}
    if recipe.layer_decay != 1.0:
        if model is None:
            raise ValueError(f"layer_decay={recipe.layer_decay} needs the layers of a model: optimizer_for(steps, model)")
        optimizer = scaled(maker, model, recipe.layer_decay, **arguments)
    else:
        optimizer = maker(**arguments)
    if recipe.weight_decay:
        flat = [] if model is None else [variable for variable in model.trainable_variables if len(variable.shape) <= 1]
        optimizer.exclude_from_weight_decay(var_list=flat, var_names=list(NOT_DECAYED))
    if recipe.precision == "mixed_float16":  # Keras would wrap it by the policy of the model object, which a loaded model has lost
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def _rate(recipe: Recipe, steps: int) -> float | Schedule:
    if recipe.schedule == "constant" and not recipe.warmup:
        return recipe.peak
    return Schedule(
        recipe.schedule,
        recipe.peak,
        max(steps // recipe.accumulation, 1),
        recipe.warmup,
        final=recipe.final_rate,
        power=recipe.power,
        milestones=recipe.milestones,
        factor=recipe.factor,
        every=recipe.accumulation,
    )


def _kind(recipe: Recipe) -> tuple[type[keras.optimizers.Optimizer], dict[str, Any]]:
    decay = {"weight_decay": recipe.weight_decay or None}
    known: dict[str, tuple[type[keras.optimizers.Optimizer], dict[str, Any]]] = {
        "sgd": (keras.optimizers.SGD, {**decay, "momentum": recipe.momentum, "nesterov": recipe.nesterov}),
        "adam": (keras.optimizers.Adam, {**decay, "beta_1": recipe.momentum}),
        "adamw": (keras.optimizers.AdamW, {"weight_decay": recipe.weight_decay, "beta_1": recipe.momentum}),  # Keras refuses None here
        "lion": (keras.optimizers.Lion, {**decay, "beta_1": recipe.momentum}),
        "rmsprop": (keras.optimizers.RMSprop, {**decay, "momentum": recipe.momentum, "rho": 0.9, "epsilon": 1e-3}),
        "lamb": (keras.optimizers.Lamb, {**decay, "beta_1": recipe.momentum, "epsilon": 1e-6}),
    }
    return known[recipe.optimizer]
