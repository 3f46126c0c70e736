"""What is similar to this picture? An index of features that is searched by cosine similarity.

Rows are divided by their lengths, so that one matrix product gives every cosine; below about 50,000 pictures nothing faster is
needed. The index carries what made it, and refuses to be used with another model, layer or preparation.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.decode import ImageError
from zoo.explain import index_file
from zoo.explain.concepts import checked, unit
from zoo.explain.features import Progress, Spot, features_at, spot_of
from zoo.explain.fingerprint import Origin, origin
from zoo.explain.sources import model_of, prepared, sources


@dataclass(frozen=True)
class Neighbour:
    """One answer of a search: name of the picture, its cosine similarity in [-1, 1], and its row in the index."""

    name: str
    similarity: float
    row: int


@dataclass(frozen=True, eq=False)
class SimilarityIndex:
    """Pictures by their features.

    features: float32 (n, c), rows of length 1; a picture whose features are all zero has a row of zeros and resembles nothing.
    names:    n names, relative to the folder where there was one.
    origin:   model, layer and preparation that made them.
    skipped:  "name: reason" of pictures that could not be decoded and were left out.
    maker:    the `zoo.predict.Predictor` or model that made it, for searching.

    A cosine has no scale of its own: behind a ReLU unrelated pictures reach 0.5 to 0.9, and with random weights nearly 1.
    Compare similarities within one index only.
    """

    features: np.ndarray
    names: tuple[str, ...]
    origin: Origin
    maker: Any = field(repr=False)
    skipped: tuple[str, ...] = ()

    @classmethod
    def build(
        cls,
        maker,
        images,
        layer=None,
        *,
        names: Sequence[str] | None = None,
        batch_size: int = 32,
        skip_bad: bool = False,
        progress: Progress | None = None,
    ) -> SimilarityIndex:
        """The index of a folder, files or arrays; `batch_size` pictures are in memory at a time.

        maker:    a `zoo.predict.Predictor`, which decodes and resizes; or a model, for images that are arrays (h, w, c) of its size.
        images:   a folder (searched with its sub-folders), or a sequence of paths, bytes or arrays, or an array (b, h, w, c).
        layer:    as in `features`.
        names:    of the images; default: paths relative to the folder, file names, or "image 0" and so on.
        skip_bad: leave out and name in `skipped` what cannot be decoded, instead of raising.
        progress: called as progress(done, total).

        Raises ImageError (a ValueError) naming a picture that cannot be decoded, ValueError when none is left, FileNotFoundError.
        """
        building = Building(maker, images, layer, names=names, batch_size=batch_size, skip_bad=skip_bad)
        while not building.finished:
            building.step()
            if progress is not None:
                progress(building.done, building.total)
        return building.index()

    def search(self, image, k: int = 5) -> list[Neighbour]:
        """The k pictures most similar to one image, best first; all where there are fewer. Of equals the earlier comes first.

        image: a path, bytes or uint8 (h, w, 3) for an index made by a predictor; an array (h, w, c) for one made by a model.
        """
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise ValueError(f"k must be a positive int, got {k!r}")
        similarities = np.clip(self.features @ _vectors(self.maker, [image], self.origin.spot, 1)[0], -1, 1)
        best = np.argsort(-similarities, kind="stable")[:k]
        return [Neighbour(self.names[row], float(similarities[row]), int(row)) for row in best]

    def save(self, path: str | os.PathLike) -> Path:
        """Write an .npz file without pickles, whole or not at all."""
        return index_file.write(path, self.features, self.names, self.skipped, self.origin)

    @classmethod
    def load(cls, path: str | os.PathLike, maker, layer=None) -> SimilarityIndex:
        """The index in a file, for the model that made it.

        layer: None takes the layer of the index; another one than that is refused.
        Raises ValueError for a file that is damaged or no index, and for another model, layer or preparation; FileNotFoundError.
        """
        features, names, skipped, made = index_file.read(path)
        made.refuse(origin(maker, made.spot if layer is None else replace(spot_of(model_of(maker), layer), reads=made.spot.reads)))
        return cls(features, names, made, maker, skipped)


class Building:
    """An index in the making, a batch at a time, for callers that show progress or may stop: `step` until `finished`, then `index`.

    The arguments are those of `SimilarityIndex.build`. done, total: pictures seen and to see.
    """

    def __init__(self, maker, images, layer=None, *, names=None, batch_size: int = 32, skip_bad: bool = False):
        self._maker, self._skip_bad, self._batch_size = maker, skip_bad, batch_size
        self._images, self._names = sources(maker, images, names)
        self._layer = layer
        self._spot: Spot | None = None
        self._parts: list[np.ndarray] = []
        self._kept: list[str] = []
        self._skipped: list[str] = []
        self.done, self.total = 0, len(self._images)

    @property
    def finished(self) -> bool:
        return self.done == self.total

    def step(self) -> None:
        """Decode and add the next batch. Raises as `SimilarityIndex.build`; a step that raised may be tried again."""
        end = min(self.done + self._batch_size, self.total)
        batch, names, skipped = [], [], []
        for image, name in zip(self._images[self.done : end], self._names[self.done : end], strict=True):
            try:
                batch.append(prepared(self._maker, image))
                names.append(name)
            except ImageError as error:
                if not self._skip_bad:
                    raise ImageError(f"{error.reason}; remove the file, or skip bad pictures with skip_bad", name) from error
                skipped.append(f"{name}: {error.reason}")
        if batch:
            model, stacked = model_of(self._maker), np.stack(batch)
            self._spot = self._spot or spot_of(model, self._layer, stacked)
            self._parts.append(unit(features_at(model, stacked, self._spot, self._batch_size)))
        self._kept += names
        self._skipped += skipped
        self.done = end

    def index(self) -> SimilarityIndex:
        """What has been added so far. Raises ValueError when no picture has."""
        if self._spot is None:
            first = f", the first: {self._skipped[0]}" if self._skipped else ""
            raise ValueError(f"an index needs at least one picture; {len(self._skipped)} were skipped{first}")
        rows = checked(np.concatenate(self._parts))
        return SimilarityIndex(rows, tuple(self._kept), origin(self._maker, self._spot), self._maker, tuple(self._skipped))


def _vectors(maker, images: Iterable, spot: Spot, batch_size: int) -> np.ndarray:
    return unit(features_at(model_of(maker), np.stack([prepared(maker, image) for image in images]), spot, batch_size))
