"""Weights of whole detectors: published files, and your own from `zoo.save_weights`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import keras

from zoo.detect.rows import ROWS, RetinaNet, Row, row
from zoo.weights import archive
from zoo.weights import fill as put
from zoo.weights.foreign.resnet import torch as resnet_names
from zoo.weights.load import Source
from zoo.weights.names import row as backbone_row
from zoo.weights.record import TORCH_PICKLE, ZOO_SAFETENSORS, Record
from zoo.weights.stored import Opened, opened

RECORDS = (
    Record(
        models=("retinanet_resnet50_fpn_p5",),
        tag="coco",
        url="https://download.pytorch.org/models/retinanet_resnet50_fpn_coco-eeacb38b.pth",
        digest="sha256:eeacb38b",
        format=TORCH_PICKLE,
        licence="BSD-3-Clause",
        parameters=34_121_239,
        trained_on="COCO 2017, training split (91 outputs, of which 80 are used)",
        size=(800, 800),
        classes=91,
        class_list="coco",
        source="https://docs.pytorch.org/vision/stable/models/retinanet.html",
    ),
)
"""34,014,999 parameters of torchvision's count, and four numbers for each of the 26,560 maps of its frozen normalisations."""


def find(variant: str, weights: str | os.PathLike | None) -> Source | None:
    """The source of `weights` for the detector `variant`: None, a published tag, or the path of a local file. Nothing is downloaded yet.

    Raises ValueError for an unknown tag, or an archive of another detector; FileNotFoundError.
    """
    if weights is None:
        return None
    found = row(variant)
    records = [record for record in RECORDS if variant in record.models]
    for record in records:
        if record.tag == weights:
            return Source(None, record.format, record.classes, record.mean, record.std, record=record, table=torch_names(found))
    text, path = os.fspath(weights), Path(weights)
    if not (path.exists() or path.suffix or os.sep in text):
        tags = f"its tags are {', '.join(record.tag for record in records)}" if records else "it has none; train it, or give a file's path"
        raise ValueError(f"{variant} has no published weights {text!r}; {tags}")
    with opened(path) as file:
        if file.format != ZOO_SAFETENSORS:
            return Source(None, file.format, None, None, None, path=path, table=torch_names(found))
        facts = archive.facts(file)
        architecture = facts.get("architecture")
        if architecture in ROWS and architecture != variant:
            raise ValueError(f"{path} holds weights of {architecture}, not of {variant}; ask for {architecture!r}, or give another file")
        mean, std = (None if facts.get(key) is None else tuple(facts[key]) for key in ("mean", "std"))
        return Source(None, file.format, _classes(file, found), mean, std, path=path)


def fill(model: keras.Model, source: Source, skip: tuple[str, ...] = ()) -> None:
    """Put the weights of `source` into a detector: every tensor by name, all of them or none. Errors are those of `zoo.weights.fill`.

    torchvision's published RetinaNet was trained with nothing added to the variances of its normalisations; ours add `epsilon`, so it is
    taken off here.
    """
    put(model, source, skip=skip)
    if source.record is not None:
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.moving_variance.assign(layer.moving_variance - layer.epsilon)


def torch_names(found: Row) -> Mapping[str, tuple[str, ...]] | None:
    """{our layer: torchvision's names, new and old} of a RetinaNet on a ResNet, or None for a detector that torchvision has not."""
    name = found.backbone
    if not isinstance(found, RetinaNet) or not isinstance(name, str) or not name.startswith("resnet"):
        return None
    body = backbone_row(name)
    names = {ours: tuple(f"backbone.body.{name}" for name in theirs) for ours, theirs in resnet_names(body).items() if ours != "logits"}
    for index in range(3):
        for ours, theirs in (("lateral", "inner_blocks"), ("output", "layer_blocks")):
            block = f"backbone.fpn.{theirs}.{index}"
            names[f"fpn_{ours}{index + 3}"] = (f"{block}.0", block)
    names |= {f"fpn_p{level}": (f"backbone.fpn.extra_blocks.p{level}",) for level in (6, 7)}
    for ours, theirs, last in (("class", "classification_head", "cls_logits"), ("box", "regression_head", "bbox_reg")):
        for index in range(found.depth):
            names[f"{ours}_conv{index}"] = (f"head.{theirs}.conv.{index}.0", f"head.{theirs}.conv.{2 * index}")
        names[f"{ours}_output"] = (f"head.{theirs}.{last}",)
    return names


_HEADS = {"class_output": (9, 0), "head_n3_output": (3, 5), "head_n5_output": (3, 5), "head_n3_class_output": (1, 0)}
"""Last layer -> (anchors per cell, numbers before the classes)."""


def _classes(file: Opened, found: Row) -> int | None:
    """Number of classes of a stored detector, from the width of its last layer."""
    for layer, (anchors, before) in _HEADS.items():
        if f"{layer}/bias" in file.tensors:
            return file.tensors[f"{layer}/bias"].shape[0] // anchors - before
    return None
