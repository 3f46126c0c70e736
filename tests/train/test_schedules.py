"""Schedules against closed forms, Keras' cosine and torch's OneCycleLR."""

import keras
import numpy as np
import pytest

from zoo.train.schedules import KINDS, Schedule


def _rates(schedule, steps):
    return np.array([float(schedule(step)) for step in range(steps)])


@pytest.mark.backend
def test_linear_warmup_reaches_the_peak_without_a_step_at_zero():
    rates = _rates(Schedule("constant", 0.5, 100, warmup=0.1), 100)
    np.testing.assert_allclose(rates[:10], 0.05 * np.arange(1, 11), rtol=1e-6)
    np.testing.assert_allclose(rates[10:], 0.5, rtol=1e-6)


@pytest.mark.backend
@pytest.mark.parametrize("warmup", [0.0, 0.2])
def test_cosine_equals_keras_after_the_warmup(warmup):
    steps, climb = 50, round(warmup * 50)
    ours = _rates(Schedule("cosine", 0.3, steps, warmup), steps)
    theirs = _rates(keras.optimizers.schedules.CosineDecay(0.3, steps - climb), steps - climb)
    np.testing.assert_allclose(ours[climb:], theirs, rtol=1e-5, atol=1e-8)


@pytest.mark.backend
def test_the_last_value_is_kept_beyond_the_end():
    assert float(Schedule("cosine", 1.0, 10)(25)) == pytest.approx(0.0, abs=1e-7)
    assert float(Schedule("one_cycle", 1.0, 10, 0.3)(25)) == pytest.approx(1 / 25e4, rel=1e-4)


def test_one_cycle_equals_torch():
    torch = pytest.importorskip("torch", reason="the reference is torch: install it with make test-backends")
    steps = 40
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.2, total_steps=steps, pct_start=0.3, cycle_momentum=False)
    wanted = []
    for _ in range(steps):
        wanted.append(theirs.get_last_lr()[0])
        optimizer.step()
        if len(wanted) < steps:
            theirs.step()
    np.testing.assert_allclose(_rates(Schedule("one_cycle", 0.2, steps, 0.3), steps), wanted, rtol=1e-4, atol=1e-9)


@pytest.mark.backend
@pytest.mark.parametrize(("power", "final"), [(0.9, 0.0), (1.0, 0.1), (2.0, 0.5)])
def test_poly_equals_keras_after_the_warmup(power, final):
    steps, climb = 40, 8
    ours = _rates(Schedule("poly", 0.3, steps, 0.2, power=power, final=final), steps)
    theirs = keras.optimizers.schedules.PolynomialDecay(0.3, steps - climb, end_learning_rate=0.3 * final, power=power)
    np.testing.assert_allclose(ours[climb:], _rates(theirs, steps - climb), rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(ours[:climb], 0.3 * np.arange(1, 9) / 8, rtol=1e-6)


def test_poly_and_cosine_with_a_floor_equal_torch():
    torch = pytest.importorskip("torch", reason="the reference is torch: install it with make test-backends")
    steps = 30
    makers = {
        "poly": lambda of: torch.optim.lr_scheduler.PolynomialLR(of, total_iters=steps, power=0.9),
        "cosine": lambda of: torch.optim.lr_scheduler.CosineAnnealingLR(of, T_max=steps, eta_min=0.02),
        "step": lambda of: torch.optim.lr_scheduler.MultiStepLR(of, milestones=[10, 20], gamma=0.1),
    }
    for kind, maker in makers.items():
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.2)
        theirs, wanted = maker(optimizer), []
        for _ in range(steps):
            wanted.append(theirs.get_last_lr()[0])
            optimizer.step()
            theirs.step()
        ours = Schedule(kind, 0.2, steps, final=0.1 if kind == "cosine" else 0.0)
        np.testing.assert_allclose(_rates(ours, steps), wanted, rtol=1e-4, atol=1e-8, err_msg=kind)


@pytest.mark.backend
def test_steps_by_one_fraction_are_those_of_its_multiples():
    """EfficientNet's form: a factor after every 2.4 of 350 epochs. Closed form: the multiples of the fraction, rounded to an update."""
    steps, part = 700, 2.4 / 350
    ours = _rates(Schedule("step", 0.256, steps, milestones=part, factor=0.97), steps)
    borders = np.array([round(part * steps * k) for k in range(1, 146)])
    wanted = 0.256 * 0.97 ** (np.arange(steps)[:, None] >= borders).sum(1)
    np.testing.assert_allclose(ours, wanted, rtol=1e-4)
    named = _rates(Schedule("step", 0.256, steps, milestones=tuple(part * k for k in range(1, 146)), factor=0.97), steps)
    np.testing.assert_allclose(ours, named, rtol=1e-4)


@pytest.mark.backend
def test_accumulated_batches_share_the_rate_of_their_update():
    slow, fast = Schedule("cosine", 0.3, 10, 0.2, every=4), Schedule("cosine", 0.3, 10, 0.2)
    np.testing.assert_array_equal(_rates(slow, 40), np.repeat(_rates(fast, 10), 4))


def test_one_step_is_legal_and_none_is_not():
    for kind in KINDS:
        assert np.isfinite(float(Schedule(kind, 0.1, 1, 0.5)(0)))
    with pytest.raises(ValueError, match="at least one step"):
        Schedule("cosine", 0.1, 0)
    with pytest.raises(ValueError, match="constant, cosine, one_cycle, poly, step, got 'linear'"):
        Schedule("linear", 0.1, 10)


def test_configuration_round_trip():
    for schedule in (Schedule("cosine", 0.3, 20, 0.1, final=0.2, every=2), Schedule("step", 0.3, 20, milestones=(0.2, 0.5), factor=0.3)):
        again = keras.optimizers.schedules.deserialize(keras.optimizers.schedules.serialize(schedule))
        np.testing.assert_array_equal(_rates(again, 20), _rates(schedule, 20))
