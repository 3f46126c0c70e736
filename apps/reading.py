"""What stands beside the maps: what the model says, and how to read each method."""

from __future__ import annotations

import streamlit as st

from apps import wording
from apps.explanation import Answer
from apps.wording import literal
from zoo.explain.methods import METHODS


def top_five(answer: Answer) -> None:
    st.subheader("What the model says")
    for index in (-answer.chances).argsort(kind="stable")[:5]:
        chance = float(answer.chances[index])
        st.progress(min(max(chance, 0.0), 1.0), text=f"{literal(answer.opened.predictor.classes[index])}: {chance:.1%}")
    classes = len(answer.opened.predictor.classes)
    st.caption(f"{literal(answer.choice.name)}: {literal(answer.opened.predictor.note, 200)}.")
    st.caption(f"It has to choose among its {classes} classes, also for a picture of none of them.")


def how_to_read(answers: list[Answer]) -> None:
    st.subheader("How to read it")
    for answer in answers:
        row = METHODS[answer.question.method]
        st.markdown(f"**{row.title}.** {row.read} {row.misleads}")
        if row.blind:
            st.markdown(wording.BLIND[row.blind])
    answer = answers[0]
    (height, width), predictor = answer.image.shape[:2], answer.opened.predictor
    st.markdown(f"The model sees the {width}×{height} picture at {predictor.size[1]}×{predictor.size[0]} pixels.")
    st.markdown(wording.LIMITS)
