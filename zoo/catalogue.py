"""The models of the zoo as data, without a framework: `list_models` and `info` read `zoo/index.json`.

The file is written by `python -m tools.index` from the registry, and a test holds it up to date.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

INDEX = Path(__file__).with_name("index.json")
COMMERCIAL = (
    *("0bsd", "apache-2.0", "bsd-*", "cc-by-2.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-*", "cc0-1.0", "gpl-*", "isc", "lgpl-*"),
    *("mit", "mit-0", "mpl-2.0", "unlicense", "zlib"),
)
"""SPDX identifiers, in lower case, of licences that allow commercial use. What is not listed, or unknown, counts as forbidden."""


@dataclass(frozen=True)
class Entry:
    """One row of the zoo.

    parameters:     published number of trainable parameters with the head.
    gmacs:          multiply-adds of all convolutions, dense layers and both products of attention for one image of `input_shape`, in
                    10^9; one is what many tables call one FLOP. Biases, norms, activations and pooling are not counted.
    input_shape:    (height, width, channels) of the published model.
    minimum:        smallest legal height and width.
    classes:        outputs of the published model.
    pyramid:        {"c1": (h, w, c), ...}: the levels of `zoo.backbone(name)` for one image of `input_shape`.
    output_strides: what `output_stride=` accepts.
    paper, year, arxiv: where the architecture was published; `paper` is empty when it was not.
    weights:        one dict per published file: tag, top (with head), licence, trained_on, top1, top5, bytes, url.
    activations:    numbers that convolutions, dense layers and attention put out for one image, in 10^6; 0 where it was not measured.
    memory:         most bytes alive at once at inference with one image in float32, without the weights (see `zoo.anatomy`).
    levels:         {"c1": {"stride": 2, "field": 7, "whole": False}, ...}: pixels between units of a level, side of what one sees, and
                    whether a global path (a gate, attention) lets it see the whole image besides.
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
    activations: float = 0.0
    memory: int = 0
    levels: dict[str, dict] = field(default_factory=dict)

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
        size = f" for {self.size}"
        lines = [
            self.name,
            f"  paper       {paper}" + (f", https://arxiv.org/abs/{self.arxiv}" if self.arxiv else ""),
            f"  parameters  {self.parameters:,} trainable, with {self.classes} classes; {self.parameters * 4 / 2**20:,.1f} MiB in float32",
            f"  work        {self.gmacs:.3g} billion multiply-adds{size}",
        ]
        if self.activations:
            lines.append(f"  activations {self.activations:.3g} million{size}")
            lines.append(f"  memory      {self.memory / 2**20:.3g} MiB at its peak, one image in float32, besides the weights")
        lines.append(f"  input       {self.size} published, at least {self.minimum}x{self.minimum}")
        lines += [f"  {'pyramid' if i == 0 else '':11} {self._level(level)}" for i, level in enumerate(self.pyramid)]
        if self.output_strides:
            lines.append(f"  dilation    output_stride = {', '.join(map(str, self.output_strides))}")
        lines += [_weights_line(record) for record in self.weights if record["top"]]
        lines += [] if any(record["top"] for record in self.weights) else ["  weights     none published here"]
        return "\n".join(
            [
                *lines,
                f"  licence     Apache-2.0 (code), {self.licence_text} (weights)" if self.weights else "  licence     Apache-2.0 (code)",
            ]
        )

    def _level(self, level: str) -> str:
        height, width, channels = self.pyramid[level]
        text = f"{level} {height}x{width}x{channels}"
        if level not in self.levels:
            return text
        stride, side, whole = (self.levels[level][key] for key in ("stride", "field", "whole"))
        everything = (
            "the whole image" if side is None else f"{side}x{side} pixels" + (" and, by a global path, the whole image" if whole else "")
        )
        return f"{text:16} {f'stride {stride}, ' if stride else ''}sees {everything}"


def _weights_line(record: dict) -> str:
    score = f"top-1 {record['top1']:.1%}, top-5 {record['top5']:.1%}, " if None not in (record["top1"], record["top5"]) else ""
    size = f", {record['bytes'] / 2**20:,.1f} MiB" if record["bytes"] else ""
    return f"  weights     {record['tag']!r}: {score}{record['trained_on']}, {record['licence']}{size}"


def list_models(
    pattern: str = "*",
    *,
    weights: bool | str | None = None,
    licence: str | None = None,
    parameters: str | None = None,
    gmacs: str | None = None,
    max_parameters: float | None = None,
) -> list[Entry]:
    """The rows whose name matches a shell pattern such as "resnet*", in the order of the registry.

    weights:        True for rows with published weights, False for those without, or a tag such as "imagenet".
    licence:        pattern for the licence of the weights, upper and lower case alike, for example "mit" or "cc-by-*"; "commercial" for
                    those that allow commercial use (`COMMERCIAL`). With a tag in `weights`, one file must fit both.
    parameters:     comparison such as "<10M", "<=25.6M" or ">1B"; several with commas: ">5M,<10M". K, M, B (or G) are 10^3, 10^6, 10^9.
    gmacs:          the same for multiply-adds: "<500M", "<=4.1G"; a bare number is in 10^9.
    max_parameters: at most so many parameters.

    The `_micro` rows, a few thousand parameters for tests, are listed only when the pattern says "micro".
    Raises ValueError for a comparison that cannot be read.
    """
    found = [entry for name, entry in _entries().items() if fnmatchcase(name, pattern)]
    if "micro" not in pattern:
        found = [entry for entry in found if not entry.name.endswith("_micro")]
    if weights is False:
        found = [entry for entry in found if not entry.weights]
    if weights or licence is not None:
        tag = weights if isinstance(weights, str) else None
        found = [e for e in found if any(tag in (None, r["tag"]) and _licensed(r["licence"], licence) for r in e.weights)]
    if parameters is not None:
        fits = compared(parameters)
        found = [entry for entry in found if fits(entry.parameters)]
    if gmacs is not None:
        fits = compared(gmacs, unit=1e9)
        found = [entry for entry in found if fits(entry.gmacs * 1e9)]
    if max_parameters is not None:
        found = [entry for entry in found if entry.parameters <= max_parameters]
    return found


def compared(text: str, unit: float = 1.0) -> Callable[[float], bool]:
    """ "<10M", "<=25.6M", ">1B", "=5M" or several with commas as a test of a number; `unit` is that of a number without a letter."""
    wanted = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*(<=|>=|<|>|==?)\s*(\d+(?:\.\d*)?|\.\d+)\s*([kKmMbBgG]?)\s*", part)
        if found is None:
            raise ValueError(f'a comparison is written like "<10M", "<=25.6M", ">1B" or ">5M,<10M", got {text!r}')
        letter = found.group(3).lower()
        wanted.append((found.group(1), float(found.group(2)) * ({"k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9}[letter] if letter else unit)))
    tests = {"<": float.__lt__, "<=": float.__le__, ">": float.__gt__, ">=": float.__ge__, "=": float.__eq__, "==": float.__eq__}
    return lambda value: all(tests[sign](float(value), limit) for sign, limit in wanted)


def _licensed(licence: str, wanted: str | None) -> bool:
    patterns = COMMERCIAL if wanted == "commercial" else ("*" if wanted is None else wanted.lower(),)
    return any(fnmatchcase(licence.lower(), pattern) for pattern in patterns)


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
