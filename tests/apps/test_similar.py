"""Every path of the page *What is similar?*, without a browser."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from apps import indexing, pictures, shelves
from zoo.data import backgrounds, scenes


@pytest.fixture
def page(runs, monkeypatch) -> AppTest:
    monkeypatch.setenv("ZOO_RUNS", str(runs))
    monkeypatch.delenv("ZOO_PICTURES", raising=False)
    return finished(opened())


@pytest.fixture
def folder(runs, tmp_path, monkeypatch) -> Path:
    """A folder of four photographs, one of them twice, that whoever starts the app names."""
    root = tmp_path / "holiday"
    for name, place in (
        ("chelsea.png", "cats"),
        ("coffee.png", "cups"),
        ("coffee.png", "cups/again"),
        ("rocket.jpg", "."),
        ("grass.png", "."),
    ):
        (root / place).mkdir(parents=True, exist_ok=True)
        shutil.copy(backgrounds.folder() / name, root / place / name)
    monkeypatch.setenv("ZOO_RUNS", str(runs))
    monkeypatch.setenv("ZOO_PICTURES", str(root))
    return root


def opened() -> AppTest:
    return checked(AppTest.from_file("../../apps/similar.py", default_timeout=120).run())


def finished(app: AppTest) -> AppTest:
    """As the browser does by itself: run again while pictures are looked at."""
    for _ in range(20):
        if not app.get("progress"):
            return app
        checked(app.run())
    raise AssertionError("the index does not get ready")


def checked(app: AppTest) -> AppTest:
    assert not app.exception, [found.value for found in app.exception]
    return app


def at(title: str) -> AppTest:
    app = opened()
    return finished(checked(box(app, "Folder").set_value(title).run()))


def box(app: AppTest, label: str):
    return next(found for found in app.selectbox if found.label == label)


def captions(app: AppTest) -> list[str]:
    return [found.captions[0] for found in app.get("image")]


def alts(app: AppTest) -> list[str]:
    return [found.proto.imgs[0].alt or found.proto.alt for found in app.get("image")]


def test_scenes_are_searched_before_anything_is_chosen(page):
    assert page.title[0].value == "What is similar?"
    assert box(page, "Folder").value == shelves.SCENES
    assert box(page, "Or a sample").value == "A generated scene"
    nearest = [text for text in alts(page) if text.startswith("Number ")]
    assert len(nearest) == 5
    assert any(text.startswith("Map by PCA of 60 pictures, coloured by 6") for text in alts(page))
    assert not page.error
    assert not page.warning
    assert all(alts(page))
    assert len(page.table[0].value) == 6


def test_the_nearest_are_those_of_the_model_alone(page, runs):
    """Keras' own pooling of the last map, and numpy's cosine."""
    model = keras.saving.load_model(runs / "micro_run" / "model.keras")
    vectors = keras.Model(model.input, model.get_layer("pool").output)

    def features(images):
        resized = np.stack([np.asarray(Image.fromarray(image).resize((32, 32), Image.Resampling.BILINEAR), "float32") for image in images])
        found = keras.ops.convert_to_numpy(vectors(resized))
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    query = pictures.pixels(pictures.sample("A generated scene"))
    shelf = [scenes.render(scenes.specify(row, scenes.Scenes(), "test"), 128).image for row in range(60)]
    similar = (features(shelf) @ features([query]).T)[:, 0]
    best = [f"**{similar[row]:.3f}** {scenes.CLASSES[row % 6]}\\/{row}" for row in (-similar).argsort(kind="stable")[:5]]
    assert captions(page)[1:6] == best


def test_the_map_can_be_drawn_another_way(page):
    before = [found.value[0] for found in page.get("image") if "Map by" in (found.proto.imgs[0].alt or found.proto.alt)]
    control = next(found for found in page.get("button_group") if found.proto.label == "Method")
    checked(control.set_value("t-SNE").run())
    after = [found.value[0] for found in page.get("image") if "Map by t-SNE" in (found.proto.imgs[0].alt or found.proto.alt)]
    assert len(after) == 1
    assert after != before


def test_photographs_of_the_zoo(page):
    box(page, "Folder").set_value(shelves.PHOTOGRAPHS).run()
    finished(page)
    box(page, "Or a sample").set_value("Chelsea the cat").run()
    finished(page)
    assert captions(page)[1].startswith("**1.000** chelsea")
    assert not page.error


def test_an_upload_is_the_question(folder):
    app = at("holiday")
    app.file_uploader[0].set_value(("mine.png", (folder / "cats" / "chelsea.png").read_bytes(), "image/png"))
    checked(app.run())
    assert captions(app)[0] == r"**Yours:** mine\.png"
    assert captions(app)[1] == r"**1.000** cats\/chelsea\.png"


def test_an_upload_that_is_no_picture_is_refused_with_one_reason(page):
    page.file_uploader[0].set_value(("mine.png", b"nothing", "image/png"))
    checked(page.run())
    assert len(page.error) == 1
    assert "not a picture" in page.error[0].value
    assert not page.get("image")
    page.file_uploader[0].clear()
    assert not checked(page.run()).error


def test_copies_are_found(folder):
    app = at("holiday")
    app.slider[0].set_value(1.0).run()
    checked(app)
    doubles = [text for text in alts(app) if text.startswith("Near duplicate")]
    assert sorted(doubles) == ["Near duplicate: cups/again/coffee.png", "Near duplicate: cups/coffee.png"]


def test_files_that_are_no_pictures_are_counted(folder):
    (folder / "broken.png").write_bytes(b"broken")
    app = at("holiday")
    assert "1 files cannot be used, the first: broken" in app.warning[0].value
    assert not app.error


def test_a_folder_without_a_usable_picture_is_refused(folder):
    shutil.rmtree(folder)
    folder.mkdir()
    assert "there is no picture in the folder holiday" in at("holiday").error[0].value
    (folder / "broken.png").write_bytes(b"broken")
    shelves.shelf.clear()
    app = at("holiday")
    assert "at least one picture" in app.error[0].value
    shutil.rmtree(folder)
    shelves.shelf.clear()
    app = at("holiday")
    assert len(app.error) == 1
    assert "there is no folder" in app.error[0].value


def test_too_few_pictures_for_a_map(folder):
    for name in ("cats", "cups"):
        shutil.rmtree(folder / name)
    (folder / "grass.png").unlink()
    app = at("holiday")
    assert "A map by PCA needs at least 2 pictures, here are 1" in app.info[0].value
    assert not app.error


def test_a_visitor_names_no_path(folder, tmp_path):
    """Folders come from the environment alone; there is nothing to type, and the address chooses nothing."""
    app = AppTest.from_file("../../apps/similar.py", default_timeout=120)
    app.query_params.update(shelf=str(tmp_path), folder="/etc")
    checked(app.run())
    assert box(app, "Folder").options == [shelves.SCENES, shelves.PHOTOGRAPHS, "holiday"]
    assert not app.text_input
    assert not app.text_area


def test_two_folders_of_one_name(folder, tmp_path, monkeypatch):
    other = tmp_path / "older" / "holiday"
    other.mkdir(parents=True)
    monkeypatch.setenv("ZOO_PICTURES", f"{folder}:{other}")
    assert list(shelves.titles())[2:] == ["holiday", "holiday in older"]


def test_a_long_look_can_be_stopped_and_goes_on(page, monkeypatch):
    indexing.work.clear()
    app = opened()
    assert app.get("progress")[0].text == "Looked at 16 of 60 pictures"
    checked(app.button(key="stop").click().run())
    assert "Stopped after" in app.info[0].value
    assert len([text for text in alts(app) if text.startswith("Number ")]) == 5
    finished(checked(app.button(key="go_on").click().run()))
    assert not app.info
    assert any("of 60 pictures" in text for text in alts(app))


def test_only_so_many_pictures_are_looked_at(folder, monkeypatch):
    monkeypatch.setattr(shelves, "MOST", 3)
    shelves.shelf.clear()
    app = at("holiday")
    assert "the first 3 of the 5 pictures" in app.info[0].value


@pytest.mark.usefixtures("no_runs")
def test_random_weights_are_said_to_be_random():
    assert "Random weights: similar means little" in finished(opened()).warning[0].value


def test_a_picture_that_went_away_is_left_out(folder):
    app = at("holiday")
    before = len(app.get("image"))
    (folder / "grass.png").unlink()
    checked(app.run())
    assert len(app.get("image")) == before - 1
    assert not app.error


def test_a_shelf_is_another_one_when_a_file_changes(folder):
    before = shelves.shelf("holiday", str(folder))
    buffer = io.BytesIO()
    Image.new("RGB", (9, 9)).save(buffer, "PNG")
    (folder / "grass.png").write_bytes(buffer.getvalue())
    shelves.shelf.clear()
    assert shelves.shelf("holiday", str(folder)) != before
