"""The optimisation project, small: every chapter and figure, numbers counted anew, a resumed run that trains nothing, broken promises."""

from __future__ import annotations

import dataclasses
import gzip
import json

import keras
import numpy as np
import pytest

from projects import optimising_models as project
from projects.optimising_models import AFTER, INT8, LITERT, NAIVE, POOLING, PRUNED, SEPARABLE, Config
from zoo.data.scenes import Scenes, classification
from zoo.export.compress import kernels_of
from zoo.export.runtimes import load
from zoo.run import Run
from zoo.train.rungs import FUSING, PRECISION, XLA, Timing, switched
from zoo.train.tune import Tuned

TINY = Scenes(size=32, train=32, validation=12, test=18, counter=12)
ROWS = {NAIVE: "course_cnn_flatten_micro", POOLING: "course_cnn_micro", SEPARABLE: "course_cnn_separable_micro"}

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="LiteRT is written on TensorFlow")


def _chosen(build, data, recipe, **_):
    """What `tune` would say; it has tests of its own."""
    return Tuned(dataclasses.replace(recipe, jit=False, steps_per_execution=2), (), "the machine of the test", build)


def _measured(rungs, batch, *, calls, turns, steps):
    """What `measure` would say; it has tests of its own. The rung number i takes i + 1 milliseconds."""
    assert batch[0].shape == (8, 32, 32, 3)
    times = {rung.name: Timing(1.0, 0.001 * (i + 1), 0.002 * (i + 1) if rung.predicts else None) for i, rung in enumerate(rungs)}
    calls = {name: dataclasses.replace(times.get(name, Timing()), call=0.0001) for name, call in calls.items() if call(batch[0])}
    return {**times, **calls}


def _without_xla(build, recipe, fuse):
    made, _ = switched(build, recipe, fuse)
    return [rung for rung in made if rung.name in (PRECISION, FUSING)], {XLA: "the test leaves it out"}


def _no_training(*_, **__):
    raise AssertionError("what was trained or measured is not trained or measured again")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One run that breaks a promise, which must not lose the report; then the same again, with all work forbidden."""
    folder = tmp_path_factory.mktemp("runs") / "optimising"
    small = {
        "size": 32,
        "epochs": 2,
        "fine_tune": 1,
        "seeds": 1,
        "batch_size": 8,
        "ema": 0.5,
        "fuse": 2,
        "turns": 1,
        "files": 16,
        "widths": "4,6",
        "clusters": 8,
    }
    rows = dict(zip(("naive", "pooling", "separable"), ROWS.values(), strict=True))
    config = Config(out=str(folder), **rows, **small, expect_saved=1.01, expect_gain=None, expect_inference=None, expect_training=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_CACHE", str(folder.parent / "cache"))
        patch.setattr(project, "load", lambda *_, **__: classification(TINY))
        patch.setattr(project, "tune", _chosen)
        patch.setattr(project, "measure", _measured)
        patch.setattr(project, "switched", _without_xla)
        patch.setattr(project, "footprint", lambda row, recipe, **_: 1_000_000 * len(row))
        with pytest.raises(
            SystemExit, match=r"broken promise: share of weights saved is 0\.\d+, promised was at least 1\.010\. The report"
        ):
            project.main(config)
        before = Run.read(folder).metrics
        for work in ("tune", "fit", "distil", "measure", "footprint", "prune", "cluster", "export"):
            patch.setattr(project, work, _no_training)
        patch.setattr(project.pace, "ladder", _no_training)
        with pytest.raises(SystemExit, match="broken promise"):
            project.main(config)
    return folder, config, before


@pytest.mark.slow
def test_every_chapter_and_every_figure_is_in_the_report(finished):
    folder, _, _ = finished
    page = (folder / "report.html").read_text()
    figures = {path.stem for path in (folder / "figures").glob("*.png")}
    assert figures == {"waterfall", "pareto", "pipeline", "picture"}
    assert page.count("<figure>") == len(figures)
    for chapter in ("Count the weights", "Train the three networks", "Ask the machine", "Train it better", "Make it small",
                    "Time everything in turns", "Climb the ladder", "Tell the efficiencies apart", "Feed the network"):  # fmt: skip
        assert chapter in page
    for rung, reference in AFTER.items():
        assert rung in page
        assert rung == XLA or reference is None or f"<b>{rung}</b>" in page or f"<strong>{rung}</strong>" in page
    assert "+ XLA is not a rung here: the test leaves it out." in page


@pytest.mark.slow
def test_the_totals_are_the_courses(finished):
    """The three numbers of the course, which the run finds at 224 pixels and six classes."""
    folder, _, _ = finished
    metrics = Run.read(folder).metrics
    assert list(metrics["totals"].values()) == [7_476_742, 5_873_478, 679_137]
    assert metrics["exact"] == 1


@pytest.mark.slow
def test_the_numbers_are_those_of_the_networks(finished):
    """Weights, zeros and bytes, counted in the files that were left behind."""
    folder, config, before = finished
    metrics = Run.read(folder).metrics
    assert metrics["ladder"] == before["ladder"], "a resumed run measures nothing again"
    ladder = metrics["ladder"]
    assert set(ladder) == set(AFTER) - {XLA}
    for name in (NAIVE, POOLING, SEPARABLE, PRUNED):
        path = project.folder_of(config, name, 0) / ("small.keras" if name == PRUNED else "model.keras")
        model = keras.saving.load_model(path, compile=False)
        weights = [np.asarray(weight) for weight in model.get_weights()]
        assert ladder[name]["parameters"] == sum(weight.size for weight in weights)
        assert ladder[name]["nonzero"] == sum((weight != 0).sum() for weight in weights)
        assert ladder[name]["gzip"] == len(gzip.compress(path.read_bytes(), 6, mtime=0))
    kernels = [weight for weight in weights if weight.ndim == 4 and weight.size > 30]
    assert np.mean(np.concatenate([kernel.ravel() for kernel in kernels]) == 0) == pytest.approx(config.sparsity, abs=0.02)
    assert ladder[XLA if XLA in ladder else PRECISION]["accuracy"] == ladder[SEPARABLE]["accuracy"]
    assert ladder[NAIVE]["memory"] == 1_000_000 * len(ROWS[NAIVE])
    saved = 1 - ladder[INT8]["nonzero"] / ladder[NAIVE]["parameters"]
    assert metrics["saved"] == pytest.approx(saved)
    assert ladder[NAIVE]["epoch"] == pytest.approx(4 * 0.001), "32 pictures in batches of 8"
    assert metrics["inference"] == pytest.approx(0.002 / 0.0001)


@pytest.mark.slow
def test_the_files_answer_as_the_run_says(finished):
    folder, config, _ = finished
    ladder = Run.read(folder).metrics["ladder"]
    test = classification(TINY)["test"]
    images = np.stack(list(test.items)).astype("float32")
    for name in (LITERT, INT8):
        path = project.file_of(config, name, 0)
        right = np.mean(load(path)(images)[0].argmax(axis=1) == test.labels)
        assert ladder[name]["accuracy"] == [pytest.approx(right)]
    kinds = {name: {str(kernel.values.dtype) for kernel in kernels_of(project.file_of(config, name, 0))} for name in (LITERT, INT8)}
    assert kinds == {LITERT: {"float32"}, INT8: {"int8"}}


def test_a_rung_that_is_left_out_is_passed_over():
    assert project.before(PRECISION, {NAIVE: {}, SEPARABLE: {}}) == SEPARABLE
    assert project.before(FUSING, {SEPARABLE: {}, PRECISION: {}}) == PRECISION


def test_quick_and_own_data_have_their_numbers():
    assert Config.preset("scenes:quick") == Config.quick()
    assert Config.preset("folder:photos").expect_gain is None
    assert json.dumps(dataclasses.asdict(Config.quick()))
