"""Closed forms are compared in float64."""

from __future__ import annotations

import pytest

from tests.references import wide_numbers


@pytest.fixture(autouse=True)
def _float64():
    with wide_numbers():
        yield
