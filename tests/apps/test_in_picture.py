"""Every path of the page *What is in this picture?*, without a browser."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from apps import pictures
from tests.apps import detectors
from zoo.locate import Locator, from_run


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return detectors.written(tmp_path_factory.mktemp("detectors"))


@pytest.fixture
def page(root, monkeypatch) -> AppTest:
    monkeypatch.setenv("ZOO_RUNS", str(root))
    app = AppTest.from_file("../../apps/main.py", default_timeout=300)
    app.switch_page("in_picture.py")
    app.run()
    return send(app, png())


def png() -> bytes:
    """128x64: red from x 32 to 64, two cells of the letterboxed picture side by side; a little blue at the right."""
    pixels = np.full((64, 128, 3), 90, np.uint8)
    pixels[0:32, 32:96], pixels[32:64, 96:128] = (255, 0, 0), (30, 30, 230)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def send(app: AppTest, content: bytes) -> AppTest:
    app.file_uploader[0].set_value(("mine.png", content, "image/png"))
    return checked(app.run())


def checked(app: AppTest) -> AppTest:
    assert not app.exception, [found.value for found in app.exception]
    assert not app.error, [found.value for found in app.error]
    return app


def slider(app: AppTest, label: str):
    return next(found for found in app.slider if found.label.startswith(label))


def box(app: AppTest, label: str):
    return next(found for found in app.selectbox if found.label == label)


def objects(app: AppTest) -> list[str]:
    return box(app, "Point at").options[1:]


def test_the_colours_are_found_where_they_are(page):
    assert page.title[0].value == "What is in this picture?"
    assert [text.split(": ")[1].split(" · ")[0] for text in objects(page)] == [detectors.NAMES[0]] * 2 + [detectors.NAMES[1]]
    assert "3 objects" in [found.value for found in page.subheader]
    table = page.table[0].value
    assert table["Count"].tolist() == ["2", "1"]
    assert table["Class"].tolist() == [r"red \*thing\*", r"\<b\>blue\<\/b\>"]


def test_the_sliders_never_ask_the_network(page, monkeypatch):
    monkeypatch.setattr(Locator, "raw", lambda self, image: pytest.fail("the network was asked again"))
    before = len(objects(page))
    checked(slider(page, "Show boxes").set_value(0.95).run())
    assert len(objects(page)) < before
    checked(slider(page, "Show boxes").set_value(0.05).run())
    checked(slider(page, "Boxes of a class").set_value(0.05).run())
    assert len(objects(page)) >= before


def test_boxes_are_those_of_the_terminal(root, page):
    """The sliders of the page against the suppression inside the graph."""
    locator = from_run(root / "colours")
    image = pictures.pixels(pictures.Picture("mine.png", png()))
    (wanted,) = locator.locate([image], 0.25)
    rows = locator.raw(image).select(0.25, 0.5)
    raw = locator.raw(image)
    np.testing.assert_allclose(locator.back(raw.boxes[rows], image.shape[:2]), wanted.boxes)
    np.testing.assert_allclose(raw.scores[rows], wanted.scores, rtol=1e-6)
    np.testing.assert_array_equal(raw.classes[rows], wanted.classes)
    # The cells of the letterboxed picture are 32 pixels of the picture, whose rows 0 to 64 lie in the middle
    assert {tuple(found) for found in wanted.boxes.tolist()} == {(32, 0, 64, 32), (64, 0, 96, 32), (96, 32, 128, 64)}


def test_a_box_is_explained_by_its_own_pixels(page):
    checked(box(page, "Point at").select_index(3).run())
    assert any(found.value.startswith("Why a") for found in page.subheader)
    alts = [found.proto.imgs[0].alt or found.proto.alt for found in page.get("image")]
    assert any(alt.startswith(f"Saliency for {detectors.NAMES[1]} over the picture") for alt in alts)
    for method in ("gradcam_plus_plus", "input_x_gradient"):
        checked(box(page, "Method").set_value(method).run())


def test_a_map_is_zero_outside_of_the_cell_that_it_asks_about(root):
    from zoo import explain

    locator = from_run(root / "colours")
    image = pictures.pixels(pictures.Picture("mine.png", png()))
    raw = locator.raw(image)
    row = int(raw.select(0.25, 0.5)[0])
    heat = explain.saliency(locator.model, locator.prepare([image]), explain.BoxScore(int(raw.classes[row]), anchor=int(raw.anchors[row])))[
        0
    ]
    left, top, right, bottom = raw.boxes[row].astype(int)
    assert (heat[top:bottom, left:right] > 0).all()
    heat[top:bottom, left:right] = 0
    assert not heat.any()


def test_the_files(root, monkeypatch):
    files = detectors.downloads(monkeypatch)
    monkeypatch.setenv("ZOO_RUNS", str(root))
    app = AppTest.from_file("../../apps/main.py", default_timeout=300)
    app.switch_page("in_picture.py")
    app.run()
    send(app, png())
    facts = json.loads(files["objects.json"])
    assert [found["class"] for found in facts["objects"]] == [detectors.NAMES[0]] * 2 + [detectors.NAMES[1]]
    assert (facts["picture"]["width"], facts["picture"]["height"]) == (128, 64)
    assert Image.open(io.BytesIO(files["objects.png"])).width >= 480


def test_a_picture_of_nothing(page):
    buffer = io.BytesIO()
    Image.new("RGB", (50, 70), (90, 90, 90)).save(buffer, "PNG")
    send(page, buffer.getvalue())
    assert not objects(page)
    assert any("Nothing reaches this score" in found.value for found in page.caption)


def test_a_refused_picture_is_one_sentence(page):
    page.file_uploader[0].set_value(("garbage.png", b"garbage", "image/png"))
    page.run()
    assert not page.exception
    assert len(page.error) == 1


def test_random_weights_are_told(no_runs, monkeypatch):
    monkeypatch.setenv("ZOO_MIRROR", "")
    monkeypatch.setenv("ZOO_CACHE", str(no_runs))
    app = AppTest.from_file("../../apps/main.py", default_timeout=300)
    app.switch_page("in_picture.py")
    checked(app.run())
    assert box(app, "Architecture").value == "yolov8_style_micro"
    assert "Random weights: the boxes mean nothing" in app.warning[0].value


def test_a_classifier_is_not_offered(runs, monkeypatch):
    monkeypatch.setenv("ZOO_RUNS", str(runs))
    monkeypatch.setenv("ZOO_MIRROR", "")
    app = AppTest.from_file("../../apps/main.py", default_timeout=300)
    app.switch_page("in_picture.py")
    checked(app.run())
    assert not [found for found in app.selectbox if found.label == "Run"]
