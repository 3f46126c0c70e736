"""Every path of the page *Watch a video*, without a browser."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from apps import clips, watching
from tests.apps import detectors
from tests.apps.test_in_picture import checked
from zoo import video

pytest.importorskip("av", reason="PyAV is not installed; pip install av")
FRAMES = 14


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return detectors.written(tmp_path_factory.mktemp("detectors"))


@pytest.fixture(scope="module")
def street(tmp_path_factory) -> Path:
    """A red square of a cell rests, a blue one stands on another place; 64x64, 7 frames per second."""
    path = tmp_path_factory.mktemp("clips") / "street.mp4"
    with video.Writer(path, 7) as writer:
        for _ in range(FRAMES):
            image = np.full((64, 64, 3), 90, np.uint8)
            image[0:16, 16:32], image[32:48, 32:48] = (255, 0, 0), (0, 0, 255)
            writer.write(image)
    return path


@pytest.fixture
def taken(monkeypatch) -> dict[str, bytes | str]:
    return detectors.downloads(monkeypatch)


@pytest.fixture
def page(taken, root, street, monkeypatch) -> AppTest:
    monkeypatch.setenv("ZOO_RUNS", str(root))
    monkeypatch.setenv("ZOO_MIRROR", "")
    app = AppTest.from_file("../../apps/main.py", default_timeout=300)
    app.switch_page("watch_video.py")
    app.run()
    app.file_uploader[0].set_value(("street.mp4", street.read_bytes(), "video/mp4"))
    return checked(app.run())


def press(app: AppTest, label: str) -> AppTest:
    return checked(next(found for found in app.button if found.label == label).click().run())


def to_its_end(app: AppTest) -> AppTest:
    """A fragment that runs by itself is run by the visitor here."""
    for _ in range(200):
        if any(found.label == "Watch it again" for found in app.button):
            return app
        checked(app.run())
    pytest.fail("the work did not end")


def files() -> list[Path]:
    import tempfile

    return sorted(Path(tempfile.gettempdir()).glob("zoo-video-*"))


def test_a_video_from_the_button_to_the_files(page, taken, tmp_path):
    assert page.title[0].value == "Watch a video"
    before = files()
    to_its_end(press(page, "Watch it"))
    facts = json.loads(taken["report.json"])
    assert (facts["frames"], facts["complete"], facts["plays"]) == (FRAMES, True, True)
    assert facts["objects"] == dict.fromkeys(detectors.NAMES, 1)
    assert facts["model"]["kind"] == "run"
    (tmp_path / "seen.mp4").write_bytes(taken["seen.mp4"])
    assert video.facts(tmp_path / "seen.mp4").frames == FRAMES
    assert page.table[0].value["Objects"].tolist() == ["1", "1"]
    press(page, "Watch it again")
    assert files() == before  # nothing is left behind


def test_stopping_keeps_what_was_seen(page, taken, monkeypatch):
    monkeypatch.setattr(watching, "PATIENCE", 0)
    press(page, "Watch it")
    press(page, "Stop here")
    to_its_end(page)
    facts = json.loads(taken["report.json"])
    assert not facts["complete"]
    assert 0 < facts["frames"] < FRAMES
    assert "Stopped after" in page.info[0].value


def test_another_wish_gives_up_the_work(page, taken, monkeypatch):
    monkeypatch.setattr(watching, "PATIENCE", 0)
    before = files()
    press(page, "Watch it")
    assert len(files()) == len(before) + 1
    checked(next(found for found in page.number_input if found.label.startswith("Look at every")).set_value(3).run())
    assert files() == before
    to_its_end(press(page, "Watch it"))
    assert json.loads(taken["report.json"])["frames"] == 5


def test_a_line(page):
    checked(next(found for found in page.get("toggle") if found.label.startswith("Count what")).set_value(True).run())
    to_its_end(press(page, "Watch it"))
    assert {found.label: found.value for found in page.metric} == {"Crossed the line, downwards": "0", "Crossed the line, upwards": "0"}


@pytest.mark.parametrize(
    ("name", "words"), [("garbage.mp4", "cannot be opened as a video"), ("garbage.txt", "does not end as that of a video")]
)
def test_a_refused_video_is_one_sentence(page, name, words):
    page.file_uploader[0].set_value((name, b"garbage" * 50, "video/mp4"))
    page.run()
    if name.endswith("mp4"):
        next(found for found in page.button if found.label == "Watch it").click().run()
    assert not page.exception
    assert words in page.error[0].value.replace("\\", "")


def test_the_sample_needs_no_network(monkeypatch, tmp_path):
    monkeypatch.setenv("ZOO_MIRROR", "")
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    clip = clips.sample(clips.PAN)
    (tmp_path / "pan.mp4").write_bytes(clip.content)
    found = video.facts(tmp_path / "pan.mp4")
    assert (found.frames, found.rate, found.size) == (clips.PAN_FRAMES, clips.PAN_RATE, (240, 320))
