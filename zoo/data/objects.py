"""What a detection dataset is, whatever it came from: named classes and named splits of images, each with its labelled objects.

from zoo.data.objects import Objects
Objects(boxes=[[10, 20, 50, 60]], classes=[0])      # the rest fills itself in; nothing labelled: Objects.none()
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from zoo.data.dataset import Examples


@dataclass(frozen=True)
class Objects:
    """The n labelled objects of one image, in pixels of that image as it is stored.

    boxes:      float32 (n, 4) xyxy, pixel edges: the whole picture is (0, 0, width, height).
    classes:    int64 (n,), each >= 0.
    masks:      bool (n, height, width), or None.
    polygons:   for each object its rings, each float32 (p, 2) of x, y with p >= 3; an object without an outline has (). Or None.
    keypoints:  float32 (n, k, 3): x, y and 0 not labelled, 1 labelled but hidden, 2 visible (COCO). Or None.
    crowd:      bool (n,): the box covers a group that nobody counted; default all False.
    difficult:  bool (n,): Pascal VOC's mark; default all False.
    attributes: further columns of length n, for example {"truncated": ...}.

    Lists are turned into these arrays. A box may have no area or lie outside its image, as files have it; `zoo labels doctor` finds those.
    Raises ValueError for a wrong shape or length, a box or keypoint that is not finite, right < left or bottom < top, or a negative class.
    """

    boxes: np.ndarray
    classes: np.ndarray
    masks: np.ndarray | None = None
    polygons: tuple[tuple[np.ndarray, ...], ...] | None = None
    keypoints: np.ndarray | None = None
    crowd: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    difficult: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    attributes: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self):
        boxes = np.asarray(self.boxes, np.float32)
        boxes = boxes.reshape(0, 4) if boxes.size == 0 else boxes
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise ValueError(f"boxes must have the shape (n, 4): left, top, right, bottom; got {boxes.shape}")
        self._put("boxes", boxes)
        self._put("classes", _whole(self.classes))
        for name in ("crowd", "difficult"):
            flags = np.asarray([] if getattr(self, name) is None else getattr(self, name), bool)
            self._put(name, flags if flags.size else np.zeros(len(boxes), bool))
        if self.masks is not None:
            self._put("masks", _array("masks", self.masks, bool, "(n, height, width)", 3))
        if self.keypoints is not None:
            self._put("keypoints", _array("keypoints", self.keypoints, np.float32, "(n, k, 3): x, y, visibility", 3, last=3))
        if self.polygons is not None:
            self._put("polygons", tuple(tuple(_ring(ring) for ring in rings) for rings in self.polygons))
        self._put("attributes", {name: np.asarray(column) for name, column in self.attributes.items()})
        self._check()

    def _put(self, name: str, value) -> None:
        object.__setattr__(self, name, value)

    def _check(self) -> None:
        columns = {name: getattr(self, name) for name in ("classes", "masks", "polygons", "keypoints", "crowd", "difficult")}
        wrong = {
            name: len(column) for name, column in {**columns, **self.attributes}.items() if column is not None and len(column) != len(self)
        }
        if wrong:
            raise ValueError(f"{len(self)} boxes need columns of that length, got {wrong}")
        if not np.isfinite(self.boxes).all():
            raise ValueError(f"box {int(np.flatnonzero(~np.isfinite(self.boxes).all(1))[0])} is not finite: remove it, or repair its label")
        upside = np.flatnonzero((self.boxes[:, 2:] < self.boxes[:, :2]).any(axis=1))
        if len(upside):
            raise ValueError(
                f"box {upside[0]} is {self.boxes[upside[0]].tolist()}: wanted left <= right and top <= bottom (xyxy in pixels); "
                "boxes of corner and size need converting first"
            )
        if (self.classes < 0).any():
            raise ValueError(f"a class of an object must be >= 0, got {int(self.classes.min())}; -1 is for padding in batches only")
        if self.keypoints is not None and not np.isfinite(self.keypoints).all():
            raise ValueError("a keypoint is not finite; one that is not labelled is (0, 0, 0)")

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def none(cls) -> Objects:
        """No object at all: an image of background, which is a label too."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))

    @classmethod
    def joined(cls, parts: Sequence[Objects]) -> Objects:
        """The objects of several parts as those of one image. Masks, keypoints and attributes are kept where every part with objects has
        them; polygons as soon as one has them."""
        parts = [part for part in parts if len(part)] or list(parts[:1])
        if len(parts) < 2:
            return parts[0] if parts else cls.none()

        def column(name: str) -> np.ndarray | None:
            columns = [getattr(part, name) for part in parts]
            return None if any(each is None for each in columns) else np.concatenate(columns)

        outlined = any(part.polygons is not None for part in parts)
        polygons = tuple(rings for part in parts for rings in part.polygons or ((),) * len(part)) if outlined else None
        shared = set.intersection(*(set(part.attributes) for part in parts))
        return cls(
            boxes=np.concatenate([part.boxes for part in parts]),
            classes=np.concatenate([part.classes for part in parts]),
            masks=column("masks"),
            polygons=polygons,
            keypoints=column("keypoints"),
            crowd=np.concatenate([part.crowd for part in parts]),
            difficult=np.concatenate([part.difficult for part in parts]),
            attributes={name: np.concatenate([part.attributes[name] for part in parts]) for name in sorted(shared)},
        )

    @property
    def area(self) -> np.ndarray:
        """Areas of the boxes in square pixels: float32 (n,)."""
        return (self.boxes[:, 2] - self.boxes[:, 0]) * (self.boxes[:, 3] - self.boxes[:, 1])

    def take(self, indices) -> Objects:
        """The objects at `indices` (integers, or bool (n,)), in that order, with everything that belongs to them."""
        indices = np.asarray(indices)
        indices = np.flatnonzero(indices) if indices.dtype == bool else indices.astype(np.int64)
        return Objects(
            boxes=self.boxes[indices],
            classes=self.classes[indices],
            masks=None if self.masks is None else self.masks[indices],
            polygons=None if self.polygons is None else tuple(self.polygons[i] for i in indices),
            keypoints=None if self.keypoints is None else self.keypoints[indices],
            crowd=self.crowd[indices],
            difficult=self.difficult[indices],
            attributes={name: column[indices] for name, column in self.attributes.items()},
        )


@dataclass(frozen=True)
class ObjectExamples:
    """One split: n images, each with its objects.

    items:      n file paths, or uint8 arrays (h, w, 3), which may be one array (n, h, w, 3).
    objects:    n `Objects`, those of an image in pixels of that image as it is decoded.
    attributes: further columns of length n, for example {"id": numbers of the pictures in a COCO file}.

    Raises ValueError when the lengths differ.
    """

    items: Sequence[Path | np.ndarray] | np.ndarray
    objects: Sequence[Objects]
    attributes: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self):
        wrong = {name: len(column) for name, column in self.attributes.items() if len(column) != len(self.items)}
        if wrong:
            raise ValueError(f"a split of {len(self.items)} images needs columns of that length, got {wrong}")
        if len(self.items) != len(self.objects):
            raise ValueError(
                f"a split of {len(self.items)} images needs that many Objects, got {len(self.objects)}; "
                "an image without objects has Objects.none()"
            )

    def __len__(self) -> int:
        return len(self.items)

    def image(self, index: int) -> np.ndarray:
        """Image `index` as uint8 (h, w, 3), decoded by the one decode function of the zoo."""
        return Examples(self.items, np.zeros(len(self), np.int64)).image(index)

    def take(self, indices) -> ObjectExamples:
        """The images at `indices`, in that order, with their objects."""
        indices = np.asarray(indices, dtype=np.int64)
        columns = {name: np.asarray(column)[indices] for name, column in self.attributes.items()}
        return ObjectExamples([self.items[i] for i in indices], [self.objects[i] for i in indices], columns)


@dataclass(frozen=True)
class ObjectSet:
    """A detection dataset.

    name:           what ran, for the report: "scenes", "bccd", "folder:photos".
    kind:           "generated", "folder" or "public".
    classes:        names; their order is the order of the class numbers.
    splits:         {split: ObjectExamples}; usually "train", "validation" and "test", a file that was read may have one only.
    notes:          sentences for the report: licence, skipped files, warnings, how it was split.
    keypoint_names: names of the k keypoints of an object, () without keypoints.
    flip_pairs:     pairs of keypoint numbers that trade places when the image is mirrored, such as (left eye, right eye).

    Raises ValueError, with the split and the image, for an object of no class or of another number of keypoints.
    """

    name: str
    kind: str
    classes: tuple[str, ...]
    splits: dict[str, ObjectExamples]
    notes: tuple[str, ...] = ()
    keypoint_names: tuple[str, ...] = ()
    flip_pairs: tuple[tuple[int, int], ...] = ()

    def __post_init__(self):
        for split, examples in self.splits.items():
            for index, objects in enumerate(examples.objects):
                self._check(f"{self.name}, split {split}, image {index}", objects)

    def __getitem__(self, split: str) -> ObjectExamples:
        if split not in self.splits:
            raise ValueError(f"{self.name} has no split {split!r}; it has {', '.join(self.splits)}")
        return self.splits[split]

    def counts(self) -> dict[str, np.ndarray]:
        """Objects per class in each split: {split: int64 (classes,)}."""
        none = np.zeros(0, np.int64)
        columns = {name: np.concatenate([none, *(each.classes for each in part.objects)]) for name, part in self.splits.items()}
        return {name: np.bincount(column, minlength=len(self.classes)) for name, column in columns.items()}

    def _check(self, where: str, objects: Objects) -> None:
        if len(objects) and objects.classes.max() >= len(self.classes):
            raise ValueError(
                f"{where}: class {int(objects.classes.max())} is outside 0 to {len(self.classes) - 1} ({len(self.classes)} classes); "
                "classes count from 0 in the order of their names"
            )
        if self.keypoint_names and objects.keypoints is not None and objects.keypoints.shape[1] != len(self.keypoint_names):
            raise ValueError(f"{where}: wanted {len(self.keypoint_names)} keypoints per object, got {objects.keypoints.shape[1]}")


def _whole(classes) -> np.ndarray:
    numbers = np.asarray(classes)
    if numbers.size == 0:
        return np.zeros(0, np.int64)
    if numbers.ndim != 1 or not np.issubdtype(numbers.dtype, np.integer):
        raise ValueError(f"classes must be whole numbers of the shape (n,), got {numbers.dtype} {numbers.shape}")
    return numbers.astype(np.int64)


def _array(name: str, values, dtype, wanted: str, rank: int, last: int | None = None) -> np.ndarray:
    array = np.asarray(values, dtype)
    if array.ndim != rank or (last is not None and array.shape[-1] != last):
        raise ValueError(f"{name} must have the shape {wanted}, got {array.shape}")
    return array


def _ring(points) -> np.ndarray:
    ring = np.asarray(points, np.float32)
    if ring.ndim != 2 or ring.shape[1] != 2 or len(ring) < 3 or not np.isfinite(ring).all():
        raise ValueError(f"a ring of a polygon must be finite and have the shape (p, 2) with at least 3 points, got {ring.shape}")
    return ring
