"""Pascal VOC XML: one file per picture; boxes are whole pixels, counted from 1, and the last one belongs to the box.

So `<xmin>1</xmin><xmax>10</xmax>` is the ten pixels 0 to 9, xyxy 0 to 10. The `filename` inside is often wrong after a folder was renamed:
the picture with the name of the XML file comes first. Class names stand in the objects; their order is that of classes.txt, or natural.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree
from xml.parsers import expat

import numpy as np

from zoo import atomic
from zoo.data.inspection import Seen
from zoo.data.labels import names
from zoo.data.labels.draft import SHORT, UNSPLIT, Asked, Draft, LabelError, Row, Sheet, look_at, ordered, split_of
from zoo.data.labels.pictures import Placed, by_stem, find, place
from zoo.data.listing import SPLITS, natural, pictures
from zoo.data.objects import ObjectSet

_LARGEST = 20_000_000


def load(place: Path, asked: Asked) -> Draft:
    """Raises LabelError when there is no annotation."""
    root = place if place.is_dir() else place.parent
    files = [place] if place.is_file() else sorted(root.rglob("*.xml"), key=lambda path: natural(str(path)))
    if not files:
        raise LabelError(f"no VOC annotation in {place}; wanted {root}/Annotations/*.xml with {root}/JPEGImages/*.jpg")
    draft = Draft("voc", root)
    splits = _sets(root)
    called: list[str] = []
    for path in files:
        split = splits.get(path.stem) if splits else split_of("", *path.relative_to(root).parts[:-1], root.name)
        if split is None:
            draft.fault("unlisted", path, "in no file of ImageSets/Main: left out")
            continue
        try:
            _sheet(draft, path, parse(path.read_bytes()), split, called, asked)
        except (ValueError, OSError) as error:
            draft.fault("bad label", path, str(error), split)
    draft.classes = list(asked.classes) or names.beside(root)
    draft.classes += sorted(set(called) - set(draft.classes), key=natural)
    for sheet in draft.sheets:
        for row in sheet.rows:
            row.number = draft.classes.index(row.attributes.pop("name"))
    seen = look_at([sheet.picture for sheet in draft.sheets], asked)
    for sheet in draft.sheets:
        sheet.seen = seen[sheet.picture]
    _unlabelled(draft, {file.parent for file in files}, {sheet.picture for sheet in draft.sheets}, asked)
    return draft


def parse(data: bytes) -> ElementTree.Element:
    """The root element of an XML file. Raises ValueError for one that is broken, huge, or declares entities: no annotation needs them."""
    if len(data) > _LARGEST:
        raise ValueError(f"{len(data) / 1e6:.0f} MB are too much for the annotation of one picture")
    builder, parser = ElementTree.TreeBuilder(), expat.ParserCreate()

    def refuse(*_):
        raise ValueError("it has a DOCTYPE, with which a file can read other files or fill the memory; an annotation needs none")

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(data, True)
        return builder.close()
    except (expat.ExpatError, AssertionError) as error:
        raise ValueError(f"not a whole XML file: {error}") from error


def _sets(root: Path) -> dict[str, str]:
    """{stem: split} by ImageSets/Main/{train,val,test}.txt; a stem of several lists belongs to the first."""
    found: dict[str, str] = {}
    for folder in (root / "ImageSets" / "Main", root / "ImageSets"):
        for path in sorted(folder.glob("*.txt"), key=lambda path: ("train", "validation", "test", None).index(SPLITS.get(path.stem))):
            if path.stem in SPLITS or path.stem == UNSPLIT:
                for line in path.read_text(encoding="utf-8-sig").splitlines():
                    if line.strip():
                        found.setdefault(line.split()[0], SPLITS.get(path.stem, UNSPLIT))
    return found


def _sheet(draft: Draft, path: Path, root: ElementTree.Element, split: str, called: list[str], asked: Asked) -> None:
    if root.tag != "annotation":
        raise ValueError(f"the root is <{root.tag}>, wanted <annotation>")
    name = (root.findtext("filename") or "").strip()
    folders = (
        [asked.images] if asked.images else [path.parent.with_name("JPEGImages"), path.parent, path.parent.with_name("images"), draft.root]
    )
    picture = by_stem(path.stem, folders) or (find(name, folders) if name else None)
    if picture is None:
        draft.fault("missing picture", path, f"neither {path.stem} nor {name or 'a filename'} is in {folders[0]} or near it", split)
        return
    if name and Path(name).stem != picture.stem:
        draft.fault("wrong filename", path, f"it calls its picture {name}, but lies beside {picture.name}", split)
    size = _size(root)
    sheet = Sheet(split, picture.name, picture, Seen(), size=size, label=path)
    for number, element in enumerate(root.findall("object"), start=1):
        try:
            row = _row(element)
        except ValueError as error:
            draft.fault("bad label", path, f"object {number}: {error}", split)
            continue
        called.append(row.attributes["name"])
        sheet.rows.append(row)
    draft.sheets.append(sheet)


def _size(root: ElementTree.Element) -> tuple[int, int] | None:
    """(width, height) as stated; some tools leave 0."""
    try:
        width, height = (int(float(root.findtext(f"size/{side}") or 0)) for side in ("width", "height"))
    except (ValueError, OverflowError):
        return None
    return (width, height) if width > 0 and height > 0 else None


def _row(element: ElementTree.Element) -> Row:
    name = (element.findtext("name") or "").strip()
    if not name:
        raise ValueError("it has no name")
    edges = []
    for side in ("xmin", "ymin", "xmax", "ymax"):
        text = element.findtext(f"bndbox/{side}")
        try:
            edges.append(float(text or ""))
        except ValueError:
            raise ValueError(f"{name}: {side} must be a number, got {text!r}") from None
    left, top, right, bottom = edges
    if right < left or bottom < top:
        raise ValueError(f"{name}: xmax is below xmin, or ymax below ymin: {' '.join(f'{edge:g}' for edge in edges)}")
    attributes: dict[str, object] = {"name": name}
    if element.findtext("truncated") is not None:
        attributes["truncated"] = _flag(element, "truncated")
    pose = (element.findtext("pose") or "").strip()
    if pose and pose != "Unspecified":
        attributes["pose"] = pose
    return Row(-1, (left - 1, top - 1, right, bottom), difficult=_flag(element, "difficult"), attributes=attributes)


def _flag(element: ElementTree.Element, name: str) -> bool:
    return (element.findtext(name) or "0").strip().lower() in ("1", "true", "yes")


def _unlabelled(draft: Draft, folders: set[Path], known: set[Path], asked: Asked) -> None:
    """Pictures where others are labelled but that have no annotation; in this format that does not mean "nothing to see"."""
    places = {asked.images} if asked.images else {picture.parent for picture in known}
    told = {fault.path.stem for fault in draft.faults} | {path.stem for path in known}
    for folder in sorted(filter(None, places)):
        for picture in pictures(folder):
            if picture.stem not in told:
                told.add(picture.stem)
                draft.fault("missing label", picture, "no annotation belongs to this picture", split_of("", folder.name))


def save(data: ObjectSet, folder: Path, pictures: str) -> list[Path]:
    """Annotations, JPEGImages, ImageSets/Main and classes.txt."""
    taken: set[str] = set()
    written = [atomic.write(folder / "classes.txt", "".join(f"{name}\n" for name in data.classes))]
    for split in ordered(data.splits):
        stems = []
        for placed in place(data, split, folder / "JPEGImages", pictures, taken):
            stems.append(placed.stem)
            written.append(atomic.write(folder / "Annotations" / f"{placed.stem}.xml", _text(placed, data)))
        written.append(
            atomic.write(folder / "ImageSets" / "Main" / f"{SHORT.get(split, split)}.txt", "".join(f"{stem}\n" for stem in stems))
        )
    return written


def _text(placed: Placed, data: ObjectSet) -> str:
    root = ElementTree.Element("annotation")
    for tag, text in (("folder", "JPEGImages"), ("filename", placed.name)):
        ElementTree.SubElement(root, tag).text = text
    size = ElementTree.SubElement(root, "size")
    for tag, number in (("width", placed.width), ("height", placed.height), ("depth", 3)):
        ElementTree.SubElement(size, tag).text = str(number)
    ElementTree.SubElement(root, "segmented").text = "0"
    for number, box in enumerate(inclusive(placed.objects.boxes)):
        element = ElementTree.SubElement(root, "object")
        columns = placed.objects.attributes
        difficult = placed.objects.difficult[number] or placed.objects.crowd[number]
        fields = {
            "name": data.classes[placed.objects.classes[number]],
            "pose": str(columns["pose"][number] or "Unspecified") if "pose" in columns else "Unspecified",
            "truncated": str(int(bool(columns["truncated"][number]))) if "truncated" in columns else "0",
            "difficult": str(int(difficult)),
        }
        for tag, text in fields.items():
            ElementTree.SubElement(element, tag).text = text
        corners = ElementTree.SubElement(element, "bndbox")
        for tag, edge in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True):
            ElementTree.SubElement(corners, tag).text = str(edge)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def inclusive(boxes: np.ndarray) -> Iterator[tuple[int, int, int, int]]:
    """xyxy pixel edges -> whole pixels from 1, both ends counted in. A side thinner than a pixel becomes the pixel of its middle."""
    low, high = np.rint(boxes[:, :2].astype(np.float64)), np.rint(boxes[:, 2:].astype(np.float64))
    thin = high <= low
    middle = np.floor((boxes[:, :2].astype(np.float64) + boxes[:, 2:]) / 2)
    low, high = np.where(thin, middle, low), np.where(thin, middle + 1, high)
    for (left, top), (right, bottom) in zip(low.astype(int).tolist(), high.astype(int).tolist(), strict=True):
        yield left + 1, top + 1, right, bottom
