"""The map of concepts: every picture at the place that its features give it, and how far apart the classes are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from apps import figures, wording
from apps.wording import literal
from zoo import explain, viz
from zoo.explain.concepts import FEWEST
from zoo.explain.neighbours import SimilarityIndex

METHODS = {"PCA": "pca", "t-SNE": "tsne"}
"""Title on the page -> method of `zoo.explain.concept_map`."""


@st.fragment
def show(key: str, index: SimilarityIndex, names: Sequence[str], small: list[np.ndarray]) -> None:
    """The map and the table of classes. names: the class of every row; small: pictures to place; `key` tells this index from others."""
    st.subheader("The map of concepts")
    method = st.segmented_control("Method", list(METHODS), default="PCA", required=True, key="map_method", label_visibility="collapsed")
    fewest = FEWEST[METHODS[method]]
    if len(names) < fewest:
        st.info(f"A map by {method} needs at least {fewest} pictures, here are {len(names)}.", icon=":material/info:")
        return
    classes = sorted(set(names))
    labels = np.array([classes.index(name) for name in names])
    drawn = _drawn(key, method, figures.is_dark(), index, labels, classes, small)
    st.image(drawn, alt=f"Map by {method} of {len(labels)} pictures, coloured by {len(classes)} folders or classes", width="stretch")
    st.caption(wording.MAPS[method])
    if len(classes) > 1:
        with st.expander("How far apart are the classes?"):
            st.table(_distances(explain.centroid_distances(index.features, labels, classes)))
            st.caption("Distances between the means of the features. Where one is below the spread, the network mixes the two classes.")


@st.cache_data(max_entries=8, show_spinner="Drawing the map")
def _drawn(key: str, method: str, on_dark: bool, _index, _labels, _classes, _small) -> bytes:
    """A PNG file; `key`, method and colours name it."""
    places = explain.concept_map(_index.features, METHODS[method])
    return figures.png(viz.embedding(places, _labels, _classes, _small), on_dark)


def _distances(found: explain.Centroids) -> list[dict[str, str]]:
    return [
        {
            "Class": literal(name),
            "Pictures": str(found.counts[row]),
            "Spread": f"{found.spread[row]:.3f}",
            "Nearest": literal(found.classes[near]),
            "Its distance": f"{found.euclidean[row, near]:.3f}",
        }
        for row, (name, near) in enumerate(zip(found.classes, found.nearest, strict=True))
    ]
