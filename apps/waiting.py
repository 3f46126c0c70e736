"""Maps that take a while: what they will cost is said before, how far they are meanwhile, and they can be stopped."""

from __future__ import annotations

import numpy as np
import streamlit as st

from apps import maps
from apps.models import Choice, Opened
from zoo.explain.cost import duration
from zoo.explain.methods import METHODS
from zoo.explain.question import Question

PATIENCE = 3.0
"""Seconds of work that are begun without asking."""


def heats(choice: Choice, image: np.ndarray, questions: list[Question], opened: Opened) -> list[np.ndarray]:
    """The map of each question; none where nothing was asked, or where the visitor has yet to say that the work is worth its time."""
    if not questions:
        st.info("Choose at least one method.", icon=":material/touch_app:")
        return []
    costs = {number: maps.cost(question, image, opened) for number, question in enumerate(questions)}
    st.caption("Cost: " + "; ".join(f"{METHODS[cost.method].title} {cost}" for cost in costs.values()) + ".")
    kept = {number: maps.heats().get(maps.key(choice, image, question)) for number, question in enumerate(questions)}
    missing = [number for number, heat in kept.items() if heat is None]
    seconds = sum(costs[number].seconds for number in missing)
    slot, long = st.empty(), seconds > PATIENCE
    if long and not _agreed(slot, questions, seconds):
        return []
    found = [_one(choice, image, question, opened, long) for question in questions]
    if long:
        slot.empty()
        st.session_state.pop("agreed", None)
    return found


def _agreed(slot, questions: list[Question], seconds: float) -> bool:
    """Whether the visitor has pressed the button for exactly this work, and not stopped it since."""
    asked = repr(questions)
    if st.session_state.get("agreed") == asked:
        # Outside every fragment: a press ends the script that computes, at its next sign of progress
        slot.button("Stop", icon=":material/stop_circle:", on_click=st.session_state.pop, args=("agreed",))
        return True
    slot.button(
        f"Compute, about {duration(seconds)}", icon=":material/hourglass_top:", on_click=st.session_state.update, args=({"agreed": asked},)
    )
    return False


def _one(choice: Choice, image: np.ndarray, question: Question, opened: Opened, tell: bool) -> np.ndarray:
    words = f"Computing {METHODS[question.method].title}"
    if not tell:
        with st.spinner(words):
            return maps.heat(choice, image, question, opened)
    bar = st.progress(0.0, words)
    heat = maps.heat(choice, image, question, opened, lambda done, total: bar.progress(done / total, f"{words}: {done} of {total}"))
    bar.empty()
    return heat
