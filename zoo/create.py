"""The entry points: the registry or the room of detectors builds a model, the weights room fills it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

from zoo import registry
from zoo import weights as room
from zoo.weights.match import skipped

if TYPE_CHECKING:
    import keras


def classifier(
    variant: str,
    /,
    *,
    weights: str | os.PathLike | None = None,
    classes: int | None = None,
    input_shape=None,
    activation: str | None = None,
    dropout: float | None = None,
    output_stride: int | None = None,
    skip: tuple[str, ...] = (),
    changes: Mapping | None = None,
    name: str | None = None,
) -> keras.Model:
    """A classifier as a plain functional `keras.Model`: image (b, h, w, c) in [0, 255] -> logits (b, classes).

    variant:       a row of `zoo.list_models()`; an unknown one raises with the closest matches.
    weights:       None (random), a published tag such as "imagenet", or the path of a local weight file.
    classes:       number of outputs; default: those of the weights, or of the published row. Another number than that of the weights
                   keeps the new layer of logits as it starts, at random, and warns; everything else is loaded.
    input_shape:   (height, width, channels), height and width may be None where the head allows it; default: the size that belongs
                   to the published weights, or the row's.
    activation:    None returns logits; "softmax" or "sigmoid" adds the activation in float32.
    dropout:       rate of the head instead of the published one.
    output_stride: 8 or 16 dilates the last stages of the families that allow it.
    skip:          layer names that are not loaded and stay random; ("logits",) asks for a new head without a warning.
    changes:       fields of the row that differ, such as {"zero_gamma": True} for a ResNet; published weights may then not fit.
    name:          name of the keras.Model; it never chooses weights.

    Raises ValueError for an unknown variant or weights, or an illegal size.
    Warns (UserWarning) with both numbers when `classes` is not that of the weights.
    """
    source = room.find(variant, weights)
    replaced = None
    if source is not None and not skipped("logits/kernel", tuple(skip)):
        if classes is None:
            classes = source.classes
        elif source.classes not in (None, classes):
            replaced, skip = source.classes, (*skip, "logits")
    if source is not None and source.record is not None and input_shape is None:
        input_shape = (*source.record.size, len(source.record.mean))
    mean, std = (None, None) if source is None else (source.mean, source.std)
    model = registry.build_classifier(
        variant,
        classes=classes,
        input_shape=input_shape,
        activation=activation,
        dropout=dropout,
        output_stride=output_stride,
        mean=mean,
        std=std,
        model_name=name,
        changes=changes,
    )
    if source is not None:
        if replaced:
            warnings.warn(
                f"the weights {os.fspath(weights or '')!r} have {replaced} classes, not {classes}: all but the layer 'logits' is loaded, "
                'which starts at random and must be trained; skip=("logits",) asks for the same without this warning',
                UserWarning,
                stacklevel=2,
            )
        room.fill(model, source, skip=skip)
    return model


def backbone(
    variant: str,
    /,
    *,
    weights: str | os.PathLike | None = None,
    input_shape=(None, None, 3),
    output_stride: int | None = None,
    pooling: str | None = None,
    changes: Mapping | None = None,
    name: str | None = None,
) -> keras.Model:
    """A feature extractor: image (b, h, w, c) in [0, 255] -> {"c1": (b, h1, w1, d1), ...}; keys name the depth, not the stride.

    pooling: None returns the pyramid; "average" or "max" pools its deepest level to a vector (b, d).
    The other arguments and errors are those of `classifier`; the head of published weights is left out.
    """
    source = room.find(variant, weights, top=False)
    mean, std = (None, None) if source is None else (source.mean, source.std)
    model = registry.build_backbone(
        variant,
        input_shape=input_shape,
        output_stride=output_stride,
        pooling=pooling,
        mean=mean,
        std=std,
        model_name=name,
        changes=changes,
    )
    if source is not None:
        room.fill(model, source)
    return model


def detector(
    variant: str,
    /,
    *,
    classes: int | None = None,
    input_shape=None,
    weights: str | os.PathLike | None = None,
    backbone: str | None = None,
    backbone_weights: str | os.PathLike | None = None,
    skip: tuple[str, ...] = (),
    changes: Mapping | None = None,
    name: str | None = None,
) -> keras.Model:
    """An object detector: image (b, h, w, c) in [0, 255] -> {"boxes": (b, a, 4), "scores": (b, a, classes), ...}, one row per anchor.

    Boxes are xyxy in pixels of the image, scores logits; all are float32. `zoo.detect.detect` makes objects of them.

    variant:          a row of `zoo.detect.ROWS`; an unknown one raises with the closest matches.
    classes:          number of classes, without background; default: those of the weights, or of the published row.
    input_shape:      (height, width, channels), all known: the anchors belong to one size. Any side from 32 pixels is legal.
    weights:          None (random), a published tag such as "coco", or the path of a local weight file.
    backbone:         a row of `zoo.list_models()` to put the neck and the head on; it needs levels at the strides that the neck reads.
    backbone_weights: published tag or path of a classifier's weights for the backbone alone, such as "imagenet".
    skip:             layer names that `weights` does not fill; ("class_output",) keeps a new head of RetinaNet at random.
    changes:          fields of the row that differ, such as {"anchors": ...} of a YOLO.
    name:             name of the keras.Model.

    Raises ValueError for an unknown row, backbone or weights, an illegal size, or a backbone without the levels.
    """
    from zoo.detect import published
    from zoo.detect.build import build, changed

    row = changed(variant, changes)
    if weights is not None and backbone_weights is not None:
        raise ValueError("weights fill the backbone too: give either weights or backbone_weights, not both")
    trunk = backbone or row.backbone
    if backbone_weights is not None and not isinstance(trunk, str):
        raise ValueError(
            f"the backbone of {variant} is no classifier of the zoo, so it has no weights of its own; pass backbone=... with them"
        )
    body = room.find(str(trunk), backbone_weights, top=False) if backbone_weights is not None else None
    whole = published.find(variant, weights)
    mean, std = next(((found.mean, found.std) for found in (whole, body) if found is not None), (None, None))
    if whole is not None and classes is None:
        classes = whole.classes
    built = build(
        variant, classes=classes, input_shape=input_shape, backbone=backbone, mean=mean, std=std, model_name=name, changes=changes
    )
    if body is not None:
        room.fill(built.backbone, body)
    if whole is not None:
        published.fill(built.detector, whole, skip)
    return built.detector
