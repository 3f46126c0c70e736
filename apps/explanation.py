"""What the page *Why this answer?* computes and hands out: maps, their cost, and the files that let anybody repeat them."""

from __future__ import annotations

import io
import json
import platform
import shlex
from dataclasses import asdict, dataclass

import keras
import numpy as np

import zoo
from apps.models import Choice, Opened
from apps.pictures import SIDE, Picture
from zoo import viz
from zoo.explain import command
from zoo.explain import question as questions
from zoo.explain.methods import METHODS
from zoo.explain.question import Drawn, Question

COLORMAPS = ("inferno", "viridis", "cividis")
"""Monotonous in lightness, so they read the same for colour-blind eyes and in print."""


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
    def title(self) -> str:
        return METHODS[self.question.method].title

    @property
    def name(self) -> str:
        """Name of the class that is explained, and of the one that it is held against."""
        classes, other = self.opened.predictor.classes, self.question.contrast
        return classes[self.question.target] + ("" if other is None else f" and not {classes[other]}")

    def frame(self) -> np.ndarray:
        """The picture to draw on. Squashing is undone by stretching the heat; after a crop or letterbox it is what the model saw."""
        return command.picture(self.image, self.opened.predictor, SIDE)

    def archive(self) -> bytes:
        """An .npz file: heat, image as the model saw it, probabilities."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, heat=self.heat, image=self.seen, probabilities=self.chances)
        return buffer.getvalue()

    def parameters(self, **drawn) -> str:
        """JSON of everything that is needed to draw the same picture again, by `zoo explain PICTURE --from FILE`."""
        predictor, question = self.opened.predictor, self.question
        model = {**asdict(self.choice), "sha256": self.opened.sha256, "note": predictor.note}
        picture = {"title": self.picture.title, "sha256": self.picture.sha256, "resized_to": predictor.size, "how": predictor.how}
        facts = questions.facts(model, picture, question, Drawn(**drawn, side=SIDE))
        facts["question"]["class"] = self.name
        facts["model"]["seed"] = None if self.choice.trained else questions.SEED
        facts["answer"] = {"probability": float(self.chances[question.target]), "heat": [float(self.heat.min()), float(self.heat.max())]}
        return json.dumps({**facts, "versions": versions(), "repeat": self.command(**drawn)}, indent=2)

    def command(self, **drawn) -> str:
        """What draws the same picture in a terminal."""
        question, weights = self.question, ["--weights", self.choice.weights] if self.choice.weights else []
        which = ["--run", self.choice.folder] if self.choice.kind == "run" else ["--model", self.choice.name, *weights]
        asked = ["--method", question.method, "--target", str(question.target)]
        given = {"contrast": question.contrast, "layer": question.layer, **drawn, "side": SIDE}
        asked += [word for name, value in given.items() if value is not None for word in (f"--{name}", str(value))]
        return shlex.join(["zoo", "explain", "PICTURE", *which, *asked])


def versions() -> dict[str, str]:
    python, backend = platform.python_version(), keras.backend.backend()
    return {"zoo": zoo.__version__, "keras": keras.__version__, "backend": backend, "numpy": np.__version__, "python": python}
