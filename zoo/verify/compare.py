"""The comparison itself: the reference's weight file through our loader, the same images through both, one certificate."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import importlib.metadata
import importlib.util
import inspect
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np

from zoo import registry
from zoo import weights as room
from zoo.verify import keras_side
from zoo.verify.certificate import Certificate, Size
from zoo.verify.images import difference, signal, smooth_images
from zoo.weights import foreign
from zoo.weights.foreign import Reference
from zoo.weights.load import constants
from zoo.weights.tree import tree


def references(name: str) -> tuple[Reference, ...]:
    """The networks that a row must equal; empty when no other library has it."""
    return foreign.references(registry.family(name), name)


def sizes_of(name: str, reference: Reference) -> list[tuple[int, int]]:
    """The published size, 33 pixels more, and an oblong odd one; only the first where the reference takes no other.

    Networks of more than 40 million parameters, or published for more than 300 pixels, are compared on smaller images (96 pixels
    where they may be so small), so that a certificate takes minutes: every layer, stride and border is passed all the same.
    """
    variant = registry.row(name)[1]
    height, width = variant.input_shape[:2]
    if reference.fixed and reference.library != "keras":
        return [(height, width)]
    if not reference.fixed and (variant.parameters > LARGE or height > WIDE):
        height = width = max(96, variant.minimum)
    small = max(variant.minimum, 3 * height // 4) | 1
    return [(height, width), (height + 33, width + 33), (small, width + 2)]


LARGE, WIDE = 40_000_000, 300
"""Parameters and pixels above which a certificate uses smaller images, see `sizes_of`."""


def verify(
    name: str,
    reference: str | None = None,
    *,
    sizes: list[tuple[int, int]] | None = None,
    training: bool = False,
    static: bool = True,
) -> list[Certificate]:
    """One certificate per reference of the row `name`.

    reference: "keras", "timm" or "torchvision": only that library.
    sizes:     (height, width) to compare at instead of `sizes_of`.
    training:  compare one training step too.
    static:    also build our model for each size, beside the one for any size.

    Raises ValueError when no (such) reference is known, or on a backend without true float64; ImportError when its library is absent.
    """
    if keras.backend.backend() != "tensorflow":
        raise ValueError(f"a certificate needs true float64, which Keras has on TensorFlow only; this is {keras.backend.backend()}")
    found = [known for known in references(name) if reference in (None, known.library)]
    if not found:
        known = ", ".join(sorted({r.library for r in references(name)})) or "none: no other library has this network"
        raise ValueError(f"{name} has no reference {reference or ''!r}; its references: {known}")
    return [_certificates(name, known, sizes or sizes_of(name, known), training, static) for known in found]


def _certificates(name: str, reference: Reference, sizes, training: bool, static: bool) -> Certificate:
    """A head that takes one size only is compared there, and the features before it at the other sizes."""
    if not (reference.fixed and len(sizes) > 1):
        return _certificate(name, reference, sizes, training, static)
    whole = _certificate(name, reference, sizes[:1], training, static)
    rest = _certificate(name, reference, sizes[1:], False, static, top=False)
    return dataclasses.replace(whole, sizes=whole.sizes + rest.sizes, compared="logits, at the other sizes features")


def _certificate(name: str, reference: Reference, sizes, training: bool, static: bool, top: bool = True) -> Certificate:
    keras.utils.clear_session()  # what an earlier comparison built is not needed any more
    variant = registry.row(name)[1]
    step_size = _step_size(name, reference) if training else None
    with _policy("float64"), tempfile.TemporaryDirectory(prefix="zoo-verify-") as folder:
        run = _keras if reference.library == "keras" else _torch
        answers, weights, after = run(name, reference, sizes, step_size, top, Path(folder))
        parameters = int(answers["parameters"])
        if top and parameters != variant.parameters:
            raise ValueError(f"{name} is published with {variant.parameters:,} parameters, {reference.model} has {parameters:,}")
        model = _ours(name, weights, top, (None, None, 3), reference)
        stored, (mean, std) = model.get_weights(), constants(model) or (None, None)
        dynamic = {size: _answer(model, size) for size in sizes}
        step = _step(name, reference, weights, after, step_size) if step_size else None
        rows = []
        for size in sizes:
            expected = answers[f"{size[0]}x{size[1]}"]
            mine = [dynamic[size]]
            if static:
                model = _built(name, top, (*size, 3), reference, mean, std)
                model.set_weights(stored)
                mine.append(_answer(model, size))
            unit = signal(expected)
            differences = [difference(each, expected, unit) for each in mine]
            same = all((each.argmax(-1) == expected.argmax(-1)).all() for each in mine) if top else True
            rows.append(Size(height=size[0], width=size[1], dynamic=differences[0], static=(*differences, None)[1], argmax=bool(same)))
        del model, stored
        expected = answers[f"{sizes[0][0]}x{sizes[0][1]}"]
        float32 = _float32(name, weights, top, sizes[0], reference)
    return Certificate(
        model=name,
        library=reference.library,
        reference=reference.model,
        version=importlib.metadata.version(reference.library),
        parameters=parameters,
        compared="logits" if top else "features",
        gate=reference.gate,
        sizes=tuple(rows),
        float32=difference(float32, expected),
        floor=difference(answers["float32"], expected),
        step=step,
        options=reference.options,
        note=reference.note,
        keras=keras.__version__,
        backend=f"{keras.backend.backend()} {importlib.metadata.version('tensorflow')}",
        date=datetime.date.today().isoformat(),
    )


def _keras(name, reference, sizes, step_size, top, folder):
    answers = keras_side.run(folder, reference.model, reference.options, sizes, _preparation(name, reference), step_size, top)
    return answers, folder / "weights.h5", folder / "after.h5"


def _preparation(name: str, reference: Reference) -> Callable[[np.ndarray], np.ndarray]:
    """What keras.applications must be given for an image in [0, 255]: its own `preprocess_input`, unless the family's file says more."""
    own = getattr(foreign.module(registry.family(name)), "prepare", None)
    if own is not None:
        return lambda images: own(name, reference, images)
    module_of = sys.modules[inspect.unwrap(getattr(keras.applications, reference.model)).__module__]
    return lambda images: module_of.preprocess_input(images.copy())  # it works in place


def _torch(name, reference, sizes, step_size, top, folder):
    for needed in ("torch", "torchvision", reference.library):
        if importlib.util.find_spec(needed) is None:
            raise ImportError(f"{needed} is not installed, which the reference of {name} needs: make test-backends installs it")
    variant = registry.row(name)[1]
    case = {
        "library": reference.library,
        "model": reference.model,
        "options": reference.options,
        "sizes": sizes,
        "mean": list(variant.mean),
        "std": list(variant.std),
        "training": step_size,
        "folder": str(folder),
    }
    (folder / "case.json").write_text(json.dumps(case), encoding="utf-8")
    command = [sys.executable, "-W", "ignore", "-m", "zoo.verify.torch_side", str(folder / "case.json")]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"the reference {reference.library} {reference.model} failed:\n{done.stderr[-3000:]}")
    with np.load(folder / "answers.npz", allow_pickle=False) as file:
        return dict(file), folder / "weights.safetensors", folder / "after.safetensors"


def _ours(name: str, weights: Path, top: bool, shape, reference: Reference):
    """Our model, filled from the reference's file, with the constants that belong to that file's format."""
    source = room.find(name, str(weights), top=top)
    if source is None:
        raise ValueError(f"{weights} is no weight file")
    model = _built(name, top, shape, reference, source.mean, source.std)
    room.fill(model, source)
    return model


def _built(name: str, top: bool, shape, reference: Reference, mean, std):
    build = registry.build_classifier if top else registry.build_backbone
    model = build(name, input_shape=shape, mean=mean, std=std, changes=reference.changes or None)
    return model if top else keras.Model(model.inputs[0], list(model.output.values())[-1], name=name)


def _answer(model, size) -> np.ndarray:
    images = smooth_images(2, size[0], size[1], seed=1).astype(keras.config.floatx())
    return keras.ops.convert_to_numpy(model(images, training=False))


def _float32(name, weights, top, size, reference) -> np.ndarray:
    with _policy("float32"):
        return _answer(_ours(name, weights, top, (*size, 3), reference), size)


def _step_size(name: str, reference: Reference) -> tuple[int, int]:
    """Small images are enough for gradients, but not so small that a batch of two leaves a normalisation nothing to measure."""
    variant = registry.row(name)[1]
    side = variant.input_shape[0]
    return (side, side) if reference.fixed else (min(side, max(variant.minimum, 131)),) * 2


def _step(name, reference, weights, after, size) -> float:
    """The largest difference of any weight or moving statistic after one step, in units of the largest movement in its tensor."""
    model = _ours(name, weights, True, (*size, 3), reference)
    before = {path: keras.ops.convert_to_numpy(variable) for path, variable in tree(model).items()}
    images = smooth_images(2, size[0], size[1], seed=1)
    keras_side.step(model, images, (2, *model.output.shape[1:]))
    stepped = tree(_ours(name, after, True, (*size, 3), reference))
    counts = _counts(model, len(images)) if reference.library != "keras" else {}
    moves = []
    for path, variable in tree(model).items():
        mine, theirs, old = (keras.ops.convert_to_numpy(each) for each in (variable, stepped[path], before[path]))
        if path in counts:  # torch moves its variance by the unbiased estimate, Keras by the biased one
            kept, count = counts[path]
            mine = kept * old + (mine - kept * old) * count / (count - 1)
        moves.append((np.abs(mine - theirs).max(), np.abs(theirs - old).max()))
    # A bias in front of a normalisation has no gradient but rounding: it is measured against the largest movement in the network.
    least = 1e-6 * max(moved for _, moved in moves)
    return float(max(apart / max(moved, least) for apart, moved in moves))


def _counts(model, batch: int) -> dict[str, tuple[float, int]]:
    """{path of a moving variance: (momentum, values it was measured on)}"""
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    return {f"{layer.name}/moving_variance": (layer.momentum, batch * int(np.prod(layer.input.shape[1:3]))) for layer in norms}


@contextlib.contextmanager
def _policy(name: str) -> Iterator[None]:
    """floatx and the dtype policy, which Keras keeps apart."""
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx(name)
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])
