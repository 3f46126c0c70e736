"""What a page computes and hands out: the heat of one class, its picture, and the files that let anybody repeat it."""

from __future__ import annotations

import io
import json
import platform
import shlex
from dataclasses import asdict, dataclass

import keras
import numpy as np
import streamlit as st

import zoo
from apps.models import Choice, Opened
from apps.pictures import Picture, shown
from zoo import explain, viz
from zoo.data.decode import resize

METHODS = {"Grad-CAM": "gradcam", "Grad-CAM++": "gradcam_plus_plus", "Saliency": "saliency"}
"""Title on the page -> function of zoo.explain."""
COLORMAPS = ("inferno", "viridis", "cividis")
"""Monotonous in lightness, so they read the same for colour-blind eyes and in print."""


@dataclass(frozen=True)
class Question:
    """What is asked: method (title), class index, and layer (None for saliency, which has none)."""

    method: str
    target: int
    layer: str | None


def seen(image: np.ndarray, opened: Opened) -> np.ndarray:
    """The image as the model sees it, resized as at training: uint8 (height, width, 3)."""
    return resize(image, opened.predictor.size, how=opened.predictor.how)


@st.cache_data(max_entries=16, show_spinner=False)
def probabilities(choice: Choice, image: np.ndarray, _opened: Opened) -> np.ndarray:
    """float32 (classes,). Raises ValueError when the model answers with NaN or infinity."""
    answer = _opened.predictor.probabilities([image])[0]
    if not np.isfinite(answer).all():
        raise ValueError("the model answers with NaN or infinity for this picture: its weights are damaged; train it again")
    return answer


@st.cache_data(max_entries=16, show_spinner="Computing the map")
def heat(choice: Choice, image: np.ndarray, question: Question, _opened: Opened) -> np.ndarray:
    """Raw float32 (height, width) at the model's input size, not normalised. Raises ValueError when it is not finite."""
    method = getattr(explain, METHODS[question.method])
    where = {} if question.layer is None else {"layer": question.layer}
    answer = method(_opened.predictor.model, _opened.predictor.prepare([image]), question.target, **where)[0]
    if not np.isfinite(answer).all():
        raise ValueError(
            f"the {question.method} map holds NaN or infinity: the gradients of this model overflow; choose another method or layer"
        )
    return answer


def scale(colormap: str) -> np.ndarray:
    """The colours from dark to bright: uint8 (12, 256, 3)."""
    return viz.heat(np.zeros((12, 256, 3), "uint8"), np.tile(np.linspace(0, 1, 256), (12, 1)), colormap)


def region(heat: np.ndarray) -> str:
    """Where the heat (h, w) is highest, in words, for those who cannot see the map."""
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    vertical = ("upper", "middle", "lower")[3 * row // heat.shape[0]]
    horizontal = ("left", "centre", "right")[3 * column // heat.shape[1]]
    return f"highest in the {vertical} {horizontal}"


@dataclass(frozen=True)
class Answer:
    """One explanation: what was asked of which model about which picture, and what came out.

    image:   uint8 (H, W, 3) as it was given; seen: uint8 (h, w, 3) as the model saw it.
    chances: float32 (classes,), sums to 1; heat: float32 (h, w), raw.
    """

    choice: Choice
    opened: Opened
    picture: Picture
    question: Question
    image: np.ndarray
    seen: np.ndarray
    chances: np.ndarray
    heat: np.ndarray

    @property
    def name(self) -> str:
        """Name of the class that is explained."""
        return self.opened.predictor.classes[self.question.target]

    def frame(self) -> np.ndarray:
        """The picture to draw on. Squashing is undone by stretching the heat; after a crop or letterbox it is what the model saw."""
        return shown(self.image if self.opened.predictor.how == "squash" else self.seen)

    def archive(self) -> bytes:
        """An .npz file: heat, image as the model saw it, probabilities."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, heat=self.heat, image=self.seen, probabilities=self.chances)
        return buffer.getvalue()

    def parameters(self, **drawn) -> str:
        """JSON of everything that is needed to compute the same map again; `drawn` says how the overlay was painted."""
        predictor, question = self.opened.predictor, self.question
        facts = {
            "model": {
                **asdict(self.choice),
                "sha256": self.opened.sha256,
                "note": predictor.note,
                "seed": None if self.choice.trained else 0,
            },
            "picture": {"title": self.picture.title, "sha256": self.picture.sha256, "resized_to": predictor.size, "how": predictor.how},
            "question": {**asdict(question), "method": METHODS[question.method], "class": self.name},
            "answer": {"probability": float(self.chances[question.target]), "heat": [float(self.heat.min()), float(self.heat.max())]},
            "drawn": drawn,
            "versions": versions(),
            "repeat": self.command(),
        }
        return json.dumps(facts, indent=2)

    def command(self) -> str | None:
        """What draws the same map in a terminal; nothing does for random weights."""
        if not self.choice.trained:
            return None
        run, zoo_row = ["--run", self.choice.folder], ["--model", self.choice.name, "--weights", self.choice.weights]
        layer = [] if self.question.layer is None else ["--layer", self.question.layer]
        asked = ["--method", METHODS[self.question.method], "--target", str(self.question.target), *layer]
        return shlex.join(["zoo", "explain", "PICTURE", *(run if self.choice.kind == "run" else zoo_row), *asked])


def versions() -> dict[str, str]:
    python, backend = platform.python_version(), keras.backend.backend()
    return {"zoo": zoo.__version__, "keras": keras.__version__, "backend": backend, "numpy": np.__version__, "python": python}
