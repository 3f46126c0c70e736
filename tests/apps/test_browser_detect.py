"""The pages of detectors in a real Chromium: boxes from an upload, and a written video that the browser plays."""

from __future__ import annotations

import json

import pytest

from tests.apps import detectors
from tests.apps.test_in_picture import png

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    pytest.importorskip("selenium", reason="selenium is not installed; pip install selenium")
    pytest.importorskip("av", reason="PyAV is not installed; pip install av")
    from tests.apps import page

    if not (page.BROWSER.exists() and page.DRIVER.exists()):
        pytest.skip(f"needs {page.BROWSER} and {page.DRIVER}: apt install chromium chromium-driver")
    root, downloads = detectors.written(tmp_path_factory.mktemp("runs")), tmp_path_factory.mktemp("downloads")
    with (
        page.server({"ZOO_RUNS": str(root), "ZOO_MIRROR": ""}) as address,
        page.chromium(tmp_path_factory.mktemp("profile"), downloads) as driver,
    ):
        yield page, driver, address, downloads


def test_boxes_from_an_upload(browser, tmp_path):
    page, driver, address, downloads = browser
    visit = page.Page(driver, address)
    visit.follow("What is in this picture?")
    (tmp_path / "mine.png").write_bytes(png())
    visit.upload(tmp_path / "mine.png")
    assert visit.picture(f"The picture with its objects: 1: {detectors.NAMES[0]}")
    found = json.loads(visit.download("Objects", downloads))["objects"]
    assert [each["class"] for each in found] == [detectors.NAMES[0]] * 2 + [detectors.NAMES[1]]
    assert visit.severe() == []


def test_the_browser_plays_the_video(browser):
    page, driver, address, downloads = browser
    visit = page.Page(driver, address)
    visit.follow("Watch a video")
    visit.wait.until(lambda _: any("Watch it" in button.text for button in visit.all("button")))
    next(button for button in visit.all("button") if "Watch it" in button.text).click()
    visit.first("video")
    facts = "const v = document.querySelector('video'); return v && v.readyState >= 2 ? [v.videoWidth, v.videoHeight, v.duration] : null"
    width, height, seconds = visit.wait.until(lambda _: driver.execute_script(facts), "the browser cannot play the video")
    assert (width, height) == (320, 240)
    assert seconds == pytest.approx(48 / 12, abs=0.1)
    assert visit.download("Video", downloads)[4:8] == b"ftyp"
    assert visit.severe() == []
