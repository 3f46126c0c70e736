"""The project on explainers, small: every chapter and figure, one league in report and file, a liar who can be found, a resumed run."""

from __future__ import annotations

import csv
import dataclasses

import numpy as np
import pytest
from PIL import Image

from projects import which_explainer_lies as project
from projects.which_explainer_lies import LIAR, Config
from zoo import explain
from zoo.data.scenes import Scenes, classification
from zoo.report import Report
from zoo.run import Run

TINY = Config(
    data="scenes:quick", size=32, bed=64, bed_epochs=1, epochs=1, images=4, few=2, steps=3, masks=8, samples=2, batch_size=16, expect=False
)
SCENES = Scenes(size=32, train=24, validation=12, test=12, counter=12)
FEW = ("Grad-CAM", "Eigen-CAM")


@pytest.fixture
def few(monkeypatch):
    """Two methods and the impostor, because each method compiles; the slow test below takes all."""
    every = project.entrants
    monkeypatch.setattr(project, "entrants", lambda config: {name: every(config)[name] for name in (*FEW, LIAR)})
    monkeypatch.setattr(project, "CAMS", ("Grad-CAM",))


@pytest.fixture
def tiny_scenes(monkeypatch):
    monkeypatch.setattr(Scenes, "quick", lambda self: dataclasses.replace(SCENES, seed=self.seed))
    monkeypatch.setattr(project, "scenes", lambda config: classification(dataclasses.replace(SCENES, bias=config.bias)))


@pytest.mark.slow
@pytest.mark.usefixtures("few", "tiny_scenes")
def test_the_whole_road_and_again(tmp_path, monkeypatch, capsys):
    config = dataclasses.replace(TINY, out=str(tmp_path / "run"))
    project.main(config)
    page = (tmp_path / "run" / "report.html").read_text()
    figures = {path.stem for path in (tmp_path / "run" / "figures").glob("*.png")}
    assert figures == {"bed", "gallery_0", "gallery_1", "gallery_2", "league", "league_named", "cascade", "cheats"}
    assert page.count("<figure>") == len(figures)
    for chapter in (
        "Build a bed of known truth",
        "Destroy what was learned",
        "Unmask them",
        "Ask a network that cheats",
        "What was promised",
    ):
        assert chapter in page
    before = Run.read(tmp_path / "run").metrics
    with (tmp_path / "run" / "league.csv").open() as file:
        header, *rows = csv.reader(file)
    assert {row[0] for row in rows} == {*FEW, LIAR, "random", "centre", "sobel"}
    table = {row[0]: dict(zip(header, row, strict=True)) for row in rows}
    for name, found in before["league"].items():
        assert float(table[name]["Mass inside"]) == pytest.approx(found["mass"])
    assert sorted(row["letter"] for row in table.values() if row["letter"]) == ["A", "B", "C"]

    monkeypatch.setattr(explain, "judge", None)  # what was judged is not judged again
    capsys.readouterr()
    project.main(config)
    assert "Epoch" not in capsys.readouterr().out
    assert Run.read(tmp_path / "run").metrics["league"] == before["league"]


@pytest.mark.usefixtures("few", "tiny_scenes")
def test_the_liar_is_found_by_the_numbers_alone(tmp_path):
    """It never asks the network: same map under shuffled weights and for any class. Nobody else has both."""
    config = dataclasses.replace(TINY, out=str(tmp_path / "run"), data="folder:none", images=8)
    run, report = Run.open(config.out, config, name="which_explainer_lies"), Report("league")
    bed = project.build_a_bed_of_known_truth(run, report, config)
    model = project.train_a_network_that_must_look_there(run, report, config, bed)
    letters = project.ask_every_method(run, report, config, model, bed)
    numbers = project.hold_them_against_the_truth(run, report, config, model, bed, letters)
    suspects = [name for name in letters.values() if min(numbers[name]["weights"], numbers[name]["classes"]) > 0.999]
    assert suspects == [LIAR]
    assert numbers["Eigen-CAM"]["classes"] == pytest.approx(1)
    assert numbers["random"]["weights"] < 0.2
    named = report.write(tmp_path).read_text()
    assert LIAR not in named.replace("the one that you believe to be the impostor", "")
    assert f"The impostor is <strong>{next(k for k, v in letters.items() if v == LIAR)}</strong>" in named


@pytest.mark.usefixtures("few")
def test_photographs_have_no_truth_but_a_control(tmp_path):
    random = np.random.default_rng(0)
    for shade, name in ((60, "dusk"), (200, "noon")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for index in range(20):
            pixels = random.normal(shade, 20, (24, 30, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{index}.png")
    config = dataclasses.replace(TINY, out=str(tmp_path / "run"), data=f"folder:{tmp_path / 'photos'}", epochs=4)
    run, report = Run.open(config.out, config, name="which_explainer_lies"), Report("photographs")
    project.leave_the_laboratory(run, report, config)
    numbers = run.metrics["photographs"]
    assert set(numbers) == {*FEW, LIAR, "random", "centre", "sobel"}
    assert "mass" not in numbers["Grad-CAM"]
    assert numbers[LIAR]["untrained deletion"] == numbers[LIAR]["deletion"]  # no network, no difference
    assert "pictures" in report.write(tmp_path).read_text()
    project.ask_a_network_that_cheats(run, report, config)
    assert "heat_on_object" not in run.metrics


def test_a_broken_promise_is_told_after_the_report(tmp_path):
    """Numbers at the bars of the truth bed keep every promise; one below breaks exactly that one."""
    kept = {"pointing": 0.95, "mass": 0.6, "deletion": 0.3, "insertion": 0.7, "weights": 0.2}
    blind = {"pointing": 0.1, "mass": 0.3, "deletion": 0.42, "insertion": 0.5, "weights": 1.0}
    numbers = {name: kept for name in project.CAMS} | {"random": blind, "sobel": blind}
    for change, broken in (({}, None), ({"mass": 0.4}, "mass inside is 0.400"), ({"weights": 0.5}, "shuffled weights is 0.500")):
        config = dataclasses.replace(TINY, out=str(tmp_path / str(broken)), expect=True)
        run = Run.open(config.out, config, name="which_explainer_lies")
        run.metric(**{"accuracy on the patches": 1.0})
        found = numbers | {"Grad-CAM": {**kept, **change}}
        if broken is None:
            project.finish(run, Report("promises"), config, found)
        else:
            with pytest.raises(SystemExit, match=broken):
                project.finish(run, Report("promises"), config, found)
        assert (run.folder / "report.md").exists()


@pytest.mark.parametrize(("data", "epochs"), [(None, 12), ("scenes", 12), ("scenes:quick", 6), ("clothing", 25), ("folder:x", 25)])
def test_each_kind_of_data_brings_its_own_numbers(data, epochs):
    config = Config.preset(data)
    assert config.epochs == epochs
    assert config.data == (data or "scenes")
    assert ":" not in config.out


@pytest.mark.slow
@pytest.mark.usefixtures("tiny_scenes")
def test_every_method_of_the_table_takes_part(tmp_path):
    project.main(dataclasses.replace(TINY, out=str(tmp_path / "run")))
    league = Run.read(tmp_path / "run").metrics["league"]
    assert set(league) == {*(row.title for row in explain.METHODS.values()), LIAR, "random", "centre", "sobel"}
