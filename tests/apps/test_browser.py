"""The page in a real Chromium, from the start of the server to the downloaded files."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from tests.apps.conftest import CLASSES

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser(runs, tmp_path_factory):
    pytest.importorskip("selenium", reason="selenium is not installed; pip install selenium")
    from tests.apps import page

    if not (page.BROWSER.exists() and page.DRIVER.exists()):
        pytest.skip(f"needs {page.BROWSER} and {page.DRIVER}: apt install chromium chromium-driver")
    downloads = tmp_path_factory.mktemp("downloads")
    with (
        page.server({"ZOO_RUNS": str(runs)}) as address,
        page.chromium(tmp_path_factory.mktemp("profile"), downloads) as driver,
    ):
        yield page, driver, address, downloads


def test_a_visit(browser, tmp_path):
    """Look, send a picture, ask about another class, take the files home, reload."""
    page, driver, address, downloads = browser
    visit = page.Page(driver, address)
    assert visit.title() == "Why this answer?"
    assert {bar.rpartition(": ")[0] for bar in visit.bars()} == set(CLASSES)  # as they are: no bold, no colour
    first = visit.picture("The picture under its heat map")

    pixels = np.zeros((60, 90, 3), "uint8")
    pixels[10:40, 20:50] = (255, 80, 0)
    Image.fromarray(pixels).save(tmp_path / "mine.png")
    visit.upload(tmp_path / "mine.png")
    assert visit.picture("The picture: mine.png")
    uploaded = visit.changed("The picture under its heat map", first)

    chosen = visit.choose("Class to explain", 2).rpartition(" · ")[0]
    visit.changed("The picture under its heat map", uploaded)
    assert visit.picture(f"The picture under its heat map for the class {chosen}")

    visit.add("Methods", "Saliency")
    assert visit.picture(f"The picture under its heat map for the class {chosen} by Saliency")
    visit.remove("Methods")
    assert visit.picture(f"The picture under its heat map for the class {chosen}")

    facts = json.loads(visit.download("Parameters", downloads))
    assert facts["question"]["class"] == chosen
    with np.load(io.BytesIO(visit.download("Raw heat", downloads)), allow_pickle=False) as stored:
        assert facts["answer"]["heat"] == [float(stored["heat"].min()), float(stored["heat"].max())]
    assert Image.open(io.BytesIO(visit.download("Overlay", downloads))).size == (630, 420)
    assert visit.severe() == []

    again = page.Page(driver, address)
    assert again.picture("The picture: Chelsea the cat")  # nothing of the upload is left


def test_a_refusal_is_one_sentence(browser, tmp_path):
    page, driver, address, _ = browser
    (tmp_path / "garbage.png").write_bytes(b"this is no picture")
    visit = page.Page(driver, address)
    visit.bars()
    visit.upload(tmp_path / "garbage.png")
    words = visit.refusal("not a picture")
    assert "Traceback" not in words
    assert visit.severe() == []


def test_every_page_opens_and_the_way_back_too(browser):
    page, driver, address, _ = browser
    visit = page.Page(driver, address)
    visit.bars()
    for name in visit.pages():
        visit.go(name)
        assert visit.wait.until(lambda _, name=name: visit.title() == name)
        assert not visit.all(page.ALERT) or "encountered an error" not in visit.all(page.ALERT)[0].text
    driver.back()
    visit.wait.until(lambda _: visit.title() == visit.pages()[-2])
    assert visit.severe() == []


def test_two_browsers_do_not_mix(browser, tmp_path):
    """Two visitors of one server: what the one chooses, the other does not see."""
    page, driver, address, downloads = browser
    with page.chromium(tmp_path / "other", downloads) as second:
        mine, theirs = page.Page(driver, address), page.Page(second, address)
        mine.bars()
        theirs.bars()
        before = mine.picture("The picture under its heat map")
        first = theirs.picture("The picture under its heat map")
        theirs.choose("Class to explain", 3)
        theirs.changed("The picture under its heat map", first)
        assert mine.picture("The picture under its heat map") == before
        mine.choose("Class to explain", 1)
        mine.changed("The picture under its heat map", before)
        assert theirs.severe() == []


def test_similar_pictures_and_architectures(browser, tmp_path):
    """Both pages by their links: an upload finds itself, a network is taken home, and the console stays clean."""
    page, driver, address, downloads = browser
    visit = page.Page(driver, address)
    visit.follow("What is similar?")
    assert visit.picture("Number 1: boat/0, similarity 1.000")
    assert visit.picture("Map by PCA of 60 pictures")
    before = visit.picture("The picture: A generated scene")
    Image.fromarray(np.full((40, 40, 3), (255, 80, 0), "uint8")).save(tmp_path / "mine.png")
    visit.upload(tmp_path / "mine.png")
    assert visit.picture("The picture: mine.png") != before
    visit.follow("How was it built?")
    assert visit.picture("Stages of resnet18")
    assert visit.download("Layers (CSV)", downloads).startswith(b"layer,kind,stage,output")
    visit.follow("What is similar?")
    assert visit.picture("The picture: A generated scene")  # nothing of the upload is left
    assert visit.severe() == []
