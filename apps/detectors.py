"""Which detectors a page may open: finished runs that trained one, published networks, and rows of the zoo."""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np
import streamlit as st

from apps import models
from apps.models import Choice
from apps.wording import literal
from zoo import locate
from zoo.detect import ROWS, yolo_fastest
from zoo.detect.raw import Raw
from zoo.locate import Locator

SMALL = "yolov8_style_micro"
"""What is opened where nothing is trained: it guesses, at once."""


def ask() -> Choice:
    """A finished run, or a row. `?run=NAME` preselects a run, as on the other pages."""
    st.subheader("Detector")
    runs = {name: choice for name, choice in models.runs().items() if trains_boxes(choice.folder)}
    wanted = st.query_params.get("run")
    if wanted is not None and wanted not in runs:
        st.warning(f"There is no finished run of a detector called “{literal(wanted)}”.")
    kinds = ("Trained run", "Detector of the zoo")
    if runs and st.segmented_control("Where from", kinds, default=kinds[0], required=True, key="detector kind") == kinds[0]:
        names = list(runs)
        return runs[st.selectbox("Run", names, index=names.index(wanted) if wanted in runs else 0, key="detector run")]
    published = [yolo_fastest.NAME]
    rows = [*published, *sorted(ROWS)]
    first = yolo_fastest.NAME if yolo_fastest.here() else SMALL
    name = st.selectbox("Architecture", rows, index=rows.index(first), key="detector row")
    if name not in published:
        return Choice("zoo", name)
    if not yolo_fastest.here():
        st.caption("Its weights are not on this machine yet.")
        if not st.button("Download 4 MB", icon=":material/download:", key="download detector"):
            return Choice("zoo", SMALL)
    return Choice("zoo", name, weights=yolo_fastest.TAG)


def trains_boxes(folder: str) -> bool:
    """Whether the model of a run is a detector, by its configuration alone: nothing of it is built."""
    try:
        with zipfile.ZipFile(Path(folder) / models.FILES[0]) as archive, archive.open("config.json") as file:
            return json.load(file).get("class_name") == "Detector"
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return False


@st.cache_resource(max_entries=2, show_spinner="Opening the detector")
def open_detector(choice: Choice) -> Locator:
    """The detector of `choice`, shared by all visitors. Raises ValueError or OSError with the cure."""
    if choice.kind == "run":
        return locate.from_run(choice.folder)
    keras.utils.set_random_seed(0)  # random weights, but the same ones at every visit
    return locate.from_registry(choice.name, choice.weights)


@st.cache_data(max_entries=16, show_spinner="Looking")
def looked(choice: Choice, image: np.ndarray, _locator: Locator) -> Raw:
    """What the network says of a picture, before any threshold: the sliders of a page ask it and never the network."""
    return _locator.raw(image)


def facts(choice: Choice, locator: Locator) -> dict:
    """What a file of results says about the detector."""
    return {**asdict(choice), "note": locator.note, "size": list(locator.size), "how": locator.how}
