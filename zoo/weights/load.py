"""Which file fills which model: `find` names the source, `fill` puts it in, `save_weights` and `load_weights` for your own models."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo import download
from zoo.backbones.variant import kept_channels
from zoo.weights import archive, names
from zoo.weights.match import HEAD, adapted, checked_skip, require_match, skipped
from zoo.weights.published import records
from zoo.weights.record import KERAS_H5, WHOLE_MODEL_H5, ZOO_SAFETENSORS, Record
from zoo.weights.stored import opened
from zoo.weights.tree import array, replace, tree

_REMOTE = ("hf://", "kaggle://", "http://", "https://", "gs://", "file://", "modelscope://")


@dataclass(frozen=True)
class Source:
    """Where the weights of one model come from, and what belongs to them.

    variant:   row of the zoo that gives foreign names their meaning; None where only our own names can occur.
    format:    one of `zoo.weights.record.FORMATS`.
    classes:   outputs of the head in the file, or None where it has none.
    mean, std: constants of the normalising first layer (RGB, scale [0, 255]), or None where the file does not say.
    top:       False leaves the head of the file out.
    path:      the local file, or None until `record` is fetched.
    record:    the published file, or None for a file of the user's own.
    table:     {our layer: names of torch's layers} for a model that is no row of the registry, such as a detector.
    """

    variant: str | None
    format: str
    classes: int | None
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    top: bool = True
    path: Path | None = None
    record: Record | None = None
    table: Mapping[str, tuple[str, ...]] | None = None

    def file(self) -> Path:
        """The verified local file; a published one is fetched on first use."""
        if self.path is not None:
            return self.path
        if self.record is None:
            raise ValueError("a source needs a path or a record")
        return download.fetch(self.record.url, digest=self.record.digest, bytes=self.record.bytes, limit=self.record.limit)


def find(variant: str, weights: str | os.PathLike | None, *, top: bool = True) -> Source | None:
    """The source of `weights` for the row `variant`; nothing is downloaded yet.

    weights: None, a published tag ("imagenet"), or the path of a local file (it exists, or its name has a separator or suffix).
    top:     False asks for the features only: the published file without the head where there is one.

    Raises ValueError for an unknown tag (the known ones are listed), an address, or a file that is refused; FileNotFoundError.
    """
    if weights is None:
        return None
    text = os.fspath(weights) if isinstance(weights, str | os.PathLike) else None
    if not text:
        raise ValueError(f"weights must be None, a tag such as 'imagenet', or the path of a file, got {weights!r}")
    if text.startswith(_REMOTE):
        raise ValueError(
            f"weights={text!r} is an address; published weights are asked for by tag ({_tags(variant)}), other files by a local path"
        )
    names.row(variant)  # an unknown model is told as such, before its weights are looked for
    published = [record for record in records(variant) if record.tag == text] if isinstance(weights, str) else []
    if published:
        record = next((record for record in published if record.top == top), published[0])
        return Source(variant, record.format, record.classes if record.top else None, record.mean, record.std, top, record=record)
    path = Path(text)
    if isinstance(weights, str) and not (path.exists() or path.suffix or os.sep in text or "/" in text):
        raise ValueError(
            f"{variant} has no published weights {text!r}; {_tags(variant)}. A local file is given by its path: './{text}.safetensors'"
        )
    return _local(variant, path, top)


def fill(model, source: Source, skip: Iterable[str] = ()) -> None:
    """Put the weights of `source` into `model`: every tensor by name, all of them or none.

    skip: names of layers that keep what they have, for example ("logits",) for a new class count.

    Raises ValueError that lists what is absent, left over or misshapen, or when the constants of the model's normalising
    layer are not those of the weights; the model is then exactly as before.
    """
    with opened(source.file(), whole_model=source.format == WHOLE_MODEL_H5) as file:
        _require_constants(model, source)
        weights = tree(model)
        skip = checked_skip(model, weights, tuple(skip))
        wanted = {path: variable for path, variable in weights.items() if not skipped(path, skip)}
        drop = skip if source.top else (*skip, *names.head(source.variant, HEAD))
        parts = {
            path: part for path, part in names.parts(file, source.variant, model, weights, source.table).items() if not skipped(path, drop)
        }
        require_match(parts, wanted, model, file)
        content = archive.verified(file) if file.format == ZOO_SAFETENSORS else {}
        arrays = {}
        for path, variable in wanted.items():
            part = parts[path]
            arrays[path] = adapted(content[part.origin] if content else part.read(), variable, _published(source))
    replace(wanted, arrays)


def save_weights(model, path: str | os.PathLike) -> Path:
    """Write the weights of any built Keras model to one safetensors file with a digest, atomically; see `zoo.weights.archive`.

    What is written: every weight by path, the architecture's name, and the mean and std of its normalising first layer.
    Not written: metrics, optimiser state, the state of seed generators.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(
            f"our weight archives end in .safetensors, got {path.name!r}; for the whole model use zoo.export.export(model, 'model.keras')"
        )
    weights = tree(model)
    if not weights:
        raise ValueError(f"{model.name} has no weights to save; call it on an image once, or give it an input shape")
    mean, std = constants(model) or (None, None)
    head = next((variable for name, variable in weights.items() if name == "logits/kernel"), None)
    facts = {"architecture": model.name, "mean": mean, "std": std, "classes": None if head is None else int(head.shape[-1])}
    return archive.write(path, {name: array(variable) for name, variable in weights.items()}, facts)


def load_weights(model, path: str | os.PathLike, skip: Iterable[str] = (), *, variant: str | None = None) -> None:
    """Fill `model` from a local file: our archive, `.weights.h5` of Keras 3, or a published format.

    skip:    layers that keep what they have.
    variant: row that gives the names of a published format their meaning; default: the model's name.

    Raises ValueError as `fill` does; a refused or failed load leaves the model exactly as it was.
    """
    fill(model, _local(variant or model.name, Path(path), top=True, known=variant is not None), skip)


def constants(model) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """(mean, std) of the model's first layer "normalise", one number per channel, or None when it has no such layer."""
    layer = next((layer for layer in model.layers if layer.name == "normalise"), None)
    if layer is None or not hasattr(layer, "std"):
        return None
    return tuple(map(float, layer.mean)), tuple(map(float, layer.std))


def _local(variant: str, path: Path, top: bool, known: bool = True) -> Source:
    """A file of the user's own; what it does not say itself is taken from a published record of its family, then from the row."""
    row = names.row(variant, must=known)
    name = None if row is None else variant
    with opened(path) as file:
        if file.format == ZOO_SAFETENSORS:
            facts = archive.facts(file)
            _require_architecture(variant, facts.get("architecture"), path)
            mean, std = (None if facts.get(key) is None else tuple(facts[key]) for key in ("mean", "std"))
            return Source(name, file.format, facts.get("classes"), mean, std, top, path)
        if file.format == KERAS_H5:
            return Source(name, file.format, names.head_size(file, variant), None, None, top, path)
        if row is None:
            raise ValueError(
                f"{path} uses the names of another library, and {variant!r} is no row of the zoo; "
                "say which row it is, for example variant='resnet50'"
            )
        published = names.published(variant, file.format) or row
        return Source(name, file.format, names.head_size(file, variant), tuple(published.mean), tuple(published.std), top, path)


def _tags(variant: str) -> str:
    tags = sorted({record.tag for record in records(variant)})
    return f"its tags are {', '.join(tags)}" if tags else "it has none; train it, or give the path of a local weight file"


def _require_constants(model, source: Source) -> None:
    """The file's mean and std must be those the model normalises with: otherwise every prediction would be quietly worse."""
    mine = constants(model)
    if mine is None or source.mean is None or source.std is None:
        return
    for mean, expected in zip(mine, (source.mean, source.std), strict=True):
        if len(mean) != len(expected):
            expected = tuple(expected[i] for i in kept_channels(source.mean, len(mean)))
        if not np.allclose(mean, expected, rtol=1e-5, atol=1e-6):
            raise ValueError(
                f"the weights expect images normalised with mean {source.mean} and std {source.std}, the model {model.name} uses mean "
                f"{mine[0]} and std {mine[1]}; build it with zoo.classifier(..., weights=PATH) or zoo.backbone(..., weights=PATH), "
                "which take the constants from the file"
            )


def _published(source: Source) -> tuple | None:
    """(mean, std) that belong to the kernels of a file, or those of the row where the file does not say."""
    known: Any = source if source.mean is not None or source.variant is None else names.row(source.variant, must=False)
    return None if known is None or known.mean is None else (tuple(known.mean), tuple(known.std))


def _require_architecture(variant: str, architecture, path: Path) -> None:
    """Two rows may have the same tensors and still be different networks, for example in where a block strides."""
    from zoo import registry

    if architecture != variant and {architecture, variant} <= set(registry.rows()):
        raise ValueError(f"{path} holds weights of {architecture}, not of {variant}; ask for {architecture!r}, or give another file")
