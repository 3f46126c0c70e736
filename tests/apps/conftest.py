"""A runs folder with one finished run of a micro model, as a project leaves it."""

from __future__ import annotations

from pathlib import Path

import pytest

CLASSES = ("cat", "<b>dog</b>", "a *star* :red[x]", "rocket", "cup")
"""Two of them would be formatted, or worse, by a page that trusts its class names."""


@pytest.fixture(scope="session")
def runs(tmp_path_factory) -> Path:
    import keras

    from zoo import predict, registry

    keras.utils.set_random_seed(3)
    root = tmp_path_factory.mktemp("runs")
    folder = root / "micro_run"
    folder.mkdir()
    registry.build_classifier("small_cnn_micro", classes=len(CLASSES)).save(folder / "model.keras")
    predict.save_labels(folder, CLASSES, (32, 32), trained_on="nothing, for a test")
    return root


@pytest.fixture
def no_runs(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("ZOO_RUNS", str(tmp_path / "none"))
    return tmp_path / "none"
