"""Every path of the page *Explain a classifier*, without a browser."""

from __future__ import annotations

import io
import shutil
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from apps import explanation, models, pictures
from tests.apps.conftest import CLASSES
from zoo import catalogue, download, explain
from zoo.weights.record import Record


@pytest.fixture
def page(runs, monkeypatch) -> AppTest:
    monkeypatch.setenv("ZOO_RUNS", str(runs))
    return opened()


def opened(**query) -> AppTest:
    app = AppTest.from_file("../../apps/main.py", default_timeout=120)
    app.query_params.update(query)
    return checked(app.run())


def checked(app: AppTest) -> AppTest:
    assert not app.exception, [found.value for found in app.exception]
    return app


def encoded(width: int, height: int, kind: str = "PNG", **options) -> bytes:
    pixels = np.random.default_rng(5).integers(0, 256, (height, width, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def box(app: AppTest, label: str):
    return next(found for found in app.selectbox if found.label == label)


def buttons(app: AppTest, label: str):
    return next(found for found in app.get("button_group") if found.proto.label == label)


def text(app: AppTest) -> str:
    return "\n".join(found.value for found in (*app.markdown, *app.caption))


def images(app: AppTest) -> dict[str, str]:
    """Caption -> address; the address is made from the content."""
    return {found.captions[0]: found.value[0] for found in app.get("image")}


def heat_of(app: AppTest) -> str:
    return next(address for caption, address in images(app).items() if caption.startswith("Heat"))


def bars(app: AppTest) -> list[str]:
    return [found.text for found in app.get("progress")]


def test_a_sample_is_explained_before_anything_is_chosen(page):
    assert page.title[0].value == "Explain a classifier"
    assert box(page, "Or a sample").value == "Chelsea the cat"
    assert len(images(page)) == 4
    assert len(bars(page)) == 5
    assert [found.label for found in page.get("download_button")] == ["Overlay (PNG)", "Raw heat (npz)", "Parameters (JSON)"]
    assert box(page, "Layer").value == "stage2_pool"
    assert any(option.endswith("(default)") and option.startswith("stage2_pool · 8×8") for option in box(page, "Layer").options)
    assert not page.error
    assert not page.warning
    assert "451×300 picture at 32×32" in text(page)
    assert all(found.proto.imgs[0].alt or found.proto.alt for found in page.get("image"))


def test_the_bars_are_what_the_model_alone_answers(page, runs):
    model = keras.saving.load_model(runs / "micro_run" / "model.keras")
    cat = Image.open(io.BytesIO(pictures.sample("Chelsea the cat").content)).resize((32, 32), Image.Resampling.BILINEAR)
    chances = keras.ops.convert_to_numpy(keras.ops.softmax(model(np.asarray(cat, "float32")[None])))[0]
    best = chances.argsort()[::-1]
    assert box(page, "Class to explain").options == [f"{CLASSES[i]} · {chances[i]:.1%}" for i in best]
    assert [bar.rpartition(": ")[2] for bar in bars(page)] == [f"{chances[i]:.1%}" for i in best]


def test_names_of_classes_are_shown_as_they_are(page):
    assert any(r"\<b\>dog\<\/b\>" in bar for bar in bars(page))
    assert any(r"a \*star\* \:red\[x\]" in bar for bar in bars(page))


@pytest.mark.parametrize("title", pictures.titles())
def test_every_sample_works(page, title):
    checked(box(page, "Or a sample").set_value(title).run())
    assert title in images(page)
    assert not page.error


@pytest.mark.parametrize(
    ("name", "kind"), [("mine.png", "PNG"), ("MINE.JPG", "JPEG"), ("mine.jpeg", "JPEG"), ("mine.webp", "WEBP"), ("x.jpg", "PNG")]
)
def test_an_upload_replaces_the_sample(page, name, kind):
    page.file_uploader[0].set_value((name, encoded(50, 40, kind), "image/png"))
    checked(page.run())
    assert not page.error
    assert box(page, "Or a sample").disabled
    assert "50×40 picture" in text(page)
    assert name.partition(".")[0] in " ".join(images(page))


def test_an_upload_is_turned_upright(page):
    exif = Image.Exif()
    exif[0x0112] = 6
    page.file_uploader[0].set_value(("turned.jpg", encoded(50, 40, "JPEG", exif=exif), "image/jpeg"))
    assert "40×50 picture" in text(checked(page.run()))


def bomb() -> bytes:
    buffer = io.BytesIO()
    Image.new("1", (6000, 5000)).save(buffer, "PNG")
    return buffer.getvalue()


REFUSED = {
    "wrong extension": ("notes.gif", b"GIF89a", "PNG, JPEG or WebP"),
    "no extension": ("picture", encoded(20, 20), "PNG, JPEG or WebP"),
    "garbage": ("garbage.png", bytes(range(200)), "not a picture"),
    "a page": ("page.png", b"<!doctype html><html></html>", "HTML"),
    "another format": ("really.png", encoded(20, 20, "GIF"), "GIF"),
    "too many pixels": ("bomb.png", bomb(), "25 million"),
    "too long a side": ("long.png", encoded(8, 8200), "8192"),
    "too many bytes": ("big.png", encoded(20, 20) + bytes(10_000_000), "10 MB"),
    "truncated PNG": ("half.png", encoded(200, 200)[:20_000], "truncated"),
    "truncated JPEG": ("half.jpg", encoded(200, 200, "JPEG")[:-200], "truncated"),
    "empty": ("empty.png", b"", "empty"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_cannot_be_used_is_refused_with_one_reason(page, case):
    name, content, reason = REFUSED[case]
    page.file_uploader[0].set_value((name, content, "image/png"))
    checked(page.run())
    assert len(page.error) == 1
    assert reason in page.error[0].value.replace("\\", "")
    assert not images(page)
    assert box(page, "Run").value == "micro_run"


def test_after_a_refusal_the_page_goes_on(page):
    page.file_uploader[0].set_value(("garbage.png", b"garbage", "image/png"))
    assert page.run().error
    page.file_uploader[0].clear()
    checked(page.run())
    assert not page.error
    assert len(images(page)) == 4


def test_another_class_gives_another_map(page):
    before = heat_of(page)
    first, second = box(page, "Class to explain").options[:2]
    checked(box(page, "Class to explain").select(second).run())
    assert heat_of(page) != before
    title = next(caption.replace("\\", "") for caption in images(page) if caption.startswith("Grad-CAM for"))
    assert title == f"Grad-CAM for {second.partition(' ·')[0]}" != f"Grad-CAM for {first.partition(' ·')[0]}"


def test_another_picture_starts_from_its_own_predicted_class(page):
    box(page, "Class to explain").select_index(3).run()
    checked(box(page, "Or a sample").set_value("A rocket launch").run())
    assert box(page, "Class to explain").index == 0


def test_every_method_and_every_layer_gives_a_map(page):
    seen = set()
    for method in ("Grad-CAM", "Grad-CAM++"):
        checked(box(page, "Method").set_value(method).run())
        for layer in ("stage2_pool", "stage1_block0_conv"):
            checked(box(page, "Layer").set_value(layer).run())
            seen.add(heat_of(page))
            assert not page.error
    checked(box(page, "Method").set_value("Saliency").run())
    assert box(page, "Layer").disabled
    seen.add(heat_of(page))
    assert len(seen) == 5


def test_the_raw_range_is_shown(page, runs):
    model = keras.saving.load_model(runs / "micro_run" / "model.keras")
    cat = Image.open(io.BytesIO(pictures.sample("Chelsea the cat").content)).resize((32, 32), Image.Resampling.BILINEAR)
    heat = explain.gradcam(model, np.asarray(cat, "float32")[None])[0]
    assert f"Heat, raw from {heat.min():.3g} to {heat.max():.3g}" in images(page)
    assert f"dark 0, bright {heat.max():.3g}" in images(page)


def test_opacity_and_colours_repaint_without_a_new_map(page, monkeypatch):
    before, heat = images(page), heat_of(page)

    def forbidden(*arguments, **options):
        raise AssertionError("the map was computed again")

    for name in explanation.METHODS.values():
        monkeypatch.setattr(explain, name, forbidden)
    checked(page.slider[0].set_value(0.9).run())
    overlay = next(caption for caption in before if caption.startswith("Grad-CAM for"))
    assert images(page)[overlay] != before[overlay]
    assert heat_of(page) == heat
    checked(buttons(page, "Colours").set_value("viridis").run())
    assert heat_of(page) != heat


def test_a_run_is_preselected_by_the_address_and_never_opened_as_a_path(runs, tmp_path, monkeypatch):
    for name in ("older", "newer"):
        shutil.copytree(runs / "micro_run", tmp_path / name)
    monkeypatch.setenv("ZOO_RUNS", str(tmp_path))
    assert box(opened(run="older"), "Run").value == "older"
    assert box(opened(run="newer"), "Run").value == "newer"
    strange = opened(run=f"../{tmp_path.name}/older")
    assert "no finished run" in strange.warning[0].value
    assert box(strange, "Run").value in ("older", "newer")


def test_a_run_that_is_not_finished_is_not_offered(runs, tmp_path, monkeypatch):
    shutil.copytree(runs / "micro_run", tmp_path / "begun")
    (tmp_path / "begun" / "model.keras").unlink()
    monkeypatch.setenv("ZOO_RUNS", str(tmp_path))
    assert models.runs() == {}
    monkeypatch.setenv("ZOO_RUNS", str(runs / "micro_run"))
    assert list(models.runs()) == ["micro_run"]


def test_a_run_trained_on_scenes_begins_with_a_scene(runs, tmp_path, monkeypatch):
    from zoo import predict

    shutil.copytree(runs / "micro_run", tmp_path / "on_scenes")
    predict.save_labels(tmp_path / "on_scenes", CLASSES, (32, 32), trained_on="scenes")
    monkeypatch.setenv("ZOO_RUNS", str(tmp_path))
    assert box(opened(), "Or a sample").value == "A generated scene"


def test_a_damaged_run_says_what_to_do(runs, tmp_path, monkeypatch):
    shutil.copytree(runs / "micro_run", tmp_path / "torn")
    whole = (tmp_path / "torn" / "model.keras").read_bytes()
    (tmp_path / "torn" / "model.keras").write_bytes(whole[: len(whole) // 2])
    monkeypatch.setenv("ZOO_RUNS", str(tmp_path))
    page = opened()
    assert "run the project again" in page.error[0].value
    assert not images(page)


def test_a_run_whose_names_do_not_fit_its_model_is_refused(runs, tmp_path, monkeypatch):
    from zoo import predict

    shutil.copytree(runs / "micro_run", tmp_path / "mixed")
    predict.save_labels(tmp_path / "mixed", CLASSES[:3], (32, 32), trained_on="nothing")
    monkeypatch.setenv("ZOO_RUNS", str(tmp_path))
    assert "5 outputs" in opened().error[0].value


@pytest.mark.usefixtures("no_runs")
def test_without_a_run_the_page_tells_how_to_get_one_and_says_that_weights_are_random():
    page = opened()
    assert "make demo" in page.info[0].value
    assert box(page, "Architecture").options == [entry.name for entry in catalogue.list_models()]
    assert "Random weights: the map means nothing" in page.warning[0].value
    assert len(images(page)) == 4
    assert len(bars(page)) == 5


@pytest.fixture
def micro_row(monkeypatch):
    """The catalogue does not list the rows for tests."""
    rows = [SimpleNamespace(name=name) for name in ("small_cnn", "small_cnn_micro")]
    monkeypatch.setattr(catalogue, "list_models", lambda: rows)


@pytest.mark.usefixtures("micro_row")
def test_a_row_of_the_zoo_beside_a_run(page):
    checked(buttons(page, "Where from").set_value("Model of the zoo").run())
    checked(box(page, "Architecture").set_value("small_cnn_micro").run())
    assert "Random weights" in page.warning[0].value


RECORD = Record(
    models=("small_cnn_micro",),
    tag="test",
    url="https://weights.invalid/a/b.h5",
    digest="sha256:" + "0" * 64,
    format="keras_h5",
    licence="CC0-1.0",
    parameters=1000,
    bytes=7_000_000,
)


@pytest.fixture
def published(no_runs, micro_row, tmp_path, monkeypatch):
    """The micro row has published weights; asking for them is recorded, not done."""
    asked = []

    def from_registry(name, weights=None):
        asked.append((name, weights))
        return original(name)

    original = models.predict.from_registry
    monkeypatch.setattr(models, "published", lambda name: {"test": RECORD} if name == "small_cnn_micro" else {})
    monkeypatch.setattr(models.predict, "from_registry", from_registry)
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    models.open_model.clear()
    yield asked
    models.open_model.clear()


def test_weights_are_fetched_only_when_the_button_is_pressed(published):
    page = opened()
    checked(box(page, "Architecture").set_value("small_cnn_micro").run())
    assert box(page, "Weights").value == "random"
    checked(box(page, "Weights").set_value("test").run())
    assert ("small_cnn_micro", "test") not in published
    assert "Random weights" in page.warning[0].value
    button = next(found for found in page.button if found.label == "Download 7 MB")
    checked(button.click().run())
    assert ("small_cnn_micro", "test") in published


def test_weights_that_are_here_are_used_at_once(published):
    place = download.cache_folder() / "weights.invalid" / "a" / "b.h5"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"weights")
    page = opened()
    checked(box(page, "Architecture").set_value("small_cnn_micro").run())
    assert ("small_cnn_micro", "test") in published
    assert not page.warning


def test_a_mirror_folder_counts_as_here(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ZOO_MIRROR", str(tmp_path / "mirror"))
    assert not download.held(RECORD.url)
    (tmp_path / "mirror" / "weights.invalid" / "a").mkdir(parents=True)
    (tmp_path / "mirror" / "weights.invalid" / "a" / "b.h5").write_bytes(b"weights")
    assert download.held(RECORD.url)
