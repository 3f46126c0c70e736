"""What `--data` names -> ObjectSet: one line for generated, own and public pictures with labelled objects."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from zoo.data.objects import ObjectExamples, Objects, ObjectSet

FORMS = ("scenes", "scenes:signs", "bccd", "folder:PATH", "coco:PATH", "yolo:PATH", "voc:PATH", "csv:PATH", "tfrecord:PATH")


def load_objects(
    source: str,
    *,
    seed: int = 0,
    size: int | None = None,
    train: int | None = None,
    validation: int | None = None,
    test: int | None = None,
    frames: str | Path | Iterable[np.ndarray] | None = None,
    signs: str | Path | None = None,
    skip_bad: bool = False,
    masks: bool = False,
) -> ObjectSet:
    """The detection dataset that `source` names, with the splits train, validation and test:

        "scenes"          generated: drawn things on real surfaces, with masks and keypoints
        "scenes:signs"    generated: traffic signs on roads, with masks
        "bccd"            public: blood cells under the microscope, fetched once
        "folder:PATH"     labels of any format that `zoo.data.labels` reads, recognised; "coco:PATH", "yolo:PATH", "voc:PATH", "csv:PATH"
                          and "tfrecord:PATH" say which

    seed:     of generation and division.
    size, train, validation, test: side and numbers of generated pictures; defaults are those of the generator (scenes: 1200, 200, 200).
    frames:   for "scenes:signs": a folder of pictures, or frames uint8 (h, w, 3), such as those of a video, instead of drawn roads.
    signs:    for "scenes:signs": a folder with one folder of pictures per class, instead of drawn signs.
    skip_bad: leave out and count what cannot be read, instead of stopping on it.
    masks:    give masks where the labels of a file hold them as run lengths; outlines and generated masks are always there.

    Labels that are not divided are divided by seed: 70 % train, 15 % validation, 15 % test. Boxes with a side of a pixel or less are
    left out and counted in the notes. Raises ValueError for an unknown source (listing the forms), and what the source raises.
    """
    kind, _, rest = source.partition(":")
    numbers = {"size": size, "train": train, "validation": validation, "test": test}
    given = {name: value for name, value in numbers.items() if value is not None}
    if source == "scenes":
        return _scenes(seed, given)
    if source == "scenes:signs":
        return _signs(seed, given, frames, signs)
    if source == "bccd":
        from zoo.data.object_sets import load

        return tidy(load(source, skip_bad=skip_bad))
    if rest and kind in {form.partition(":")[0] for form in FORMS if form.endswith(":PATH")}:
        from zoo.data import labels

        found = labels.read(rest, None if kind == "folder" else kind, skip_bad=skip_bad, masks=masks)
        return divided(tidy(dataclasses.replace(found, name=source)), seed)
    close = difflib.get_close_matches(source, FORMS, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise ValueError(f"no data with objects is called {source!r}{hint}; the forms are: {', '.join(FORMS)}")


def divided(found: ObjectSet, seed: int) -> ObjectSet:
    """The same dataset with train, validation and test. A single other split is divided by seed; what is missing beside a train is taken
    from it.

    Raises ValueError where there are too few pictures.
    """
    wanted = ("train", "validation", "test")
    if set(wanted) <= set(found.splits):
        return found
    whole = "train" if "train" in found.splits else next(iter(found.splits))
    missing = [name for name in wanted if name not in found.splits]
    if whole != "train" and len(found.splits) > 1:
        raise ValueError(f"{found.name} has the splits {', '.join(found.splits)}, and no train; rename the one to learn from")
    examples = found.splits[whole]
    order = np.random.default_rng((abs(seed), 1)).permutation(len(examples))
    parts = {}
    for name in missing:
        if name != "train":
            count = max(1, round(0.15 * len(examples)))
            parts[name], order = examples.take(np.sort(order[:count])), order[count:]
    if not len(order):
        raise ValueError(f"{found.name} has {len(examples)} pictures, too few to divide into {', '.join(wanted)}; label at least 3")
    parts["train"] = examples.take(np.sort(order))
    others = {name: part for name, part in found.splits.items() if name != whole}
    splits = {**others, **parts}
    splits = {name: splits[name] for name in (*wanted, *sorted(set(splits) - set(wanted)))}
    note = f"Divided by seed {seed}: {', '.join(f'{len(parts[name])} pictures for {name}' for name in wanted if name in parts)}."
    return dataclasses.replace(found, splits=splits, notes=(*found.notes, note))


def tidy(found: ObjectSet) -> ObjectSet:
    """The same dataset without boxes that have a side of a pixel or less, which nothing can learn from; a note counts them."""
    gone = 0
    splits = {}
    for name, part in found.splits.items():
        kept = [(objects.boxes[:, 2:] - objects.boxes[:, :2]).min(axis=1) > 1 for objects in part.objects]
        gone += sum(int((~each).sum()) for each in kept)
        objects = [each.take(good) for each, good in zip(part.objects, kept, strict=True)]
        splits[name] = dataclasses.replace(part, objects=objects)
    if not gone:
        return found
    note = f"{gone} box{'es' * (gone > 1)} with a side of a pixel or less left out; `zoo labels doctor` shows which."
    return dataclasses.replace(found, splits=splits, notes=(*found.notes, note))


def _scenes(seed: int, given: dict) -> ObjectSet:
    from zoo.data.scenes import CLASSES, Scenes, render, specify

    config = Scenes.general(**{"seed": seed, "train": 1200, "validation": 200, "test": 200, **given})
    splits = {}
    for split in ("train", "validation", "test"):
        rendered = [render(specify(index, config, split), config.size) for index in range(getattr(config, split))]
        found = []
        for each in rendered:
            objects = Objects(each.boxes, each.classes, masks=each.masks, keypoints=each.keypoints)
            # what is nearly hidden is no object to find, and a distractor has no class
            found.append(objects.take((each.masks.sum(axis=(1, 2)) >= 16) & (each.classes < len(CLASSES))))
        images = np.stack([each.image for each in rendered]) if rendered else np.zeros((0, config.size, config.size, 3), np.uint8)
        splits[split] = ObjectExamples(images, found)
    notes = (
        "Generated pictures: drawn objects over photographs and textures that scikit-image ships. Nothing here is a result on real data.",
    )
    return ObjectSet("scenes", "generated", CLASSES, splits, notes)


def _signs(seed: int, given: dict, frames, signs) -> ObjectSet:
    from zoo.data.sign_scenes import SignScenes, sign_scenes

    grounds = None
    if isinstance(frames, str | Path):
        if Path(frames).is_file():
            raise ValueError(
                f"{frames} is a file; give a folder of pictures, or the frames of a video: load_objects(..., frames=list_of_frames)"
            )
        grounds = tuple(_pictures(Path(frames)))
    elif frames is not None:
        grounds = tuple(frames)
    faces = None
    if signs is not None:
        folders = sorted(path for path in Path(signs).iterdir() if path.is_dir())
        faces = {folder.name: _pictures(folder) for folder in folders}
        if not faces:
            raise ValueError(f"{signs} has no folders; wanted one folder of pictures per class")
    return sign_scenes(SignScenes(seed=seed, frames=grounds, faces=faces, **given))


def _pictures(folder: Path) -> list[np.ndarray]:
    from zoo.data.decode import decode
    from zoo.data.listing import pictures

    found = pictures(folder)
    if not found:
        raise ValueError(f"{folder} holds no pictures")
    return [decode(path) for path in found]
