"""The search finds a planted optimum, never trains the same trial twice, and names what failed."""

import csv
import importlib.util
import math

import pytest

from tests.train.nets import colours, net
from zoo.train import Recipe, search
from zoo.train.search import SearchFailed, explore, markdown
from zoo.train.search import search as search_recipe

RECIPE = Recipe(epochs=9, batch_size=8)
SPACE = {"learning_rate": (1e-4, 1e0, "log"), "label_smoothing": [0, 0.1, 0.2], "warmup": (0.0, 0.5), "clip_norm": [None, 1.0]}


class Planted:
    """Best at rate 0.01, smoothing 0.1 and clip_norm 1.0, better with more epochs; counts what it is asked to train."""

    def __init__(self, stop=None):
        self.trained, self.stop = [], stop

    def __call__(self, recipe, run):
        if len(self.trained) == self.stop:
            raise KeyboardInterrupt
        self.trained.append(recipe)
        distance = math.log10(recipe.learning_rate / 0.01) ** 2 + 10 * abs(recipe.label_smoothing - 0.1) + (recipe.clip_norm is None)
        return 1.0 - 0.1 * distance - 0.1 / recipe.epochs


@pytest.mark.parametrize(("method", "trials"), [("random", 40), pytest.param("bayesian", 25, marks=pytest.mark.slow), ("hyperband", 60)])
def test_finds_the_planted_optimum(tmp_path, method, trials):
    space = dict(SPACE)
    if method == "hyperband":  # draws only 17 times, and refines none of them
        del space["label_smoothing"]
    found = explore(Planted(), RECIPE, space, tmp_path, method=method, trials=trials)
    assert (found.best.label_smoothing, found.best.clip_norm) == (RECIPE.label_smoothing if method == "hyperband" else 0.1, 1.0)
    assert 0.01 / 5 < found.best.learning_rate < 0.01 * 5
    assert found.best.epochs == 9
    scores = [row["val_accuracy"] for row in found.rows]
    assert scores == sorted(scores, reverse=True)
    with (tmp_path / "trials.csv").open() as file:
        assert [float(row["val_accuracy"]) for row in csv.DictReader(file)] == scores
    assert len((tmp_path / "trials.md").read_text().splitlines()) == 2 + len(scores)


def test_hyperband_gives_the_epochs_to_the_best(tmp_path):
    """Of the trials of 1 epoch, none that went on to 3 is worse than one that did not."""
    rows = explore(Planted(), RECIPE, SPACE, tmp_path, trials=60).rows
    assert {row["epochs"] for row in rows} == {1, 3, 9}
    values = [{name: row[name] for name in SPACE} for row in rows]
    first = [(row["val_accuracy"], value) for row, value in zip(rows, values, strict=True) if row["epochs"] == 1]
    longer = [value for row, value in zip(rows, values, strict=True) if row["epochs"] == 3]
    chosen = [score for score, value in first if value in longer]
    assert 1 < len(chosen) < len(first)
    assert min(chosen) >= max(score for score, value in first if value not in longer)


@pytest.mark.parametrize("method", ["random", pytest.param("bayesian", marks=pytest.mark.slow), "hyperband"])
def test_an_interrupted_search_goes_on_without_repeating(tmp_path, method):
    whole = explore(Planted(), RECIPE, SPACE, tmp_path / "whole", method=method, trials=12)
    first, second = Planted(stop=5), Planted()
    with pytest.raises(KeyboardInterrupt):
        explore(first, RECIPE, SPACE, tmp_path / "torn", method=method, trials=12)
    assert "seconds" in (tmp_path / "torn" / "trials.csv").read_text()  # the table of what is there
    again = explore(second, RECIPE, SPACE, tmp_path / "torn", method=method, trials=12)
    assert len(first.trained) == 5
    assert len(first.trained + second.trained) == len(set(first.trained + second.trained)) == 12
    drop = [[{name: value for name, value in row.items() if name != "seconds"} for row in each.rows] for each in (again, whole)]
    assert drop[0] == drop[1]
    more = Planted()
    assert len(explore(more, RECIPE, SPACE, tmp_path / "torn", method=method, trials=15).rows) == 15
    assert len(more.trained) == 3


@pytest.mark.filterwarnings("ignore:the trial with:RuntimeWarning")
def test_a_failed_trial_is_named_and_tried_again(tmp_path):
    def train(recipe, run):
        if recipe.label_smoothing == 0.1:
            raise MemoryError("no room\nfor this")
        return float("nan") if recipe.label_smoothing == 0.2 else 0.5

    space = {"label_smoothing": [0.0, 0.1, 0.0, 0.2, 0.0], "warmup": (0.0, 0.5)}
    with pytest.warns(RuntimeWarning, match=r"trial with \{'label_smoothing': 0.1.* failed: MemoryError: no room for this"):
        found = explore(train, RECIPE, space, tmp_path, method="random", trials=10, seed=4)
    assert found.rows[0]["error"] is None
    assert found.rows[-1]["error"] is not None
    assert found.rows[-1]["val_accuracy"] is None
    good = Planted()
    assert all(row["error"] is None for row in explore(good, RECIPE, space, tmp_path, method="random", trials=10, seed=4).rows)
    assert len(good.trained) == sum(row["error"] is not None for row in found.rows)


@pytest.mark.filterwarnings("ignore:the trial with:RuntimeWarning")
def test_a_search_in_which_everything_fails_raises(tmp_path):
    def train(recipe, run):
        raise ValueError("wrong data")

    with pytest.raises(SearchFailed, match="3 trials in a row failed, the last with ValueError: wrong data; see .*trials"):
        explore(train, RECIPE, SPACE, tmp_path, method="random", trials=10)
    with pytest.raises(SearchFailed, match="none of 2 trials could be trained: ValueError: wrong data"):
        explore(train, RECIPE, SPACE, tmp_path / "two", method="random", trials=2)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"space": {}}, "space must name fields of the recipe"),
        ({"space": {"rate": (0.1, 1.0)}}, r"batch_size, .*, got \['rate'\]"),
        ({"space": {"epochs": (1, 5)}}, "space must name fields"),
        ({"space": {"learning_rate": (1.0, 0.1)}}, "with low < high"),
        ({"space": {"learning_rate": (0.0, 0.1, "log")}}, "low > 0"),
        ({"space": {"learning_rate": [0.1]}}, "a list of two values or more"),
        ({"method": "grid"}, "method must be one of hyperband, random, bayesian, got 'grid'"),
        ({"trials": 0}, "trials must be at least 1, got 0"),
    ],
)
def test_a_wrong_search_is_refused(tmp_path, keywords, message):
    with pytest.raises(ValueError, match=message):
        explore(Planted(), RECIPE, **{"space": SPACE, "folder": tmp_path, **keywords})
    assert not list(tmp_path.iterdir())


def test_a_folder_of_another_search_is_refused(tmp_path):
    explore(Planted(), RECIPE, SPACE, tmp_path, method="random", trials=1)
    with pytest.raises(ValueError, match="started with another recipe and seed; use a new folder"):
        explore(Planted(), Recipe(epochs=8), SPACE, tmp_path, method="random", trials=1, seed=5)


def test_missing_packages_are_named(tmp_path, monkeypatch):
    """Without tensorboard KerasTuner's own search fails in every trial and can still return."""
    real = importlib.util.find_spec
    monkeypatch.setattr(search.importlib.util, "find_spec", lambda name: None if name in ("tensorboard", "sklearn") else real(name))
    with pytest.raises(ImportError, match="a search needs tensorboard, scikit-learn: pip install tensorboard scikit-learn"):
        explore(Planted(), RECIPE, SPACE, tmp_path)


@pytest.mark.slow  # the Gaussian process of scikit-learn is fitted before every trial
def test_whole_numbers_and_the_lowest_loss(tmp_path):
    def train(recipe, run):
        assert isinstance(recipe.batch_size, int)
        return abs(recipe.batch_size - 20)

    recipe = Recipe(monitor="val_loss")
    found = explore(train, recipe, {"batch_size": (4, 64)}, tmp_path, method="bayesian", trials=20)
    assert abs(found.best.batch_size - 20) <= 2
    assert found.rows[0]["val_loss"] == min(row["val_loss"] for row in found.rows)


def test_the_table_is_markdown():
    rows = [{"trial": "0", "learning_rate": 0.0123456, "error": None}, {"trial": "1", "learning_rate": 1.0, "error": "a|b"}]
    assert markdown(rows) == "| trial | learning_rate | error |\n|---|---|---|\n| 0 | 0.01235 |  |\n| 1 | 1 | a\\|b |\n"


def test_real_trainings(tmp_path):
    """A rate at which nothing is learned loses against one at which it is; every trial is a run folder."""
    data = (colours(), colours(12, seed=1))
    recipe = Recipe(epochs=6, batch_size=8, monitor="val_loss")
    found = search_recipe(net, data, recipe, {"learning_rate": [1e-7, 0.03]}, tmp_path, method="random", trials=2)
    assert found.best.learning_rate == 0.03
    assert len(found.rows) == 2
    assert len(list(tmp_path.glob("trials/*/model.keras"))) == 2
