"""The doctor finds every planted illness, names the file, and changes nothing."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo.data import doctor
from zoo.data.findings import ERROR, KINDS


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))


def draw(path, seed, size=(20, 24), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)).save(path, **{"format": "PNG", **options})


@pytest.fixture
def ill(tmp_path):
    """A folder with one planted case of each kind, and what the doctor must say about it."""
    root, number = tmp_path / "photos", iter(range(1000))
    for split in ("train", "validation", "test"):
        for name in ("cat", "dog"):
            for i in range(3):
                draw(root / split / name / f"{i}.png", next(number))
    draw(root / "train" / "eel" / "0.png", next(number))
    (root / "train" / "fox").mkdir()
    draw(root / "test" / "gnu" / "0.png", next(number))
    (root / "train" / "cat" / "half.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    draw(root / "test" / "cat" / "leak.png", 0)
    draw(root / "train" / "dog" / "twice.png", 3)
    draw(root / "train" / "dog" / "wrong.png", 1)
    draw(root / "train" / "cat" / "tiny.png", 500, size=(15, 40))
    exif = Image.Exif()
    exif[0x0112] = 6
    draw(root / "train" / "cat" / "lying.png", 501, exif=exif)
    Image.fromarray(np.arange(400, dtype=np.uint16).reshape(20, 20)).save(root / "train" / "cat" / "deep.png")
    draw(root / "train" / "cat" / "webp.jpg", 502, format="WEBP")
    (root / "train" / "cat" / "notes.txt").write_text("x")
    expected = {
        ("bad", "train/cat/half.jpg"),
        ("empty", "train/fox"),
        ("unknown class", "test/gnu"),
        ("leak", "test/cat/leak.png"),
        ("conflict", "train/dog/wrong.png"),
        ("duplicate", "train/dog/twice.png"),
        ("absent", "validation"),
        ("absent", "test"),
        ("tiny", "train/cat/tiny.png"),
        ("rotated", "train/cat/lying.png"),
        ("16-bit", "train/cat/deep.png"),
        ("misnamed", "train/cat/webp.jpg"),
        ("ignored", "train/cat/notes.txt"),
    }
    return root, expected


def test_every_planted_illness_is_found_and_nothing_else(ill):
    root, expected = ill
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    calls = []
    findings = doctor(root, progress=lambda done, total: calls.append((done, total)))
    assert {(item.kind, item.path.relative_to(root).as_posix()) for item in findings} == expected
    assert findings
    assert len(findings) == len(expected)
    assert calls[-1] == (len(findings.seen), len(findings.seen))
    assert before == {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    assert [item.reason for item in findings.of("leak")] == ["same picture as train/cat/0.png"]
    assert "truncated or damaged JPEG" in findings.of("bad")[0].reason
    assert findings.of("rotated")[0].reason == "EXIF orientation 6"
    assert findings.of("16-bit")[0].reason == "mode I;16"
    assert findings.of("misnamed")[0].reason == "it is WEBP"
    assert findings.of("absent")[1].reason == "no folder for class eel"


def test_the_second_look_says_the_same(ill):
    root, _ = ill
    assert doctor(root).items == doctor(root).items


def test_the_table_names_files_and_reasons(ill):
    root, _ = ill
    text = doctor(root).table()
    assert text.startswith(f"{root}: 28 pictures, 5 classes, splits: train 14, validation 6, test 8\n")
    assert "ERROR: 1 leak (the same picture in two splits: results on it are too good)\n  test/cat/leak.png: same picture" in text
    assert text.index("ERROR") < text.index("WARNING") < text.index("NOTE")
    assert text.endswith("\n5 errors.")


def test_the_table_is_cut_but_counts_all(tmp_path):
    for i in range(6):
        (tmp_path / "p" / "cat").mkdir(parents=True, exist_ok=True)
        (tmp_path / "p" / "cat" / f"{i}.jpg").write_bytes(b"")
    text = doctor(tmp_path / "p").table(limit=2)
    assert "6 bad" in text
    assert "  ... and 4 more" in text
    assert text.count("empty file") == 2


def test_a_healthy_folder_has_no_errors(tmp_path):
    for i in range(4):
        draw(tmp_path / "p" / f"class{i % 2}" / f"{i}.png", i)
    findings = doctor(tmp_path / "p")
    assert not findings
    assert list(findings) == []
    assert findings.table() == f"{tmp_path / 'p'}: 4 pictures, 2 classes\n\nNo errors."


def test_notes_and_warnings_alone_are_no_error(tmp_path):
    for i in range(4):
        draw(tmp_path / "p" / f"class{i % 2}" / f"{i}.png", i % 2)
    findings = doctor(tmp_path / "p")
    assert [item.kind for item in findings] == ["duplicate", "duplicate"]
    assert not findings


def test_blank_pictures_of_two_shapes_are_no_copies(tmp_path):
    for name, size in (("a", (16, 32)), ("b", (32, 16))):
        (tmp_path / "p" / name).mkdir(parents=True)
        Image.new("RGB", size, "white").save(tmp_path / "p" / name / "blank.png")
    assert list(doctor(tmp_path / "p")) == []


def test_one_class_is_an_error(tmp_path):
    draw(tmp_path / "p" / "cat" / "0.png", 0)
    assert [item.kind for item in doctor(tmp_path / "p")] == ["one class"]


def test_an_unknown_kind_is_named(tmp_path):
    draw(tmp_path / "p" / "cat" / "0.png", 0)
    with pytest.raises(ValueError, match="no kind of finding called 'blurred'; kinds: bad, empty"):
        doctor(tmp_path / "p").of("blurred")


def test_kinds_stand_by_severity():
    severities = [severity for severity, _ in KINDS.values()]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)
    assert severities[0] == ERROR


def _real(name: str) -> Path:
    root = os.environ.get("ZOO_DATA")
    if not root or not Path(root, name).is_dir():
        pytest.skip(f"needs {name} below ZOO_DATA")
    return Path(root, name)


def test_the_clothing_photos_are_healthy():
    findings = doctor(_real("clothing10"))
    counts = {split: sum(map(len, classes.values())) for split, classes in findings.listing.splits.items()}
    assert counts == {"train": 3068, "validation": 341, "test": 372}  # as their source counts them
    assert not findings


def test_the_ultrasound_copy_across_classes_is_found():
    """Its publisher's file has one pair of byte-identical pictures, under two labels."""
    findings = doctor(_real("busi"))
    assert [item.kind for item in findings if KINDS[item.kind][0] == ERROR] == ["conflict"]
