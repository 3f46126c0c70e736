"""Exported files beside their model: how far they are off, how big, how fast in their own runtimes. One table, as Markdown and JSON."""

from __future__ import annotations

import dataclasses
import datetime
import gzip
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from zoo.cores import cores
from zoo.export.agree import difference, outputs
from zoo.export.runtimes import load, name_of
from zoo.export.write import format_of

TOLERANCE = {"fp32": 1e-4, "fp16": 2e-2}
"""Largest difference allowed, as a share of the largest output. float16 rounds by 2^-11: 2e-2 is forty roundings that all point the same
way. float32 rounds by 2^-24, and 1e-4 leaves room for sums over thousands of terms in another order."""
AGREEMENT = {"fp32": 0.99, "fp16": 0.95, "int8": 0.9, "dynamic": 0.9}
"""Smallest share of images that must keep their class. int8 has no bound on the difference: every layer adds up to half a step of its
own. Pictures between two classes change sides long before the accuracy suffers, in both directions, so 0.9 is not 10 % of accuracy."""
BATCHES = (1, 32)


@dataclass(frozen=True)
class Row:
    """One file, or the model itself, or a file run in another way (judged: False).

    bytes, gzipped: on disk, with every file that belongs to it, and after gzip; None for the model.
    largest, mean, scale, top1: see `zoo.export.agree.Difference`.
    milliseconds: {batch size: median of one call}.
    """

    name: str
    format: str
    precision: str
    runtime: str
    largest: float
    mean: float
    scale: float
    top1: float | None
    bytes: int | None = None
    gzipped: int | None = None
    milliseconds: dict[int, float] = field(default_factory=dict)
    judged: bool = True
    problem: str = ""


@dataclass(frozen=True)
class Report:
    """The rows and where they were measured."""

    model: str
    images: int
    threads: int
    repeats: int
    rows: tuple[Row, ...]
    date: str = field(default_factory=lambda: datetime.date.today().isoformat())
    machine: str = field(default_factory=lambda: f"{platform.platform()}, {os.cpu_count()} CPUs, Python {platform.python_version()}")

    @property
    def failed(self) -> tuple[Row, ...]:
        """The judged rows that do not agree with the model."""
        return tuple(row for row in self.rows if row.judged and row.problem)

    def json(self) -> str:
        """Everything, as JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    def markdown(self) -> str:
        """The table that a person reads."""
        batches = sorted({batch for row in self.rows for batch in row.milliseconds})
        lines = [
            f"# Exports of {self.model}",
            "",
            f"{self.date}, {self.machine}. Compared on {self.images} images; {self.threads} threads per runtime (Keras and",
            f"TensorFlow take all); medians of {self.repeats} calls in turns. Differences are of the outputs, the largest of which is",
            f"{self._scale()}.",
            "",
            "| file | precision | runtime | largest difference | mean | same class | size | gzip | "
            + "".join(f"ms, batch {batch} | " for batch in batches)
            + "verdict |",
            "|---|---|---|---:|---:|---:|---:|---:|" + "---:|" * len(batches) + "---|",
        ]
        for row in self.rows:
            size = [f"{value / 1e6:.3g} MB" if value else "-" for value in (row.bytes, row.gzipped)]
            same = "-" if row.top1 is None else f"{row.top1:.1%}"
            times = [f"{row.milliseconds[batch]:.2f}" if batch in row.milliseconds else "-" for batch in batches]
            verdict = row.problem or "agrees" if row.judged else row.problem or "for comparison"
            cells = [row.name, row.precision, row.runtime, f"{row.largest:.2g}", f"{row.mean:.2g}", same, *size, *times, verdict]
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines) + "\n"

    def _scale(self) -> str:
        return f"{max((row.scale for row in self.rows), default=0.0):.3g}"


def check_files(
    model,
    files: Mapping[Path, str] | Mapping[str, str],
    images,
    *,
    threads: int | None = None,
    repeats: int = 10,
    batches: Sequence[int] = BATCHES,
    agreement: float | None = None,
) -> Report:
    """Run every file on `images` in its own runtime and compare it with `model`, then time them all in turns.

    files:     {path: precision it was written in}. An OpenVINO file in fp32 gets a second row, run as OpenVINO does when nothing is asked.
    images:    (n, h, w, c) in [0, 255], real ones.
    threads:   per runtime; default: as many as this process may use.
    repeats:   timed calls per file and batch size, after two that are not; 0 leaves the times out.
    agreement: share of images that must keep their class instead of `AGREEMENT`.

    Nothing is raised for a file that does not agree: its row has a `problem`. Raises ValueError when there are no images.
    """
    images = np.asarray(images, "float32")
    if not len(images):
        raise ValueError("there are no images to check the files on; give at least one")
    threads = threads or cores()
    wanted = outputs(model, images)
    calls: list[Callable] = [model.predict_on_batch]
    rows = [dataclasses.replace(_row("the model", "keras", model.compute_dtype, _engine(), wanted, wanted, None), judged=False)]
    for path, precision in files.items():
        ways = (False, True) if format_of(path) == "openvino" and precision == "fp32" else (False,)
        for as_default in ways:
            run = load(path, threads=threads, as_default=as_default)
            row = _row(Path(path).name, format_of(path), precision, name_of(path), wanted, _answers(run, images), agreement, as_default)
            size, gzipped = sizes_of(path)
            rows.append(row if as_default else dataclasses.replace(row, bytes=size, gzipped=gzipped))
            calls.append(run)
    times = _times(calls, images, batches, repeats)
    rows = [dataclasses.replace(row, milliseconds=taken) for row, taken in zip(rows, times, strict=True)]
    return Report(model.name, len(images), threads, repeats, tuple(rows))


def sizes_of(path: str | os.PathLike, level: int = 6) -> tuple[int, int]:
    """Bytes of a file with all that belongs to it (a SavedModel's folder, OpenVINO's .bin), as they are and after gzip, without a date."""
    contents = [file.read_bytes() for file in parts_of(path)]
    return sum(map(len, contents)), sum(len(gzip.compress(content, level, mtime=0)) for content in contents)


def parts_of(path: str | os.PathLike) -> list[Path]:
    """The files that an export consists of."""
    path = Path(path)
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file())
    return [path, path.with_suffix(".bin")] if path.suffix == ".xml" else [path]


def _row(name, format, precision, runtime, wanted, got, agreement, as_default=False) -> Row:
    facts = {"name": name, "format": format, "precision": precision, "runtime": runtime, "judged": not as_default}
    try:
        found = difference(wanted, got, name)
    except ValueError as error:
        return Row(**facts, largest=float("inf"), mean=float("inf"), scale=0.0, top1=None, problem=str(error))
    if as_default:
        facts |= {"runtime": f"{runtime}, its own precision", "problem": "not judged: OpenVINO's default on this processor"}
        return Row(**facts, **dataclasses.asdict(found))
    return Row(**facts, **dataclasses.asdict(found), problem=_problem(precision, found, agreement))


def _problem(precision: str, found, agreement: float | None) -> str:
    share = found.largest / found.scale if found.scale else found.largest
    if share > TOLERANCE.get(precision, float("inf")):
        return f"DOES NOT AGREE: differs by {share:.2g} of the largest output, allowed is {TOLERANCE[precision]:g}"
    least = AGREEMENT.get(precision, 0.0) if agreement is None else agreement
    if found.top1 is not None and found.top1 < least:
        return f"DOES NOT AGREE: {found.top1:.1%} of the images keep their class, wanted is {least:.0%}"
    return ""


def _engine() -> str:
    import keras

    return f"keras {keras.__version__} on {keras.backend.backend()}"


def _answers(run, images, batch_size: int = 32) -> list[np.ndarray]:
    parts = [run(images[start : start + batch_size]) for start in range(0, len(images), batch_size)]
    return [np.concatenate(pieces) for pieces in zip(*parts, strict=True)]


def _times(calls, images, batches, repeats: int) -> list[dict[int, float]]:
    """Medians in milliseconds; all are asked in turns, so that a drifting machine hits all of them."""
    found: list[dict[int, float]] = [{} for _ in calls]
    for batch in batches if repeats else ():
        stack = np.resize(images, (batch, *images.shape[1:]))
        taken: list[list[float]] = [[] for _ in calls]
        for turn in range(repeats + 2):
            for call, seconds in zip(calls, taken, strict=True):
                start = time.perf_counter()
                call(stack)
                if turn > 1:
                    seconds.append(time.perf_counter() - start)
        for times, seconds in zip(found, taken, strict=True):
            times[batch] = 1000 * statistics.median(seconds)
    return found
