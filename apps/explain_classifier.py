"""Explain a classifier: which parts of a picture speak for a class, by Grad-CAM, Grad-CAM++ or saliency."""

from __future__ import annotations

import streamlit as st

from apps import explanation, models, pictures
from apps.explanation import Question, literal
from zoo import catalogue, viz
from zoo.data.decode import ImageError

READ = {
    "Grad-CAM": "**Bright** regions raise the score of this class: the layer's channels, each weighted by its mean gradient.",
    "Grad-CAM++": "**Bright** regions raise the score of this class; unlike Grad-CAM it does not average a small object away when there are several.",
    "Saliency": "**Bright** pixels change the score most when they change a little. It is noisy, and does not say in which direction.",
}
LIMITS = """
- A map shows *where* the score is sensitive, not *why*. A plausible map is no proof that the model is right.
- Ask about a second class. If its map looks the same, the map says little about either.
- The colours stretch from the lowest to the highest value of this one map, so compare the numbers, not the brightness, between maps.
"""


def main() -> None:
    st.title("Explain a classifier")
    st.markdown("Which parts of a picture speak for a class? Choose a picture and a model in the side bar, then ask.")
    with st.sidebar:
        picture = choose_picture()
        choice = choose_model()
    try:
        image = pictures.pixels(picture)
        opened = models.open_model(choice)
        seen = explanation.seen(image, opened)
        chances = explanation.probabilities(choice, seen, opened)
    except (ImageError, ValueError, OSError) as error:
        st.error(literal(error, 600), icon=":material/error:")
        st.stop()
    if not choice.trained:
        st.warning("**Random weights: the map means nothing.** This model has learned nothing yet; it only shows how the page works.", icon=":material/casino:")
    question = ask(choice, opened, chances, picture)
    heat = explanation.heat(choice, seen, question, opened)
    show(choice, opened, picture, question, image, seen, chances, heat)
    left, right = st.columns(2, gap="large")
    with left:
        top_five(opened, chances)
    with right:
        how_to_read(opened, question, picture, image)


def choose_picture() -> pictures.Picture:
    """A sample until a file is sent; a file that is refused says why and the sample stays."""
    st.subheader("Picture")
    file = st.file_uploader("Your own picture", type=pictures.TYPES, key="upload", help="PNG, JPEG or WebP; at most 10 MB and 25 million pixels. It stays in this machine's memory and is never stored.")
    title = st.selectbox("Or a sample", pictures.titles(), key="sample", disabled=file is not None)
    if file is None:
        return pictures.sample(title)
    try:
        return pictures.upload(file.name, file.getvalue())
    except ImageError as error:
        st.error(literal(error, 600), icon=":material/error:")
        st.stop()


def choose_model() -> models.Choice:
    """A finished run, or a row of the zoo. `?run=NAME` preselects a run among those that were found; it is never used as a path."""
    st.subheader("Model")
    found = models.runs()
    wanted = st.query_params.get("run")
    if wanted is not None and wanted not in found:
        st.warning(f"There is no finished run called “{literal(wanted)}”.")
    if not found:
        st.info("No trained model yet. Run `make demo` (a few minutes), then reload this page.", icon=":material/school:")
    kinds = (["Trained run"] if found else []) + ["Model of the zoo"]
    kind = st.segmented_control("Where from", kinds, default=kinds[0], required=True, key="kind", label_visibility="collapsed")
    if kind == "Trained run":
        names = list(found)
        return found[st.selectbox("Run", names, index=names.index(wanted) if wanted in found else 0, key="run")]
    rows = [entry.name for entry in catalogue.list_models()]
    return models.Choice("zoo", st.selectbox("Architecture", rows, index=rows.index("small_cnn"), key="architecture"))


def ask(choice: models.Choice, opened: models.Opened, chances, picture: pictures.Picture) -> Question:
    """Class (the predicted one first), method and layer. The keys name picture and model: a new one starts from its own defaults."""
    classes = opened.predictor.classes
    order = [int(i) for i in (-chances).argsort(kind="stable")]
    key = f"{choice.kind}-{choice.name}-{choice.stamp}"
    which, how, where = st.columns([5, 5, 6])
    target = which.selectbox("Class to explain", order, format_func=lambda i: f"{classes[i]} · {chances[i]:.1%}", key=f"class-{key}-{picture.sha256}")
    method = how.segmented_control("Method", list(explanation.METHODS), default="Grad-CAM", required=True, key="method")
    layers = list(opened.layers)
    layer = where.selectbox("Layer", layers, index=layers.index(opened.default), format_func=lambda name: _layer(name, opened), key=f"layer-{key}", disabled=method == "Saliency")
    return Question(method, target, None if method == "Saliency" else layer)


@st.fragment
def show(choice, opened, picture, question, image, seen, chances, heat) -> None:
    """Input, heat and overlay. Opacity and colours live in this fragment: they repaint and never compute the map again."""
    name = opened.predictor.classes[question.target]
    frame = pictures.shown(image if opened.predictor.how == "squash" else seen)
    drawn = st.container()
    opacity, colours = st.columns([5, 3])
    alpha = opacity.slider("Opacity of the heat", 0.0, 1.0, 0.5, 0.05, key="alpha")
    colormap = colours.segmented_control("Colours", explanation.COLORMAPS, default="inferno", required=True, key="colormap")
    wide = explanation.spread(heat, frame.shape)
    overlay = viz.overlay(frame, wide, alpha=alpha, colormap=colormap)
    left, middle, right = drawn.columns(3)
    left.image(frame, caption=literal(picture.title), alt=f"The picture: {picture.title}", width="stretch")
    middle.image(viz.overlay(frame, wide, alpha=1.0, colormap=colormap), caption=f"Heat, raw from {heat.min():.3g} to {heat.max():.3g}", alt=f"Heat map of {question.method} for the class {name}", width="stretch")
    right.image(overlay, caption=f"{question.method} for {literal(name)}", alt=f"The picture under its heat map for the class {name}", width="stretch")
    drawn.image(explanation.scale(colormap), caption=f"{heat.min():.3g} (dark) to {heat.max():.3g} (bright)", alt="Colour scale from the lowest to the highest heat", width="stretch")
    if heat.max() <= heat.min():
        drawn.info("The map is the same everywhere: nothing in this layer speaks for this class. Try an earlier layer or another class.")
    facts = explanation.parameters(choice, opened, picture, question, heat, float(chances[question.target]), alpha=alpha, colormap=colormap)
    downloads(overlay, explanation.archive(heat, seen, chances), facts)


def downloads(overlay, archive: bytes, facts: str) -> None:
    one, two, three = st.columns(3)
    one.download_button("Overlay (PNG)", pictures.png(overlay), "overlay.png", "image/png", on_click="ignore", icon=":material/image:", width="stretch")
    two.download_button("Raw heat (npz)", archive, "heat.npz", "application/octet-stream", on_click="ignore", icon=":material/grid_on:", width="stretch")
    three.download_button("Parameters (JSON)", facts, "parameters.json", "application/json", on_click="ignore", icon=":material/data_object:", width="stretch")


def top_five(opened: models.Opened, chances) -> None:
    st.subheader("What the model says")
    for index in (-chances).argsort(kind="stable")[:5]:
        st.progress(float(min(max(chances[index], 0), 1)), text=f"{literal(opened.predictor.classes[index])}: {chances[index]:.1%}")
    st.caption(literal(opened.predictor.note, 200))


def how_to_read(opened: models.Opened, question: Question, picture: pictures.Picture, image) -> None:
    st.subheader("How to read it")
    st.markdown(READ[question.method])
    height, width = opened.predictor.size
    st.markdown(f"The model sees the {image.shape[1]}×{image.shape[0]} picture at {width}×{height} pixels.")
    if question.layer is not None:
        st.markdown(f"Layer {_layer(question.layer, opened)}: one value per cell, spread smoothly. Edges finer than a cell are no evidence.")
    st.markdown(LIMITS)


def _layer(name: str, opened: models.Opened) -> str:
    rows, columns = opened.layers[name]
    cells = f" · {rows}×{columns} cells" if rows and columns else ""
    return f"{name}{cells}{' (default)' if name == opened.default else ''}"


main()
