"""The index of a shelf in the making: shared by all visitors, a few pictures at a time, so that a page stays alive and can stop."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import streamlit as st

from apps import models
from apps.shelves import Shelf
from zoo.data.decode import decode, resize
from zoo.explain.neighbours import Building, SimilarityIndex
from zoo.predict import Predictor


@dataclass(frozen=True)
class Remembering(Predictor):
    """A predictor that keeps a small version of every picture that it prepares, because decoding costs more than looking."""

    small: list[np.ndarray] = field(default_factory=list)

    def prepare(self, images) -> np.ndarray:
        decoded = [image if isinstance(image, np.ndarray) else decode(image) for image in images]
        prepared = super().prepare(decoded)
        self.small.extend(_small(image) for image in decoded)
        return prepared


class Work:
    """The index of a shelf in the making, shared by all visitors who ask for it: each call of `step` adds a few pictures."""

    def __init__(self, shelf: Shelf, predictor: Predictor):
        self._lock = threading.Lock()
        self._predictor = predictor
        self._made: tuple[int, SimilarityIndex, list[np.ndarray]] | None = None
        self._maker = Remembering(**vars(predictor))
        images = [shelf.picture(row) for row in range(len(shelf.files))] if shelf.folder is None else None
        images = images or [Path(shelf.folder or "") / name for name in shelf.names]
        self._building = Building(self._maker, images, names=shelf.names, batch_size=16, skip_bad=True)

    @property
    def done(self) -> int:
        return self._building.done

    @property
    def total(self) -> int:
        return self._building.total

    @property
    def finished(self) -> bool:
        return self._building.finished

    def step(self) -> None:
        with self._lock:
            if not self.finished:
                self._building.step()

    def index(self) -> tuple[SimilarityIndex, list[np.ndarray]]:
        """What is there by now, with small pictures in the order of its rows. Raises ValueError when nothing could be decoded."""
        with self._lock:
            if self._made is None or self._made[0] != self.done:  # put together once for every number of pictures
                self._made = self.done, replace(self._building.index(), maker=self._predictor), list(self._maker.small)
            return self._made[1:]


@st.cache_resource(max_entries=2, show_spinner=False)
def work(choice: models.Choice, shelf: Shelf, _predictor: Predictor) -> Work:
    """The work on a shelf with a model; the last two are kept."""
    return Work(shelf, _predictor)


def _small(image: np.ndarray, side: int = 96) -> np.ndarray:
    scale = min(1.0, side / max(image.shape[:2]))
    return resize(image, (max(1, round(image.shape[0] * scale)), max(1, round(image.shape[1] * scale))))
