"""The maps of a page: computed once, kept for a while, and how long they take. The key of a map is everything that it depends on."""

from __future__ import annotations

import json
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import streamlit as st

from apps.models import Choice, Opened
from zoo import explain
from zoo.data.decode import resize
from zoo.explain import command
from zoo.explain.methods import METHODS
from zoo.explain.question import Question

KEPT = 32
"""Maps that are kept for all visitors; each is as large as the input of its model."""


def seen(image: np.ndarray, opened: Opened) -> np.ndarray:
    """The image as the model sees it, resized as at training: uint8 (height, width, 3)."""
    predictor = opened.predictor
    return resize(image, predictor.size, how=predictor.how, crop=predictor.crop, interpolation=predictor.interpolation)


@st.cache_data(max_entries=16, show_spinner=False)
def probabilities(choice: Choice, image: np.ndarray, _opened: Opened) -> np.ndarray:
    """float32 (classes,). Raises ValueError when the model answers with NaN or infinity."""
    answer = _opened.predictor.probabilities([image])[0]
    if not np.isfinite(answer).all():
        raise ValueError("the model answers with NaN or infinity for this picture: its weights are damaged; train it again")
    return answer


class Heats:
    """The maps of late, the least recently used goes first. The key says everything that a map depends on, so visitors do not mix."""

    def __init__(self):
        self.kept: OrderedDict[tuple, np.ndarray] = OrderedDict()
        self.lock = threading.Lock()

    def get(self, key: tuple) -> np.ndarray | None:
        with self.lock:
            if key in self.kept:
                self.kept.move_to_end(key)
            return self.kept.get(key)

    def put(self, key: tuple, heat: np.ndarray) -> None:
        with self.lock:
            self.kept[key] = heat
            while len(self.kept) > KEPT:
                self.kept.popitem(last=False)


@st.cache_resource(show_spinner=False)
def heats() -> Heats:
    return Heats()


def key(choice: Choice, image: np.ndarray, question: Question) -> tuple:
    return choice, image.shape, image.tobytes(), json.dumps(asdict(question), sort_keys=True)


def heat(choice: Choice, image: np.ndarray, question: Question, opened: Opened, progress: Callable | None = None) -> np.ndarray:
    """Raw float32 (height, width) at the model's input size, not normalised. Raises ValueError when it is not finite.

    progress: (done, total) between chunks, for methods that ask many times; an exception from it, as Streamlit's own that stops a
    script, ends the work and leaves the model as it was.
    """
    place = key(choice, image, question)
    found = heats().get(place)
    if found is None:
        takes = progress is not None and "progress" in METHODS[question.method].options()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the page says in words what is empty or doubtful
            batch = opened.predictor.prepare([image])
            found = question.heat(opened.predictor.model, batch, **({"progress": progress} if takes else {}))[0]
        heats().put(place, found)
    return found


def cost(question: Question, image: np.ndarray, opened: Opened) -> explain.Cost:
    """What the map costs; measured once per model."""
    return command.cost(opened.predictor.model, question, opened.predictor.prepare([image]))
