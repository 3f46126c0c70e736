"""A detector as other programs want it: boxes and probabilities as outputs of their own, and the suppression inside if asked.

Boxes and scores never share a tensor. In int8 a tensor has one scale: beside boxes up to 640 the step is 2.5, and every score becomes 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

PROBABILITIES = "probabilities"
"""Name of the layer that makes the exported scores, by which a model that was made ready is known."""


def is_detector(model: keras.Model) -> bool:
    """Whether `model` gives "boxes" and "scores" as logits: a detector of the zoo that was not made ready yet."""
    outputs: Any = getattr(model, "output", None)  # a model that was never called has none
    raw = isinstance(outputs, dict) and {"boxes", "scores"} <= set(outputs) and "count" not in outputs
    return raw and PROBABILITIES not in {layer.name for layer in model.layers}


def is_ready(model: keras.Model) -> bool:
    """Whether `model` is what `deployed` returns."""
    outputs: Any = getattr(model, "output", None)
    return isinstance(outputs, dict) and {"boxes", "scores"} <= set(outputs) and not is_detector(model)


def deployed(model: keras.Model, nms: bool = False, **options: Any) -> keras.Model:
    """The same layers from image (b, h, w, c) to

    nms=False: {"boxes": (b, a, 4) xyxy in pixels, "scores": (b, a, classes) probabilities}, for a program that suppresses by itself;
    nms=True:  {"boxes": (b, most, 4), "scores": (b, most), "classes": (b, most), "count": (b,)}, best first; behind the first `count`
               places classes are -1. `options` are those of `zoo.detect.with_nms`: threshold, iou, most, pre, method.

    Raises ValueError for a model that is no detector.
    """
    import keras

    if not is_detector(model):
        raise ValueError(f'{model.name} is no detector: wanted outputs "boxes" and "scores" (logits)')
    image = model.inputs[0]  # not in a list: a SavedModel would ask for one
    if nms:
        from zoo.detect import with_nms

        return keras.Model(image, with_nms(model, **options).output, name=model.name)
    if options:
        raise ValueError(f"{', '.join(options)} belong to the suppression: leave them out, or ask for nms=True")
    outputs: Any = model.output
    scores = keras.layers.Activation("sigmoid", dtype="float32", name=PROBABILITIES)(outputs["scores"])
    return keras.Model(image, {"boxes": outputs["boxes"], "scores": scores}, name=model.name)


def for_one(model: keras.Model) -> keras.Model:
    """The same model for exactly one image at a time: LiteRT plans its memory once, and its built-in operators want all shapes."""
    import keras

    image = keras.Input(batch_shape=(1, *model.input_shape[1:]), dtype=model.inputs[0].dtype, name="image")
    return keras.Model(image, model(image), name=model.name)
