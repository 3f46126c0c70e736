"""Whether the tensors of a file are those of a model, decided before any data is read; every difference is named at once."""

from __future__ import annotations

import difflib
from fnmatch import fnmatchcase

import numpy as np

from zoo.backbones.variant import channel_shares
from zoo.weights.stored import Opened
from zoo.weights.tree import layers

HEAD = ("logits", "fc*", "pre_logits", "head_norm")
"""Layers of the published heads; left out when only the features are wanted. A family with other names lists them in `HEAD`."""


def require_match(parts: dict, wanted: dict, model, file: Opened) -> None:
    """Compare the two trees before any data is read."""
    absent = [path for path in wanted if path not in parts]
    extra = [f"{path} {list(part.shape)}" for path, part in parts.items() if path not in wanted]
    both = [(path, parts[path], variable) for path, variable in wanted.items() if path in parts]
    misshapen = [
        (path, part.shape, tuple(variable.shape)) for path, part, variable in both if not _fits(path, part.shape, variable, wanted)
    ]
    strange = [(path, part.dtype, _accepted(str(variable.dtype))) for path, part, variable in both]
    mistyped = [(path, stored, accepted) for path, stored, accepted in strange if stored not in accepted]
    if not (absent or extra or misshapen or mistyped):
        return
    lines = [f"{file.path} does not fit {model.name}; the model was left as it was."]
    lines += _lines("absent in the file", absent) + _lines("left over in the file", extra)
    lines += _lines("of a type that is not accepted", [f"{path}: {stored}" for path, stored, _ in mistyped])
    for accepted in dict.fromkeys(accepted for *_, accepted in mistyped):
        lines.append(f"  Accepted is {' or '.join(accepted)}: convert the tensors where the file was made and save it again.")
    lines += _lines("misshapen (file, model)", [f"{path}: {list(a)}, {list(b)}" for path, a, b in misshapen])
    heads = [(a[-1], b[-1]) for path, a, b in misshapen if path == "logits/kernel"]
    if heads:
        lines.append(f"  {new_head(*heads[0])}")
    elif absent and not extra and all(skipped(path, HEAD) for path in absent):
        lines.append(f"  The file has no head: to start with a new one, pass skip={tuple(layers(absent))!r}.")
    raise ValueError("\n".join(lines))


def new_head(stored, wanted) -> str:
    """What to do when file and model differ in their number of classes."""
    return f'The file has {stored} classes and the model {wanted}: to keep a new head, pass skip=("logits",).'


def _lines(title: str, items: list[str], most: int = 8) -> list[str]:
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return [f"  {title}: {', '.join(items[:most])}{more}"] if items else []


def _fits(path: str, shape: tuple[int, ...], variable, wanted: dict) -> bool:
    mine = tuple(variable.shape)
    return shape == mine or (path == next(iter(wanted)) and len(shape) == 4 and shape[2] == 3 and (*shape[:2], mine[2], *shape[3:]) == mine)


def adapted(value: np.ndarray, variable, constants: tuple | None = None) -> np.ndarray:
    """A first kernel for RGB in a model with another number of channels: see `zoo.backbones.variant.channel_shares`.

    constants: (mean, std) of the published channels, which two channels need.
    """
    if value.shape == tuple(variable.shape):
        return value
    published, channels = value.shape[2], variable.shape[2]
    if constants is None and channels < published:
        raise ValueError(
            f"a kernel for {published} channels can only serve {channels} when the mean and std of its images are known, and the file "
            f"does not say them: load it into a model of {published} channels and save that with zoo.save_weights, or give at least "
            f"{published} channels"
        )
    mean, std = constants or ((0.0,) * published, (1.0,) * published)  # with more channels the shares do not depend on them
    return np.einsum("hwcf,nc->hwnf", value, np.asarray(channel_shares(mean, std, channels), value.dtype))


def _accepted(mine: str) -> tuple[str, ...]:
    """Floating point of every width that numpy has fits floating point; everything else must be the very type."""
    return ("float16", "float32", "float64") if "float" in mine else (mine,)


def skipped(path: str, patterns: tuple[str, ...]) -> bool:
    """Whether the tensor at `path` belongs to a layer that one of the patterns names (or lies inside one)."""
    layer = path.rpartition("/")[0]
    return any(fnmatchcase(layer, pattern) or fnmatchcase(layer, f"{pattern}/*") for pattern in patterns)


def checked_skip(model, weights: dict, skip: tuple[str, ...]) -> tuple[str, ...]:
    known = list(layers(weights))
    for name in skip:
        if not any(skipped(f"{layer}/", (name,)) for layer in known):
            close = difflib.get_close_matches(name, known, n=3)
            hint = f"did you mean {', '.join(close)}?" if close else f"its last ones are {', '.join(known[-3:])}"
            raise ValueError(f"skip names {name!r}, but {model.name} has no layer of that name with weights; {hint}")
    return skip
