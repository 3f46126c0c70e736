"""Fixtures of the training tests."""

import pytest

from zoo.run import Run
from zoo.train import Recipe


@pytest.fixture
def recipe():
    return Recipe(epochs=3, batch_size=8, learning_rate=0.01, seed=3)


@pytest.fixture
def start(tmp_path):
    """Open (or re-open) a run folder by name."""
    return lambda name="run": Run.open(tmp_path / name, {}, name="test")
