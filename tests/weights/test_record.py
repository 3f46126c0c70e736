"""The table of published weights says nothing that is impossible, and a record cannot be written carelessly."""

from __future__ import annotations

import dataclasses

import pytest

from zoo import registry
from zoo.download import split_digest
from zoo.weights import TABLE, class_names, records
from zoo.weights.record import Record

RECORD = TABLE[0]


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "sha256:" + "A" * 64},
        {"digest": "sha256:" + "a" * 63},
        {"digest": "md5:" + "a" * 64},
        {"digest": "a" * 64},
        {"digest": "sha1:" + "a" * 40},
        {"url": "http://example.com/a.h5"},
        {"format": "pickle"},
        {"models": ()},
        {"licence": ""},
    ],
)
def test_careless_records_are_refused(change):
    with pytest.raises(ValueError, match="digest|record"):
        dataclasses.replace(RECORD, **change)


def test_digests_are_split():
    assert split_digest("sha256:" + "0" * 64) == ("sha256", "0" * 64)


@pytest.mark.parametrize("record", TABLE, ids=lambda record: record.url.rsplit("/", 1)[-1])
def test_records_fit_the_registry(record: Record):
    for name in record.models:
        variant = registry.row(name)[1]
        assert variant.classes == record.classes
        if record.top:  # trainable parameters and, where there is batch norm, two statistics per map
            assert variant.parameters <= record.parameters <= variant.parameters * 1.01
        else:
            assert record.parameters < variant.parameters
    assert 4 * record.parameters < (record.bytes or record.limit) <= record.limit <= 4.3 * record.parameters + 2**20
    assert record.top1 is None or 0.5 < record.top1 < record.top5 < 1


def test_every_published_row_has_a_file_with_and_one_without_the_head():
    for name in {name for record in TABLE for name in record.models}:
        assert sorted(record.top for record in records(name)) == [False, True]


def test_hashes_are_those_of_the_installed_keras():
    """The publisher's own source is the witness."""
    from pathlib import Path

    import keras

    folder = Path(keras.__file__).parent / "src" / "applications"
    source = "".join((folder / name).read_text() for name in ("vgg16.py", "vgg19.py", "resnet.py"))
    for record in TABLE:
        assert record.digest.removeprefix("md5:") in source
        name = record.url.rsplit("/", 1)[-1]
        assert name in source or record.models[0].startswith("resnet")


def test_class_names():
    names = class_names("imagenet")
    assert len(names) == 1000
    assert (names[0], names[285], names[999]) == ("tench", "Egyptian cat", "toilet tissue")
    assert class_names(RECORD) == names
    with pytest.raises(ValueError, match="no class list 'coco'"):
        class_names("coco")


def test_class_names_are_those_of_torchvision():
    from tests import references

    meta = references.torchvision().models._meta
    assert list(class_names()) == meta._IMAGENET_CATEGORIES
