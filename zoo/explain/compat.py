"""tf-keras-vis' classes and arguments with the zoo's answers, for those who follow its documentation.

    from zoo.explain.compat import CategoricalScore, Gradcam, ReplaceToLinear

    heat = Gradcam(model, model_modifier=ReplaceToLinear())(CategoricalScore([3, 7]), images, penultimate_layer=-1)

Works where theirs (0.8.7) fails: Sequential, nested, subclassed and bfloat16 models, and on JAX and torch. Their own scores and modifiers
may be passed too; tf-keras-vis is not imported here and need not be installed. `tests/explain/test_compat.py` holds each claim about it:
where its numbers are ours, and where it fails or is silently wrong. What differs on purpose is said at each class.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import tree

from zoo import explain
from zoo.explain.scores import BinaryScore, Called, CategoricalScore, InactiveScore, named, outputs_of, target_of

__all__ = [
    "BinaryScore",
    "CategoricalScore",
    "Gradcam",
    "GradcamPlusPlus",
    "InactiveScore",
    "Layercam",
    "ReplaceToLinear",
    "Saliency",
    "ScoreCAM",
    "Scorecam",
]


@dataclass(frozen=True)
class ReplaceToLinear:
    """Explain the values before the final softmax or sigmoid, in whatever form it is written, a `Softmax` layer too."""


class _Explainer:
    """model_modifier: None, `ReplaceToLinear()`, a function that changes a copy of the model or returns another model, or a list."""

    def __init__(self, model: keras.Model, model_modifier: Any = None, clone: bool = True):
        modifiers = list(model_modifier) if isinstance(model_modifier, list | tuple) else [model_modifier] if model_modifier else []
        self.logits = any(named(modifier, "ReplaceToLinear") for modifier in modifiers)
        if any(named(modifier, "GuidedBackpropagation") for modifier in modifiers):
            raise ValueError("for guided backpropagation call zoo.explain.guided_backprop(model, images), which finds every kind of ReLU")
        changes = [modifier for modifier in modifiers if not named(modifier, "ReplaceToLinear")]
        if changes and clone:
            copy = keras.models.clone_model(model)
            copy.set_weights(model.get_weights())
            model = copy
        for change in changes:
            model = change(model) or model
        self.model = model

    def _asked(self, score: Any, seed_input: Any, batch_size: int, copies: bool = False):
        """(images, target, batch size) as the zoo takes them. copies: changed copies are scored, in chunks."""
        images = seed_input[0] if isinstance(seed_input, list) and len(seed_input) == 1 and np.ndim(seed_input[0]) == 4 else seed_input
        scores = list(score) if isinstance(score, list | tuple) else [score]
        active = [number for number, one in enumerate(scores) if not named(one, "InactiveScore")]
        if len(active) != 1:
            raise ValueError(
                f"exactly one score must be active, got {len(active)} of {len(scores)}; explain one output at a time and add the maps"
            )
        output = outputs_of(self.model, images)[active[0]] if len(scores) > 1 else None
        target = target_of(scores[active[0]], output, self.logits)
        if isinstance(target, Called):
            # a function may name images by their place in the batch, so it must see the batch as a whole
            if copies:
                raise ValueError("SmoothGrad and Score-CAM score changed copies in chunks: give a CategoricalScore or a BinaryScore")
            batch_size = max(batch_size, len(tree.flatten(images)[0]))
        return images, target, batch_size


class _ActivationMap(_Explainer):
    method: Callable[..., np.ndarray]
    options: tuple[str, ...] = ()

    def __call__(
        self,
        score,
        seed_input,
        penultimate_layer=None,
        *,
        expand_cam: bool = True,
        normalize_cam: bool = True,
        batch_size: int = 32,
        **more,
    ):
        """Maps float32 (b, h, w): of the images' size unless `expand_cam` is False, stretched to [0, 1] unless `normalize_cam` is.

        penultimate_layer: a name, a layer, or its index; None and -1 stand for `zoo.explain.default_layer`. A layer that is named is
                           used; theirs goes on to the nearest convolution before it.
        activation_modifier=None keeps evidence against the class. For other arguments of theirs a TypeError says what to do.
        """
        relu = more.pop("activation_modifier", True) is not None
        known = {name: more.pop(name) for name in self.options if name in more}
        _refuse(more, ("seek_penultimate_conv_layer", "training"))
        images, target, batch_size = self._asked(score, seed_input, batch_size, copies="max_N" in self.options)
        layer = None if penultimate_layer in (None, -1) else penultimate_layer
        layer = self.model.layers[layer] if isinstance(layer, int) else layer
        heat = type(self).method(self.model, images, target, layer, batch_size=batch_size, resize=expand_cam, relu=relu, **_renamed(known))
        heat = explain.normalise_heat(heat) if normalize_cam else heat
        return [heat] if isinstance(seed_input, list) else heat


class Gradcam(_ActivationMap):
    """Grad-CAM; theirs is the same before it is enlarged. Enlarging differs: theirs aligns the corners, which moves the heat."""

    method = staticmethod(explain.gradcam)


class GradcamPlusPlus(_ActivationMap):
    """Grad-CAM++ as in the paper and in pytorch-grad-cam. Theirs makes the weights alpha of each channel sum to 1, and overflows to NaN
    for scores near 90."""

    method = staticmethod(explain.gradcam_plus_plus)


class Layercam(_ActivationMap):
    """Layer-CAM; theirs is the same before it is enlarged."""

    method = staticmethod(explain.layercam)


class Scorecam(_ActivationMap):
    """Score-CAM as in the paper's algorithm 1: a softmax of the scores over the channels. Theirs takes a softmax over the classes
    instead, whatever the model ends in. max_N: only so many channels, those that vary most."""

    method = staticmethod(explain.scorecam)
    options = ("max_N",)


ScoreCAM = Scorecam


class Saliency(_Explainer):
    """Saliency, and SmoothGrad with `smooth_samples`. Theirs averages absolute gradients over the noisy copies; here, as in the paper,
    the gradients are averaged, so that noise cancels, and the absolute value is taken at the end."""

    def __call__(
        self,
        score,
        seed_input,
        smooth_samples: int = 0,
        smooth_noise: float = 0.20,
        *,
        normalize_map: bool = True,
        batch_size: int = 32,
        **more,
    ):
        """Maps float32 (b, h, w): the largest absolute value over the channels, stretched to [0, 1] unless `normalize_map` is False."""
        _refuse(more, ("training",))
        images, target, batch_size = self._asked(score, seed_input, batch_size, copies=smooth_samples > 0)
        if smooth_samples > 0:
            heat = explain.smoothgrad(
                self.model, images, target, samples=smooth_samples, noise=smooth_noise, channels="max", batch_size=batch_size
            )
        else:
            heat = explain.saliency(self.model, images, target, batch_size=batch_size)
        heat = explain.normalise_heat(heat) if normalize_map else heat
        return [heat] if isinstance(seed_input, list) else heat


def _renamed(options: dict) -> dict:
    return {"channels": options["max_N"]} if options.get("max_N") else {}


def _refuse(given: dict, harmless: tuple[str, ...]) -> None:
    """Their other arguments: those that change nothing here are passed over."""
    wrong = [name for name, value in given.items() if name not in harmless or (name == "training" and value)]
    if wrong:
        raise TypeError(f"{', '.join(sorted(wrong))} has no counterpart here; call the function of zoo.explain and change its raw map")
