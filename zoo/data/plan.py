"""What a pipeline does to be fast on this machine, and why: the memory that is free, and the choices that follow, in words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zoo.cores import cores

if TYPE_CHECKING:
    from zoo.data.pipeline import Pipeline

SHARE = 0.25
"""Of the free memory, for the decoded pixels of one split: there are two or three, and a model."""
UNKNOWN = 1 << 30
"""Bytes for the pixels where the system does not tell what is free: 1 GiB, 38,000 images of 96 x 96."""


@dataclass(frozen=True)
class Choice:
    """One stage of the pipeline: what happens there, and the reason."""

    stage: str
    chosen: str
    why: str

    def __str__(self) -> str:
        return f"{self.stage:9} {self.chosen}: {self.why}"


@dataclass(frozen=True)
class Plan:
    """The choices in the order of the data; `str` gives one line each."""

    choices: tuple[Choice, ...]

    def __getitem__(self, stage: str) -> Choice:
        return next(choice for choice in self.choices if choice.stage == stage)

    def __str__(self) -> str:
        return "\n".join(map(str, self.choices))


def budget() -> int:
    """Bytes of decoded pixels that one split may keep in memory: a quarter of what is free now."""
    free = free_memory()
    return UNKNOWN if free is None else int(SHARE * free)


def free_memory(root: Path = Path("/")) -> int | None:
    """Bytes that this process can still take without swapping, a container's limit included; None where the system does not tell.

    root: of the files of Linux' kernel. MemAvailable of /proc/meminfo counts the cache of files, which the kernel gives back.
    """
    found = []
    listing = root / "proc" / "meminfo"
    if listing.exists():
        lines = dict(line.split(":", 1) for line in listing.read_text().splitlines() if ":" in line)
        if "MemAvailable" in lines:
            found.append(1024 * int(lines["MemAvailable"].split()[0]))
    group = root / "sys" / "fs" / "cgroup"
    limit, used = group / "memory.max", group / "memory.current"
    if limit.exists() and used.exists() and limit.read_text().strip() != "max":
        found.append(max(0, int(limit.read_text()) - int(used.read_text())))
    return min(found) if found else None


def plan(pipeline: Pipeline) -> Plan:
    """The choices of `pipeline`. Nothing is decoded for it."""
    ready = _ready(pipeline)
    return Plan((_cache(pipeline, ready), _decode(pipeline, ready), _change(pipeline), _order(pipeline), _prefetch(pipeline)))


def _ready(pipeline: Pipeline) -> bool:
    """Whether the pixels are one array of the wanted size already."""
    items = pipeline.examples.items
    return isinstance(items, np.ndarray) and items.shape == (len(pipeline), *pipeline.size, 3) and items.dtype == np.uint8


def _cache(pipeline: Pipeline, ready: bool) -> Choice:
    if not pipeline.cache:
        return Choice("cache", "none", "cache=False asks for decoding anew in every epoch")
    need = len(pipeline) * math.prod(pipeline.size) * 3
    sizes = f"{len(pipeline)} images of {pipeline.size[0]} x {pipeline.size[1]} are {_bytes(need)}"
    if ready:
        return Choice("cache", "the given array", f"{sizes}, decoded and of the wanted size already")
    if need <= pipeline.memory:
        return Choice("cache", "in memory", f"{sizes}, within the budget of {_bytes(pipeline.memory)}")
    return Choice("cache", "in a temporary file", f"{sizes}, beyond the budget of {_bytes(pipeline.memory)}; decoding once is still saved")


def _decode(pipeline: Pipeline, ready: bool) -> Choice:
    if pipeline.cache and ready:
        return Choice("decode", "nothing", "the images are pixels")
    if pipeline.cache:
        return Choice("decode", f"once, in {cores()} threads", "one for each core; later epochs only copy pixels")
    return Choice("decode", "in every epoch, several batches at once", "tf.data measures how many keep the cores busy")


def _change(pipeline: Pipeline) -> Choice:
    if pipeline.augment is None:
        return Choice("change", "nothing", "no augmentation was asked for")
    return Choice("change", "whole batches, several at once", "one operation on a batch costs less than one on every image")


def _order(pipeline: Pipeline) -> Choice:
    if pipeline.deterministic:
        return Choice("order", "fixed by seed and epoch", "the same seed gives the same batches, also after a resume")
    return Choice("order", "whatever is ready first", "deterministic=False: slow images hold up nobody, and runs differ")


def _prefetch(pipeline: Pipeline) -> Choice:
    if pipeline.device is None:
        return Choice("prefetch", "in host memory", "tf.data measures how many batches ahead; JAX copies two ahead to its device by itself")
    return Choice("prefetch", f"on {pipeline.device}", "the next batch is copied while the step of this one runs")


def _bytes(number: int) -> str:
    return f"{number / 2**30:.1f} GiB" if number >= 2**30 else f"{number / 2**20:.1f} MiB"
