"""Five formats, read and written, any to any: which file is which, what each can keep, and what a conversion loses.

from zoo.data import labels
data = labels.read("photos")                    # an ObjectSet; the format is recognised
for sentence in labels.write(data, "photos_yolo", "yolo"):
    print(sentence)                             # what YOLO has no room for
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.data.labels import coco, coco_file, table, tfrecord, voc, yolo
from zoo.data.labels.belief import believe
from zoo.data.labels.draft import Asked, Draft, LabelError
from zoo.data.labels.pictures import HOW
from zoo.data.objects import ObjectSet


@dataclass(frozen=True)
class Format:
    """load and save of one format, and which of `PARTS` it can keep."""

    load: Callable[[Path, Asked], Draft]
    save: Callable[..., list[Path]]
    keeps: frozenset[str]


PARTS = {
    "outlines": "outlines",
    "masks": "masks",
    "keypoints": "objects with keypoints",
    "crowd": "crowd regions",
    "difficult": "marks `difficult`",
    "truncated": "marks `truncated`",
    "empty": "pictures without an object",
    "fractions": "boxes that do not end on whole pixels",
    "other": "further columns",
}
"""What an object or picture may have besides a box and a class, and how a note calls it."""

FORMATS = {
    "coco": Format(coco.load, coco_file.save, frozenset(PARTS)),
    "yolo": Format(yolo.load, yolo.save, frozenset({"outlines", "keypoints", "empty", "fractions"})),
    "voc": Format(voc.load, voc.save, frozenset({"difficult", "truncated", "empty"})),
    "csv": Format(table.load, table.save, frozenset({"fractions"})),
    "tfrecord": Format(tfrecord.load, tfrecord.save, frozenset({"crowd", "difficult", "truncated", "empty", "fractions"})),
}


def guess(path: str | os.PathLike) -> str:
    """The format of a label file or a folder of labels. Raises LabelError when it is none, or more than one."""
    place = Path(path).expanduser()
    if not place.exists():
        raise FileNotFoundError(f"there is no {place}; give a label file, or the folder that holds labels and pictures")
    if place.is_file():
        by_suffix = {".json": "coco", ".yaml": "yolo", ".yml": "yolo", ".csv": "csv", ".xml": "voc"}
        name = "tfrecord" if tfrecord._is_record(place.name) else by_suffix.get(place.suffix.lower(), "")
        if not name:
            raise LabelError(f"{place} is no label file that is known by its name; say which of {', '.join(FORMATS)} it is (--from)")
        return name
    found = [name for name, there in _evidence(place).items() if there()]
    if not found:
        wanted = "a COCO .json, VOC .xml, a .csv table, a .tfrecord, or YOLO .txt files"
        raise LabelError(f"{place} holds no labels that are known here; wanted {wanted}")
    if len(found) > 1:
        raise LabelError(f"{place} holds labels of several formats: {', '.join(found)}; say which one to read (--from {found[0]})")
    return found[0]


def _evidence(place: Path) -> dict[str, Callable[[], bool]]:
    return {
        "coco": lambda: bool(coco.files(place)),
        "yolo": lambda: next(yolo._configs(place), None) is not None or _has_yolo(place),
        "voc": lambda: next(place.rglob("*.xml"), None) is not None,
        "csv": lambda: bool(table.files(place)),
        "tfrecord": lambda: bool(tfrecord.files(place)),
    }


def _has_yolo(place: Path) -> bool:
    """Is there a .txt file with the name of a picture, or in a folder called labels?"""
    from zoo.data.labels.pictures import by_stem

    texts = (path for path in place.rglob("*.txt") if path.name not in ("classes.txt", "README.txt") and path.parent.name != "Main")
    return any("labels" in map(str.lower, path.relative_to(place).parts) or by_stem(path.stem, [path.parent]) for path in texts)


def draft(
    path: str | os.PathLike,
    format: str | None = None,
    *,
    images: str | os.PathLike | None = None,
    classes: Sequence[str] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Draft:
    """What the files say, with every fault, unjudged. See `read` for the arguments."""
    if format is not None and format not in FORMATS:
        raise ValueError(f"there is no label format {format!r}; formats: {', '.join(FORMATS)}")
    place = Path(path).expanduser()
    name = guess(place) if format is None else format
    if not place.exists():
        raise FileNotFoundError(f"there is no {place}; give a label file, or the folder that holds labels and pictures")
    return FORMATS[name].load(place, Asked(None if images is None else Path(images).expanduser(), tuple(classes), progress))


def read(
    path: str | os.PathLike,
    format: str | None = None,
    *,
    images: str | os.PathLike | None = None,
    classes: Sequence[str] = (),
    skip_bad: bool = False,
    masks: bool = False,
    drawn: str = "as stated",
    progress: Callable[[int, int], None] | None = None,
) -> ObjectSet:
    """Labels and pictures of a folder or label file, in pixels of the upright pictures.

    format:   "coco", "yolo", "voc", "csv" or "tfrecord"; default: recognised.
    images:   folder of the pictures, where they do not lie beside the labels.
    classes:  names in the order of their numbers, where the labels have only names (VOC, CSV) or only numbers.
    skip_bad: leave out, and count in `notes`, pictures that cannot be used and rows that cannot be understood.
    masks:    give every object its mask (n, h, w); default: run lengths stay as they are in the column "rle", see `labels.masks`.
    drawn:    "as stated": labels whose stated size is that of the picture before its EXIF turned it are turned with it;
              "upright": none are; "lying": all labels of turned pictures are.
    progress: called as progress(done, total) while the pictures are decoded (once; remembered in the user cache).

    Splits are those of the files; labels that are not divided are the one split "all". Splits have the column "name", from COCO also "id".
    Raises LabelError for bad pictures and labels, naming them; FileNotFoundError; ImportError for a TFRecord without tensorflow.
    """
    if drawn not in ("as stated", "upright", "lying"):
        raise ValueError(f'drawn must be "as stated", "upright" or "lying", got {drawn!r}')
    found = draft(path, format, images=images, classes=classes, progress=progress)
    return believe(found, skip_bad=skip_bad, masks=masks, drawn=drawn)


def write(data: ObjectSet, path: str | os.PathLike, format: str, *, pictures: str = "copy", rows: str = "auto") -> list[str]:
    """Write a data set into a new folder; returns a sentence for everything that the format could not keep.

    format:   a key of `FORMATS`.
    pictures: "copy", "link" (symbolic links) or "none". Pictures that EXIF turns are written upright, whatever is asked.
    rows:     of YOLO: "boxes", "polygons", "pose", or "auto".

    Raises ValueError for a folder that is not empty, and for an unknown format or choice.
    """
    folder = Path(path).expanduser()
    if format not in FORMATS:
        raise ValueError(f"there is no label format {format!r}; formats: {', '.join(FORMATS)}")
    if pictures not in HOW or rows not in yolo.KINDS:
        raise ValueError(
            f"pictures must be one of {', '.join(HOW)}, and rows one of {', '.join(yolo.KINDS)}; got {pictures!r} and {rows!r}"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} is there and not empty; labels are written into a new folder")
    options = {"rows": rows} if format == "yolo" else {}
    FORMATS[format].save(data, folder, pictures, **options)
    return losses(data, format, rows)


def losses(data: ObjectSet, format: str, rows: str = "auto") -> list[str]:
    """A sentence for everything in `data` that the format cannot keep."""
    keeps = set(FORMATS[format].keeps)
    if format == "yolo":
        keeps -= {"outlines", "keypoints"}
        keeps |= {"polygons": {"outlines"}, "pose": {"keypoints"}}.get(yolo.kind_of(data) if rows == "auto" else rows, set())
    lost = {part: count for part, count in contents(data).items() if count and part not in keeps}
    becomes = {("voc", "crowd"): "marked difficult instead", ("voc", "fractions"): "rounded"}
    left = {"crowd": "left out", "empty": "left out"}
    return [
        f"{format} cannot keep {PARTS[part]}: {count} {becomes.get((format, part), left.get(part, 'lost'))}."
        for part, count in lost.items()
    ]


def contents(data: ObjectSet) -> dict[str, int]:
    """How often each of `PARTS` occurs."""
    count = dict.fromkeys(PARTS, 0)
    for part in data.splits.values():
        for objects in part.objects:
            columns = objects.attributes
            count["outlines"] += sum(map(bool, objects.polygons or ()))
            count["masks"] += sum(lengths is not None for lengths in columns.get("rle", ())) or (
                0 if objects.masks is None else len(objects)
            )
            count["keypoints"] += 0 if objects.keypoints is None else int(objects.keypoints[..., 2].any(axis=1).sum())
            count["crowd"] += int(objects.crowd.sum())
            count["difficult"] += int(objects.difficult.sum())
            count["truncated"] += sum(map(bool, columns.get("truncated", ())))
            count["empty"] += not len(objects)
            count["fractions"] += int((objects.boxes != np.rint(objects.boxes)).any(axis=1).sum())
            count["other"] += len(objects) * len(set(columns) - {"rle", "truncated", "area", "pose"})
    return count
