"""Schedules against closed forms, Keras' cosine and torch's OneCycleLR."""

import keras
import numpy as np
import pytest

from zoo.train.schedules import Schedule


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


def test_one_step_is_legal_and_none_is_not():
    for kind in ("constant", "cosine", "one_cycle"):
        assert np.isfinite(float(Schedule(kind, 0.1, 1, 0.5)(0)))
    with pytest.raises(ValueError, match="at least one step"):
        Schedule("cosine", 0.1, 0)
    with pytest.raises(ValueError, match="constant, cosine, one_cycle, got 'step'"):
        Schedule("step", 0.1, 10)


def test_configuration_round_trip():
    again = keras.optimizers.schedules.deserialize(keras.optimizers.schedules.serialize(Schedule("cosine", 0.3, 20, 0.1)))
    assert float(again(7)) == float(Schedule("cosine", 0.3, 20, 0.1)(7))
