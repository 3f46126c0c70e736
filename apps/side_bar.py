"""What every page asks first, in the side bar: which picture, which model."""

from __future__ import annotations

import streamlit as st

from apps import models, pictures
from apps.wording import literal
from zoo import catalogue, download

LIMITS = "PNG, JPEG or WebP; at most 10 MB and 25 million pixels. It stays in the memory of this machine and is never stored."


def ask() -> tuple[models.Choice, pictures.Picture]:
    """The model and, above it, the picture that goes with it. Raises ImageError for a refused name."""
    with st.sidebar:
        above = st.container()
        choice = model()
        st.caption("Everything runs on this machine.")
        with above:
            return choice, picture(choice.scenes)


def picture(scene: bool) -> pictures.Picture:
    """An uploaded file, or else a sample, a generated `scene` first or a photograph. Raises ImageError for a refused name."""
    st.subheader("Picture")
    file = st.file_uploader("Your own picture", type="image", key="upload", help=LIMITS)
    titles = pictures.titles()
    first = len(pictures.PHOTOGRAPHS) if scene else 0
    title = st.selectbox("Or a sample", titles, index=first, key=f"sample-{scene}", disabled=file is not None)
    return pictures.sample(title) if file is None else pictures.upload(file.name, file.getvalue())


def model() -> models.Choice:
    """A finished run, or a row of the zoo. `?run=NAME` preselects a run among those that were found; it is never used as a path."""
    st.subheader("Model")
    runs = models.runs()
    wanted = st.query_params.get("run")
    if wanted is not None and wanted not in runs:
        st.warning(f"There is no finished run called “{literal(wanted)}”.")
    if not runs:
        st.info("No trained model yet. Run `make demo` (a few minutes), then reload this page.", icon=":material/school:")
        return _row()
    kinds = ("Trained run", "Model of the zoo")
    if st.segmented_control("Where from", kinds, default=kinds[0], required=True, key="kind", label_visibility="collapsed") == kinds[1]:
        return _row()
    names = list(runs)
    return runs[st.selectbox("Run", names, index=names.index(wanted) if wanted in runs else 0, key="run")]


def _row() -> models.Choice:
    rows = [entry.name for entry in catalogue.list_models()]
    name = st.selectbox("Architecture", rows, index=rows.index("small_cnn"), key="architecture")
    return models.Choice("zoo", name, weights=_weights(name))


def _weights(name: str) -> str | None:
    """A published tag, or None for random weights. Nothing is fetched before the button is pressed."""
    published = models.published(name)
    if not published:
        return None
    here = [tag for tag, record in published.items() if download.held(record.url)]
    tag = st.selectbox("Weights", [*here, "random", *(tag for tag in published if tag not in here)], key=f"weights-{name}")
    if tag == "random" or tag in here:
        return None if tag == "random" else tag
    record = published[tag]
    st.caption(f"Not on this machine yet; until then the weights are random. Licence: {record.licence}.")
    label = f"Download {record.limit / 1e6:,.0f} MB"
    return tag if st.button(label, icon=":material/download:", key=f"download-{name}-{tag}") else None
