"""The table of the TensorFlow detection tutorials: `filename,width,height,class,xmin,ymin,xmax,ymax`, one line per object.

Coordinates are pixel edges from 0. A picture without objects has no line and so cannot be stored.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from zoo import atomic
from zoo.data.inspection import Seen
from zoo.data.labels import names
from zoo.data.labels.draft import SHORT, Asked, Draft, LabelError, Row, Sheet, look_at, ordered, split_of
from zoo.data.labels.pictures import find, place
from zoo.data.listing import natural, pictures
from zoo.data.objects import ObjectSet

COLUMNS = ("filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax")


def files(place: Path) -> list[Path]:
    """The tables in a folder or its sub-folders: .csv files whose first line has our columns."""
    if place.is_file():
        return [place]
    folders = [place, *sorted(path for path in place.iterdir() if path.is_dir())] if place.is_dir() else []
    return [path for folder in folders for path in sorted(folder.glob("*.csv")) if not _missing(path)]


def load(place: Path, asked: Asked) -> Draft:
    """Raises LabelError when there is no table with these columns."""
    root = place if place.is_dir() else place.parent
    found = files(place)
    if place.is_file() and (missing := _missing(place)):
        raise LabelError(f"{place} has no column {', '.join(missing)}; its first line must name {','.join(COLUMNS)}")
    if not found:
        raise LabelError(f"no table in {place}; wanted a .csv file whose first line is {','.join(COLUMNS)}")
    draft = Draft("csv", root)
    called: list[str] = []
    for path in found:
        try:
            _table(draft, path, called, asked)
        except csv.Error as error:
            draft.fault("bad label", path, f"cannot be read further ({error})", split_of(path.stem, path.parent.name))
    draft.classes = list(asked.classes) or names.beside(root)
    draft.classes += sorted(set(called) - set(draft.classes), key=natural)
    for sheet in draft.sheets:
        for row in sheet.rows:
            row.number = draft.classes.index(row.attributes.pop("name"))
    seen = look_at([sheet.picture for sheet in draft.sheets], asked)
    known = {sheet.picture for sheet in draft.sheets}
    for sheet in draft.sheets:
        sheet.seen = seen[sheet.picture]
    for folder in sorted({picture.parent for picture in known}):
        for picture in sorted(set(pictures(folder)) - known):
            draft.fault("missing label", picture, "no line of the table belongs to this picture", split_of("", folder.name))
    return draft


def _missing(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        try:
            header = [name.strip().lower() for name in next(csv.reader(file), [])]
        except csv.Error:  # no table at all
            header = []
    return [name for name in COLUMNS if name not in header]


def _table(draft: Draft, path: Path, called: list[str], asked: Asked) -> None:
    split = split_of(path.stem, path.parent.name)
    base = [asked.images] if asked.images else [path.parent, path.parent / "images", path.parent.parent / "images"]
    short = SHORT.get(split, split)
    folders = [each for folder in base for each in (folder, folder / split, folder / short)]
    sheets: dict[str, Sheet | None] = {}
    try:
        _lines(draft, path, split, sheets, folders, called)
    finally:
        draft.sheets += [sheet for sheet in sheets.values() if sheet is not None]


def _lines(draft: Draft, path: Path, split: str, sheets, folders, called: list[str]) -> None:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        for number, line in enumerate(csv.DictReader(file, restval=""), start=2):
            line = {(key or "").strip().lower(): value for key, value in line.items() if isinstance(value, str)}
            try:
                _line(draft, path, split, line, sheets, folders, called)
            except (ValueError, OverflowError) as error:
                draft.fault("bad label", path, f"line {number}: {error}", split)


def _line(draft: Draft, path: Path, split: str, line: dict[str, str], sheets, folders, called: list[str]) -> None:
    name, label = line["filename"].strip(), line["class"].strip()
    if not name or not label:
        raise ValueError("no filename" if not name else "no class")
    if name not in sheets:
        picture = find(name, folders)
        if picture is None:
            draft.fault("missing picture", path, f"{name} is not there; looked in {folders[0]} and near it", split)
        size = [int(float(line[side])) if line[side].strip() else 0 for side in ("width", "height")]
        stated = (size[0], size[1]) if min(size) > 0 else None
        sheets[name] = None if picture is None else Sheet(split, name, picture, Seen(), size=stated, label=path)
    sheet = sheets[name]
    if sheet is not None:
        box = tuple(float(line[side]) for side in ("xmin", "ymin", "xmax", "ymax"))
        sheet.rows.append(Row(-1, box, attributes={"name": label}))
        called.append(label)


def save(data: ObjectSet, folder: Path, pictures: str) -> list[Path]:
    """SPLIT_labels.csv, images/SPLIT and classes.txt. Pictures without an object are not copied: nothing could tell of them."""
    taken: set[str] = set()
    written = [atomic.write(folder / "classes.txt", "".join(f"{name}\n" for name in data.classes))]
    for split in ordered(data.splits):
        text, short = io.StringIO(), SHORT.get(split, split)
        table = csv.writer(text, lineterminator="\n")
        table.writerow(COLUMNS)
        part = data[split]
        kept = ObjectSet(
            data.name, data.kind, data.classes, {split: part.take([i for i in range(len(part)) if (~part.objects[i].crowd).any()])}
        )
        for placed in place(kept, split, folder / "images" / short, pictures, taken):
            for index in np.flatnonzero(~placed.objects.crowd):
                name = data.classes[placed.objects.classes[index]]
                table.writerow([placed.name, placed.width, placed.height, name, *map(plain, placed.objects.boxes[index])])
        written.append(atomic.write(folder / f"{short}_labels.csv", text.getvalue()))
    return written


def plain(value: np.float32) -> str:
    """The shortest decimal that is this float32 again; whole pixels without a point, for readers that insist on integers."""
    return str(int(value)) if float(value).is_integer() else str(np.float32(value))
