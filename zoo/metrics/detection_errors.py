"""What kinds of mistakes cost a detector its average precision (Bolya et al. 2020, TIDE, arXiv:2008.08115, section 2). Numpy only.

Each wrong detection is of exactly one kind, by its largest overlap with the objects of its own class and with those of others:

    localisation     right class, but it overlaps its object too little: between `loose` and `least`
    classification   lies well on an object of another class
    duplicate        lies well on an object of its class, which a more confident detection has taken
    both             lies loosely on an object of another class: wrong class and wrong place
    background       lies on nothing

(the first that holds), and an object is `missed` when it is not found and none of the first two kinds is about it. What a kind costs
is the average precision that would be won if it alone were mended; the gains need not add up to what lacks to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.metrics import matching, objects, overlap
from zoo.metrics.detection import interpolate

KINDS = ("classification", "localisation", "both", "duplicate", "background", "missed")


@dataclass(frozen=True)
class Errors:
    """The breakdown. `ap` is the average precision at the overlap `least`; counts and gains have a value for each of KINDS.

    gains: AP won when the mistakes of that kind alone are mended. Beside the kinds `gains` holds "false positives" (all wrong
           detections gone) and "false negatives" (what is not found need not be found).
    verdicts: per image, a word for each detection that is no padding: "right", one of KINDS, or "ignored" (in a crowd, or beyond `most`).
    missed:   per image, numbers of the objects that are missed.
    """

    ap: float
    counts: dict[str, int]
    gains: dict[str, float]
    verdicts: list[np.ndarray]
    missed: list[np.ndarray]


def detection_errors(
    truths: Sequence[Any],
    detections: Sequence[Any],
    classes: int,
    *,
    least: float = 0.5,
    loose: float = 0.1,
    most: int = 100,
    kind: str = "boxes",
    sigmas: np.ndarray = overlap.SIGMAS,
) -> Errors:
    """Sort every mistake into its kind. Truth and detections as for `zoo.metrics.average_precision`, all down to a low score.

    How each kind is mended: classification and localisation, the detection becomes right (of several about one object the most
    confident, the others go; all go when the object is found already); both, duplicate, background: the detection goes; missed:
    the object need not be found. A class that has then no object left is left out of the mean.
    Raises ValueError unless 0 < loose < least <= 1.
    """
    if not 0 < loose < least <= 1:
        raise ValueError(f"wanted 0 < loose < least <= 1, got loose {loose} and least {least}")
    found = matching.match(truths, detections, classes, kind=kind, thresholds=[least], most=most, sigmas=sigmas)
    counted, taken, needed = ~found.ignored[:, 0, 0], found.matched[:, 0, 0], found.counts[:, 0]
    right = counted & (taken >= 0)
    used = np.zeros(len(needed), bool)
    used[taken[right]] = True
    wrong = np.flatnonzero(counted & ~right)
    of_wrong, target = _kinds(objects.take(found.detected, wrong), objects.take(found.truth, needed), kind, least, loose, sigmas)
    target = np.where(target >= 0, np.append(np.flatnonzero(needed), -1)[target], -1)
    label, about = np.full(len(taken), "right", "U14"), np.full(len(taken), -1)
    label[~counted] = "ignored"
    label[wrong], about[wrong] = of_wrong, target
    about[np.append(used, True)[about]] = -1  # the object is found already
    missed = needed & ~used
    missed[about[about >= 0]] = False
    counts = {name: int((label == name).sum()) for name in KINDS} | {"missed": int(missed.sum())}
    ap, gains = _gains(found, label, about, missed, used, classes)
    verdicts = [np.full(len(_real(each)), "ignored", "U14") for each in detections]
    for image, place, word in zip(found.detected.image, found.detected.place, label, strict=True):
        verdicts[image][place] = word
    lost = [found.truth.place[missed & (found.truth.image == image)] for image in range(len(truths))]
    return Errors(ap, counts, gains, verdicts, lost)


def _kinds(wrong: objects.Table, truth: objects.Table, kind: str, least: float, loose: float, sigmas) -> tuple[np.ndarray, np.ndarray]:
    """The kind (d,) of each wrong detection and the object (d,) that a mended one would find, -1 for none."""
    d, t, value = matching.pairs(wrong.image, truth.image, matching.overlaps(wrong, truth, kind, sigmas), loose)
    own = wrong.classes[d] == truth.classes[t]
    (own_value, own_truth), (other_value, other_truth) = (_largest(d[part], t[part], value[part], len(wrong.image)) for part in (own, ~own))
    label = np.select(
        [(own_value >= loose) & (own_value < least), other_value >= least, own_value >= least, other_value >= loose],
        ["localisation", "classification", "duplicate", "both"],
        "background",
    )
    target = np.select([label == "localisation", label == "classification"], [own_truth, other_truth], -1)
    return label, target


def _largest(d: np.ndarray, t: np.ndarray, value: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """The largest overlap (length,) of each detection and with which object (the first of equals); 0 and -1 where there is none."""
    order = np.lexsort((t, -value, d))
    rows, first = np.unique(d[order], return_index=True)
    best, which = np.zeros(length), np.full(length, -1)
    best[rows], which[rows] = value[order][first], t[order][first]
    return best, which


def _gains(found, label, about, missed, used, classes: int) -> tuple[float, dict[str, float]]:
    """The average precision as it is, and what each kind of mistake takes from it."""
    truth, table = found.truth, found.detected
    total = np.bincount(truth.classes[found.counts[:, 0]], minlength=classes)
    kept, right = label != "ignored", label == "right"
    claims = np.flatnonzero(about >= 0)
    claims = claims[np.argsort(-table.score[claims], kind="stable")]
    winner = np.zeros(len(label), bool)
    winner[claims[np.unique(about[claims], return_index=True)[1]]] = True  # the most confident of those about one object
    mended = table.classes.copy()
    mended[winner] = truth.classes[about[winner]]
    ap = _ap(table.classes, table.score, right, kept, total)
    after = {}
    for name in KINDS[:2]:
        won = winner & (label == name)
        labels = np.where(won, mended, table.classes)
        after[name] = _ap(labels, table.score, right | won, kept & ((label != name) | won), total)
    for name in KINDS[2:5]:
        after[name] = _ap(table.classes, table.score, right, kept & (label != name), total)
    after["missed"] = _ap(table.classes, table.score, right, kept, total - np.bincount(truth.classes[missed], minlength=classes))
    after["false positives"] = _ap(table.classes, table.score, right, right, total)
    after["false negatives"] = _ap(table.classes, table.score, right, kept, np.bincount(truth.classes[used], minlength=classes))
    return ap, {name: value - ap if not np.isnan(ap + value) else float("nan") for name, value in after.items()}


def _ap(labels: np.ndarray, score: np.ndarray, right: np.ndarray, kept: np.ndarray, total: np.ndarray) -> float:
    """Mean over the classes with objects of the average precision of the kept detections; NaN when no class has any."""
    values = []
    for k in np.flatnonzero(total > 0):
        rows = np.flatnonzero(kept & (labels == k))
        rows = rows[np.argsort(-score[rows], kind="stable")]
        values.append(interpolate(right[rows][None], ~right[rows][None], score[rows], int(total[k]))[0].mean())
    return float(np.mean(values)) if values else float("nan")


def _real(found: Any) -> np.ndarray:
    return np.flatnonzero(np.asarray(found.classes).reshape(-1) >= 0)
