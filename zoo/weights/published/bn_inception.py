"""BN-Inception: nobody publishes weights of exactly the paper's network."""

from __future__ import annotations

from zoo.weights.record import Record

RECORDS: tuple[Record, ...] = ()
