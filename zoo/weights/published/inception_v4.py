"""Inception v4: keras.applications and torchvision do not have it, and timm names its file by no checksum."""

from __future__ import annotations

from zoo.weights.record import Record

RECORDS: tuple[Record, ...] = ()
