"""TFRecord of the TensorFlow detection API: one `tf.train.Example` per picture, which holds the picture itself.

Coordinates are shares of width and height in four lists; class numbers run from 1, with their names beside them and in label_map.pbtxt.
TensorFlow, imported here only when a record is read or written, ignores EXIF when it decodes: what is written here is upright.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo import atomic
from zoo.data.decode import OWN_FILE, ImageError, decode, examine
from zoo.data.inspection import Seen, digest
from zoo.data.labels import names
from zoo.data.labels.draft import SHORT, Asked, Draft, LabelError, Row, Sheet, ordered, split_of
from zoo.data.labels.pictures import Placed, place, upright_bytes
from zoo.data.listing import natural
from zoo.data.objects import ObjectSet

SUFFIXES = (".tfrecord", ".tfrecords", ".record")


class Recorded(Sequence):
    """The pictures of record files, decoded one at a time when they are asked for: uint8 (h, w, 3). rows: (file, offset of the record)."""

    def __init__(self, rows: Sequence[tuple[Path, int]]):
        self.rows = list(rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return Recorded(self.rows[index])
        file, offset = self.rows[index]
        with file.open("rb") as opened:
            opened.seek(offset)
            length = int.from_bytes(opened.read(8), "little")
            opened.seek(4, 1)  # the checksum of the length, which reading the labels has checked
            features = _parsed(opened.read(length))
        return decode(_one(features, "image/encoded"), limits=OWN_FILE)


def files(place: Path) -> list[Path]:
    """The record files in a folder or its sub-folders; `name.record-00001-of-00010` counts."""
    if place.is_file():
        return [place]
    return sorted((path for path in place.rglob("*") if path.is_file() and _is_record(path.name)), key=lambda path: natural(str(path)))


def load(place: Path, asked: Asked) -> Draft:
    """Raises LabelError when there is no record, ImportError without tensorflow."""
    tf = _tensorflow()
    root = place if place.is_dir() else place.parent
    found = files(place)
    if not found:
        raise LabelError(f"no record file in {place}; wanted {place}/train.tfrecord")
    draft, called = Draft("tfrecord", root), {}
    maps = sorted(root.glob("*.pbtxt"))
    called.update(names.label_map(maps[0]) if maps else {})
    for path in found:
        offset, number = 0, 0
        try:
            for record in tf.data.TFRecordDataset(str(path)):
                data = record.numpy()
                _example(draft, path, offset, number, data, called)
                offset, number = offset + 16 + len(data), number + 1  # length and its checksum, the record, its checksum
        except tf.errors.DataLossError as error:
            reason = "it is compressed; decompress it first" if path.read_bytes()[:2] == b"\x1f\x8b" else error.message
            draft.fault("bad label", path, f"after {number} records: {reason}", split_of(path.stem, path.parent.name))
    draft.classes = list(asked.classes) or [called.get(number, str(number)) for number in range(1, max(called, default=0) + 1)]
    for sheet in draft.sheets:
        for row in sheet.rows:
            name = row.attributes.pop("name", None)
            if name is not None and name in draft.classes:  # the name decides: files are joined whose numbers differ
                row.number = draft.classes.index(name)
    return draft


def _is_record(name: str) -> bool:
    stem = name.split("-of-")[0].rstrip("0123456789").rstrip("-") if "-of-" in name else name
    return stem.lower().endswith(SUFFIXES)


def _tensorflow():
    try:
        import tensorflow as tf
    except ImportError as error:
        raise ImportError("TFRecord files need tensorflow, which is not installed; run: pip install 'vision-zoo-keras[tf]'") from error
    return tf


def _parsed(record: bytes) -> dict[str, list[Any]]:
    """{feature: values} of one Example. Raises ValueError when it is none."""
    from google.protobuf.message import DecodeError

    try:
        example = _tensorflow().train.Example.FromString(record)
    except DecodeError as error:
        raise ValueError(f"it is no tf.train.Example ({error})") from error
    return {
        name: list(getattr(feature, feature.WhichOneof("kind") or "float_list").value) for name, feature in example.features.feature.items()
    }


def _one(features: dict[str, list[Any]], name: str, default: Any = None) -> Any:
    values = features.get(name)
    if not values and default is None:
        raise ValueError(f"it has no {name}")
    return values[0] if values else default


def _example(draft: Draft, path: Path, offset: int, number: int, data: bytes, called: dict[int, str]) -> None:
    split = split_of(path.name, path.parent.name)
    try:
        features = _parsed(data)
        name = _one(features, "image/filename", f"{number:06d}".encode()).decode("utf-8", "replace")
        seen = _look(_one(features, "image/encoded"))
        sheet = Sheet(split, name, Recorded([(path, offset)]), seen, label=path, shares=True)
        size = (int(_one(features, "image/width", 0)), int(_one(features, "image/height", 0)))
        sheet.size = size if min(size) > 0 else None
        sheet.rows += _rows(draft, path, features, sheet, called)
        draft.sheets.append(sheet)  # only now: a picture whose labels cannot be read is no picture without objects
    except ValueError as error:
        draft.fault("bad label", path, f"record {number}: {error}", split)
    except (TypeError, AttributeError) as error:  # text where numbers belong, or the other way round
        draft.fault("bad label", path, f"record {number}: a feature has values of another type ({error})", split)


def _look(encoded: bytes) -> Seen:
    try:
        image, facts = examine(encoded, limits=OWN_FILE)
    except ImageError as error:
        return Seen(error.reason)
    return Seen("", facts.format, facts.mode, facts.orientation, image.shape[0], image.shape[1], digest(image))


def _rows(draft: Draft, path: Path, features, sheet: Sheet, called: dict[int, str]) -> Iterator[Row]:
    width, height = sheet.seen.width, sheet.seen.height
    sides = [features.get(f"image/object/bbox/{side}", []) for side in ("xmin", "ymin", "xmax", "ymax")]
    labels, texts = features.get("image/object/class/label", []), features.get("image/object/class/text", [])
    count = len(sides[0])
    if any(len(side) != count for side in sides) or (len(labels) != count and len(texts) != count):
        raise ValueError(f"its lists differ in length: {[len(side) for side in sides]} edges, {len(labels)} labels, {len(texts)} names")
    known = {text: number for number, text in called.items()}
    for index in range(count):
        name = texts[index].decode("utf-8", "replace") if len(texts) == count else None
        number = int(labels[index]) if len(labels) == count else known.get(str(name), max(called, default=0) + 1)
        if name is not None and number > 0:
            known.setdefault(called.setdefault(number, name), number)
        box = [side[index] * scale for side, scale in zip(sides, (width, height, width, height), strict=True)]
        columns = {key: features.get(f"image/object/{key}", []) for key in ("difficult", "truncated", "is_crowd", "area", "view")}
        own = {key: values[index] for key, values in columns.items() if len(values) == count}
        attributes = {"name": name, **({"truncated": bool(own["truncated"])} if "truncated" in own else {})}
        attributes |= {"area": float(own["area"])} if "area" in own else {}
        if "view" in own and own["view"] not in (b"", b"Unspecified"):
            attributes["pose"] = own["view"].decode("utf-8", "replace")
        try:
            if number < 1:
                raise ValueError(f"the class label {number}; labels run from 1")
            yield Row(number - 1, box, (), None, bool(own.get("is_crowd")), bool(own.get("difficult")), attributes)
        except ValueError as error:
            draft.fault("bad label", path, f"{sheet.name}, object {index}: {error}", sheet.split)


def save(data: ObjectSet, folder: Path, pictures: str) -> list[Path]:
    """SPLIT.tfrecord with the pictures inside, and label_map.pbtxt."""
    tf = _tensorflow()
    taken: set[str] = set()
    written = [atomic.write(folder / "label_map.pbtxt", names.label_map_text(data.classes))]
    for split in ordered(data.splits):
        path = folder / f"{SHORT.get(split, split)}.tfrecord"
        with atomic.replacing(path) as unfinished, tf.io.TFRecordWriter(str(unfinished)) as writer:
            for placed in place(data, split, folder, "none", taken):
                encoded = upright_bytes(data[split].items[placed.index])
                writer.write(_record(tf, placed, encoded[:2], data.classes))
        written.append(path)
    return written


def _record(tf, placed: Placed, picture: tuple[bytes, str], classes: Sequence[str]) -> bytes:
    encoded, kind = picture
    objects, attributes = placed.objects, placed.objects.attributes
    edges = objects.boxes.astype(np.float64) / [placed.width, placed.height, placed.width, placed.height]
    whole: dict[str, Any] = {
        "image/encoded": [encoded],
        "image/format": [kind.encode()],
        "image/height": [placed.height],
        "image/width": [placed.width],
        "image/filename": [placed.name.encode()],
        "image/source_id": [str(placed.name if placed.number is None else placed.number).encode()],
        "image/key/sha256": [hashlib.sha256(encoded).hexdigest().encode()],
        "image/object/class/text": [classes[number].encode() for number in objects.classes],
        "image/object/class/label": [int(number) + 1 for number in objects.classes],
        "image/object/difficult": objects.difficult.astype(int).tolist(),
        "image/object/truncated": [int(bool(value)) for value in attributes.get("truncated", np.zeros(len(objects)))],
        "image/object/view": [str(value or "Unspecified").encode() for value in attributes.get("pose", [""] * len(objects))],
        "image/object/is_crowd": objects.crowd.astype(int).tolist(),
    }
    whole |= {f"image/object/bbox/{side}": edges[:, column].tolist() for column, side in enumerate(("xmin", "ymin", "xmax", "ymax"))}
    if "area" in attributes:
        whole["image/object/area"] = [float(value) for value in attributes["area"]]
    return tf.train.Example(
        features=tf.train.Features(feature={name: _feature(tf, values) for name, values in whole.items()})
    ).SerializeToString()


def _feature(tf, values: list[Any]):
    if values and isinstance(values[0], bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
    if values and isinstance(values[0], int):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))
