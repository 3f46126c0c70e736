"""Why this answer? Which parts of a picture speak for a class, or for it rather than another, by up to four methods side by side."""

from __future__ import annotations

import numpy as np
import streamlit as st

from apps import explanation, maps, models, pictures, reading, side_bar, trusting, waiting, wording
from apps.explanation import Answer
from apps.wording import literal, short
from zoo import viz
from zoo.explain.methods import METHODS
from zoo.explain.question import Question

TITLE = "Why this answer?"
MOST = 4
"""Methods side by side."""


def main() -> None:
    st.title(TITLE)
    st.markdown("Which parts of a picture speak for a class? Choose a picture and a model in the side bar, then ask.")
    try:
        choice, picture = side_bar.ask()
        image = pictures.pixels(picture)
        with st.skeleton(height=420):
            opened = models.open_model(choice)
            seen = maps.seen(image, opened)
            chances = maps.probabilities(choice, seen, opened)
        if not choice.trained:
            st.warning(wording.RANDOM, icon=":material/casino:")
        questions = ask(choice, opened, chances, picture)
        heats = waiting.heats(choice, seen, questions, opened)
    except (ValueError, OSError) as error:  # every refusal of the zoo says what was wanted, what came and what to do
        st.error(literal(error, 600), icon=":material/error:")
        st.stop()
    answers = [
        Answer(choice, opened, picture, question, image, seen, chances, heat) for question, heat in zip(questions, heats, strict=False)
    ]
    if not answers:
        st.stop()
    show(answers)
    left, right = st.columns(2, gap="large")
    with left:
        reading.top_five(answers[0])
    with right:
        reading.how_to_read(answers)
    trusting.panel(answers)  # last: while it works, what stands above is complete


def ask(choice: models.Choice, opened: models.Opened, chances: np.ndarray, picture: pictures.Picture) -> list[Question]:
    """Class (the predicted one first), contrast, methods and layer. The keys name model and picture: a new one starts from its own."""
    key = f"{choice.kind}-{choice.name}-{choice.weights}-{choice.stamp}"
    which, other, where = st.columns(3)
    order = [int(index) for index in (-chances).argsort(kind="stable")]

    def named(index: int | None) -> str:
        return "no comparison" if index is None else f"{short(opened.predictor.classes[index])} · {chances[index]:.1%}"

    target = which.selectbox("Class to explain", order, format_func=named, key=f"class-{key}-{picture.sha256}")
    others = [None, *(index for index in order if index != target)]
    contrast = other.selectbox("And why not", others, format_func=named, key=f"contrast-{key}-{picture.sha256}-{target}")
    names = [name for name, row in METHODS.items() if opened.layers or not row.layer]
    chosen = st.multiselect("Methods", names, names[:1], format_func=title, max_selections=MOST, key=f"methods-{bool(opened.layers)}")
    layer = None
    if any(METHODS[name].layer for name in chosen):
        layers = list(opened.layers)
        start = layers.index(opened.default)
        layer = where.selectbox("Layer", layers, index=start, format_func=lambda name: layer_title(name, opened), key=f"layer-{key}")
    else:
        where.selectbox("Layer", ["the pixels themselves"], disabled=True)
    return [Question(name, target, contrast, layer if METHODS[name].layer else None) for name in chosen]


@st.fragment
def show(answers: list[Answer]) -> None:
    """The picture, the heats and the overlays. Opacity and colours live in this fragment: they repaint and never compute a map again."""
    drawn = st.container()
    opacity, colours = st.columns([5, 3])
    alpha = opacity.slider("Opacity of the heat", 0.0, 1.0, 0.5, 0.05, key="alpha")
    colormap = colours.segmented_control("Colours", explanation.COLORMAPS, default="inferno", required=True, key="colormap")
    frame, single = answers[0].frame(), len(answers) == 1
    columns = drawn.columns(3 if single else len(answers) + 1)
    title = answers[0].picture.title
    columns[0].image(frame, caption=literal(title), alt=f"The picture: {short(title)}", width="stretch")
    for answer, column in zip(answers, columns[2 if single else 1 :], strict=True):
        name, heat = answer.name, answer.heat
        caption = f"{answer.title} for {literal(name, 120)}"
        alt = f"The picture under its heat map for the class {short(name, 120)}" + ("" if single else f" by {answer.title}")
        column.image(viz.overlay(frame, heat, alpha, colormap), caption=caption, alt=alt, width="stretch")
        below = columns[1] if single else column
        alt = f"Heat map of {answer.title} for the class {short(name, 120)}, {explanation.region(heat)}"
        caption = f"Heat, raw from {heat.min():.3g} to {heat.max():.3g}"
        below.image(viz.heat(frame, heat, colormap), caption=caption, alt=alt, width="stretch")
        scale = f"dark {min(0.0, heat.min()):.3g}, bright {heat.max():.3g}"
        below.image(explanation.scale(colormap), caption=scale, alt=f"Colour scale: {scale}", width="stretch")
        if heat.max() <= 0:
            (drawn if single else column).info(wording.FLAT, icon=":material/info:")
    downloads(answers, alpha=alpha, colormap=colormap)


def downloads(answers: list[Answer], **drawn) -> None:
    answer = answers[0]
    if len(answers) > 1:
        titles = {found.title: found for found in answers}
        answer = titles[
            st.segmented_control("Files of", list(titles), default=answer.title, required=True, key=f"files-{'-'.join(titles)}")
        ]
    overlay = pictures.png(viz.overlay(answer.frame(), answer.heat, **drawn))
    files = (
        ("Overlay (PNG)", overlay, "overlay.png", "image/png", ":material/image:"),
        ("Raw heat (npz)", answer.archive(), "heat.npz", "application/octet-stream", ":material/grid_on:"),
        ("Parameters (JSON)", answer.parameters(**drawn), "parameters.json", "application/json", ":material/data_object:"),
    )
    for column, (label, content, name, kind, icon) in zip(st.columns(3), files, strict=True):
        column.download_button(label, content, name, kind, icon=icon, on_click="ignore", width="stretch")
    st.caption("The same picture in a terminal: `zoo explain PICTURE --from parameters.json`")


def title(name: str) -> str:
    return METHODS[name].title


def layer_title(name: str, opened: models.Opened) -> str:
    rows, columns = opened.layers[name]
    cells = f" · {columns}×{rows} cells" if rows and columns else ""
    return f"{name}{cells}{' (default)' if name == opened.default else ''}"


main()
