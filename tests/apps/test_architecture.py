"""Every path of the page *How was it built?*, without a browser."""

from __future__ import annotations

import threading

import pytest
from streamlit.testing.v1 import AppTest

from zoo import catalogue, create


@pytest.fixture
def page() -> AppTest:
    return checked(AppTest.from_file("../../apps/architecture.py", default_timeout=120).run())


def checked(app: AppTest) -> AppTest:
    assert not app.exception, [found.value for found in app.exception]
    return app


def box(app: AppTest, label: str):
    return next(found for found in app.selectbox if found.label == label)


def facts(app: AppTest) -> dict[str, list[str]]:
    """Fact -> its cells, of the first table."""
    table = app.table[0].value
    return {row["Fact"]: [row[column] for column in table.columns if column != "Fact"] for _, row in table.iterrows()}


def test_two_networks_side_by_side(page):
    """The parameters against the papers, the multiply-adds against what everybody publishes for these two."""
    assert page.title[0].value == "How was it built?"
    found = facts(page)
    assert found["Parameters"] == ["11,689,512", "3,504,872", "0.30"]
    assert found["Multiply-adds"] == ["1.81 G", "301 M", "0.17"]
    assert found["Deepest map sees"][:2] == ["435 pixels", "491 pixels"]
    assert len(page.table) == 3
    assert not page.error


def test_pictures_have_words_and_can_be_taken_home(page):
    alts = [found.proto.imgs[0].alt or found.proto.alt for found in page.get("image")]
    assert alts[0].startswith("Stages of resnet18: c1 112×112×64 to c2 56×56×64")
    assert alts[1].startswith("Stages of mobilenet_v2: c1 112×112×16")
    assert [found.label for found in page.get("download_button")] == ["Picture (PNG)", "Layers (CSV)"] * 2


def test_one_network_alone(page):
    checked(box(page, "Architecture").set_value("lenet5" if "lenet5" in box(page, "Architecture").options else "small_cnn").run())
    assert box(page, "Compare with").value == "nothing"
    assert "Ratio" not in page.table[0].value.columns
    assert len(page.table) == 2
    assert len(page.get("image")) == 1


def test_a_network_is_not_compared_with_itself(page):
    assert "resnet18" not in box(page, "Compare with").options
    assert box(page, "Architecture").options == [entry.name for entry in catalogue.list_models()]


def test_networks_without_a_map_or_with_all_seeing_units(page):
    for name in ("vit_small_32", "squeezenet1_0"):
        checked(box(page, "Architecture").set_value(name).run())
        assert not page.error
        assert facts(page)["Parameters"] == [f"{catalogue.info(name).parameters:,}"]


def test_a_refusal_is_one_sentence(page, monkeypatch):
    def refused(name, **options):
        raise ValueError(f"the row {name} cannot be built here; choose another")

    monkeypatch.setattr(create, "classifier", refused)
    checked(box(page, "Architecture").set_value("vgg11").run())
    assert [found.value.replace("\\", "") for found in page.error] == ["the row vgg11 cannot be built here; choose another"]
    assert not page.table


def test_no_weight_is_made(page, monkeypatch):
    """A network of half a billion weights would cost 2 GB; the plan costs none, and nothing of it waits in this thread."""
    seen = {}
    original = create.classifier

    def listening(name, **options):
        seen["model"], seen["thread"] = original(name, **options), threading.current_thread()
        return seen["model"]

    monkeypatch.setattr(create, "classifier", listening)
    checked(box(page, "Architecture").set_value("alexnet").run())
    assert all(weight._value is None for weight in seen["model"].weights)
    assert seen["thread"] is not threading.current_thread()
