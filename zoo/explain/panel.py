"""The trust panel as it is read: rows of numbers, each beside maps that know nothing of the model, and one honest sentence."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from zoo.explain.baselines import BASELINES


@dataclass(frozen=True)
class Column:
    """A number of the panel: its title, whether more of it is better, and what it asks."""

    title: str
    more: bool
    asks: str


COLUMNS = {
    "deletion": Column("Deletion", False, "How high does the score stay while the hottest pixels are greyed, hottest first?"),
    "insertion": Column("Insertion", True, "How high does it rise while they are brought into a blurred image, hottest first?"),
    "infidelity": Column("Infidelity", False, "How badly does the map forecast what noise does to the score? 0: perfectly, 1: not at all."),
    "sensitivity": Column("Sensitivity", False, "How far does the map move when the image moves by at most 5 grey levels?"),
    "random weights": Column("Random weights", False, "How alike is the map under shuffled weights? 1: it was never about them."),
    "pointing": Column("Pointing", True, "Does the maximum lie in the box?"),
    "mass": Column("Mass inside", True, "What share of the positive heat lies in the box?"),
}
METHOD = "the method"
ROWS = (METHOD, *BASELINES)
TITLES = {METHOD: "This map", "random": "Random", "centre": "Centre", "sobel": "Sobel edges"}


@dataclass
class TrustPanel:
    """rows: row -> column -> number, None where a number does not apply; curves: column -> row -> scores over `fractions`.

    completeness: how far Integrated Gradients are from adding up, as a share; None for other methods.
    empty: the map holds no positive evidence.
    """

    rows: dict[str, dict[str, float | None]] = field(default_factory=lambda: {row: {} for row in ROWS})
    curves: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    fractions: list[float] = field(default_factory=list)
    completeness: float | None = None
    empty: bool = False

    @property
    def columns(self) -> list[str]:
        """The columns that hold a number, in the order of `COLUMNS`."""
        return [name for name in COLUMNS if any(row.get(name) is not None for row in self.rows.values())]

    def as_dict(self) -> dict[str, Any]:
        """For JSON: plain numbers, None for what does not apply."""
        return asdict(self) | {"verdict": self.verdict()}

    def table(self) -> str:
        """The numbers as text, a line per row."""
        cells = [["", *(f"{COLUMNS[name].title} ({'more' if COLUMNS[name].more else 'less'} is better)" for name in self.columns)]]
        cells += [[TITLES[row], *(_number(self.rows[row].get(name)) for name in self.columns)] for row in ROWS]
        widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
        lines = [
            "  ".join(cell.rjust(width) if n else cell.ljust(width) for n, (cell, width) in enumerate(zip(line, widths, strict=True)))
            for line in cells
        ]
        sums = [] if self.completeness is None else [f"Its values add up to the change of the score but for {self.completeness:.2%}."]
        return "\n".join(line.rstrip() for line in [*lines, *sums, self.verdict()])

    def verdict(self) -> str:
        """One honest sentence."""
        if self.empty:
            return "The map is empty: it claims nothing, and there is nothing to trust."
        alike = self.rows[METHOD].get("random weights")
        if alike is not None and alike > 0.5:
            return f"Hardly about what the model has learned: with shuffled weights the map stays alike ({alike:.2f} of 1)."
        beaten = {row: [name for name in ("deletion", "insertion") if self._better(name, row)] for row in BASELINES}
        for row, words in (("random", "a random map"), ("centre", "a blob in the centre"), ("sobel", "Sobel edges")):
            if not beaten[row]:
                return f"No better than {words}, neither in deletion nor in insertion: do not build on this map."
        half = next((row for row in ("sobel", "centre", "random") if len(beaten[row]) == 1), None)
        if half is not None:
            return f"Better than {TITLES[half]} in {beaten[half][0]} only: a hint, no more."
        return "Better than a random map, the centre and Sobel edges in deletion and insertion: on this one image, what it marks matters."

    def _better(self, column: str, row: str) -> bool:
        own, other = self.rows[METHOD].get(column), self.rows[row].get(column)
        if own is None or other is None:
            return False
        return own > other if COLUMNS[column].more else own < other


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
