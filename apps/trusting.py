"""The trust panel on the page: asked for by a button, one number per rerun of its fragment, so that it can be stopped at any time."""

from __future__ import annotations

import json
import warnings

import streamlit as st
from streamlit.errors import StreamlitAPIException

from apps.explanation import Answer
from apps.maps import key
from apps.wording import literal
from zoo import viz
from zoo.explain import trust
from zoo.explain.cost import duration
from zoo.explain.panel import COLUMNS, METHOD, ROWS, TITLES, TrustPanel

WORK, DONE = "trust work", "trust panels"
"""Places in the session: the plan that is under way with its number of finished steps, and the finished panels by question."""
MOST = 8
"""Finished panels that a visitor keeps."""


@st.fragment
def panel(answers: list[Answer]) -> None:
    """A button; then progress with another to stop; then the numbers."""
    st.subheader("How far can it be trusted?")
    titles = {answer.title: answer for answer in answers}
    answer = answers[0]
    if len(answers) > 1:
        chosen = st.segmented_control("Panel of", list(titles), default=answer.title, required=True, key=f"panel-{'-'.join(titles)}")
        answer = titles[chosen]
    place = key(answer.choice, answer.seen, answer.question)
    done: dict[tuple, TrustPanel] = st.session_state.setdefault(DONE, {})
    work = st.session_state.get(WORK)
    if place in done:
        show(done[place], answer)
    elif work is not None and work["place"] == place:
        step(work, done, place)
    else:
        st.session_state.pop(WORK, None)  # begun for another question
        st.markdown("A plausible map is no proof. The panel takes pixels away, adds noise and shuffles the weights of a copy of the model.")
        model, question = answer.opened.predictor.model, answer.question
        batch = answer.opened.predictor.prepare([answer.seen])
        found = trust.cost(model, batch, question.method, question.asked(), **question.arguments())
        label = f"Check this map, about {duration(found.seconds)}"
        st.button(label, icon=":material/fact_check:", key="check", on_click=begin, args=(answer, batch, place))


def begin(answer: Answer, batch, place: tuple) -> None:
    question = answer.question
    made = trust.plan(answer.opened.predictor.model, batch, question.method, question.asked(), heat=answer.heat, **question.arguments())
    st.session_state[WORK] = {"place": place, "plan": made, "finished": 0}


def step(work: dict, done: dict, place: tuple) -> None:
    """One step, and again. The press of a button is served between two steps."""
    steps = work["plan"].steps
    title, run = steps[work["finished"]]
    st.progress(work["finished"] / len(steps), f"{title} ({work['finished'] + 1} of {len(steps)})")
    st.button("Stop", icon=":material/stop_circle:", key="stop", on_click=st.session_state.pop, args=(WORK, None))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        run()
    work["finished"] += 1
    if work["finished"] == len(steps):
        done[place] = work["plan"].panel
        while len(done) > MOST:
            del done[next(iter(done))]
        st.session_state.pop(WORK, None)
    try:
        st.rerun(scope="fragment")
    except StreamlitAPIException:  # the whole page is being drawn, because something else was touched meanwhile
        st.rerun()


def show(found: TrustPanel, answer: Answer) -> None:
    """The sentence, the table with its baselines, the curves, and what each column asks."""
    st.markdown(f"**{found.verdict()}**")
    if found.completeness is not None:
        st.markdown(f"Its values add up to the change of the score but for {found.completeness:.2%}.")
    names = {METHOD: answer.title} | {row: TITLES[row] for row in ROWS[1:]}
    table = [
        {"": names[row]} | {f"{COLUMNS[c].title} {'↑' if COLUMNS[c].more else '↓'}": number(found.rows[row].get(c)) for c in found.columns}
        for row in ROWS
    ]
    st.table(table)
    figure = viz.trust(found.fractions, found.curves, names)
    st.pyplot(figure, width="stretch")
    st.caption(f"↑ more is better, ↓ less is better. Curves for {literal(answer.name, 120)}; areas in brackets.")
    with st.expander("What each column asks"):
        st.markdown("\n".join(f"- **{COLUMNS[column].title}**: {COLUMNS[column].asks}" for column in found.columns))
    facts = json.dumps({"question": answer.name, "method": answer.question.method, **found.as_dict()}, indent=2)
    st.download_button("Panel (JSON)", facts, "trust.json", "application/json", icon=":material/data_object:", on_click="ignore")


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
