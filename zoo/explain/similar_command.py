"""`zoo similar`: the pictures of a folder that resemble one, its near duplicates, and the folder as a map."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from zoo import predict, viz
from zoo.data import decode, listing
from zoo.explain.concepts import concept_map
from zoo.explain.duplicates import near_duplicates
from zoo.explain.neighbours import SimilarityIndex

THUMBNAIL = 80
"""Longest side in pixels of a picture on the map."""
MOST = 2000
"""Pictures up to which the map shows them; beyond, it shows points."""


def run(options) -> int:
    """Print the neighbours and what else was asked for. Wrong input raises, and `zoo` prints its one line."""
    if not options.image.is_file():
        raise FileNotFoundError(f"no such picture: {options.image}")
    predictor = predict.asked(options)
    print(predictor.note, file=sys.stderr)
    index = _index(options, predictor)
    for line in index.skipped:
        print(f"skipped {line}", file=sys.stderr)
    found = index.search(options.image, options.k)
    for neighbour in found:
        print(f"{neighbour.similarity:7.4f}  {neighbour.name}")
    if options.duplicates is not None:
        _print_duplicates(index, options.duplicates)
    if options.strip:
        titles = [options.image.name, *(f"{neighbour.name}\n{neighbour.similarity:.3f}" for neighbour in found)]
        pictures = [decode.decode(options.folder / neighbour.name) for neighbour in found]
        viz.neighbours([decode.decode(options.image)], [pictures], [titles]).savefig(options.strip, dpi=130)
        print(options.strip)
    if options.map:
        _map(options, index)
        print(options.map)
    return 0


def _index(options, predictor) -> SimilarityIndex:
    """The index in --index where it is there, names the pictures of the folder and is younger than all of them; else a new one."""
    paths = listing.pictures(options.folder)
    files = {path.relative_to(options.folder.expanduser()).as_posix() for path in paths}
    if options.index and options.index.is_file():
        index = SimilarityIndex.load(options.index, predictor, options.layer)
        known = {*index.names, *(line.partition(":")[0] for line in index.skipped)}
        if known == files and max(path.stat().st_mtime_ns for path in paths) < options.index.stat().st_mtime_ns:
            return index
        print(f"{options.folder} has changed since {options.index} was written: built again", file=sys.stderr)
    shown = _progress if sys.stderr.isatty() else None
    index = SimilarityIndex.build(predictor, options.folder, options.layer, skip_bad=options.skip_bad, progress=shown)
    if options.index:
        index.save(options.index)
    return index


def _progress(done: int, total: int | None) -> None:
    print(f"\r{done} of {total} pictures", end="" if done != total else "\n", file=sys.stderr, flush=True)


def _print_duplicates(index: SimilarityIndex, threshold: float) -> None:
    groups = near_duplicates(index, threshold)
    print(
        f"{len(groups)} group{'s' * (len(groups) > 1)} of near duplicates (cosine from {threshold:g})" if groups else "no near duplicates"
    )
    for group in groups:
        print("  " + "  ".join(index.names[row] for row in group))


def _map(options, index: SimilarityIndex) -> None:
    """Pictures, or points, coloured by the folder that they lie in."""
    places = concept_map(index.features, options.method)
    folders = [str(Path(name).parent) if Path(name).parent != Path() else "pictures" for name in index.names]
    classes = sorted(set(folders), key=listing.natural)
    labels = np.array([classes.index(folder) for folder in folders])
    small = [thumbnail(decode.decode(options.folder / name)) for name in index.names] if len(index.names) <= MOST else None
    viz.embedding(places, labels, classes, small).savefig(options.map, dpi=130)


def thumbnail(image: np.ndarray) -> np.ndarray:
    """uint8 (h, w, 3) with a longest side of at most `THUMBNAIL` pixels."""
    scale = min(1.0, THUMBNAIL / max(image.shape[:2]))
    return decode.resize(image, (max(1, round(image.shape[0] * scale)), max(1, round(image.shape[1] * scale))))
