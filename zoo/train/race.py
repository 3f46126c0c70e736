"""Candidates timed in turns, and which of them is kept: a switch is thrown only where its gain is larger than the noise."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.train.switches import Offer, Switches

HOPELESS = 3.0
"""A candidate whose second step takes this many times the fastest is stopped there: XLA on a CPU can be 13 times slower."""
FLOOR = 0.02
"""No gain below 2 % is believed, however steady the measurement was; and among equals within it the plainest is kept."""
NEAR = 1.15
"""Fused steps are tried with what is within 15 % of the fastest at one step per call."""
LONG = 0.1
"""Calling a compiled step costs 1 to 2 ms, so a step of 0.1 s or more gains nothing from being fused with others."""
TURNS = (3, 9)
"""Least and most measurements of each candidate."""


@dataclass(frozen=True)
class Row:
    """One candidate.

    first:   seconds of its first call, tracing and compiling included. None when it did not get that far.
    seconds: median seconds per step, or None when it was not measured to the end.
    ratio:   median over the turns of (plain's time / its time): above 1 is faster. None as for `seconds`.
    spread:  between the quartiles of those ratios, the measurement's own noise.
    why:     what was decided about it, in words.
    """

    switches: Switches
    first: float | None = None
    seconds: float | None = None
    ratio: float | None = None
    spread: float | None = None
    why: str = ""


def race(offered: Offer, open: Callable[[Switches], Any], *, seconds: float, steps: int) -> tuple[Switches, list[Row]]:
    """(the switches to keep, a row for every candidate).

    open:    makes something with first() -> seconds and measure(steps) -> seconds per step (`Stopwatch`).
    seconds: time for the timed turns; what compiling takes comes on top. Every candidate gets at least three turns.
    steps:   steps of one measurement.

    An error of the plain candidate is raised; any other candidate that fails drops out with the error as its reason.
    """
    field = _Field(open, steps)
    field.enter(offered.plain)
    for switches in offered.steps:
        field.enter(switches, rival=True)
    field.turns(seconds / 2 if offered.fusings else seconds)
    for switches, number in field.worth_fusing(offered):
        field.enter(Switches(switches.precision, switches.jit, number), rival=True)
    if any(switches.steps_per_execution > 1 for switches in field.times):
        field.turns(seconds / 2)
    kept, why = judge(field.times, offered.plain)
    rows = [field.row(switches, offered.plain, why.get(switches)) for switches in field.first]
    return kept, rows + [Row(switches, why=f"not measured: {reason}") for switches, reason in {**offered.refused, **field.unfused}.items()]


def judge(times: dict[Switches, list[float]], plain: Switches) -> tuple[Switches, dict[Switches, str]]:
    """(the switches to keep, {candidate: why}) from the seconds of every turn; turn i of all candidates was taken together."""
    ratio: dict[Switches, float] = {}
    spread: dict[Switches, float] = {}
    for switches in times:
        ratio[switches], spread[switches] = against(times[plain], times[switches])
    faster = [each for each in times if each != plain and ratio[each] - 1 > max(spread[each], FLOOR)]
    best = max((ratio[each] for each in faster), default=1.0)
    kept = min((each for each in faster if ratio[each] >= best * (1 - FLOOR)), key=lambda each: _plainness(each, plain), default=plain)
    why = {plain: "the reference" + (", and kept: nothing is faster by more than the noise" if kept == plain else "")}
    for each in times:
        if each == plain:
            continue
        noise = f"{100 * max(spread[each], FLOOR):.0f} %"
        if each == kept:
            why[each] = f"kept: {ratio[each]:.2f} x as fast, a gain above the noise of {noise}"
        elif each in faster and ratio[each] >= best * (1 - FLOOR):
            why[each] = f"{ratio[each]:.2f} x as fast, but no more than the plainer {kept}"
        elif each in faster:
            why[each] = f"{ratio[each]:.2f} x as fast, but {kept} is faster"
        elif ratio[each] >= 1 - max(spread[each], FLOOR):
            why[each] = f"{ratio[each]:.2f} x as fast: within the noise of {noise}"
        else:
            why[each] = f"{ratio[each]:.2f} x as fast: slower here"
    return kept, why


def against(plain: list[float], other: list[float]) -> tuple[float, float]:
    """(median of plain / other over the turns, distance between the quartiles of it)."""
    turns = min(len(plain), len(other))
    ratios = np.asarray(plain[-turns:]) / np.asarray(other[-turns:])
    low, middle, high = np.percentile(ratios, [25, 50, 75])
    return float(middle), float(high - low)


def _plainness(switches: Switches, plain: Switches) -> tuple:
    """Fewer changes first: the precision changes numbers, the compiler costs minutes, fused steps hide batches from callbacks."""
    return switches.precision != plain.precision, switches.jit != plain.jit, switches.steps_per_execution


class _Field:
    """The candidates that are still in the race, and what is known of each."""

    def __init__(self, open: Callable, steps: int):
        self.open, self.steps = open, steps
        self.running: dict[Switches, Any] = {}
        self.first: dict[Switches, float | None] = {}
        self.times: dict[Switches, list[float]] = {}
        self.out: dict[Switches, str] = {}
        self.unfused: dict[Switches, str] = {}
        self.fastest = float("inf")

    def enter(self, switches: Switches, rival: bool = False) -> None:
        """Build and compile a candidate, and let it take one step more; a rival that fails or is hopelessly slow is out."""
        if switches in self.first:
            return
        self.first[switches] = None
        try:
            candidate = self.open(switches)
            self.first[switches] = candidate.first()
            step = candidate.measure(1)
        except Exception as error:  # whatever a compiler or a kernel cannot do is a reason not to use it
            if not rival:
                raise
            self.out[switches] = f"out: {type(error).__name__}: {(str(error).strip() or 'no message').splitlines()[0][:120]}"
            return
        self.fastest = min(self.fastest, step)
        if rival and step > HOPELESS * self.fastest:
            self.out[switches] = f"out: its second step took {step / self.fastest:.1f} x the fastest"
            return
        self.running[switches] = candidate
        self.times[switches] = []

    def turns(self, seconds: float) -> None:
        """Time everyone in turns, anew: ratios are of turns in which all took part."""
        for taken in self.times.values():
            taken.clear()
        start = time.perf_counter()
        for turn in range(TURNS[1]):
            if turn >= TURNS[0] and time.perf_counter() - start > seconds:
                return
            for switches, candidate in self.running.items():
                self.times[switches].append(candidate.measure(self.steps))

    def worth_fusing(self, offered: Offer) -> list[tuple[Switches, int]]:
        """What to fuse with how many steps: what is near the fastest, unless a step is so long that nothing can be gained."""
        medians = {switches: float(np.median(taken)) for switches, taken in self.times.items()}
        best = min(medians.values())
        if best > LONG:
            reason = f"a step takes {1000 * best:.0f} ms, the call around it 1 or 2"
            plain = offered.plain
            self.unfused = {Switches(plain.precision, plain.jit, number): reason for number in offered.fusings}
            return []
        return [(each, number) for each, median in medians.items() if median <= NEAR * best for number in offered.fusings]

    def row(self, switches: Switches, plain: Switches, why: str | None) -> Row:
        if switches in self.out:
            return Row(switches, self.first[switches], why=self.out[switches])
        ratio, spread = against(self.times[plain], self.times[switches])
        return Row(switches, self.first[switches], float(np.median(self.times[switches])), ratio, spread, why or "")
