"""Explain a classifier: which parts of a picture speak for a class, by Grad-CAM, Grad-CAM++ or saliency."""

from __future__ import annotations

import numpy as np
import streamlit as st

from apps import explanation, models, pictures, side_bar, wording
from apps.explanation import Answer, Question
from apps.wording import literal, short
from zoo import viz


def main() -> None:
    st.title("Explain a classifier")
    st.markdown("Which parts of a picture speak for a class? Choose a picture and a model in the side bar, then ask.")
    with st.sidebar:
        above = st.container()
        choice = side_bar.model()
        st.caption("Everything runs on this machine.")
    try:
        with above:
            picture = side_bar.picture(choice.scenes)
        image = pictures.pixels(picture)
        opened = models.open_model(choice)
        seen = explanation.seen(image, opened)
        chances = explanation.probabilities(choice, seen, opened)
        if not choice.trained:
            st.warning(wording.RANDOM, icon=":material/casino:")
        question = ask(choice, opened, chances, picture)
        heat = explanation.heat(choice, seen, question, opened)
    except (ValueError, OSError) as error:  # every refusal of the zoo says what was wanted, what came and what to do
        st.error(literal(error, 600), icon=":material/error:")
        st.stop()
    answer = Answer(choice, opened, picture, question, image, seen, chances, heat)
    show(answer)
    left, right = st.columns(2, gap="large")
    with left:
        top_five(answer)
    with right:
        how_to_read(answer)


def ask(choice: models.Choice, opened: models.Opened, chances: np.ndarray, picture: pictures.Picture) -> Question:
    """Class (the predicted one first), method and layer. The keys name model and picture: a new one starts from its own defaults."""
    key = f"{choice.kind}-{choice.name}-{choice.weights}-{choice.stamp}"
    which, how, where = st.columns(3)
    target = which.selectbox(
        "Class to explain",
        [int(index) for index in (-chances).argsort(kind="stable")],
        format_func=lambda index: f"{short(opened.predictor.classes[index])} · {chances[index]:.1%}",
        key=f"class-{key}-{picture.sha256}",
    )
    layers = list(opened.layers)
    method = how.selectbox("Method", [name for name in explanation.METHODS if layers or name == "Saliency"], key="method")
    if method == "Saliency":
        where.selectbox("Layer", ["the pixels themselves"], disabled=True)
        return Question(method, target, None)
    start = layers.index(opened.default)
    layer = where.selectbox("Layer", layers, index=start, format_func=lambda name: layer_title(name, opened), key=f"layer-{key}")
    return Question(method, target, layer)


@st.fragment
def show(answer: Answer) -> None:
    """Input, heat and overlay. Opacity and colours live in this fragment: they repaint and never compute the map again."""
    drawn = st.container()
    opacity, colours = st.columns([5, 3])
    alpha = opacity.slider("Opacity of the heat", 0.0, 1.0, 0.5, 0.05, key="alpha")
    colormap = colours.segmented_control("Colours", explanation.COLORMAPS, default="inferno", required=True, key="colormap")
    frame, heat, name = answer.frame(), answer.heat, answer.name
    overlay = viz.overlay(frame, heat, alpha, colormap)
    left, middle, right = drawn.columns(3)
    left.image(frame, caption=literal(answer.picture.title), alt=f"The picture: {short(answer.picture.title)}", width="stretch")
    alt = f"Heat map of {answer.question.method} for the class {short(name)}, {explanation.region(heat)}"
    middle.image(viz.heat(frame, heat, colormap), caption=f"Heat, raw from {heat.min():.3g} to {heat.max():.3g}", alt=alt, width="stretch")
    scale = f"dark {min(0.0, heat.min()):.3g}, bright {heat.max():.3g}"
    middle.image(explanation.scale(colormap), caption=scale, alt=f"Colour scale: {scale}", width="stretch")
    caption = f"{answer.question.method} for {literal(name)}"
    right.image(overlay, caption=caption, alt=f"The picture under its heat map for the class {short(name)}", width="stretch")
    if heat.max() <= 0:
        drawn.info(wording.FLAT, icon=":material/info:")
    downloads(answer, overlay, alpha=alpha, colormap=colormap)


def downloads(answer: Answer, overlay: np.ndarray, **drawn) -> None:
    files = (
        ("Overlay (PNG)", pictures.png(overlay), "overlay.png", "image/png", ":material/image:"),
        ("Raw heat (npz)", answer.archive(), "heat.npz", "application/octet-stream", ":material/grid_on:"),
        ("Parameters (JSON)", answer.parameters(**drawn), "parameters.json", "application/json", ":material/data_object:"),
    )
    for column, (label, content, name, kind, icon) in zip(st.columns(3), files, strict=True):
        column.download_button(label, content, name, kind, icon=icon, on_click="ignore", width="stretch")


def top_five(answer: Answer) -> None:
    st.subheader("What the model says")
    for index in (-answer.chances).argsort(kind="stable")[:5]:
        chance = float(answer.chances[index])
        st.progress(min(max(chance, 0.0), 1.0), text=f"{literal(answer.opened.predictor.classes[index])}: {chance:.1%}")
    classes = len(answer.opened.predictor.classes)
    st.caption(f"{literal(answer.choice.name)}: {literal(answer.opened.predictor.note, 200)}.")
    st.caption(f"It has to choose among its {classes} classes, also for a picture of none of them.")


def how_to_read(answer: Answer) -> None:
    st.subheader("How to read it")
    st.markdown(wording.READ[answer.question.method])
    (height, width), predictor = answer.image.shape[:2], answer.opened.predictor
    st.markdown(f"The model sees the {width}×{height} picture at {predictor.size[1]}×{predictor.size[0]} pixels.")
    if answer.question.layer is not None:
        rows, columns = answer.opened.layers[answer.question.layer]
        cells = f"{columns}×{rows} cells" if rows and columns else "cells"
        st.markdown(f"One value for each of the {cells} of {literal(answer.question.layer)}, spread smoothly: finer edges are no evidence.")
    st.markdown(wording.LIMITS)


def layer_title(name: str, opened: models.Opened) -> str:
    rows, columns = opened.layers[name]
    cells = f" · {columns}×{rows} cells" if rows and columns else ""
    return f"{name}{cells}{' (default)' if name == opened.default else ''}"


main()
