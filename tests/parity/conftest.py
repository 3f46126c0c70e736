"""Parity is judged in float64: at float32, rounding hides what a wrong border changes at its edge."""

from __future__ import annotations

import keras
import pytest

from tests.references import wide_numbers


@pytest.fixture
def float64():
    """floatx and the dtype policy, which Keras keeps apart; the suite's conftest restores both."""
    with wide_numbers():
        keras.config.set_floatx("float64")
        keras.config.set_dtype_policy("float64")
        yield
