"""kill -9 at any moment, also inside a save: the resumed training ends with the same bits."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.train import killed
from zoo.train import checkpoint

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The training that nothing interrupts: (last checkpoint, best checkpoint, rows)."""
    folder = tmp_path_factory.mktemp("whole")
    return _outcome(folder, killed.train(folder)[1])


def _outcome(folder, history):
    last, best = (checkpoint.read(folder / "checkpoints" / f"{name}.safetensors")[0] for name in ("last-00004", "best"))
    rows = [{name: value for name, value in row.items() if name != "seconds"} for row in history.rows]
    return last, best, rows


def _die(folder, moment, number):
    """Run in a process that kills itself; whether it did (a late moment may come after the end)."""
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "tests/train/killed.py", str(folder), moment, str(number)], cwd=ROOT, env=environment, capture_output=True
    )
    assert done.returncode in (-signal.SIGKILL, 0), done.stderr.decode()[-2000:]
    return done.returncode == -signal.SIGKILL


def _same(got, wanted):
    assert got[2] == wanted[2]
    for ours, theirs in zip(got[:2], wanted[:2], strict=True):
        for (name, left), right in zip(ours.items(), theirs.values(), strict=True):
            np.testing.assert_array_equal(left, right, err_msg=name)


@pytest.mark.parametrize(
    ("moment", "number", "left"),
    [pytest.param("step", 6, 0, marks=pytest.mark.slow), ("half", 5, 1), pytest.param("whole", 3, 1, marks=pytest.mark.slow)],
)
def test_killed_once_then_resumed_here(tmp_path, whole, moment, number, left):
    """Of an epoch two files are written, best (when better) and last, after the one at the start."""
    assert _die(tmp_path, moment, number)
    assert len(list((tmp_path / "checkpoints").glob(".*"))) == left
    _same(_outcome(tmp_path, killed.train(tmp_path)[1]), whole)
    assert not list(tmp_path.glob("**/.*"))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_killed_again_and_again(tmp_path, whole, seed):
    draw = random.Random(seed)
    for _ in range(draw.randint(1, 3)):
        moment = draw.choice(["step", "step", "half", "whole", "renamed"])
        if not _die(tmp_path, moment, draw.randint(1, 8)):
            break
    _same(_outcome(tmp_path, killed.train(tmp_path)[1]), whole)
