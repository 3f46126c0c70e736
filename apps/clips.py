"""Which videos a page looks at: samples that work without a network, or an upload that is distrusted until it is decoded."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
import streamlit as st

from apps import pictures
from zoo import download, video
from zoo.viz import readable

EXTENSIONS = ("mp4", "mov", "m4v", "webm", "mkv", "avi", "mpg", "mpeg")
"""What an upload may be called; its true format is found when it is opened."""
LARGEST = 200
"""Megabytes of an upload."""
ROAD = (
    "https://raw.githubusercontent.com/udacity/CarND-LaneLines-P1/ce5681be7ef8140560c0e464ef2da611e40b4fc9/test_videos/solidWhiteRight.mp4",
    "sha256:2d8e14b46fe89afbc8ad1f718685cf09b83e85a324095031c38186a9f0535417",
)
"""A motorway by Udacity (MIT licence): URL and digest."""
PAN, MOTORWAY = "A pan over a photograph", "A motorway (Udacity, MIT)"
PAN_FRAMES, PAN_RATE = 48, 12


@dataclass(frozen=True)
class Clip:
    """A video file: its title for people, its bytes, and the end of its name."""

    title: str
    content: bytes
    suffix: str = ".mp4"


def ask() -> Clip:
    """An uploaded file, or else a sample. Raises VideoError for a refused name."""
    st.subheader("Video")
    limits = f"MP4, MOV, WebM, MKV, AVI or MPEG; at most {LARGEST} MB. It stays on this machine and is deleted when you leave."
    file = st.file_uploader("Your own video", type="video", key="video upload", help=limits, max_upload_size=LARGEST)
    titles = [PAN, *([MOTORWAY] if download.held(ROAD[0]) else [])]
    title = st.selectbox("Or a sample", titles, index=len(titles) - 1, key="video sample", disabled=file is not None)
    if file is None:
        return sample(title)
    suffix = PurePath(file.name).suffix.lower()
    if suffix.lstrip(".") not in EXTENSIONS:
        raise video.VideoError(f"{file.name}: the name does not end as that of a video; wanted {', '.join(EXTENSIONS)}")
    return Clip(file.name, file.getvalue(), suffix)


@st.cache_data(max_entries=2, show_spinner="Preparing the sample")
def sample(title: str) -> Clip:
    """The sample called `title`. No network: a window glides over a photograph, or the motorway where its file is held."""
    if title == MOTORWAY:
        return Clip(title, download.fetch(ROAD[0], digest=ROAD[1]).read_bytes())
    photo = readable(pictures.pixels(pictures.sample("A cup of coffee")), 600)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pan.mp4"
        with video.Writer(path, PAN_RATE) as writer:
            for number in range(PAN_FRAMES):
                left = round((photo.shape[1] - 320) * number / (PAN_FRAMES - 1))
                top = round((photo.shape[0] - 240) * (0.5 + 0.5 * np.sin(number / 8)))
                writer.write(np.ascontiguousarray(photo[top : top + 240, left : left + 320]))
        return Clip(title, path.read_bytes())
