"""Decisions from invented clocks, so that every one is known beforehand; one real race on a tiny net, whose times are not looked at."""

from __future__ import annotations

import dataclasses
import itertools
import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from tests.train.nets import colours, net
from zoo.train import Recipe, fit, tune
from zoo.train.checkpoint import value_of
from zoo.train.race import HOPELESS, TURNS, judge, race
from zoo.train.stopwatch import Stopwatch, one_batch
from zoo.train.switches import Switches, largest_divisor, offer

PLAIN, COMPILED = Switches(), Switches(jit=True)
HALF = Switches("mixed_bfloat16")
CPU = ("tensorflow", False)


class Clock:
    """A stopwatch that tells invented seconds per step, with a wobble that repeats."""

    opened: list[Switches]

    def __init__(self, seconds: dict, wobble=(1.0,), broken=()):
        self.seconds, self.wobble, self.broken = seconds, wobble, broken
        self.opened, self.measured = [], []

    def __call__(self, switches: Switches):
        self.opened.append(switches)
        if switches in self.broken:
            raise RuntimeError("this kernel does not exist\nlong story")
        return _Hand(self, switches)


class _Hand:
    def __init__(self, clock: Clock, switches: Switches):
        self.clock, self.switches, self.wobble = clock, switches, itertools.cycle(clock.wobble)

    def first(self) -> float:
        return 5.0

    def measure(self, steps: int) -> float:
        self.clock.measured.append((self.switches, steps))
        return self.clock.seconds[self.switches] * (next(self.wobble) if self.switches != PLAIN else 1.0)


def _race(clock: Clock, **options):
    return race(offer(*CPU, **options), clock, seconds=0.0, steps=10)


def _why(rows, switches: Switches) -> str:
    return next(row.why for row in rows if row.switches == switches)


# --- what is measured


def test_float16_is_measured_on_a_cpu_only_when_asked_for():
    half = Switches("mixed_float16")
    refused = offer(*CPU)
    assert half not in refused.steps
    assert "float16" in refused.refused[half]
    assert half in offer("tensorflow", True).steps
    assert half in offer(*CPU, precisions=("float32", "mixed_float16")).steps


def test_torch_gets_one_step_per_call_and_no_compiler():
    offered = offer("torch", False)
    assert offered.fusings == ()
    assert not any(switches.jit for switches in offered.steps)
    assert {switches.jit for switches in offer("torch", False, jits=(False, True)).steps} == {False, True}
    with pytest.raises(ValueError, match="torch runs one step per call"):
        offer("torch", False, fusings=(8,))


def test_jax_is_compiled():
    offered = offer("jax", False)
    assert offered.plain == COMPILED
    assert all(switches.jit for switches in offered.steps)


def test_an_epoch_is_fused_by_its_divisors():
    assert offer(*CPU, epoch=60).fusings == (6, 30)
    assert offer(*CPU, epoch=7).fusings == (7,)
    prime = offer(*CPU, epoch=37)
    assert prime.fusings == ()
    assert "37 steps" in prime.refused[Switches(steps_per_execution=32)]
    assert [largest_divisor(60, most) for most in (1, 8, 32, 100)] == [1, 6, 30, 60]


def test_nothing_to_measure_is_an_error():
    with pytest.raises(ValueError, match="precisions must hold at least one"):
        offer(*CPU, precisions=())


# --- what is decided


def test_a_steady_gain_is_kept_and_the_reasons_say_so():
    times = {PLAIN: [1.0, 1.0, 1.0], HALF: [0.8, 0.8, 0.8], COMPILED: [1.8, 1.8, 1.8]}
    kept, why = judge(times, PLAIN)
    assert kept == HALF
    assert why[HALF].startswith("kept: 1.25 x")
    assert why[COMPILED].endswith("slower here")
    assert why[PLAIN] == "the reference"


@pytest.mark.parametrize("seconds", [[0.5, 1.0, 1.4, 0.8, 1.2], [0.99, 0.99, 0.99, 0.99, 0.99]])
def test_a_gain_within_the_noise_stays_with_plain(seconds):
    """A median of 1 with a wide spread, and a steady 1 %."""
    kept, why = judge({PLAIN: [1.0] * 5, HALF: seconds}, PLAIN)
    assert kept == PLAIN
    assert "nothing is faster" in why[PLAIN]
    assert "within the noise" in why[HALF]


def test_a_disturbance_that_hits_everybody_is_not_noise():
    """Ratios are taken turn by turn: a turn during which the machine was three times slower changes none."""
    slow = np.array([1.0, 3.0, 1.0, 2.0, 1.0])
    assert judge({PLAIN: list(slow), HALF: list(0.8 * slow)}, PLAIN)[0] == HALF


def test_among_equals_the_plainest_is_kept():
    fused = Switches(steps_per_execution=8)
    half_fused = Switches("mixed_bfloat16", steps_per_execution=32)
    kept, why = judge({PLAIN: [1.0] * 3, fused: [0.5] * 3, half_fused: [0.495] * 3}, PLAIN)
    assert kept == fused
    assert "no more than the plainer" in why[half_fused]
    assert judge({PLAIN: [1.0] * 3, fused: [0.5] * 3, half_fused: [0.45] * 3}, PLAIN)[0] == half_fused


@pytest.mark.parametrize("seed", range(20))
def test_the_choice_is_never_slower_than_the_best_by_more_than_the_noise(seed):
    random = np.random.default_rng(seed)
    every = [PLAIN, HALF, COMPILED, Switches(steps_per_execution=8), Switches(steps_per_execution=32)]
    true = dict(zip(every, random.uniform(0.7, 1.3, 5), strict=True))
    times = {switches: list(true[switches] * random.normal(1, 0.005, 9)) for switches in every}
    assert true[judge(times, PLAIN)[0]] <= 1.05 * min(true.values())


def test_a_hopeless_candidate_takes_two_calls_and_no_turn():
    seconds = {PLAIN: 1.0, HALF: 0.9, COMPILED: 13.0, Switches("mixed_bfloat16", True): HOPELESS * 0.9 * 1.01}
    clock = Clock(seconds)
    kept, rows = _race(clock, fusings=(1,))
    assert kept == HALF
    assert clock.measured.count((COMPILED, 1)) == 1
    assert (COMPILED, 10) not in clock.measured
    assert "13.0 x the fastest" in _why(rows, COMPILED)
    assert clock.measured.count((PLAIN, 10)) == TURNS[0], "no time was given, so it is the least number of turns"


def test_a_candidate_that_fails_is_out_with_its_error_and_plain_raises_it():
    seconds = {PLAIN: 1.0, HALF: 0.5, COMPILED: 1.0, Switches("mixed_bfloat16", True): 1.0}
    kept, rows = _race(Clock(seconds, broken=(HALF,)), fusings=(1,))
    assert kept == PLAIN
    assert _why(rows, HALF) == "out: RuntimeError: this kernel does not exist"
    with pytest.raises(RuntimeError, match="does not exist"):
        _race(Clock(seconds, broken=(PLAIN,)))


def test_steps_are_fused_with_what_is_near_the_fastest():
    fused = {Switches(p, False, n): s / n for p, s in (("float32", 0.01), ("mixed_bfloat16", 0.0105)) for n in (8, 32)}
    clock = Clock({PLAIN: 0.01, HALF: 0.0105, COMPILED: 0.02, Switches("mixed_bfloat16", True): 0.02, **fused})
    kept, rows = _race(clock)
    assert kept == Switches(steps_per_execution=32)
    assert set(clock.opened) == set(clock.seconds), "neither compiled candidate is fused"
    assert {row.switches for row in rows} >= set(clock.seconds)


def test_long_steps_are_not_fused():
    clock = Clock(dict.fromkeys([PLAIN, HALF, COMPILED, Switches("mixed_bfloat16", True)], 0.5))
    _, rows = _race(clock)
    assert len(clock.opened) == 4
    assert "a step takes 500 ms" in _why(rows, Switches(steps_per_execution=8))


# --- the whole, with what it remembers


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tuned.json"


BATCH = (np.zeros((8, 8, 8, 3), "uint8"), np.arange(8) % 3)


def _tune(opened: list, build=net, recipe=None, **options):
    usual = keras.backend.backend() == "jax"
    tiny = {"precisions": ("float32", "mixed_bfloat16"), "jits": (usual,), "seconds": 0.0}
    if keras.backend.backend() != "torch":
        tiny["fusings"] = (1,)

    def open(build, feed, switches, recipe):
        opened.append(switches)
        return _Hand(Clock({switches: 1.0 if switches.precision == "float32" else 0.5}), switches)

    return tune(build, BATCH, recipe or Recipe(batch_size=8), open=open, **{**tiny, **options})


@pytest.mark.backend
def test_a_second_call_remembers_and_refresh_measures_again(cache):
    opened: list = []
    first, again = _tune(opened), _tune(opened)
    assert (len(opened), first.cached, again.cached) == (2, False, True)
    assert again.recipe == first.recipe == Recipe(batch_size=8, precision="mixed_bfloat16", jit=keras.backend.backend() == "jax")
    assert again.rows == first.rows
    assert not _tune(opened, refresh=True).cached
    cache.write_text("{torn")
    assert not _tune(opened).cached


@pytest.mark.parametrize(
    "changes",
    [
        {"recipe": Recipe(batch_size=8, optimizer="sgd")},
        {"recipe": Recipe(batch_size=8, ema=0.9)},
        {"precisions": ("float32",)},
        {"build": lambda: net(size=8, classes=4)},
    ],
    ids=["optimiser", "average", "precisions", "model"],
)
def test_what_changes_the_step_is_measured_again(cache, changes):
    opened: list = []
    _tune(opened)
    assert not _tune(opened, **changes).cached
    assert _tune(opened, recipe=Recipe(batch_size=8, epochs=99, learning_rate=0.1, seed=7, jit=True)).cached, "these cost no time"


def test_the_batch_and_the_machine_are_part_of_the_question(cache, monkeypatch):
    opened: list = []
    _tune(opened)
    monkeypatch.setattr("tests.train.test_tune.BATCH", (np.zeros((4, 8, 8, 3), "uint8"), np.arange(4) % 3))
    assert not _tune(opened, recipe=Recipe(batch_size=4)).cached
    monkeypatch.setattr("zoo.train.machine._processor", lambda: "another processor")
    assert not _tune(opened, recipe=Recipe(batch_size=4)).cached


@pytest.mark.backend
def test_a_batch_of_another_size_than_the_recipe_says_is_refused():
    with pytest.raises(ValueError, match="batch_size=32, got 8 images"):
        tune(net, BATCH, Recipe(batch_size=32))


@pytest.mark.backend
def test_a_builder_that_keeps_its_precision_is_told(cache):
    model = net()
    with pytest.raises(ValueError, match="in mixed_bfloat16, got one in float32"):
        Stopwatch(lambda: model, one_batch(BATCH, Recipe(batch_size=8))[0], HALF, Recipe(batch_size=8))


@pytest.mark.backend
def test_the_stopwatch_takes_the_steps_it_divides_by(cache):
    """One call to start with, one more that is not timed, and enough for five steps."""
    each = 1 if keras.backend.backend() == "torch" else 2
    recipe = Recipe(batch_size=8)
    watch = Stopwatch(net, one_batch(BATCH, recipe)[0], Switches(jit=keras.backend.backend() == "jax", steps_per_execution=each), recipe)
    assert watch.first() > 0
    assert int(watch.model.optimizer.iterations) == each
    assert watch.measure(5) > 0
    assert int(watch.model.optimizer.iterations) == each + (1 + -(-5 // each)) * each


@pytest.mark.backend
def test_one_batch_of_a_pipeline_comes_again_and_again():
    from zoo.data import Examples, Pipeline

    images, labels = colours(20)
    train = Pipeline(Examples(images, labels), 8)
    feed, about, epoch = one_batch(SimpleNamespace(train=train, validation=train), Recipe(batch_size=8))
    first, second = itertools.islice(iter(feed()), 2)
    assert (about, epoch) == (((8, 8, 8, 3), "float32"), 3)
    np.testing.assert_array_equal(np.asarray(first[0]), np.asarray(second[0]))
    np.testing.assert_array_equal(np.asarray(first[1]), np.asarray(next(iter(train.training(8, 0)))[1]))


@pytest.mark.backend
def test_a_real_race_gives_a_recipe_that_fits_and_leaves_models_alone(cache, start):
    """On arrays: 4 steps an epoch, so fused steps are 4. What wins is the machine's business."""
    held = net(flip=False)
    before = [value_of(weight) for weight in held.weights]
    recipe, data = Recipe(epochs=1, batch_size=8, learning_rate=0.01), (colours(32), colours(8))
    on_torch, on_jax = (keras.backend.backend() == name for name in ("torch", "jax"))
    fusings = None if on_torch else (8,)
    tuned = tune(lambda: net(flip=False), data, recipe, seconds=0.0, steps=2, jits=(on_jax,), precisions=("float32",), fusings=fusings)
    assert tuned.recipe == dataclasses.replace(recipe, jit=on_jax, steps_per_execution=tuned.recipe.steps_per_execution)
    assert tuned.recipe.steps_per_execution in ((1,) if on_torch else (1, 4))
    measured = [row for row in tuned.rows if row.seconds]
    assert [row.switches.steps_per_execution for row in measured] == ([1] if on_torch else [1, 4])
    assert all(row.seconds > 0 and row.first > 0 for row in measured)
    for weight, value in zip(held.weights, before, strict=True):
        np.testing.assert_array_equal(value_of(weight), value)
    history = fit(tuned.build(), data, tuned.recipe, start(), verbose=0)
    assert len(history.rows) == 1


# --- the command


def test_the_command_prints_ratios_and_writes_the_recipe(cache, tmp_path, monkeypatch, capsys):
    from zoo.__main__ import main
    from zoo.train import bench

    real = bench.tune

    def quick(build, batch, recipe, **options):
        assert batch[0].shape == (4, 32, 32, 3)
        return real(
            build, batch, recipe, open=lambda b, f, s, r: _Hand(Clock({s: 0.5 if s.precision == "mixed_bfloat16" else 1.0}), s), **options
        )

    monkeypatch.setattr(bench, "tune", quick)
    out = tmp_path / "made" / "recipe.json"
    assert main(["bench", "train", "small_cnn_micro", "--size", "32", "--batch", "4", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "cores" in printed
    assert "kept: 2.00 x as fast" in printed
    assert Recipe(**json.loads(out.read_text())) == Recipe(batch_size=4, precision="mixed_bfloat16", jit=keras.backend.backend() == "jax")
    assert main(["bench", "train", "small_cnn_micr"]) == 2
    assert "did you mean small_cnn_micro" in capsys.readouterr().err
