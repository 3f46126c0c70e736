"""The comparison of architectures, small: every chapter and figure, the ladder's rungs, a resumed run, and promises that are held."""

from __future__ import annotations

import dataclasses

import keras
import pytest

from projects import beyond_basic_architectures as project
from projects.beyond_basic_architectures import LADDER, Config
from zoo.data.scenes import Scenes, classification
from zoo.run import Run

TINY = Scenes(size=32, train=32, validation=12, test=18, counter=12)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One run of two networks and three rungs over tiny scenes; it breaks a promise, which must not lose the report."""
    folder = tmp_path_factory.mktemp("runs") / "beyond"
    config = Config(
        out=str(folder), size=32, models="mlp_micro, resnet_micro", epochs=1, batch_size=8, rungs=1, expect=1.01, expect_gap=None
    )
    rungs = (LADDER[0], LADDER[4], LADDER[6])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(project, "load", lambda *_, **__: classification(TINY))
        patch.setattr(project, "LADDER", rungs)
        with pytest.raises(SystemExit, match=r"broken promise: accuracy is 0\.\d+, promised was at least 1\.01"):
            project.main(config)
        before = Run.read(folder).metrics
        patch.setattr(project, "fit", None)  # what was trained is not trained again
        with pytest.raises(SystemExit, match="broken promise"):
            project.main(config)
    return folder, before, rungs


@pytest.mark.slow
def test_every_chapter_and_every_figure_is_in_the_report(finished):
    folder, _, _ = finished
    page = (folder / "report.html").read_text()
    figures = {path.stem for path in (folder / "figures").glob("*.png")}
    assert figures == {"pareto", "accuracy_by_year", "calibration_by_year", "ladder"}
    assert page.count("<figure>") == len(figures)
    for chapter in ("Choose the stations", "Weigh three small kernels", "Train all on one budget", "Climb the bag-of-tricks ladder"):
        assert chapter in page


@pytest.mark.slow
def test_the_numbers_are_those_of_the_networks(finished):
    """Parameters from the live models, the interval around the accuracy, and the ratio that the paper states."""
    folder, before, _ = finished
    metrics = Run.read(folder).metrics
    assert metrics["networks"] == before["networks"], "a resumed run measures nothing again"
    for name, result in metrics["networks"].items():
        model = keras.saving.load_model(folder / "networks" / name / "model.keras")
        assert result["parameters"] == sum(weight.shape.num_elements() for weight in model.trainable_weights)
        low, high = result["interval"]
        assert low <= result["accuracy"] <= high
        assert min(result["ms_1"], result["ms_16"], result["megabytes"]) > 0
    assert metrics["small_kernels"] == pytest.approx(27 / 49)
    assert metrics["best"] == max(metrics["networks"], key=lambda name: metrics["networks"][name]["accuracy"])


@pytest.mark.slow
def test_every_rung_has_all_before_it(finished):
    folder, _, rungs = finished
    assert list(Run.read(folder).metrics["ladder"]) == [name for name, _ in rungs]
    stems = {}
    for name, _ in rungs:
        model = keras.saving.load_model(folder / "ladder" / name.replace(" ", "_") / "model.keras", compile=False)
        stems[name] = [layer.name for layer in model.layers]
    assert stems["plain ResNet"] == stems["mixup"]
    assert len(stems["ResNet-D"]) > len(stems["mixup"])


def test_the_ladder_is_one_line_of_configuration_per_rung():
    names = [name for name, _ in LADDER]
    assert names == ["plain ResNet", "warm-up", "linear scaling rule", "label smoothing", "mixup", "cosine", "ResNet-D"]
    assert all(change for _, change in LADDER[1:])


def test_an_unknown_network_is_told_before_anything_is_trained(tmp_path):
    config = dataclasses.replace(Config.quick(), out=str(tmp_path / "run"), models="mlp,resnet81")
    with pytest.raises(ValueError, match="no model called 'resnet81'; did you mean"):
        project.names_of(config)
