"""What other libraries call the layers of each family: one function per family and library.

Each gives {our layer: (their names)} for a row, first convolution first.

A layer may have several names: torchvision and timm differ in the heads of VGG, and old releases of keras.applications
called the logits "probs". The tests hold each table complete in both directions against the libraries themselves.
"""

from __future__ import annotations

from zoo.weights.record import APPLICATIONS_H5, TIMM_SAFETENSORS


def table(family: str, row, format: str) -> dict[str, tuple[str, ...]]:
    """{our layer: their names} for a row, or ValueError when the other library has no such network or its names are not known here."""
    library = "keras.applications" if format == APPLICATIONS_H5 else "timm and torchvision"
    names = _TABLES.get((family, format), lambda row: None)(row)
    if names is None:
        raise ValueError(
            f"{library} have no network like this row of {family}, or their names for it are not known here; "
            "give a .weights.h5 of Keras 3, or an archive written by zoo.save_weights"
        )
    return names


def _vgg_applications(row):
    if row.batch_norm:
        return None
    blocks = {f"stage{stage}_conv{index}": (f"block{stage}_conv{index}",) for stage, index in _positions(row.depths)}
    return {**blocks, "fc1": ("fc1",), "fc2": ("fc2",), "logits": ("predictions",)}


def _vgg_torch(row):
    """The layers of `features` are numbered through: convolution, (normalisation,) ReLU, and a pooling after each stage."""
    names, number, step = {}, 0, 3 if row.batch_norm else 2
    for stage, index in _positions(row.depths):
        number += index == 1 and stage > 1  # the pooling of the stage before
        names[f"stage{stage}_conv{index}"] = (f"features.{number}",)
        if row.batch_norm:
            names[f"stage{stage}_norm{index}"] = (f"features.{number + 1}",)
        number += step
    head = {"fc1": ("classifier.0", "pre_logits.fc1"), "fc2": ("classifier.3", "pre_logits.fc2"), "logits": ("classifier.6", "head.fc")}
    return {**names, **head}


def _resnet_applications(row):
    if not row.v1:
        return None
    names = {"stem_conv": ("conv1_conv",), "stem_norm": ("conv1_bn",)}
    for stage, block in _positions(row.depths):
        ours, theirs = f"stage{stage + 1}_block{block - 1}", f"conv{stage + 1}_block{block}"
        for kind, their_kind in (("conv", "conv"), ("norm", "bn")):
            names |= {f"{ours}_{kind}{part}": (f"{theirs}_{part}_{their_kind}",) for part in (1, 2, 3)}
            names |= {f"{ours}_shortcut_{kind}": (f"{theirs}_0_{their_kind}",)} if block == 1 else {}
    return {**names, "logits": ("predictions", "probs")}


def _resnet_torch(row):
    if row.v1:
        return None
    names = {"stem_conv": ("conv1",), "stem_norm": ("bn1",)}
    for stage, block in _positions(row.depths):
        ours, theirs = f"stage{stage + 1}_block{block - 1}", f"layer{stage}.{block - 1}"
        for part in (1, 2, 3) if row.bottleneck else (1, 2):
            names |= {f"{ours}_conv{part}": (f"{theirs}.conv{part}",), f"{ours}_norm{part}": (f"{theirs}.bn{part}",)}
        if block == 1 and (row.bottleneck or stage > 1):
            names |= {f"{ours}_shortcut_conv": (f"{theirs}.downsample.0",), f"{ours}_shortcut_norm": (f"{theirs}.downsample.1",)}
    return {**names, "logits": ("fc",)}


def _alexnet_torch(row):
    if row.paper:
        return None
    convolutions = {f"conv{index}": (f"features.{number}",) for index, number in enumerate((0, 3, 6, 8, 10), start=1)}
    return {**convolutions, "fc1": ("classifier.1",), "fc2": ("classifier.4",), "logits": ("classifier.6",)}


def _positions(depths):
    """(stage, index) from 1, in order."""
    return [(stage, index) for stage, depth in enumerate(depths, start=1) for index in range(1, depth + 1)]


_TABLES = {
    ("vgg", APPLICATIONS_H5): _vgg_applications,
    ("vgg", TIMM_SAFETENSORS): _vgg_torch,
    ("resnet", APPLICATIONS_H5): _resnet_applications,
    ("resnet", TIMM_SAFETENSORS): _resnet_torch,
    ("alexnet", TIMM_SAFETENSORS): _alexnet_torch,
}
