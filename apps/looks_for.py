"""What does it look for? The image that a class or a channel likes best, the first filters, the maps inside, and what a cell sees."""

from __future__ import annotations

import numpy as np
import streamlit as st

from apps import liking, maps, models, pictures, side_bar, wording
from apps.wording import literal, short
from zoo import explain, viz

CHANNELS = 32
"""Filters and maps on one sheet."""
GAP = 10
"""Pixels between them."""


def main() -> None:
    st.title("What does it look for?")
    st.markdown("Look inside: what excites a class or a channel, and what the model makes of your picture on the way.")
    try:
        choice, picture = side_bar.ask()
        image = pictures.pixels(picture)
        with st.skeleton(height=420):
            opened = models.open_model(choice)
            seen = maps.seen(image, opened)
        if not choice.trained:
            st.warning(wording.RANDOM, icon=":material/casino:")
        views = {"Likes best": likes, "First filters": filters, "Feature maps": feature_maps, "What a cell sees": field}
        view = st.segmented_control("View", list(views), default="Likes best", required=True, label_visibility="collapsed", key="view")
        views[view](choice, opened, seen)
    except (ValueError, OSError) as error:  # every refusal of the zoo says what was wanted, what came and what to do
        st.error(literal(error, 600), icon=":material/error:")


def likes(choice: models.Choice, opened: models.Opened, seen: np.ndarray) -> None:
    """Activation maximisation, on a button because it takes a while."""
    what, which, how = st.columns(3)
    kinds = ["A class", "A channel"] if opened.layers else ["A class"]
    kind = what.segmented_control("Which unit", kinds, default=kinds[0], required=True, key="unit")
    if kind == "A class":
        names = opened.predictor.classes
        unit = which.selectbox("Class", range(len(names)), format_func=lambda index: short(names[index]), key=f"unit-{choice.name}")
        wish = liking.Wish(unit)
        title = short(names[unit])
    else:
        layer = which.selectbox("Layer", list(opened.layers), key=f"unit-layer-{choice.name}")
        last = liking.channels(opened, layer) - 1
        wish = liking.Wish(int(how.number_input(f"Channel, 0 to {last}", 0, last, 0, key=f"channel-{choice.name}-{layer}")), layer)
        title = f"channel {wish.unit} of {layer}"
    found = liking.find(choice, opened, wish)
    if found is None:
        return
    left, right = st.columns([2, 3])
    image, history = found
    left.image(viz.readable(image), caption=f"Found for {literal(title)}", alt=f"The image found for {title}", width="stretch")
    right.line_chart({"score": history}, x_label="step", y_label="score", height=260)
    right.markdown(
        f"The score rose from **{history[0]:.3g}** to **{history[-1]:.3g}**. The walk began at grey with a little noise; every step was "
        "shifted, blurred and smoothed, without which it ends in a pattern that no photograph has."
    )
    right.markdown("It shows one thing that excites this unit. That the unit looks for nothing else does not follow.")
    name = "liked.png"
    left.download_button("Image (PNG)", pictures.png(image), name, "image/png", icon=":material/image:", on_click="ignore")


def filters(choice: models.Choice, opened: models.Opened, seen: np.ndarray) -> None:
    found = explain.first_filters(opened.predictor.model)
    tiles = found.pictures()
    side = f"{found.weights.shape[1]}×{found.weights.shape[0]}"
    words = f"{_share(len(tiles))} filters of {found.layer}, {side} pixels"
    st.image(sheet(tiles[:CHANNELS], 96), caption=literal(words), alt=f"{words}, grey is zero", width="stretch")
    st.markdown("Grey is zero, colours are what a filter answers to. Trained ones show edges, bars and spots; noise has learned nothing.")


def feature_maps(choice: models.Choice, opened: models.Opened, seen: np.ndarray) -> None:
    layer = which_layer(choice, opened)
    if layer is None:
        return
    found = explain.feature_maps(opened.predictor.model, opened.predictor.prepare([seen]), layer)[0]
    blank = np.zeros((*found.shape[:2], 3), "uint8")
    tiles = [viz.heat(blank, found[..., channel] - found[..., channel].min()) for channel in range(min(found.shape[-1], CHANNELS))]
    rows, columns, channels = found.shape
    words = f"{_share(channels)} channels of {layer}, {columns}×{rows} cells each"
    drawn, beside = st.columns([3, 1])
    drawn.image(sheet(tiles, 96), caption=literal(words), alt=words, width="stretch")
    beside.image(viz.readable(seen, 200), caption="What the model sees", alt="The picture as the model sees it")
    beside.markdown("Each channel is stretched to its own range: compare shapes, not brightness.")
    dead = int((found.max((0, 1)) == found.min((0, 1))).sum())
    if dead:
        beside.markdown(f"{dead} channels are the same everywhere: this picture says nothing to them.")


def field(choice: models.Choice, opened: models.Opened, seen: np.ndarray) -> None:
    layer = which_layer(choice, opened)
    if layer is None:
        return
    found = explain.receptive_field(opened.predictor.model, layer, seen.shape[:2])
    rows, columns = found.map_size
    drawn, beside = st.columns([2, 1])
    key = f"{choice.name}-{layer}"
    row = beside.slider("Row of the cell", 0, rows - 1, rows // 2, key=f"row-{key}") if rows > 1 else 0
    column = beside.slider("Column of the cell", 0, columns - 1, columns // 2, key=f"column-{key}") if columns > 1 else 0
    frame = viz.readable(seen)
    box = np.array(found.box(row, column)) * ([frame.shape[1] / seen.shape[1], frame.shape[0] / seen.shape[0]] * 2)
    words = f"Cell ({row}, {column}) of {layer} sees the outlined part"
    drawn.image(viz.outlined(frame, box), caption=literal(words, 120), alt=words, width="stretch")
    beside.metric("Sees, pixels", f"{found.size[1]}×{found.size[0]}", help="Width and height, also beyond the border of the picture.")
    beside.metric("Step to the next cell", f"{found.stride[1]} px")
    if found.whole:
        beside.markdown("A gate or attention lets it see the whole picture besides.")
    beside.markdown("This is all that it can see; what it does see is a smaller blob around the centre.")


def which_layer(choice: models.Choice, opened: models.Opened) -> str | None:
    layers = list(opened.layers)
    if not layers:
        st.info("This model has no feature maps.", icon=":material/info:")
        return None
    return st.selectbox("Layer", layers, index=layers.index(opened.default), key=f"look-{choice.name}-{choice.stamp}")


def _share(total: int) -> str:
    return f"The first {CHANNELS} of {total}" if total > CHANNELS else f"All {total}"


def sheet(tiles, side: int, across: int = 8) -> np.ndarray:
    """Pictures uint8 (n, h, w, 3) as one, `across` in a row, each about `side` pixels wide, with gaps."""
    tiles = [viz.readable(np.asarray(tile), side) for tile in tiles]
    height, width = tiles[0].shape[:2]
    rows = -(-len(tiles) // across)
    board = np.full((rows * (height + GAP) - GAP, min(across, len(tiles)) * (width + GAP) - GAP, 3), 128, np.uint8)
    for number, tile in enumerate(tiles):
        y, x = (number // across) * (height + GAP), (number % across) * (width + GAP)
        board[y : y + height, x : x + width] = tile
    return board


main()
