"""The catalogue: fast, without a framework, and never behind the registry."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tools import index
from zoo import catalogue, registry
from zoo.catalogue import info, list_models

ROOT = Path(__file__).resolve().parents[1]
ROWS = json.loads(catalogue.INDEX.read_text())


def test_no_framework_is_imported():
    code = (
        "import sys, zoo\nzoo.list_models('resnet*')\nzoo.info('vgg16')\n"
        "try: zoo.info('vgg61')\nexcept ValueError: pass\n"
        "print([name for name in ('keras', 'tensorflow', 'jax', 'torch', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr


def test_every_row_is_listed_in_the_order_of_the_registry():
    assert [row["name"] for row in ROWS] == list(registry.rows())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_the_index_says_what_the_registry_says(row):
    facts = index.facts(row["name"])
    assert {key: row[key] for key in facts} == json.loads(json.dumps(facts)), "run `python -m tools.index`"


SMALL = ("mlp_micro", "lenet_micro", "resnet_micro", "mobilenet_v3_micro", "vit_micro")


@pytest.mark.parametrize("row", [pytest.param(row, marks=() if row["name"] in SMALL else pytest.mark.slow, id=row["name"]) for row in ROWS])
def test_rows_are_measured_again(row):
    """`make check` measures all of them, a process per core."""
    assert row == json.loads(json.dumps(index.entry(row["name"]))), "run `python -m tools.index`"


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("alexnet_torchvision", 0.71),
        ("vgg11", 7.61),
        ("vgg16", 15.47),
        ("vgg19", 19.63),
        ("resnet18", 1.81),
        ("resnet50", 4.09),
        ("resnet152", 11.51),
    ],
)
def test_multiply_adds_are_those_that_torchvision_publishes(name, published):
    """The column "GFLOPS" of torchvision's table of classification weights, which counts a multiply-add once."""
    assert info(name).gmacs == pytest.approx(published, abs=0.006)


def test_multiply_adds_of_a_hand_counted_model():
    import keras
    from keras import layers

    from zoo import anatomy

    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, strides=2, padding="same")(image)  # 16 places x 3 x 3 x 3 x 4
    x = layers.DepthwiseConv2D(3, padding="same")(x)  # 16 x 9 x 4
    x = layers.Conv2D(6, 1, groups=2)(x)  # 16 x 2 x 6
    inner = keras.Sequential([keras.Input((4, 4, 6)), layers.Dense(5)])  # 16 x 6 x 5
    x = layers.Dense(7)(layers.Flatten()(inner(x)))  # 80 x 7
    assert anatomy.multiply_adds(keras.Model(image, x)) == 16 * 27 * 4 + 16 * 36 + 16 * 12 + 16 * 30 + 80 * 7


def test_filters():
    names = [entry.name for entry in list_models()]
    assert "resnet50" in names
    assert not any(name.endswith("_micro") for name in names)
    assert all(name.startswith("vgg") for name in (entry.name for entry in list_models("vgg*")))
    assert list_models("*micro*")
    assert list_models("nothing*") == []
    published = {entry.name for entry in list_models(weights=True)}
    tagged = {entry.name for entry in list_models(weights="imagenet")}
    assert {"vgg16", "vgg19", "resnet50_v1", "resnet101_v1", "resnet152_v1"} <= tagged <= published
    assert "small_cnn" not in published
    assert published.isdisjoint(entry.name for entry in list_models(weights=False))
    assert {"vgg16", "vgg19"} <= {entry.name for entry in list_models(licence="cc-by-*")}
    assert "resnet50_v1" not in {entry.name for entry in list_models(licence="cc-by-*")}
    assert all(entry.parameters <= 12e6 for entry in list_models(max_parameters=12e6))
    assert "resnet18" in {entry.name for entry in list_models(max_parameters=12e6)}


def test_an_entry_prints_what_matters():
    text = str(info("resnet50_v1"))
    for part in ("resnet50_v1", "arxiv.org/abs/1512.03385", "25,583,592", "multiply-adds", "224x224", "c5 7x7x2048", "'imagenet'", "MIT"):
        assert part in text
    assert "no paper" in str(info("small_cnn"))
    assert "none published" in str(info("small_cnn"))
    assert json.loads(json.dumps(info("lenet5").as_dict()))["input_shape"] == [32, 32, 1]
    assert info("lenet5").size == "32x32x1"


def test_unknown_names_get_the_closest():
    with pytest.raises(ValueError, match="did you mean resnet50"):
        info("resnet5O")
    with pytest.raises(ValueError, match=r"see zoo.list_models\(\)"):
        info("qqqqqqqqq")


def test_the_table_goes_between_the_markers():
    text = f"# Title\n{index.START}\nold\n{index.END}\nrest\n"
    new = index.with_table(text)
    assert new.startswith("# Title\n")
    assert new.endswith("\nrest\n")
    assert "old" not in new
    assert new.count("\n| [resnet](zoo/backbones/resnet.py) | 2015 | 8 | `resnet18` | 11.7 to 60.3 |") == 1
    assert index.with_table(new) == new
    assert index.with_table("no markers") == "no markers"


def test_the_table_of_the_readme_is_up_to_date():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert index.with_table(text) == text, "run `python -m tools.index`"


def test_check_reports_what_is_stale(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(index, "ROOT", tmp_path)
    monkeypatch.setattr(index, "README", tmp_path / "README.md")
    monkeypatch.setattr(catalogue, "INDEX", tmp_path / "index.json")
    monkeypatch.setattr(index, "_names", lambda: ["small_cnn_micro"])
    (tmp_path / "README.md").write_text(f"{index.START}\n{index.END}\n")
    catalogue._entries.cache_clear()
    try:
        assert index.main([]) == 0
        assert index.main(["--check"]) == 0
        (tmp_path / "index.json").write_text((tmp_path / "index.json").read_text().replace("1586", "1587"))
        assert index.main(["--check"]) == 1
        assert "index.json is out of date; run `python -m tools.index`" in capsys.readouterr().err
    finally:
        monkeypatch.undo()
        catalogue._entries.cache_clear()


def test_a_missing_index_says_how_to_write_it(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "INDEX", tmp_path / "none.json")
    catalogue._entries.cache_clear()
    try:
        with pytest.raises(FileNotFoundError, match="python -m tools.index"):
            info("vgg16")
    finally:
        catalogue._entries.cache_clear()


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("<10M", 9_999_999, 10_000_000),
        ("<=25.6M", 25_600_000, 25_600_001),
        (">1B", 1_000_000_001, 1_000_000_000),
        (">= 5k", 5_000, 4_999),
        ("=7", 7, 8),
        (">5M,<10M", 6_000_000, 11_000_000),
        ("<.5g", 499_999_999, 500_000_000),
    ],
)
def test_comparisons(text, inside, outside):
    assert catalogue.compared(text)(inside)
    assert not catalogue.compared(text)(outside)


@pytest.mark.parametrize("text", ["", "10M", "<", "<10X", "<ten", "<10M,", "=>5"])
def test_a_comparison_that_cannot_be_read(text):
    with pytest.raises(ValueError, match='written like "<10M"'):
        list_models(parameters=text)


def test_comparisons_filter_parameters_and_work():
    small = {entry.name for entry in list_models("resnet*", parameters="<=25557032")}
    assert {"resnet18", "resnet50"} <= small
    assert "resnet50_v1" not in small
    assert {"resnet18"} <= {entry.name for entry in list_models(gmacs="<1.9G")} == {entry.name for entry in list_models(gmacs="<1.9")}
    assert "resnet50" not in {entry.name for entry in list_models(gmacs="<1900M")}


def test_commercial_licences(monkeypatch):
    """Non-commercial, unknown and home-made licences are out; a tag and a licence must meet in one file."""
    base = info("resnet18")
    licences = {
        "a": "MIT",
        "b": "CC-BY-NC-4.0",
        "c": "unknown",
        "d": "Apache-2.0",
        "e": "CC-BY-SA-4.0",
        "f": "LicenseRef-own",
        "g": "CC-BY-4.0",
    }
    entries = {
        name: dataclasses.replace(
            base, name=name, weights=({"tag": "one", "licence": licence}, {"tag": "two", "licence": "CC-BY-NC-SA-4.0"})
        )
        for name, licence in licences.items()
    }
    monkeypatch.setattr(catalogue, "_entries", lambda: entries)
    assert "".join(entry.name for entry in list_models(licence="commercial")) == "adeg"
    assert "".join(entry.name for entry in list_models(licence="commercial", weights="one")) == "adeg"
    assert list_models(licence="commercial", weights="two") == []
    assert "".join(entry.name for entry in list_models(licence="cc-by-nc-4.0", weights=True)) == "b"


def test_an_entry_tells_what_was_measured():
    """As `python -m tools.index` measures it."""
    text = str(catalogue._entry(json.loads(json.dumps(index.entry("resnet_micro")))))
    for part in ("million", "MiB at its peak", "c1 16x16x2", "stride 2, sees 7x7 pixels", "stride 32", "Apache-2.0 (code)"):
        assert part in text
    whole = dataclasses.replace(info("resnet18"), levels={"c1": {"stride": 2, "field": 7, "whole": True}})
    assert "and, by a global path, the whole image" in str(whole)
    blind = dataclasses.replace(info("resnet18"), levels={"c1": {"stride": None, "field": None, "whole": True}})
    assert "c1 112x112x64    sees the whole image" in str(blind)
