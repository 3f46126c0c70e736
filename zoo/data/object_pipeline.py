"""A detection dataset -> batches for training and evaluation.

from zoo.data import ObjectAugment, ObjectPipeline, load_objects
pipeline = ObjectPipeline(load_objects("scenes"), 128, augment=ObjectAugment(mosaic=0.5), epochs=30, close_mosaic=5)
model.fit(pipeline.train.training(16, seed=0), steps_per_epoch=pipeline.train.steps(16), epochs=30)
"""

from __future__ import annotations

from zoo.data.form import Form
from zoo.data.kept import Kept
from zoo.data.object_augment import ObjectAugment
from zoo.data.object_split import ObjectSplit
from zoo.data.objects import ObjectSet
from zoo.data.pipeline import _leave_accelerators_alone


class ObjectPipeline:
    """The splits of a detection dataset as batches of one form: `.train`, `.validation`, `.test`, or `["name"]`, each an `ObjectSplit`.

    objects:      the dataset.
    size:         (height, width) of the batches in pixels, or one side of a square.
    most:         rows of boxes per image; None for the largest number of objects of any picture, and twice that with mosaic, mixup or
                  copy-paste.
    augment:      changes of the pictures of "train"; None for none. The other splits are letterboxed.
    overflow:     what becomes of a picture with more than `most` objects: "largest" keeps the largest ones (`overfull` counts the pictures,
                  `ObjectSplit.left_out` the objects), "error" raises. What mosaic and its kin add is always cut by size.
    masks:        give masks too: every object then needs a mask or an outline.
    keypoints:    give keypoints too.
    epochs, close_mosaic: in the last `close_mosaic` of `epochs` epochs no pictures are combined (mosaic, mixup, copy-paste), so that
                  training ends on pictures as they are (Ge et al. 2021, arXiv:2107.08430, section 2.1).
    cache, memory: as in `zoo.data.pipeline.Pipeline`.
    detail:       training pictures are kept this many times larger than `size`, at least 1, so that a crop stays sharp.

    Raises ValueError for what cannot be fulfilled, naming the split and the picture.
    """

    def __init__(
        self,
        objects: ObjectSet,
        size,
        most: int | None = None,
        augment: ObjectAugment | None = None,
        *,
        overflow: str = "largest",
        masks: bool = False,
        keypoints: bool = False,
        epochs: int | None = None,
        close_mosaic: int = 0,
        cache: bool = True,
        memory: int | None = None,
        detail: float = 1.0,
    ):
        height, width = (size, size) if isinstance(size, int) else size
        self.objects, self.size, self.augment = objects, (int(height), int(width)), augment
        combines = augment is not None and augment.combines
        largest = max((len(each) for part in objects.splits.values() for each in part.objects), default=0)
        self.most = max(1, largest * (2 if combines else 1)) if most is None else most
        _check(objects, self, overflow, detail, close_mosaic, epochs)
        if masks or (augment is not None and augment.copy_paste):
            _need_masks(objects)
        form = Form(self.size, self.most, masks, _keypoints(objects) if keypoints else 0)
        until = epochs - close_mosaic if epochs is not None and close_mosaic else None
        _leave_accelerators_alone()
        self.splits: dict[str, ObjectSplit] = {}
        for name, examples in objects.splits.items():
            change = augment if name == "train" else None
            kept = self.size if change is None else (round(self.size[0] * detail), round(self.size[1] * detail))
            self.splits[name] = ObjectSplit(Kept(examples, kept, cache, memory), form, change, objects.flip_pairs, until)

    def __getitem__(self, split: str) -> ObjectSplit:
        self.objects[split]  # raises, naming the splits there are
        return self.splits[split]

    @property
    def train(self) -> ObjectSplit:
        return self["train"]

    @property
    def validation(self) -> ObjectSplit:
        return self["validation"]

    @property
    def test(self) -> ObjectSplit:
        return self["test"]

    def overfull(self) -> dict[str, int]:
        """Pictures of each split with more objects than there are rows."""
        return {name: sum(len(each) > self.most for each in part.objects) for name, part in self.objects.splits.items()}


def _check(objects: ObjectSet, pipeline: ObjectPipeline, overflow: str, detail: float, close_mosaic: int, epochs: int | None) -> None:
    if min(*pipeline.size, pipeline.most) < 1:
        raise ValueError(f"size and most must be at least 1, got size={pipeline.size}, most={pipeline.most}")
    if overflow not in ("largest", "error"):
        raise ValueError(f"overflow must be 'largest' or 'error', got {overflow!r}")
    if not 1 <= detail <= 8:
        raise ValueError(f"detail must lie in [1, 8], got {detail!r}")
    if close_mosaic < 0 or (close_mosaic and (epochs is None or close_mosaic > epochs)):
        raise ValueError(
            f"close_mosaic counts the last epochs of `epochs`, got close_mosaic={close_mosaic} with epochs={epochs}; give both"
        )
    for name, part in objects.splits.items():
        if not len(part):
            raise ValueError(f"{objects.name}, split {name}: a pipeline needs at least one image, got an empty split")
        for index, each in enumerate(part.objects):
            if overflow == "error" and len(each) > pipeline.most:
                raise ValueError(
                    f"{objects.name}, split {name}, image {index} ({_name(part.items[index])}) has {len(each)} objects, and there are "
                    f"{pipeline.most} rows; raise `most`, or set overflow='largest'"
                )


def _need_masks(objects: ObjectSet) -> None:
    for name, part in objects.splits.items():
        for index, each in enumerate(part.objects):
            if len(each) and each.masks is None and (each.polygons is None or not all(each.polygons)):
                raise ValueError(
                    f"{objects.name}, split {name}, image {index} ({_name(part.items[index])}) has objects with neither mask nor outline; "
                    "switch masks and copy_paste off"
                )


def _keypoints(objects: ObjectSet) -> int:
    counts = {each.keypoints.shape[1] for part in objects.splits.values() for each in part.objects if each.keypoints is not None}
    if len(counts) != 1:
        raise ValueError(f"{objects.name}: wanted one number of keypoints for all objects, got {sorted(counts) or 'none'}")
    return counts.pop()


def _name(item) -> str:
    return f"array {item.shape}" if hasattr(item, "shape") else str(item)
