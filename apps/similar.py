"""What is similar: the pictures of a folder nearest to one, the folder as a map of concepts, and its near duplicates."""

from __future__ import annotations

import numpy as np
import streamlit as st

from apps import concepts, indexing, models, pictures, shelves, side_bar, wording
from apps.wording import literal, short
from zoo import explain, viz
from zoo.data.decode import ImageError
from zoo.explain.neighbours import SimilarityIndex

GROUPS = 12
"""Of near duplicates that are shown."""


def main() -> None:
    st.title("What is similar?")
    st.markdown(
        "A network turns every picture into a list of numbers, its features. Pictures with like features look alike *to the network*."
    )
    with st.sidebar:
        shelf_place, above = st.container(), st.container()
        choice = side_bar.model()
        st.caption("Everything runs on this machine.")
    try:
        with shelf_place:
            shelf = ask_shelf()
        with above:
            picture = side_bar.picture(shelf.folder is None)
        image = pictures.pixels(picture)
        opened = models.open_model(choice)
        work = indexing.work(choice, shelf, opened.predictor)
        if not choice.trained:
            st.warning(wording.RANDOM_FEATURES, icon=":material/casino:")
        if not ready(work):
            build(work)
            return
        index, small = work.index()
        found = index.search(image, 5)
    except (ValueError, OSError, ImportError) as error:  # every refusal of the zoo says what was wanted, what came and what to do
        st.error(literal(error, 600), icon=":material/error:")
        st.stop()
    notes(shelf, work, index)
    strip(shelf, picture, image, found)
    classes = dict(zip(shelf.names, shelf.classes, strict=True))
    concepts.show(f"{choice}-{shelf}-{len(small)}", index, [classes[name] for name in index.names], small)
    duplicates(index, small)


def ask_shelf() -> shelves.Shelf:
    st.subheader("Where to look")
    titles = shelves.titles()
    title = st.selectbox(
        "Folder", list(titles), key="shelf", format_func=short, help=f"Whoever starts the app adds folders by {shelves.FOLDERS}."
    )
    return shelves.shelf(title, titles[title])


def ready(work: indexing.Work) -> bool:
    """Whether to show what there is: all, or what there was when the visitor pressed Stop. A small folder is ready at once."""
    if st.session_state.get("stopped_at") is work and work.done:
        return True
    if not work.done:
        with st.spinner("Looking at the first pictures"):
            work.step()
    return work.finished


@st.fragment(run_every=0.1)
def build(work: indexing.Work) -> None:
    """One step per run of this fragment, so that the page stays alive and Stop is heard."""
    st.progress(work.done / work.total, text=f"Looked at {work.done} of {work.total} pictures")
    if st.button("Stop here", icon=":material/stop:", key="stop"):
        st.session_state["stopped_at"] = work
        st.rerun()
    work.step()
    if work.finished:
        st.rerun()


def notes(shelf: shelves.Shelf, work: indexing.Work, index: SimilarityIndex) -> None:
    if not work.finished:
        st.info(f"Stopped after {work.done} of {work.total} pictures.", icon=":material/stop:")
        if st.button("Go on", icon=":material/play_arrow:", key="go_on"):
            del st.session_state["stopped_at"]
            st.rerun()
    if shelf.total > len(shelf.files):
        st.info(f"These are the first {len(shelf.files):,} of the {shelf.total:,} pictures of this folder.", icon=":material/info:")
    if index.skipped:
        st.warning(
            f"{len(index.skipped)} files cannot be used, the first: {literal(index.skipped[0], 200)}", icon=":material/broken_image:"
        )


def strip(shelf: shelves.Shelf, picture: pictures.Picture, image: np.ndarray, found) -> None:
    st.subheader("The nearest pictures")
    with st.container(horizontal=True):
        title = short(picture.title, 30)
        st.image(viz.readable(image, 320), caption=f"**Yours:** {literal(title)}", alt=f"The picture: {title}", width=120)
        for place, neighbour in enumerate(found, start=1):
            name, similar = short(neighbour.name, 30), f"{neighbour.similarity:.3f}"
            try:
                shown = viz.readable(shelf.picture(shelf.names.index(neighbour.name)), 320)
            except ImageError:  # deleted since it was looked at
                continue
            st.image(shown, caption=f"**{similar}** {literal(name)}", alt=f"Number {place}: {name}, similarity {similar}", width=120)
    st.caption("The number is the cosine of the angle between the features: 1 is the same direction. Compare it within one model only.")


@st.fragment
def duplicates(index: SimilarityIndex, small: list[np.ndarray]) -> None:
    st.subheader("Near duplicates")
    threshold = st.slider("Alike from a similarity of", 0.9, 1.0, 0.98, 0.001, format="%.3f", key="threshold")
    groups = explain.near_duplicates(index.features, threshold)
    if not groups:
        st.caption("No two pictures are that similar.")
        return
    counted = f"{len(groups)} group{'s' * (len(groups) > 1)}, {sum(map(len, groups))} pictures in all."
    st.caption(f"{counted} Look before you delete: alike to the network is not the same file.")
    for group in groups[:GROUPS]:
        with st.container(horizontal=True):
            for row in group[:8]:
                name = short(index.names[row], 24)
                st.image(small[row], caption=literal(name), alt=f"Near duplicate: {name}", width=96)


main()
