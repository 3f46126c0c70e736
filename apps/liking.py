"""The image that a unit likes best: asked for by a button, with its cost before, progress meanwhile, and a button to stop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st

from apps.models import Choice, Opened
from zoo import explain
from zoo.explain import cost

STEPS = 96
FOUND, AGREED = "liked", "wish"
"""Places in the session: what was found by question, and the question that was agreed to."""
MOST = 12
"""Found images that a visitor keeps."""


@dataclass(frozen=True)
class Wish:
    """unit: the number of a class, or of a channel of `layer`."""

    unit: int
    layer: str | None = None

    def target(self):
        return self.unit if self.layer is None else explain.Channel(self.layer, self.unit)


def channels(opened: Opened, layer: str) -> int:
    """How many channels a layer has."""
    size = (1, *opened.predictor.size, opened.predictor.model.inputs[0].shape[-1])
    return cost.channels(opened.predictor.model, np.zeros(size, "float32"), layer)


def find(choice: Choice, opened: Opened, wish: Wish) -> tuple[np.ndarray, list[float]] | None:
    """(uint8 (h, w, 3), the score at every step); None before the visitor has said yes."""
    found: dict = st.session_state.setdefault(FOUND, {})
    if (choice, wish) in found:
        return found[choice, wish]
    model, size = opened.predictor.model, opened.predictor.size
    if st.session_state.get(AGREED) != (choice, wish):
        one = explain.estimate(model, "gradient", np.zeros((1, *size, model.inputs[0].shape[-1]), "float32"), target=0)
        label = f"Find it, about {cost.duration(STEPS * (one.gradient_seconds or 0))}"
        agree = {AGREED: (choice, wish)}
        st.button(label, icon=":material/search_insights:", on_click=st.session_state.update, args=(agree,), key="find")
        return None
    # A press ends the script that computes, at its next sign of progress
    st.button("Stop", icon=":material/stop_circle:", on_click=st.session_state.pop, args=(AGREED,), key="stop liking")
    bar = st.progress(0.0, "Looking")

    def tell(done: int, total: int) -> None:
        bar.progress(done / total, f"Step {done} of {total}")

    made = explain.maximise(model, wish.target(), size=size, steps=STEPS, progress=tell)
    image = np.rint(made.images[0]).astype(np.uint8)
    found[choice, wish] = np.broadcast_to(image, (*image.shape[:2], 3)), made.history[:, 0].astype(float).tolist()
    while len(found) > MOST:
        del found[next(iter(found))]
    st.session_state.pop(AGREED, None)
    st.rerun()
