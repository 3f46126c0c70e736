"""Named public sets of pictures with labelled objects, each pinned by content, found and fetched as those of `zoo.data.sets`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from zoo.data.objects import ObjectSet
from zoo.data.sets import PublicSet, Repository, locate


@dataclass(frozen=True)
class PublicObjectSet(PublicSet):
    """format: of the labels, as `zoo.data.labels.read` calls it; inside: folder of the source that holds them."""

    format: str = ""
    inside: str = ""


OBJECT_SETS = {
    "bccd": PublicObjectSet(
        title="364 photographs of blood under the microscope; 4,888 red cells, white cells and platelets",
        licence="MIT (LICENSE of the repository)",
        images=364,
        size="about 9 MB",
        origin=Repository("https://github.com/Shenggan/BCCD_Dataset", "d272fb14cdff6e473fafeeeba32aba5f560e9e43"),
        credit="Shenggan, from pictures of cosmicad and akshaylamba",
        local=("bccd", "BCCD", "BCCD_Dataset"),
        format="voc",
        inside="BCCD",
    )
}


def load(name: str, *, skip_bad: bool = False) -> ObjectSet:
    """The named set, fetched if needed; licence and origin stand in its notes.

    Raises ValueError for an unknown name, `zoo.data.sets.FetchError` when the set cannot be had, and what `zoo.data.labels.read` raises.
    """
    from zoo.data import labels

    if name not in OBJECT_SETS:
        raise ValueError(f"there is no public set of objects called {name!r}; sets: {', '.join(OBJECT_SETS)}")
    record = OBJECT_SETS[name]
    folder = locate(name, record)
    folder = folder / record.inside if (folder / record.inside).is_dir() else folder
    found = labels.read(folder, record.format, skip_bad=skip_bad)
    origin = record.origin
    source = f"{origin.url} at commit {origin.commit}" if isinstance(origin, Repository) else origin.url
    note = f"{record.title}, by {record.credit}. Source: {source}. Licence: {record.licence}."
    return dataclasses.replace(found, name=name, kind="public", notes=(note, *found.notes))
