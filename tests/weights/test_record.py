"""The table of published weights says nothing that is impossible, and a record cannot be written carelessly."""

from __future__ import annotations

import dataclasses
import re

import pytest

from tests import references
from zoo import registry
from zoo.download import split_digest
from zoo.weights import TABLE, class_names, foreign, records
from zoo.weights.record import APPLICATIONS_H5, TFLITE_INT8, TORCH_PICKLE, Record

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


def _file(record: Record) -> str:
    return record.url.rsplit("/", 1)[-1]


@pytest.mark.parametrize("record", TABLE, ids=lambda record: f"{record.models[0]}-{record.tag}-{_file(record)}")
def test_records_fit_the_registry(record: Record):
    for name in record.models:
        variant = registry.row(name)[1]
        assert record.classes == variant.classes or record.classes in (1000, 21843)
        if record.top:  # trainable parameters, two statistics per normalised map, and what is left out on purpose
            extra = 2 if foreign.ignored(registry.family(name)) else 1.04
            folded = 0.98 if record.format == TFLITE_INT8 else 1  # no normalisation left in the file
            assert folded * variant.parameters <= record.parameters <= variant.parameters * extra
        else:
            assert record.parameters < variant.parameters
    if record.format != TFLITE_INT8:
        assert 4 * record.parameters < (record.bytes or record.limit) <= record.limit <= 4.3 * record.parameters + 2**20
    assert record.top1 is None or 0.39 < record.top1 < (record.top5 or 1) < 1.01
    assert 0.8 <= record.crop <= 1
    assert len(record.mean) == len(record.std) == 3


def test_one_tag_of_one_row_is_one_file_with_and_at_most_one_without_the_head():
    for name in {name for record in TABLE for name in record.models}:
        pairs = [(record.tag, record.top) for record in records(name)]
        assert len(set(pairs)) == len(pairs), name


def _applications_source() -> str:
    from pathlib import Path

    import keras

    folder = Path(keras.__file__).parent / "src" / "applications"
    return "".join(path.read_text() for path in sorted(folder.glob("*.py")))


def test_every_file_of_keras_applications_has_a_record_with_its_digest():
    """The publisher's own source is the witness, in both directions: no digest is ours alone, and none of its is missing here."""
    source = _applications_source()
    published = set(re.findall(r"\"([0-9a-f]{64}|[0-9a-f]{32})\"", source))
    ours = [record for record in TABLE if record.format == APPLICATIONS_H5 and "/keras-applications/" in record.url]
    labels = re.search(r"imagenet_class_index\.json.*?file_hash=\"(\w+)\"", source, re.S).group(1)
    unbuilt = re.findall(r"\"resnext\d+\": \(\s*\"(\w+)\",\s*\"(\w+)\"", source)  # files of networks that it no longer builds
    assert {split_digest(record.digest)[1] for record in ours if record.digest} == published - {labels, *sum(unbuilt, ())}
    without = {_family(record) for record in ours if record.digest is None}
    assert without == {"mobilenet", "mobilenet_v2"}, "the only two of its files that state no digest"


def _family(record: Record) -> str:
    return registry.family(record.models[0])


def test_the_digests_of_torchs_files_are_in_their_names():
    """torchvision and timm publish the first eight digits of the sha256, there and nowhere else; full ones are checked against the file."""
    for record in TABLE:
        if record.format == TORCH_PICKLE and len(record.digest) < len("sha256:") + 64:
            assert f"-{split_digest(record.digest)[1]}." in _file(record)


@pytest.mark.parametrize("library", ["torchvision", "timm"])
def test_torchs_addresses_are_those_of_the_installed_library(library):
    from pathlib import Path

    module = getattr(references, library)()
    source = "".join(path.read_text() for path in Path(module.__file__).parent.joinpath("models").rglob("*.py"))
    host = {"torchvision": "https://download.pytorch.org/models/", "timm": "https://github.com/"}[library]
    ours = [record for record in TABLE if record.url.startswith(host) and record.format == TORCH_PICKLE]
    assert ours
    for record in ours:
        assert record.url in source or _file(record) in source, record.url


def test_class_names():
    names = class_names("imagenet")
    assert len(names) == 1000
    assert (names[0], names[285], names[999]) == ("tench", "Egyptian cat", "toilet tissue")
    assert class_names(next(record for record in TABLE if record.class_list == "imagenet")) == names
    with pytest.raises(ValueError, match="no class list 'coco'"):
        class_names("coco")


def test_class_names_are_those_of_torchvision():
    meta = references.torchvision().models._meta
    assert list(class_names()) == meta._IMAGENET_CATEGORIES
