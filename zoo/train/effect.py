"""What a change did, in words that follow from the numbers alone, so that a loss is called one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

MEASURES = {
    "weights": ("nonzero", 0.005, False),
    "training": ("epoch", 0.1, True),
    "inference": ("call", 0.1, True),
    "memory": ("memory", 0.1, False),
    "file": ("gzip", 0.02, False),
}
"""What it is called: (its key, the relative change that counts, whether it is a time). Less is better in all of them."""


def effect(old: Mapping, new: Mapping) -> str:
    """One sentence or two: a gain, a loss, a trade or nothing, and what became better, worse, or stayed.

    old, new: numbers under the keys of `MEASURES`; None, or absent, is not compared. "accuracy" holds one number per seed, and counts as
              changed only where the seeds do not overlap; one seed proves nothing.
    """
    better: list[str] = []
    worse: list[str] = []
    same: list[str] = []
    for name, (key, least, timed) in MEASURES.items():
        was, now = old.get(key), new.get(key)
        if was is None or now is None:
            continue
        if max(was / now, now / was) < 1 + least:
            same.append(name)
            continue
        ratio = f"{was / now:.1f} times as fast" if now < was else f"{now / was:.1f} times as long"
        (better if now < was else worse).append(f"{name} {ratio if timed else f'{now / was - 1:+.0%}'}")
    if old.get("accuracy") and new.get("accuracy"):
        _accuracy(old["accuracy"], new["accuracy"], better, worse, same)
    verdict = "A trade" if better and worse else "A gain" if better else "A loss here" if worse else "No effect here"
    told = {"better": better, "worse": worse, "same": same}
    return ". ".join([verdict, *(f"{kind.capitalize()}: {', '.join(parts)}" for kind, parts in told.items() if parts)]) + "."


def _accuracy(old: Sequence[float], new: Sequence[float], better: list[str], worse: list[str], same: list[str]) -> None:
    if list(old) == list(new):
        same.append("accuracy")
        return
    points = f"{100 * (fmean(new) - fmean(old)):+.1f} points"
    if len(old) == 1 or len(new) == 1:
        same.append(f"accuracy ({points}, but of one seed)")
    elif min(new) > max(old):
        better.append(f"accuracy {points}")
    elif max(new) < min(old):
        worse.append(f"accuracy {points}")
    else:
        same.append(f"accuracy ({points}, but the seeds overlap)")
