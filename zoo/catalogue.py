"""The models of the zoo as data, without a framework: `list_models` and `info` read `zoo/index.json`.

The file is written by `python -m tools.index` from the registry, and a test holds it up to date.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

INDEX = Path(__file__).with_name("index.json")


@dataclass(frozen=True)
class Entry:
    """One row of the zoo.

    parameters:     published number of trainable parameters with the head.
    gmacs:          multiply-adds of all convolutions and dense layers for one image of `input_shape`, in 10^9; one
                    multiply-add is what many tables call one FLOP. Biases, norms, activations and pooling are not counted.
    input_shape:    (height, width, channels) of the published model.
    minimum:        smallest legal height and width.
    classes:        outputs of the published model.
    pyramid:        {"c1": (h, w, c), ...}: the levels of `zoo.backbone(name)` for one image of `input_shape`.
    output_strides: what `output_stride=` accepts.
    paper, year, arxiv: where the architecture was published; `paper` is empty when it was not.
    weights:        one dict per published file: tag, top (with head), licence, trained_on, top1, top5, bytes, url.
    """

    name: str
    family: str
    parameters: int
    gmacs: float
    input_shape: tuple[int, int, int]
    minimum: int
    classes: int
    pyramid: dict[str, tuple[int, int, int]]
    output_strides: tuple[int, ...]
    paper: str
    year: int
    arxiv: str | None
    weights: tuple[dict, ...]

    @property
    def size(self) -> str:
        """Published input as text: "224x224", with the channels where they are not three."""
        height, width, channels = self.input_shape
        return f"{height}x{width}" + (f"x{channels}" if channels != 3 else "")

    @property
    def tags(self) -> tuple[str, ...]:
        """What `weights=` accepts, each once."""
        return tuple(dict.fromkeys(record["tag"] for record in self.weights))

    @property
    def weights_text(self) -> str:
        return ", ".join(self.tags) or "-"

    @property
    def licence_text(self) -> str:
        """Licences of the weights; the code of the zoo is Apache-2.0."""
        return ", ".join(dict.fromkeys(record["licence"] for record in self.weights)) or "-"

    def as_dict(self) -> dict:
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        paper = f"{self.paper}, {self.year}" if self.paper else f"no paper, {self.year}"
        lines = [
            self.name,
            f"  paper       {paper}" + (f", https://arxiv.org/abs/{self.arxiv}" if self.arxiv else ""),
            f"  parameters  {self.parameters:,} trainable, with {self.classes} classes",
            f"  work        {self.gmacs:.3g} billion multiply-adds for {self.size}",
            f"  input       {self.size} published, at least {self.minimum}x{self.minimum}",
            "  pyramid     " + ", ".join(f"{level} {h}x{w}x{c}" for level, (h, w, c) in self.pyramid.items()),
        ]
        if self.output_strides:
            lines.append(f"  dilation    output_stride = {', '.join(map(str, self.output_strides))}")
        for record in (record for record in self.weights if record["top"]):
            score = f"top-1 {record['top1']:.1%}, top-5 {record['top5']:.1%}, " if record["top1"] is not None else ""
            lines.append(f"  weights     {record['tag']!r}: {score}{record['trained_on']}, {record['licence']}")
        return "\n".join(lines if self.weights else [*lines, "  weights     none published here"])


def list_models(
    pattern: str = "*", *, weights: bool | str | None = None, licence: str | None = None, max_parameters: float | None = None
) -> list[Entry]:
    """The rows whose name matches a shell pattern such as "resnet*", in the order of the registry.

    weights:        True for rows with published weights, False for those without, or a tag such as "imagenet".
    licence:        pattern for the licence of the weights, upper and lower case alike, for example "mit" or "cc-by-*".
    max_parameters: at most so many parameters.

    The `_micro` rows, a few thousand parameters for tests, are listed only when the pattern says "micro".
    """
    found = [entry for name, entry in _entries().items() if fnmatchcase(name, pattern)]
    if "micro" not in pattern:
        found = [entry for entry in found if not entry.name.endswith("_micro")]
    if isinstance(weights, str):
        found = [entry for entry in found if weights in entry.tags]
    elif weights is not None:
        found = [entry for entry in found if bool(entry.weights) == weights]
    if licence is not None:
        found = [entry for entry in found if any(fnmatchcase(r["licence"].lower(), licence.lower()) for r in entry.weights)]
    if max_parameters is not None:
        found = [entry for entry in found if entry.parameters <= max_parameters]
    return found


def info(name: str) -> Entry:
    """Everything known about one row; an unknown name raises ValueError with the closest matches."""
    entries = _entries()
    if name not in entries:
        close = difflib.get_close_matches(name, entries, n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(close)}?" if close else "see zoo.list_models()"
        raise ValueError(f"there is no model called {name!r}; {hint}")
    return entries[name]


@functools.cache
def _entries() -> dict[str, Entry]:
    try:
        rows = json.loads(INDEX.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{INDEX} is missing; in a checkout write it with `python -m tools.index`, else install zoo again"
        ) from error
    return {row["name"]: _entry(row) for row in rows}


def _entry(row: dict) -> Entry:
    pyramid = {level: tuple(shape) for level, shape in row["pyramid"].items()}
    sequences = {key: tuple(row[key]) for key in ("input_shape", "output_strides", "weights")}
    return Entry(**{**row, **sequences, "pyramid": pyramid})
