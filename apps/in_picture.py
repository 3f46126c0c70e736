"""What is in this picture? Objects with a box, a name and a score; why the detector sees one; nothing is computed again by a slider."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass

import numpy as np
import streamlit as st

from apps import detectors, pictures, side_bar, wording
from apps.models import Choice
from apps.wording import literal, short
from zoo import explain, viz
from zoo.detect.raw import Raw
from zoo.explain.methods import METHODS
from zoo.locate import Locator

OFFERED = ("saliency", "input_x_gradient", "gradcam_plus_plus", "layercam")
"""Methods that explain a box within a second or two."""

ALL = -1
"""The choice of no box in particular."""


@dataclass(frozen=True, eq=False)
class Look:
    """A picture and what a detector said of it. image: uint8 (h, w, 3), as it was given."""

    choice: Choice
    locator: Locator
    picture: pictures.Picture
    image: np.ndarray
    raw: Raw

    def boxes(self, rows: np.ndarray) -> np.ndarray:
        """Boxes (n, 4) xyxy in pixels of the picture."""
        return self.locator.back(self.raw.boxes[rows], self.image.shape[:2])

    def name(self, row: int) -> str:
        return self.locator.classes[self.raw.classes[row]]

    def facts(self, rows: np.ndarray, threshold: float, iou: float) -> str:
        """JSON: picture, detector, sliders, and every object with its box in pixels of the picture."""
        height, width = self.image.shape[:2]
        objects = [
            {"class": self.name(row), "score": float(self.raw.scores[row]), "box": [float(edge) for edge in box]}
            for row, box in zip(rows.tolist(), self.boxes(rows), strict=True)
        ]
        picture = {"title": self.picture.title, "sha256": self.picture.sha256, "width": width, "height": height}
        model = detectors.facts(self.choice, self.locator)
        return json.dumps({"picture": picture, "model": model, "threshold": threshold, "iou": iou, "objects": objects}, indent=2)


def main() -> None:
    st.title("What is in this picture?")
    st.markdown("A detector puts a box around everything it knows, and says how sure it is.")
    with st.sidebar:
        above = st.container()
        choice = detectors.ask()
        st.caption("Everything runs on this machine.")
    try:
        with above:
            picture = ask_picture()
        image = pictures.pixels(picture)
        locator = detectors.open_detector(choice)
        raw = detectors.looked(choice, image, locator)
    except (ValueError, OSError) as error:  # every refusal of the zoo says what was wanted, what came and what to do
        st.error(literal(error, 600), icon=":material/error:")
        st.stop()
    if not locator.trained:
        st.warning(wording.RANDOM_BOXES, icon=":material/casino:")
    show(Look(choice, locator, picture, image, raw))


def ask_picture() -> pictures.Picture:
    """From the camera, a file or a sample. Raises ImageError for a refused name."""
    if st.toggle("Use the camera", key="camera on"):
        shot = st.camera_input("Take a picture", key="camera")
        if shot is not None:
            return pictures.Picture("From the camera", shot.getvalue())
    return side_bar.picture(False)


@st.fragment
def show(look: Look) -> None:
    """Sliders, the picture, the counts and the files. They live in this fragment and ask what the network said before."""
    sure, apart = st.columns(2)
    lowest = look.locator.floor
    threshold = sure.slider("Show boxes from a score of", lowest, 0.95, 0.25, 0.05, key="threshold")
    iou = apart.slider(
        "Boxes of a class may overlap by", 0.05, 0.95, 0.5, 0.05, key="iou", help="The weaker of two that overlap more goes."
    )
    rows = look.raw.select(threshold, iou)
    titles = [f"{number}: {short(look.name(row), 40)} · {look.raw.scores[row]:.0%}" for number, row in enumerate(rows.tolist(), start=1)]
    left, right = st.columns([2, 1], gap="large")
    with right:
        counts(look, rows)
        choices = [ALL, *range(len(rows))]
        picked = st.selectbox("Point at", choices, format_func=lambda n: "all of them" if n == ALL else titles[n], key="box")
    chosen = None if picked == ALL else picked
    drawn = annotated(look, rows, chosen)
    words = ", ".join(titles) or "nothing"
    left.image(drawn, caption=literal(look.picture.title), alt=f"The picture with its objects: {short(words, 400)}", width="stretch")
    one, two = left.columns(2)
    file = pictures.png(annotated(look, rows, None))
    one.download_button("Picture (PNG)", file, "objects.png", "image/png", icon=":material/image:", on_click="ignore")
    facts = look.facts(rows, threshold, iou)
    two.download_button("Objects (JSON)", facts, "objects.json", "application/json", icon=":material/data_object:", on_click="ignore")
    if chosen is not None:
        why(look, int(rows[chosen]))


def counts(look: Look, rows: np.ndarray) -> None:
    """How many of each class."""
    st.subheader(f"{len(rows)} object{'' if len(rows) == 1 else 's'}")
    kinds, numbers = np.unique(look.raw.classes[rows], return_counts=True)
    order = np.argsort(-numbers, kind="stable")
    if len(rows):
        st.table([{"Class": literal(look.locator.classes[kinds[place]]), "Count": str(numbers[place])} for place in order])
    else:
        st.caption("Nothing reaches this score. Lower it, or try another picture.")


def annotated(look: Look, rows: np.ndarray, chosen: int | None) -> np.ndarray:
    """The picture at a readable size with its boxes: uint8 (h, w, 3)."""
    frame = viz.readable(look.image, 960)
    scale = np.array([frame.shape[1] / look.image.shape[1], frame.shape[0] / look.image.shape[0]] * 2)
    names = list(look.locator.classes)
    wrong = None if chosen is None else [chosen]
    return viz.objects(frame, look.boxes(rows) * scale, look.raw.classes[rows], names, scores=look.raw.scores[rows], wrong=wrong)


def why(look: Look, row: int) -> None:
    """Which pixels speak for a box: a map of the score of its class at its anchor."""
    st.subheader(f"Why a {literal(look.name(row))}?")
    method = st.selectbox("Method", OFFERED, format_func=lambda name: METHODS[name].title, key="box method")
    model = look.locator.model
    layer = None
    if METHODS[method].layer:
        layers = list(explain.map_layers(model))
        layer = st.selectbox("Layer", layers, key=f"box layer {look.choice.name}")
    try:
        heat = heat_of(look.choice, look.image, int(look.raw.anchors[row]), int(look.raw.classes[row]), method, layer, look.locator)
    except ValueError as error:
        st.error(literal(error, 600), icon=":material/error:")
        return
    frame = viz.readable(look.image)
    box = look.boxes(np.array([row]))[0] * ([frame.shape[1] / look.image.shape[1], frame.shape[0] / look.image.shape[0]] * 2)
    drawn = viz.outlined(viz.overlay(frame, heat), box, look.name(row)) if heat.max() > 0 else frame
    title = f"{METHODS[method].title} for {look.name(row)}"
    left, right = st.columns([2, 1], gap="large")
    left.image(drawn, caption=literal(title), alt=f"{short(title)} over the picture", width="stretch")
    if heat.max() <= 0:
        right.info(wording.FLAT, icon=":material/info:")
    right.markdown(f"{METHODS[method].read} {METHODS[method].misleads}")
    right.markdown("The map asks about the score of this class at the one anchor that gave this box, before boxes suppress each other.")


@st.cache_data(max_entries=32, show_spinner="Computing the map")
def heat_of(choice: Choice, image: np.ndarray, anchor: int, kind: int, method: str, layer: str | None, _locator: Locator) -> np.ndarray:
    """float32 (h, w): the part of the map that shows the picture. Raises ValueError when it is not finite."""
    target = explain.BoxScore(kind, anchor=anchor)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the page says in words what is empty
        options = {"layer": layer} if layer is not None else {}
        heat = np.asarray(METHODS[method].heat(_locator.model, _locator.prepare([image]), target, **options))[0]
    if not np.isfinite(heat).all():
        raise ValueError("the map holds NaN or infinity: the gradients of this model overflow; choose another method or layer")
    return _locator.cut(heat, image.shape[:2])


main()
