"""`zoo labels convert`, `zoo labels doctor` and `zoo labels show`: what a person does with labels in a terminal."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from zoo import atomic, viz
from zoo.data.labels import formats
from zoo.data.labels.belief import lying
from zoo.data.labels.checkup import doctor
from zoo.data.labels.draft import Sheet
from zoo.data.labels.findings import Checkup, Finding
from zoo.data.labels.mend import LIST, mended
from zoo.data.labels.orientation import turned
from zoo.data.labels.page import Shot, page
from zoo.data.objects import Objects

SHOTS = 6
"""Pictures of each kind of finding on the page."""
SIDE = 480
"""Longest side in pixels of a picture on the page."""
_PAIRED = ("leak", "near leak", "duplicate picture", "near duplicate", "contradiction")


def run(options) -> int:
    """One of the three. Wrong input raises, and `zoo` prints its one line."""
    return {"convert": convert, "doctor": examine, "show": show}[options.action](options)


def convert(options) -> int:
    """Write the labels of one folder or file in another format; print what it cannot keep."""
    data = formats.read(
        options.source,
        options.format,
        images=options.images,
        classes=_classes(options),
        skip_bad=options.skip_bad,
        drawn=options.drawn,
        progress=_progress(),
    )
    lost = formats.write(data, options.target, options.to, pictures=options.pictures, rows=options.rows)
    for sentence in (*data.notes, *lost):
        print(sentence, file=sys.stderr)
    counts = ", ".join(f"{split} {len(part)}" for split, part in data.splits.items())
    objects = sum(int(count.sum()) for count in data.counts().values())
    print(f"{options.target}: {options.to}, {counts} pictures, {objects} objects, {len(data.classes)} classes")
    return 0


def examine(options) -> int:
    """Print the findings, write the page and the repaired copy that were asked for; the exit status is 1 when there is an error."""
    checkup = doctor(
        options.source, options.format, images=options.images, classes=_classes(options), near=options.near, progress=_progress()
    )
    print(checkup.table())
    if options.out:
        atomic.write(options.out, page(checkup, gallery(checkup)))
        print(options.out)
    if options.fix:
        changes = mended(checkup, options.fix)
        for change in changes[:20]:
            print(f"{change.picture}: {change.what}")
        if len(changes) > 20:
            print(f"... and {len(changes) - 20} more changes, all in {options.fix / LIST}")
        print(f"{options.fix}: a copy with {len(changes)} changes, listed in {LIST}; {checkup.draft.root} is as it was")
    return 1 if checkup else 0


def show(options) -> int:
    """Write pictures with their objects drawn on them, spread evenly over the set."""
    data = formats.read(
        options.source, options.format, images=options.images, classes=_classes(options), skip_bad=True, progress=_progress()
    )
    places = [(split, index) for split, part in data.splits.items() for index in range(len(part))]
    for split, index in _spread(places, options.most):
        part = data[split]
        picture = _drawn(part.image(index), part.objects[index], data.classes, side=options.side)
        stem = Path(str(part.attributes["name"][index])).stem
        target = options.out / f"{split}_{index:05d}_{stem}.png"
        atomic.write(target, viz.png(picture))
        print(target)
    return 0


def gallery(checkup: Checkup) -> dict[str, list[Shot]]:
    """{kind: its first pictures, with what is meant drawn on them}, and a sample of the set under ""."""
    shots: dict[str, list[Shot]] = {}
    for item in checkup:
        if item.sheet is not None and not item.sheet.seen.reason and len(shots.setdefault(item.kind, [])) < SHOTS:
            shots[item.kind] += _shots(checkup, item)
    whole = [sheet for sheet in checkup.draft.sheets if not sheet.seen.reason]
    for sheet in _spread([sheet for sheet in whole if sheet.rows] or whole, SHOTS):
        picture = _on_upright(checkup, sheet)
        shots.setdefault("", []).append(_shot(picture, f"{sheet.name}: {len(sheet.rows)} object{'s' * (len(sheet.rows) != 1)}"))
    return shots


def _shots(checkup: Checkup, item: Finding) -> Iterator[Shot]:
    """One picture for most findings; two for copies, and for labels that may lie: only a person sees which of the two fits."""
    sheet = item.sheet
    if sheet is None:
        return
    if item.kind in _PAIRED and item.other is not None:
        for each in (item.other, sheet):
            yield _shot(_on_upright(checkup, each), f"{each.name}, {each.split}")
    elif item.kind in ("lying", "rotated"):
        yield _shot(_as_drawn(checkup, sheet, stored=False), f"{sheet.name}: if the labels were drawn on the upright picture")
        yield _shot(_as_drawn(checkup, sheet, stored=True), f"{sheet.name}: if they were drawn on the picture as it is stored")
    else:
        yield _shot(_on_upright(checkup, sheet, item.objects), f"{sheet.name}: {item.reason}")


def _on_upright(checkup: Checkup, sheet: Sheet, wrong: tuple[int, ...] = ()) -> np.ndarray:
    return _as_drawn(checkup, sheet, lying(sheet, "as stated"), wrong)


def _as_drawn(checkup: Checkup, sheet: Sheet, stored: bool, wrong: tuple[int, ...] = ()) -> np.ndarray:
    """The upright picture with its labels as they are, or turned as labels of the stored picture."""
    objects = turned(sheet.objects, sheet.seen, sheet.shares) if stored else sheet.objects
    return _drawn(sheet.image(), objects, checkup.draft.classes, wrong or None)


def _drawn(image: np.ndarray, objects: Objects, classes, wrong: tuple[int, ...] | None = None, side: int | None = SIDE) -> np.ndarray:
    return viz.objects(
        image,
        objects.boxes,
        objects.classes,
        classes,
        polygons=objects.polygons,
        keypoints=objects.keypoints,
        crowd=objects.crowd,
        wrong=wrong,
        side=side,
        room=wrong is not None,
    )


def _shot(picture: np.ndarray, caption: str) -> Shot:
    stored = io.BytesIO()
    Image.fromarray(picture).save(stored, "JPEG", quality=82)
    return Shot(stored.getvalue(), picture.shape[1], picture.shape[0], caption)


def _spread(places: list, most: int) -> list:
    """At most `most` of them, evenly."""
    if len(places) <= most:
        return places
    return [places[round(index * (len(places) - 1) / max(1, most - 1))] for index in range(most)]


def _classes(options) -> tuple[str, ...]:
    return tuple(name.strip() for name in options.classes.split(",")) if options.classes else ()


def _progress():
    if not sys.stderr.isatty():
        return None
    return lambda done, total: print(f"\r{done} of {total} pictures", end="" if done != total else "\n", file=sys.stderr, flush=True)
