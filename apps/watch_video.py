"""Watch a video: its objects found in every frame, followed by number and counted, and the video with their boxes to take home."""

from __future__ import annotations

import hashlib
import json

import streamlit as st

from apps import clips, detectors, wording
from apps.watching import Work
from apps.wording import literal
from zoo.locate import Locator
from zoo.video.report import called

WORK = "video work"
"""Place in the session: (what was asked, the work on it)."""
SHOWN = {"decode": "Decode", "detect": "Detect", "track": "Follow", "draw": "Draw", "encode": "Encode", "all": "All together"}


def main() -> None:
    st.title("Watch a video")
    st.markdown("A detector looks at every frame by itself. A tracker says which boxes are the same object, so that each counts once.")
    with st.sidebar:
        above = st.container()
        choice = detectors.ask()
        st.caption("Everything runs on this machine.")
    try:
        with above:
            clip = clips.ask()
        locator = detectors.open_detector(choice)
        if not locator.trained:
            st.warning(wording.RANDOM_BOXES, icon=":material/casino:")
        asked = ask()
        key = (choice, hashlib.sha256(clip.content).hexdigest(), *asked.values())
        work = current(key)
        if work is None:
            if st.button("Watch it", icon=":material/play_arrow:", key="watch", type="primary"):
                with st.spinner("Opening the video"):
                    st.session_state[WORK] = (key, Work(clip, locator, **asked))
                st.rerun()
        elif not work.finished:
            under_way(work)
        else:
            show(work, locator, choice)
    except (ValueError, OSError, ImportError) as error:  # every refusal of the zoo says what was wanted, what came and what to do
        st.error(literal(error, 600), icon=":material/error:")


def ask() -> dict:
    """How to look at it."""
    one, two, three = st.columns(3)
    threshold = one.slider("A box is sure from a score of", 0.1, 0.9, 0.4, 0.05, key="video threshold")
    every = two.number_input("Look at every so many frames", 1, 30, 1, key="every")
    most = three.number_input("Frames to look at, at most", 1, 3000, 300, key="most frames")
    line = None
    if st.toggle("Count what crosses a line", key="count line"):
        line = st.slider("Height of the line, from the top", 0.05, 0.95, 0.6, 0.05, key="line height")
    return {"threshold": threshold, "every": int(every), "most": int(most), "line": line}


def current(key: tuple) -> Work | None:
    """The work on exactly this; work on anything else is given up."""
    kept = st.session_state.get(WORK)
    if kept is None:
        return None
    if kept[0] == key:
        return kept[1]
    kept[1].close()
    del st.session_state[WORK]
    return None


@st.fragment(run_every=0.1)
def under_way(work: Work) -> None:
    """A moment of work per run of this fragment, so that Stop is heard."""
    try:
        work.step()
    except (ValueError, OSError) as error:
        work.close()
        del st.session_state[WORK]
        st.error(literal(error, 600), icon=":material/error:")
        return
    last = work.last
    if last is not None:
        share = min(1.0, last.done / last.total) if last.total else 0.0
        speed = work.report.frames / max(work.report.seconds, 1e-9)
        st.progress(share, text=f"Frame {last.done}{f' of {last.total}' if last.total else ''}, {speed:.1f} frames per second")
    if st.button("Stop here", icon=":material/stop:", key="stop video"):
        work.stop()
    if work.picture() is not None:
        st.image(work.picture(), alt=f"Frame {last.index} with its objects", width="stretch")
    if work.finished:
        st.rerun()


def show(work: Work, locator: Locator, choice) -> None:
    """The annotated video, the counts, the objects over time, and the files."""
    report = work.report
    if not report.complete:
        st.info(f"Stopped after {report.frames} frames.", icon=":material/stop:")
    if report.broken or report.missing:
        st.warning(f"The file is damaged: {report.broken + report.missing} frames could not be decoded.", icon=":material/broken_image:")
    left, right = st.columns([2, 1], gap="large")
    content = work.output.read_bytes()
    if report.plays:
        left.video(content, alt="The video with the boxes and numbers of its objects")
    else:
        left.info("This FFmpeg has no encoder that browsers play; download the video to see it.", icon=":material/info:")
    with right:
        st.subheader("Objects")
        objects = [{"Class": literal(called(kind, locator.classes)), "Objects": str(count)} for kind, count in report.objects().items()]
        if objects:
            st.table(objects)
        else:
            st.caption("Nothing was sure enough for two frames in a row.")
        for what, found in report.counts.get("line", {}).items():
            st.metric(f"Crossed the line, {'downwards' if what == 'forward' else 'upwards'}", sum(found.values()))
        st.subheader("Frames per second")
        st.table([{"Part": SHOWN[part], "Frames per second": f"{speed:.1f}"} for part, speed in report.fps.items()])
    one, two = left.columns(2)
    facts = json.dumps({**report.as_dict(locator.classes), "model": detectors.facts(choice, locator)}, indent=2)
    one.download_button("Video (MP4)", content, "seen.mp4", "video/mp4", icon=":material/movie:", on_click="ignore")
    two.download_button("Report (JSON)", facts, "report.json", "application/json", icon=":material/data_object:", on_click="ignore")
    over_time(work, locator)
    if st.button("Watch it again", icon=":material/replay:", key="again"):
        work.close()
        del st.session_state[WORK]
        st.rerun()


def over_time(work: Work, locator: Locator) -> None:
    """Mean number of objects in a frame, by class."""
    rows = work.report.timeline
    kinds = [kind for kind in (rows[-1] if rows else {}) if kind != "seconds"]
    if not kinds:
        return
    st.subheader("Objects over time")
    columns = {called(int(kind), locator.classes): [row.get(kind, 0.0) for row in rows] for kind in kinds}
    st.line_chart(
        {"seconds": [row["seconds"] for row in rows], **columns}, x="seconds", y=list(columns), y_label="objects in a frame", height=260
    )
    st.caption("Followed objects only: an object counts from the second frame in which it is seen.")


main()
