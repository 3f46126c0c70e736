"""What a page hands out lets anybody repeat the map; what it draws and says is right."""

from __future__ import annotations

import io
import json
import shlex
import tomllib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from apps import explanation, maps, models, pictures
from apps.explanation import Answer
from apps.wording import literal, short
from zoo import explain, viz
from zoo.explain.question import Question

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def answer(runs, monkeypatch) -> Answer:
    monkeypatch.setenv("ZOO_RUNS", str(runs))
    choice = models.runs()["micro_run"]
    opened, picture = models.open_model(choice), pictures.sample("A cup of coffee")
    image = pictures.pixels(picture)
    seen = maps.seen(image, opened)
    question = Question("gradcam_plus_plus", 2, layer="stage1_pool")
    chances = maps.probabilities(choice, seen, opened)
    return Answer(choice, opened, picture, question, image, seen, chances, maps.heat(choice, seen, question, opened))


def test_the_files_repeat_the_map(answer):
    """From the two files alone, with the zoo's functions alone."""
    facts = json.loads(answer.parameters(alpha=0.5, colormap="inferno"))
    with np.load(io.BytesIO(answer.archive()), allow_pickle=False) as stored:
        image, heat, chances = stored["image"], stored["heat"], stored["probabilities"]
    method = getattr(explain, facts["question"]["method"])
    again = method(answer.opened.predictor.model, image[None], facts["question"]["target"], layer=facts["question"]["layer"])[0]
    np.testing.assert_array_equal(again, heat)
    assert facts["answer"]["heat"] == [float(heat.min()), float(heat.max())]
    assert facts["answer"]["probability"] == pytest.approx(float(chances[2]))
    assert facts["question"]["class"] == answer.opened.predictor.classes[2]
    assert facts["model"]["sha256"] is not None
    assert facts["drawn"] == {"alpha": 0.5, "colormap": "inferno", "side": 640}


def test_the_command_is_one_that_the_terminal_takes(answer):
    from zoo.__main__ import parser

    options = parser().parse_args(shlex.split(answer.command(alpha=0.25, colormap="viridis"))[1:])
    assert (options.method, options.target, options.layer) == ("gradcam_plus_plus", "2", "stage1_pool")
    assert options.run_folder == answer.choice.folder
    assert (options.alpha, options.colormap, options.side) == (0.25, "viridis", 640)


@pytest.mark.parametrize("how", ["the file", "the command"])
def test_the_terminal_draws_the_same_bytes(answer, how, tmp_path):
    """The PNG that the page hands out, and the one that the terminal writes from its JSON or by the command in it."""
    from zoo.__main__ import main

    drawn = {"alpha": 0.35, "colormap": "cividis"}
    (tmp_path / "picture.png").write_bytes(answer.picture.content)
    (tmp_path / "parameters.json").write_text(answer.parameters(**drawn))
    words = shlex.split(json.loads(answer.parameters(**drawn))["repeat"])[1:]
    words = [str(tmp_path / "picture.png") if word == "PICTURE" else word for word in words]
    again = ["explain", str(tmp_path / "picture.png"), "--from", str(tmp_path / "parameters.json")]
    assert main([*(again if how == "the file" else words), "--out", str(tmp_path)]) == 0
    page = pictures.png(viz.overlay(answer.frame(), answer.heat, **drawn))
    assert (tmp_path / "picture_gradcam_plus_plus.png").read_bytes() == page


def test_numbers_that_are_not_finite_are_refused(answer, monkeypatch):
    """A damaged model or an overflowing gradient is told, not drawn."""
    nan = np.full((1, len(answer.chances)), np.nan, "float32")
    broken = SimpleNamespace(predictor=SimpleNamespace(model=None, prepare=list, probabilities=lambda images: nan))
    other = answer.seen[::-1].copy()  # no answer is kept for it
    with pytest.raises(ValueError, match="NaN or infinity for this picture: its weights are damaged; train it again"):
        maps.probabilities(answer.choice, other, broken)
    monkeypatch.setattr(explain, "saliency", lambda *_, **__: np.full((1, 8, 8), np.inf))
    with pytest.raises(ValueError, match="the Saliency map holds NaN or infinity.*choose another method or layer"):
        maps.heat(answer.choice, other, Question("saliency", 0), broken)


@pytest.mark.parametrize(("place", "words"), [((1, 6), "upper right"), ((4, 4), "middle centre"), ((7, 0), "lower left")])
def test_the_highest_place_is_told_in_words(place, words):
    heat = np.zeros((8, 8), "float32")
    heat[place] = 1
    assert explanation.region(heat) == f"highest in the {words}"


def test_colours_are_monotonous_in_lightness():
    for name in explanation.COLORMAPS:
        light = explanation.scale(name)[0].astype(float) @ [0.2126, 0.7152, 0.0722]
        assert (np.diff(light) > -1).all(), name
        assert light[-1] - light[0] > 100, name


@pytest.mark.parametrize(
    ("shape", "wanted"), [((1, 1), (640, 640)), ((32, 32), (640, 640)), ((1000, 2000), (320, 640)), ((400, 500), (400, 500))]
)
def test_a_picture_is_shown_at_a_readable_size(shape, wanted):
    assert viz.readable(np.zeros((*shape, 3), "uint8")).shape[:2] == wanted


def test_a_picture_survives_its_png(answer):
    again = np.asarray(Image.open(io.BytesIO(pictures.png(answer.image))))
    np.testing.assert_array_equal(again, answer.image)


@settings(deadline=None, max_examples=50)
@given(st.text(st.characters(exclude_characters="\x00"), max_size=80))
def test_markdown_shows_any_name_as_it_is(name):
    """The oracle is a Markdown parser that knows nothing of us. CommonMark replaces NUL, which no file name can hold."""
    markdown = pytest.importorskip("markdown_it", reason="needs markdown-it-py").MarkdownIt("commonmark")
    tokens = markdown.parseInline(literal(name))
    children = tokens[0].children if tokens else []
    assert all(token.type in ("text", "text_special", "softbreak") for token in children)
    assert "".join(token.content for token in children) == short(name)


def test_the_server_is_closed_to_others():
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert config["server"]["address"] == "127.0.0.1"
    assert config["server"]["maxUploadSize"] == 10
    assert config["server"]["enableXsrfProtection"] is True
    assert config["server"]["enableCORS"] is True
    assert config["browser"]["gatherUsageStats"] is False
    assert config["client"]["showErrorDetails"] == "none"


def test_no_page_writes_html():
    assert not [path.name for path in (ROOT / "apps").glob("*.py") if "unsafe_allow" in path.read_text() or "st.html" in path.read_text()]
