"""What was compared, with which result, as data."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from zoo import atomic


@dataclass(frozen=True, kw_only=True)
class Size:
    """The comparison at one image size; differences in units of the reference's reaction to its input.

    dynamic, static: float64, our model built for any size and built for this one; `static` is None where it was not asked for.
    argmax:          whether every image had the same largest logit in all comparisons at this size.
    """

    height: int
    width: int
    dynamic: float
    static: float | None
    argmax: bool


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """One row against one network of another library.

    parameters: trainable parameters, equal on both sides and in the paper's or library's publication.
    compared:   "logits", or also "features" where the reference's head takes one size only.
    gate:       largest float64 difference that counts as equal.
    sizes:      see `Size`; the first is the published one.
    float32:    our float32 answer against the reference's float64 one, at the first size.
    floor:      the reference's own float32 answer against its float64 one: what rounding alone costs in this network.
    step:       after one step of plain gradient descent in training mode: the largest difference of any weight or moving statistic,
                in units of how far the reference moved it; None where it was not asked for.
    """

    model: str
    library: str
    reference: str
    version: str
    parameters: int
    compared: str
    gate: float
    sizes: tuple[Size, ...]
    float32: float
    floor: float
    step: float | None = None
    options: dict = dataclasses.field(default_factory=dict)
    note: str = ""
    keras: str = ""
    backend: str = ""
    date: str = ""

    FACTOR = 5
    """float32 may differ by this many times the floor."""
    STEP = 1e-6
    """Largest difference after one step; a wrong momentum or a missing gradient is of the order of 1."""

    @property
    def float64(self) -> float:
        """The worst float64 difference over all sizes, static and dynamic."""
        return max(value for size in self.sizes for value in (size.dynamic, size.static) if value is not None)

    @property
    def faults(self) -> list[str]:
        """Why it fails; empty when it passes."""
        found = []
        if not self.float64 <= self.gate:
            worst = [f"{s.height}x{s.width}" for s in self.sizes if not max(s.dynamic, s.static or 0.0) <= self.gate]
            found.append(f"float64 differs by {self.float64:.2g} at {', '.join(worst)}, the gate is {self.gate:.0e}")
        if not self.float32 <= self.FACTOR * self.floor:
            found.append(f"float32 differs by {self.float32:.2g}, more than {self.FACTOR} times the floor {self.floor:.2g}")
        if not all(size.argmax for size in self.sizes):
            found.append("the largest output is another one")
        if self.step is not None and not self.step <= self.STEP:
            found.append(f"one training step differs by {self.step:.2g}, the gate is {self.STEP:.0e}")
        return found

    @property
    def passed(self) -> bool:
        return not self.faults

    def __str__(self) -> str:
        sizes = ", ".join(f"{size.height}x{size.width}" for size in self.sizes)
        step = "" if self.step is None else f"; training step {self.step:.1e}"
        verdict = "equal" if self.passed else "NOT EQUAL: " + "; ".join(self.faults)
        return (
            f"{self.model} = {self.library} {self.reference}: float64 {self.float64:.1e} at {sizes}; "
            f"float32 {self.float32:.1e}, floor {self.floor:.1e}{step}: {verdict}"
        )

    def write(self, folder: Path) -> Path:
        """folder/MODEL.LIBRARY.json"""
        path = Path(folder) / f"{self.model}.{self.library}.json"
        content = {**dataclasses.asdict(self), "float64": self.float64, "passed": self.passed}
        atomic.write(path, json.dumps(content, indent=1) + "\n")
        return path

    @classmethod
    def read(cls, path: Path) -> Certificate:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        sizes = tuple(Size(**size) for size in content.pop("sizes"))
        return cls(**{key: value for key, value in content.items() if key not in ("float64", "passed")}, sizes=sizes)
