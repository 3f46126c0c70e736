"""Every path of the page *Why this answer?*, without a browser."""

from __future__ import annotations

import functools
import io
import shutil
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import streamlit
from PIL import Image
from streamlit.testing.v1 import AppTest

from apps import maps, models, pictures, trusting, waiting
from apps.wording import BLIND
from tests.apps.conftest import CLASSES
from zoo import catalogue, download, explain
from zoo.explain.methods import METHODS
from zoo.explain.question import Question
from zoo.weights.record import Record


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """However slow this machine is today, no map of these small models asks whether it is worth the time."""
    monkeypatch.setattr(waiting, "PATIENCE", float("inf"))


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
    assert page.title[0].value == "Why this answer?"
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


def methods(app: AppTest):
    return next(found for found in app.multiselect if found.label == "Methods")


def test_every_layer_gives_a_map(page):
    found = set()
    for method in ("gradcam", "gradcam_plus_plus"):
        checked(methods(page).set_value([method]).run())
        for layer in ("stage2_pool", "stage1_block0_conv"):
            checked(box(page, "Layer").set_value(layer).run())
            found.add(heat_of(page))
            assert not page.error
    checked(methods(page).set_value(["saliency"]).run())
    assert box(page, "Layer").disabled
    found.add(heat_of(page))
    assert len(found) == 5


def test_every_method_gives_a_map_and_says_how_to_read_it(page, monkeypatch):
    """Four at a time, side by side; the long ones with little work."""
    monkeypatch.setattr("zoo.explain.question.Question.arguments", short_work)
    names = list(METHODS)
    for start in range(0, len(names), 4):
        chosen = names[start : start + 4]
        checked(methods(page).set_value(chosen).run())
        assert not page.error
        shown = images(page)
        for name in chosen:
            assert any(caption.startswith(f"{METHODS[name].title} for") for caption in shown), name
            assert METHODS[name].misleads in text(page)
            if METHODS[name].blind:
                assert BLIND[METHODS[name].blind] in text(page)
        assert all(found.proto.imgs[0].alt or found.proto.alt for found in page.get("image"))


def short_work(question):
    quick = {"samples": 2, "masks": 8, "steps": 2, "channels": 2 if question.method == "scorecam" else "sum"}
    known = METHODS[question.method].options()
    where = {"layer": question.layer} if question.layer is not None else {}
    return where | {name: value for name, value in quick.items() if name in known}


def test_why_this_class_and_not_another(page):
    alone = heat_of(page)
    first, second = box(page, "Class to explain").options[:2]
    checked(box(page, "And why not").select(second).run())
    assert heat_of(page) != alone
    title = next(caption.replace("\\", "") for caption in images(page) if caption.startswith("Grad-CAM for"))
    assert title == f"Grad-CAM for {first.rpartition(' ·')[0]} and not {second.rpartition(' ·')[0]}"
    assert first not in box(page, "And why not").options
    checked(box(page, "Class to explain").select(second).run())
    assert box(page, "And why not").value is None  # another class starts without a comparison


def test_the_cost_is_told_before_and_long_work_waits_for_a_yes(page, monkeypatch):
    monkeypatch.setattr(waiting, "PATIENCE", 0.0)
    monkeypatch.setattr(maps.heats(), "kept", type(maps.heats().kept)())
    checked(methods(page).set_value(["occlusion", "smoothgrad"]).run())
    costs = next(found.value for found in page.caption if found.value.startswith("Cost"))
    assert "227 forward passes" in costs
    assert "1 forward pass and 50 gradients" in costs
    assert not images(page)
    go = next(found for found in page.button if found.label.startswith("Compute, about"))
    checked(go.click().run())
    assert len(images(page)) == 7
    assert not any(found.label == "Stop" for found in page.button)


def test_long_work_that_is_stopped_asks_again(page, monkeypatch):
    """A script that is stopped amid the work leaves the button behind that stopped it."""
    monkeypatch.setattr(waiting, "PATIENCE", 0.0)
    monkeypatch.setattr(maps.heats(), "kept", type(maps.heats().kept)())
    checked(methods(page).set_value(["vargrad"]).run())
    monkeypatch.setattr(maps, "heat", lambda *_: streamlit.stop())
    go = next(found for found in page.button if found.label.startswith("Compute, about"))
    checked(go.click().run())
    stop = next(found for found in page.button if found.label == "Stop")
    checked(stop.click().run())
    assert any(found.label.startswith("Compute, about") for found in page.button)
    assert not images(page)


def test_work_that_is_stopped_leaves_the_model_as_it_was(runs, monkeypatch):
    """Streamlit ends a script by an exception at the next sign of progress."""
    monkeypatch.setenv("ZOO_RUNS", str(runs))
    choice = models.runs()["micro_run"]
    opened_model = models.open_model(choice)
    image = np.random.default_rng(9).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    before = [np.array(array) for array in opened_model.predictor.model.get_weights()]

    class Stopped(BaseException):
        pass

    def stop(done, total):
        raise Stopped

    with pytest.raises(Stopped):
        maps.heat(choice, image, Question("occlusion", 1), opened_model, stop)
    assert maps.heats().get(maps.key(choice, image, Question("occlusion", 1))) is None
    after = opened_model.predictor.model.get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(after, before, strict=True))
    assert maps.heat(choice, image, Question("occlusion", 1), opened_model).shape == (32, 32)


def test_without_a_method_nothing_is_drawn(page):
    checked(methods(page).set_value([]).run())
    assert "Choose at least one method" in page.info[0].value
    assert not images(page)


def check(app: AppTest):
    return next(found for found in app.button if found.label.startswith("Check this map"))


def test_the_trust_panel_comes_with_its_baselines(page):
    assert "A plausible map is no proof" in text(page)
    checked(check(page).click().run())
    table = page.table[0].value
    assert list(table[""]) == ["Grad-CAM", "Random", "Centre", "Sobel edges"]
    assert {"Deletion ↓", "Insertion ↑", "Random weights ↓"} <= set(table.columns)
    assert any(word in text(page) for word in ("do not build on this map", "a hint, no more", "Hardly about", "Better than"))
    assert [found.label for found in page.get("download_button")][-1] == "Panel (JSON)"
    checked(box(page, "Class to explain").select_index(1).run())
    assert not page.table  # it was about another class
    checked(box(page, "Class to explain").select_index(0).run())
    assert len(page.table) == 1  # kept


def test_the_trust_panel_can_be_stopped(page, monkeypatch):
    """Between two steps; what is then asked again starts anew."""
    finished = []

    def one_step(work, done, place):
        finished.append(work["finished"])
        work["plan"].steps[work["finished"]][1]()
        work["finished"] += 1
        import streamlit as st

        st.button("Stop", key="stop", on_click=st.session_state.pop, args=(trusting.WORK, None))

    monkeypatch.setattr(trusting, "step", one_step)
    checked(check(page).click().run())
    checked(page.run())
    assert finished == [0, 1]
    checked(next(found for found in page.button if found.label == "Stop").click().run())
    assert check(page)
    assert not page.table


def test_two_visitors_do_not_mix(runs, monkeypatch):
    """Two sessions on one server share the models and the kept maps, never what was asked."""
    monkeypatch.setenv("ZOO_RUNS", str(runs))
    one, other = opened(), opened()
    checked(box(other, "Or a sample").set_value("A rocket launch").run())
    checked(methods(other).set_value(["saliency"]).run())
    theirs = images(other)
    mine = images(one)
    checked(one.run())
    assert images(one) == mine
    checked(box(one, "Class to explain").select_index(2).run())
    checked(other.run())
    assert images(other) == theirs
    assert images(one) != mine


@pytest.mark.slow
def test_memory_stays_flat_over_sixty_interactions(page):
    """Bar B13: at most 0.1 MB each, after the first ones have compiled what they need."""
    import resource

    def visit(number):
        checked(box(page, "Class to explain").select_index(number % 5).run())
        checked(box(page, "Layer").select_index(number % 2).run())

    for number in range(10):
        visit(number)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(30):
        visit(number)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before <= 60 * 0.1 * 1024


def test_the_raw_range_is_shown(page, runs):
    model = keras.saving.load_model(runs / "micro_run" / "model.keras")
    cat = Image.open(io.BytesIO(pictures.sample("Chelsea the cat").content)).resize((32, 32), Image.Resampling.BILINEAR)
    heat = explain.gradcam(model, np.asarray(cat, "float32")[None])[0]
    assert f"Heat, raw from {heat.min():.3g} to {heat.max():.3g}" in images(page)
    assert f"dark 0, bright {heat.max():.3g}" in images(page)


def test_opacity_and_colours_repaint_without_a_new_map(page, monkeypatch):
    before, heat = images(page), heat_of(page)

    def forbidden(function):
        @functools.wraps(function)
        def refuse(*arguments, **options):
            raise AssertionError("the map was computed again")

        return refuse

    for name in METHODS:
        monkeypatch.setattr(explain, name, forbidden(getattr(explain, name)))
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
