"""`zoo explain`: where a network looked, drawn over its pictures, by any method; what it will cost, and how far to trust it.

zoo explain cat.jpg --run runs/first_cnn --method integrated_gradients --target cat --contrast dog --trust
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo import atomic, explain, predict, viz
from zoo.data.decode import decode, resize
from zoo.explain import question as questions
from zoo.explain.methods import METHODS, Size, method
from zoo.explain.question import Drawn, Question

DEFAULT = "gradcam_plus_plus"
DECIDED = ("method", "target", "contrast", "layer", "options", "alpha", "colormap", "side", "weights")
"""Options that a parameters file decides."""


def run(options: argparse.Namespace) -> int:
    """Write PICTURE_METHOD.png for every picture, and what else was asked for. Raises ValueError or OSError with one line."""
    if options.method == "list":
        for row in METHODS.values():
            print(f"{row.name:22}{row.title}: {row.read}")
        return 0
    missing = [str(path) for path in options.images if not path.is_file()]
    if missing or not options.images:
        raise FileNotFoundError(f"no such picture: {', '.join(missing) or 'none was given'}")
    predictor, question, drawn, model, digest = _again(options) if options.parameters else _asked(options)
    print(predictor.note, file=sys.stderr)
    for path in options.images:
        content = path.read_bytes()
        if digest not in (None, hashlib.sha256(content).hexdigest()):
            print(f"{path} is not the picture of {options.parameters}: the same question about another one", file=sys.stderr)
        one(path, content, predictor, question, drawn, model, options)
    return 0


def one(path: Path, content: bytes, predictor, question: Question | None, drawn: Drawn, model: dict, options) -> None:
    """One picture: estimate, map, overlay, parameters, panel."""
    image = decode(content)
    batch = predictor.prepare([image])
    if question is None:
        question = _question(options, predictor, batch)
    question.check(predictor.model, len(predictor.classes))
    if options.estimate:
        print(f"{path}  {cost(predictor.model, question, batch)}")
        return
    height, width = batch.shape[1:3]
    if sum(method(question.method).cost(Size(height, width), **question.arguments())) > 1:
        print(f"{path}  {cost(predictor.model, question, batch)}", file=sys.stderr)  # before it runs, so that it can be stopped
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # an empty map and a doubtful method are told below, in one line each
        heat = question.heat(predictor.model, batch)[0]
    frame = picture(image, predictor, drawn.side)
    overlay = viz.overlay(frame, heat, drawn.alpha, drawn.colormap)
    if options.field:
        overlay = _with_field(overlay, predictor, batch, question)
    out = options.out / f"{path.stem}_{question.method}.png"
    options.out.mkdir(parents=True, exist_ok=True)
    atomic.write(out, viz.png(overlay))
    print(f"{out}  heat from {heat.min():.3g} to {heat.max():.3g}{'' if heat.max() > 0 else ': nothing speaks for this class'}")
    if options.json:
        seen = {"title": path.name, "sha256": hashlib.sha256(content).hexdigest()}
        facts = questions.facts(model, seen, question, drawn, answer={"heat": [float(heat.min()), float(heat.max())]})
        atomic.write(options.json, json.dumps(facts, indent=2))
        print(options.json)
    if options.trust:
        panel = explain.trust_panel(predictor.model, batch, question.method, question.asked(), **question.arguments())
        print(f"{method(question.method).title} {method(question.method).misleads}\n{panel.table()}")


def cost(model, question: Question, batch) -> explain.Cost:
    """What the question costs (see `estimate`)."""
    return explain.estimate(model, question.method, batch, target=question.asked(), **question.arguments())


def picture(image: np.ndarray, predictor, side: int) -> np.ndarray:
    """What the heat is drawn on: uint8 (h, w, 3). side: the longest side in pixels; 0 gives what the model saw, as large as it saw it.

    A squashed picture is shown unsquashed, under stretched heat; after a crop or letterbox it is shown as the model saw it.
    """
    seen = resize(image, predictor.size, predictor.how, crop=predictor.crop, interpolation=predictor.interpolation)
    return viz.readable(image if predictor.how == "squash" else seen, side) if side else seen


def _asked(options) -> tuple[Any, None, Drawn, dict, None]:
    """What the options ask for; the class is decided picture by picture."""
    if not options.run_folder and not options.model:
        raise ValueError("whose answer? name a model by --run FOLDER or --model NAME, or repeat a question by --from FILE")
    if options.run_folder:
        model = {"kind": "run", "name": Path(options.run_folder).name, "folder": str(options.run_folder), "weights": None}
    else:
        model = {"kind": "zoo", "name": options.model, "folder": "", "weights": options.weights}
    predict.check_asked(options)
    Question(options.method or DEFAULT, -1, layer=options.layer)  # what does not go together is refused before a model is opened
    predictor = opened(model)
    how = {name: getattr(options, name) for name in ("alpha", "colormap", "side") if getattr(options, name) is not None}
    return predictor, None, Drawn(**how), model | {"sha256": digest(model)}, None


def _again(options) -> tuple[Any, Question, Drawn, dict, str | None]:
    """What the parameters file asks for. It decides everything, so an option that would be ignored is refused."""
    stray = [f"--{name}" for name in DECIDED if getattr(options, name) is not None]
    if stray:
        raise ValueError(f"--from brings its own {', '.join(name[2:] for name in stray)}; leave out {', '.join(stray)}, or --from")
    model, picture, question, drawn = questions.read(options.parameters)
    predictor = opened(model)
    known = model.get("sha256")
    if known not in (None, digest(model)):
        raise ValueError(f"{model['folder']} holds another model than {options.parameters} was made with: it was trained again")
    return predictor, question, drawn, model, picture.get("sha256")


def opened(model: dict):
    """The predictor of {"kind": "run" or "zoo", "name", "folder", "weights"}. Random weights are the same ones every time."""
    if model["kind"] == "run":
        return predict.from_run(model["folder"])
    keras.utils.set_random_seed(questions.SEED)
    return predict.from_registry(model["name"], model.get("weights"))


def digest(model: dict) -> str | None:
    """What tells whether a run was trained again: the sha256 of its model."""
    return hashlib.sha256((Path(model["folder"]) / "model.keras").read_bytes()).hexdigest() if model["kind"] == "run" else None


def _question(options, predictor, batch) -> Question:
    target = _class(options.target, predictor.classes)
    if target is None:
        target = int(keras.ops.convert_to_numpy(predictor.model(batch, training=False))[0].argmax())
    extra = _object(options.options)
    name = options.method or DEFAULT
    method(name).options(extra)  # refuses what the method does not know
    return Question(name, target, _class(options.contrast, predictor.classes), options.layer, extra)


def _object(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ValueError(f"--options is a JSON object such as '{{\"steps\": 100}}', got {text}")
    return found


def _class(text: str | None, classes: tuple[str, ...]) -> int | None:
    if text is None:
        return None
    if text in classes:
        return classes.index(text)
    if text.isdigit() and int(text) < len(classes):
        return int(text)
    raise ValueError(f"there is no class {text!r}; classes: {', '.join(classes[:20])}{' ...' if len(classes) > 20 else ''}")


def _with_field(overlay, predictor, batch, question: Question) -> np.ndarray:
    """The overlay with the box that the hottest cell saw."""
    if not method(question.method).layer:
        with_layer = ", ".join(name for name, row in METHODS.items() if row.layer)
        raise ValueError(f"--field goes with methods that look at a layer, {with_layer}; {question.method} looks at the pixels")
    cells = question.heat(predictor.model, batch, resize=False)
    box = explain.hottest_field(predictor.model, batch, cells, question.layer)[0]
    scale = np.array([overlay.shape[1] / batch.shape[2], overlay.shape[0] / batch.shape[1]] * 2)
    return viz.outlined(overlay, box * scale, "seen by the hottest cell")
