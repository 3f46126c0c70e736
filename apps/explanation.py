"""What a page computes and hands out: the heat of one class, its picture, and the files that let anybody repeat it."""

from __future__ import annotations

import io
import json
import platform
import re
from dataclasses import asdict, dataclass

import keras
import numpy as np
import streamlit as st
from PIL import Image

import zoo
from apps.models import Choice, Opened
from apps.pictures import Picture
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
    """Raw float32 (height, width) at the model's input size; not normalised."""
    method = getattr(explain, METHODS[question.method])
    where = {} if question.layer is None else {"layer": question.layer}
    return method(_opened.predictor.model, _opened.predictor.prepare([image]), question.target, **where)[0]


def spread(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Heat (h, w) -> float32 (shape[0], shape[1]), bilinear: the picture on the page is larger than the model's input."""
    return np.asarray(Image.fromarray(values.astype("float32")).resize((shape[1], shape[0]), Image.Resampling.BILINEAR))


def scale(colormap: str) -> np.ndarray:
    """The colours from the lowest to the highest heat: uint8 (12, 256, 3)."""
    ramp = np.tile(np.linspace(0, 1, 256, dtype="float32"), (12, 1))
    return viz.overlay(np.zeros((12, 256, 3), "uint8"), ramp, alpha=1.0, colormap=colormap)


def archive(values: np.ndarray, image: np.ndarray, chances: np.ndarray) -> bytes:
    """An .npz file: heat (h, w) raw, image uint8 as the model saw it, probabilities (classes,)."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, heat=values, image=image, probabilities=chances)
    return buffer.getvalue()


def parameters(choice: Choice, opened: Opened, picture: Picture, question: Question, values: np.ndarray, chance: float, **drawn) -> str:
    """JSON of everything that is needed to compute the same map again."""
    predictor = opened.predictor
    facts = {
        "model": {**asdict(choice), "sha256": opened.sha256, "note": predictor.note, "seed": None if choice.trained else 0},
        "picture": {"title": picture.title, "sha256": picture.sha256, "resized_to": list(predictor.size), "how": predictor.how},
        "question": {**asdict(question), "method": METHODS[question.method], "class": predictor.classes[question.target]},
        "probability": chance,
        "heat": {"lowest": float(values.min()), "highest": float(values.max())},
        "drawn": drawn,
        "versions": {"zoo": zoo.__version__, "keras": keras.__version__, "backend": keras.backend.backend(), "numpy": np.__version__, "python": platform.python_version()},
    }
    if choice.trained:
        facts["repeat"] = repeat(choice, question)
    return json.dumps(facts, indent=2)


def repeat(choice: Choice, question: Question) -> str:
    """The command that draws the same map in a terminal."""
    model = ["--run", choice.folder] if choice.kind == "run" else ["--model", choice.name, "--weights", str(choice.weights)]
    layer = [] if question.layer is None else ["--layer", question.layer]
    words = ["zoo", "explain", "PICTURE", *model, "--method", METHODS[question.method], "--target", str(question.target), *layer]
    return " ".join(words)


def literal(text: str, longest: int = 60) -> str:
    """A name from a file or a run, safe inside Streamlit's Markdown: one line, not too long, every punctuation mark escaped."""
    line = " ".join(str(text).split())
    line = line if len(line) <= longest else f"{line[: longest - 1]}…"
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", line)
