"""Rungs timed in turns, and the memory of a training: order, names, switches, and a footprint against what must be in memory."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest

import zoo
from zoo.layers import depthwise
from zoo.train import Recipe
from zoo.train.footprint import footprint
from zoo.train.rungs import FUSING, NATIVE, PRECISION, XLA, Rung, in_turns, measure, switched

RECIPE = Recipe(batch_size=4, optimizer="adam", weight_decay=0.0, schedule="constant", warmup=0.0)
BATCH = (np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype("float32"), np.arange(4))
TENSORFLOW = keras.backend.backend() == "tensorflow"


def build():
    return zoo.classifier("course_cnn_separable_micro")


def test_in_turns_asks_everyone_before_anyone_again_and_forgets_the_first_turn():
    asked = []

    def contender(name, answers):
        answers = iter(answers)
        return lambda: asked.append(name) or next(answers)

    medians = in_turns({"a": contender("a", [90, 1, 3, 2]), "b": contender("b", [0, 5, 5, 7])}, turns=3)
    assert asked == ["a", "b"] * 4
    assert medians == {"a": 2, "b": 5}


@pytest.mark.backend
def test_the_switches_are_thrown_one_after_the_other():
    made, left_out = switched(build, RECIPE, fuse=8)
    shown = {rung.name: (rung.recipe.precision, rung.recipe.steps_per_execution, rung.lowering) for rung in made}
    tail = {PRECISION: ("mixed_bfloat16", 1, "auto"), FUSING: ("mixed_bfloat16", 8, "auto")}
    wanted = {
        "tensorflow": ({XLA: ("float32", 1, "auto"), NATIVE: ("float32", 1, "native"), **tail}, set()),
        "jax": (tail, {XLA}),
        "torch": ({PRECISION: tail[PRECISION]}, {XLA, FUSING}),
    }
    assert (shown, set(left_out)) == wanted[keras.backend.backend()]
    assert all(rung.recipe.jit == (keras.backend.backend() != "torch") for rung in made)


@pytest.mark.slow
@pytest.mark.backend
def test_every_rung_and_every_other_call_is_timed():
    plain = Rung("plain", build, RECIPE)
    aid = Rung("aid", build, dataclasses.replace(RECIPE, ema=0.9), predicts=False)
    seen = []
    timings = measure([plain, aid], BATCH, steps=1, turns=1, calls={"file": lambda images: seen.append(images.shape)})
    assert list(timings) == ["plain", "aid", "file"]
    assert min(timings["plain"].first, timings["plain"].step, timings["plain"].call, timings["aid"].step) > 0
    assert timings["aid"].call is timings["file"].step is timings["file"].first is None
    assert seen == [(4, 32, 32, 3)] * 2
    with pytest.raises(ValueError, match="every rung needs a name of its own, got plain, plain"):
        measure([plain, plain], BATCH)


@pytest.mark.skipif(not TENSORFLOW, reason="the lowering is read from TensorFlow's traces")
def test_a_rung_is_traced_in_its_own_lowering(monkeypatch):
    traced = []
    monkeypatch.setattr(depthwise, "_shifts", lambda data_format: traced.append(depthwise._chosen.get()) and False)
    measure([Rung("native", build, RECIPE, lowering="native")], BATCH, steps=1, turns=1)
    assert "native" in traced
    assert set(traced[traced.index("native") :]) == {"native"}


def test_a_footprint_holds_weights_gradients_and_both_moments():
    """Adam keeps four numbers for each weight; the activations of a network this flat are small beside them."""
    widths = (8, 8, 8, 8, 700)
    changes = {"widths": widths}
    weights = zoo.classifier("course_cnn_micro", changes=changes).count_params()
    assert weights > 4e6
    measured = footprint("course_cnn_micro", RECIPE, classes=10, size=32, changes=changes)
    assert 4 * 4 * weights < measured < 3e9


def test_a_footprint_that_fails_says_why():
    with pytest.raises(RuntimeError, match=r"the memory of course_cnn_nano could not be measured, its process ended with 1: .*no model"):
        footprint("course_cnn_nano", RECIPE, classes=10, size=32)
