"""Every path of the page *What does it look for?*, without a browser."""

from __future__ import annotations

import shutil
import time

import keras
import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from apps import liking
from tests.apps.conftest import CLASSES
from zoo import explain


@pytest.fixture
def page(runs, monkeypatch) -> AppTest:
    monkeypatch.setenv("ZOO_RUNS", str(runs))
    monkeypatch.setattr(liking, "STEPS", 3)
    app = AppTest.from_file("../../apps/main.py", default_timeout=300)
    app.run()
    return checked(app.switch_page("looks_for.py").run())


def checked(app: AppTest) -> AppTest:
    assert not app.exception, [found.value for found in app.exception]
    return app


def view(app: AppTest, name: str) -> AppTest:
    return checked(buttons(app, "View").set_value(name).run())


def buttons(app: AppTest, label: str):
    return next(found for found in app.get("button_group") if found.proto.label == label)


def box(app: AppTest, label: str):
    return next(found for found in app.selectbox if found.label == label)


def alts(app: AppTest) -> list[str]:
    return [found.proto.imgs[0].alt or found.proto.alt for found in app.get("image")]


def text(app: AppTest) -> str:
    return "\n".join(found.value for found in app.markdown)


def find(app: AppTest):
    return next(found for found in app.button if found.label.startswith("Find it, about"))


def test_the_image_that_a_class_likes_best_waits_for_a_button(page, runs):
    assert page.title[0].value == "What does it look for?"
    assert not alts(page)
    checked(box(page, "Class").select_index(3).run())
    checked(find(page).click().run())
    assert alts(page) == [f"The image found for {CLASSES[3]}"]
    model = keras.saving.load_model(runs / "micro_run" / "model.keras")
    alone = explain.maximise(model, 3, size=(32, 32), steps=3)
    assert f"rose from **{alone.history[0, 0]:.3g}** to **{alone.history[-1, 0]:.3g}**" in text(page)
    checked(box(page, "Class").select_index(1).run())
    assert not alts(page)
    checked(box(page, "Class").select_index(3).run())
    assert alts(page)  # kept


def test_a_channel_can_be_asked_for(page):
    checked(buttons(page, "Which unit").set_value("A channel").run())
    number = page.number_input[0]
    assert number.label.startswith("Channel, 0 to ")
    checked(number.set_value(2).run())
    checked(find(page).click().run())
    assert alts(page)[0].startswith("The image found for channel 2 of ")


def test_filters_maps_and_fields(page):
    view(page, "First filters")
    assert "filters of" in alts(page)[0]
    view(page, "Feature maps")
    assert "channels of stage2_pool, 8×8 cells each" in alts(page)[0]
    checked(box(page, "Layer").select("stage1_block0_conv").run())
    assert "channels of stage1_block0_conv" in alts(page)[0]
    view(page, "What a cell sees")
    assert alts(page)[0].startswith("Cell (")
    before = page.get("image")[0].value[0]
    row = next(found for found in page.slider if found.label == "Row of the cell")
    checked(row.set_value(0).run())
    assert page.get("image")[0].value[0] != before
    assert not page.error


def test_the_field_is_the_one_of_the_zoo(page, runs):
    view(page, "What a cell sees")
    model = keras.saving.load_model(runs / "micro_run" / "model.keras")
    field = explain.receptive_field(model, box(page, "Layer").value)
    metrics = {found.label: found.value for found in page.metric}
    assert metrics == {"Sees, pixels": f"{field.size[1]}×{field.size[0]}", "Step to the next cell": f"{field.stride[1]} px"}


def test_a_model_without_a_map_says_so(runs, tmp_path, monkeypatch):
    from zoo import predict

    image = keras.Input((32, 32, 3))
    flat = keras.Model(image, keras.layers.Dense(len(CLASSES))(keras.layers.Flatten()(image)), name="flat")
    folder = tmp_path / "flat"
    folder.mkdir()
    flat.save(folder / "model.keras")
    predict.save_labels(folder, CLASSES, (32, 32), trained_on="nothing")
    monkeypatch.setenv("ZOO_RUNS", str(tmp_path))
    app = AppTest.from_file("../../apps/main.py", default_timeout=300)
    app.run()
    checked(app.switch_page("looks_for.py").run())
    assert buttons(app, "Which unit").options == ["A class"]
    view(app, "First filters")
    assert "has no convolution" in app.error[0].value.replace("\\", "")
    for name in ("Feature maps", "What a cell sees"):
        view(app, name)
        assert "no feature maps" in app.info[0].value


def test_a_refused_picture_is_one_sentence(page):
    page.file_uploader[0].set_value(("garbage.png", b"garbage", "image/png"))
    checked(page.run())
    assert len(page.error) == 1
    assert "not a picture" in page.error[0].value


def test_a_run_that_was_trained_again_is_asked_again(runs, tmp_path, monkeypatch):
    """What was found for the old model is not shown for the new one."""
    shutil.copytree(runs / "micro_run", tmp_path / "run")
    monkeypatch.setenv("ZOO_RUNS", str(tmp_path))
    monkeypatch.setattr(liking, "STEPS", 2)
    app = AppTest.from_file("../../apps/main.py", default_timeout=300)
    app.run()
    checked(app.switch_page("looks_for.py").run())
    checked(find(app).click().run())
    assert alts(app)
    model = keras.saving.load_model(tmp_path / "run" / "model.keras")
    model.set_weights([array + 0.1 for array in model.get_weights()])
    model.save(tmp_path / "run" / "model.keras")
    now = time.time_ns()
    import os

    os.utime(tmp_path / "run" / "model.keras", ns=(now, now))
    checked(app.run())
    assert not alts(app)
    assert find(app)


def test_filters_are_the_weights():
    image = keras.Input((8, 8, 3))
    first = keras.layers.Conv2D(2, 3, name="first")
    x = keras.layers.Conv2D(4, 3)(first(keras.layers.Rescaling(1 / 255)(image)))
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(x))
    kernel = np.zeros((3, 3, 3, 2), "float32")
    kernel[0, 1, 0, 0], kernel[2, 2, 2, 0] = 0.5, -1.0
    first.set_weights([kernel, np.zeros(2)])
    found = explain.first_filters(model)
    assert found.layer == "first"
    np.testing.assert_array_equal(found.weights, kernel)
    pictures = found.pictures()
    assert pictures.shape == (2, 3, 3, 3)
    assert pictures[0, 0, 1].tolist() == [191, 128, 128]
    assert pictures[0, 2, 2].tolist() == [128, 128, 0]
    assert (pictures[1] == 128).all()
