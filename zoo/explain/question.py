"""A question about one picture, as a file: everything that is needed to compute and draw the same map again, anywhere.

The pages write it, `zoo explain --json` writes it, and `zoo explain --from` reads it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from zoo.explain.compare import Contrast
from zoo.explain.methods import METHODS, method
from zoo.explain.places import find_layer

SEED = 0
"""Of the weights of a model without published ones, so that even their maps can be drawn again."""


@dataclass(frozen=True)
class Question:
    """method: a name of `METHODS`; target: the class; contrast: the class that it is asked about instead of, "why not b?", or None;
    layer: None for the default one and for methods that look at pixels; options: others of the method."""

    method: str
    target: int
    contrast: int | None = None
    layer: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        row = method(self.method)
        if self.layer is not None and not row.layer:
            with_layer = ", ".join(name for name, other in METHODS.items() if other.layer)
            raise ValueError(f"a layer goes with {with_layer}: {row.name} looks at the pixels; leave out the layer")
        if self.contrast == self.target:
            raise ValueError(f"a contrast needs two classes, got {self.target} twice")

    def asked(self):
        """The target object."""
        if self.contrast is None:
            return self.target
        return Contrast(self.target, self.contrast)

    def arguments(self) -> dict[str, Any]:
        """The options of the method's function."""
        return {**({"layer": self.layer} if self.layer is not None else {}), **self.options}

    def heat(self, model, images, **how) -> np.ndarray:
        """float32 (b, h, w), raw. Raises ValueError when it is not finite."""
        found = np.asarray(method(self.method).heat(model, images, self.asked(), **self.arguments(), **how))
        if not np.isfinite(found).all():
            raise ValueError(
                f"the {method(self.method).title} map holds NaN or infinity: the gradients of this model overflow; "
                "choose another method or layer"
            )
        return found

    def check(self, model, classes: int) -> None:
        """Raises ValueError for a class that the model does not have or an unknown layer."""
        for index in (self.target, self.contrast):
            if index is not None and not 0 <= index < classes:
                raise ValueError(f"the model has the classes 0 to {classes - 1}, got {index}")
        if self.layer is not None:
            find_layer(model, self.layer)


@dataclass(frozen=True)
class Drawn:
    """How the overlay is painted: opacity of the heat, colours, and the longest side in pixels; side 0 keeps what the model saw."""

    alpha: float = 0.5
    colormap: str = "inferno"
    side: int = 0


def read(path: Path) -> tuple[dict[str, Any], dict[str, Any], Question, Drawn]:
    """(model, picture, question, drawn) of a parameters file. Raises ValueError that names the file and what is wrong with it."""
    try:
        facts = json.loads(Path(path).read_text(encoding="utf-8"))
        asked = facts["question"]
        question = Question(**{name: asked[name] for name in ("method", "target", "contrast", "layer", "options") if name in asked})
        drawn = Drawn(**{name: value for name, value in facts["drawn"].items() if name in Drawn.__dataclass_fields__})
        model, picture = facts["model"], facts["picture"]
        if model["kind"] not in ("run", "zoo") or not isinstance(question.target, int) or isinstance(question.target, bool):
            raise ValueError("its model is of no known kind, or its class is no number")
        return model, picture, question, drawn
    except (ValueError, KeyError, TypeError) as error:
        reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else error
        raise ValueError(f"{path} is no file of parameters as the page or `zoo explain --json` writes it: {reason}") from error


def facts(model: Mapping, picture: Mapping, question: Question, drawn: Drawn, **more) -> dict[str, Any]:
    """What `read` reads, with `more` that people want to know."""
    return {"model": dict(model), "picture": dict(picture), "question": asdict(question), "drawn": asdict(drawn), **more}
