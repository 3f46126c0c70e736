"""A folder of the user's own pictures -> Dataset, loudly: nothing bad is passed over unless it is asked for, and then it is counted."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from zoo.data.dataset import Dataset, Examples
from zoo.data.findings import Finding, Findings, doctor
from zoo.data.listing import Listing, scan
from zoo.data.split import FRACTIONS, stratified

__all__ = ["FolderError", "doctor", "read_folder", "scan"]


class FolderError(ValueError):
    """An image folder that cannot be trained on as it is. The message names the files and the cure."""


def read_folder(
    folder: str | os.PathLike,
    *,
    seed: int = 0,
    skip_bad: bool = False,
    fractions: Sequence[float] = FRACTIONS,
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """FOLDER/{train,validation|val|valid,test}/CLASS/* as it is divided, or FOLDER/CLASS/* divided by seed.

    seed:      of the division. Every class is divided in proportion; copies of one picture (equal decoded pixels) stay together.
    skip_bad:  leave out files that cannot be decoded and classes without a usable picture, and count them in `notes`.
    fractions: shares of train, validation and test. A missing validation or test folder is divided off train in these shares.
    progress:  called as progress(done, total) while the pictures are checked (once; remembered in the user cache).

    Classes are those of the train split in natural order; an empty folder never shifts a label.
    Raises FileNotFoundError; ValueError when there are no class folders or one is too small to divide; FolderError for bad files, empty
    classes, a class that train does not have, or fewer than two classes.
    """
    if len(fractions) != 3:
        raise ValueError(f"fractions must be the shares of train, validation and test, got {tuple(fractions)}")
    findings = doctor(folder, progress=progress)
    listing = findings.listing
    _refuse(findings, skip_bad)
    good = [(split, name, path, one) for (split, name, path), one in zip(listing.files(), findings.seen, strict=True) if not one.reason]
    own = "train" if "train" in listing.splits else ""
    classes = tuple(name for name in listing.classes if any(split == own and name == n for split, n, _, _ in good))
    index = {name: label for label, name in enumerate(classes)}
    rows: dict[str, list[tuple[Path, int, str]]] = {split: [] for split in listing.splits}
    for split, name, path, one in good:
        rows[split].append((path, index[name], one.pixels))
    splits, how = _divide(rows, own, dict(zip(("train", "validation", "test"), fractions, strict=True)), seed, classes)
    name = f"folder:{Path(folder).expanduser().resolve().name}"
    return Dataset(name, "folder", classes, splits, (how, *_notes(findings, len(good))))


def _refuse(findings: Findings, skip_bad: bool) -> None:
    root, cure = findings.listing.root, "remove or replace them, or skip them with skip_bad (--skip-bad)"
    if not skip_bad:
        if bad := findings.of("bad"):
            raise FolderError(f"{_count(len(bad), 'file')} in {root} cannot be used; {cure}:\n{_some(bad)}")
        # an empty folder in validation or test is only a class that is not tested there, like a missing one
        own = root / "train" if "train" in findings.listing.splits else root
        if empty := [item for item in findings.of("empty") if item.path.parent == own]:
            raise FolderError(f"{_count(len(empty), 'class folder')} without a picture; {cure}:\n{_some(empty)}")
    if unknown := findings.of("unknown class"):
        raise FolderError(f"{root} tests what it does not teach; add pictures to train, or remove:\n{_some(unknown)}")
    if not any(not one.reason for one in findings.seen):
        raise FolderError(f"{root} holds no usable picture; `zoo doctor {root}` tells why")
    if one := findings.of("one class"):
        raise FolderError(f"{root}: {one[0].reason}; put the pictures of each class into a folder of its own")


def _divide(rows, own: str, fractions: dict[str, float], seed: int, classes) -> tuple[dict[str, Examples], str]:
    missing = [name for name in fractions if name not in rows or (name != own and not rows[name])]
    if not missing:
        return {name: _examples(rows[name]) for name in fractions}, "The splits are those of the folder."
    wanted = {name: fractions[name] for name in fractions if name == "train" or name in missing}
    paths = rows[own]
    parts = stratified([label for _, label, _ in paths], wanted, groups=[pixels for _, _, pixels in paths], seed=seed, classes=classes)
    splits = {name: _examples([paths[i] for i in parts[name]] if name in parts else rows[name]) for name in fractions}
    shares = ", ".join(f"{name} {share / sum(wanted.values()):.0%}" for name, share in wanted.items())
    what = "The folder" if own == "" else "The train folder"
    return splits, f"{what} was divided by seed {seed} into {shares}, each class in proportion and copies of a picture kept together."


def _examples(rows) -> Examples:
    return Examples([path for path, _, _ in rows], np.array([label for _, label, _ in rows], np.int64))


def _notes(findings: Findings, good: int) -> list[str]:
    notes = []
    if bad := findings.of("bad"):
        shown = ", ".join(f"{item.path.name} ({item.reason})" for item in bad[:3])
        notes.append(f"Skipped {_count(len(bad), 'bad file')} of {good + len(bad)}: {shown}{', ...' if len(bad) > 3 else ''}.")
    if empty := findings.of("empty"):
        notes.append(f"Without pictures and left out: {', '.join(_place(item.path, findings.listing) for item in empty)}.")
    copies = {
        "leak": "also in another split, so results on it are too good",
        "conflict": "also under another class, so one label is wrong",
        "duplicate": "twice in one class",
    }
    for kind, what in copies.items():
        if found := findings.of(kind):
            example = f"{_place(found[0].path, findings.listing)}, {found[0].reason}"
            notes.append(f"Warning: {_count(len(found), 'picture')} {what} (first: {example}). `zoo doctor` lists them.")
    if ignored := findings.of("ignored"):
        reasons = ", ".join(f"{len(paths)} {reason}" for reason, paths in findings.listing.ignored.items())
        notes.append(f"Ignored {_count(len(ignored), 'file')}: {reasons}.")
    return notes


def _place(path: Path, listing: Listing) -> str:
    return str(path.relative_to(listing.root))


def _some(findings: Sequence[Finding], limit: int = 10) -> str:
    lines = [f"  {item.path}: {item.reason}" for item in findings[:limit]]
    return "\n".join([*lines, f"  ... and {len(findings) - limit} more"] if len(findings) > limit else lines)


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"
