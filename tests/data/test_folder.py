"""Image folders: what is listed, what stops a training, what is counted, and that a label never shifts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo.data import inspection
from zoo.data.folder import FolderError, read_folder
from zoo.data.listing import natural, scan


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of its own for every test, outside the data folder."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def root(tmp_path):
    return tmp_path / "photos"


def draw(path, seed: int, size=(20, 24), **options):
    """A picture that no other seed has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    Image.fromarray(pixels).save(path, **{"format": "PNG", **options})
    return path


def fill(root, classes=("cat", "dog"), count=10, start=0):
    for i, name in enumerate(classes):
        for j in range(count):
            draw(root / name / f"{j}.png", start + 1000 * i + j)
    return root


def all_items(dataset):
    return [path for part in dataset.splits.values() for path in part.items]


def test_a_flat_folder_is_divided_by_seed(root):
    fill(root, count=20)
    dataset = read_folder(root)
    assert dataset.classes == ("cat", "dog")
    assert (dataset.name, dataset.kind) == ("folder:photos", "folder")
    assert {name: list(counts) for name, counts in dataset.counts().items()} == {"train": [14, 14], "validation": [3, 3], "test": [3, 3]}
    assert len(all_items(dataset)) == len(set(all_items(dataset))) == 40
    assert "divided by seed 0 into train 70%, validation 15%, test 15%" in dataset.notes[0]
    for part in dataset.splits.values():
        assert [dataset.classes[label] for label in part.labels] == [path.parent.name for path in part.items]
    again, other = read_folder(root), read_folder(root, seed=1)
    assert again["test"].items == dataset["test"].items
    assert other["test"].items != dataset["test"].items
    assert dataset["train"].image(0).shape == (20, 24, 3)


@pytest.mark.parametrize("name", ["validation", "val", "valid", "Validation"])
def test_given_splits_are_kept(root, name):
    for start, split in enumerate(("train", name, "TEST")):
        fill(root / split, count=2 + start, start=10_000 * start)
    dataset = read_folder(root)
    assert {split: len(part) for split, part in dataset.splits.items()} == {"train": 4, "validation": 6, "test": 8}
    assert dataset.notes == ("The splits are those of the folder.",)


def test_missing_splits_are_divided_off_train(root):
    fill(root / "train", count=20)
    fill(root / "test", count=4, start=10_000)
    dataset = read_folder(root)
    assert {split: len(part) for split, part in dataset.splits.items()} == {"train": 32, "validation": 8, "test": 8}
    assert "The train folder was divided" in dataset.notes[0]
    assert all(path.is_relative_to(root / "test") for path in dataset["test"].items)


def test_copies_of_a_picture_stay_in_one_split_whatever_they_are_called(root):
    fill(root, count=12)
    exif = Image.Exif()
    exif[0x010E] = "another description"
    for copy in range(6):  # six copies of each of two pictures: other names, other formats, other metadata
        draw(root / "cat" / f"copy{copy}.bmp", 0, format="BMP" if copy % 2 else "PNG", **({} if copy % 2 else {"exif": exif}))
        draw(root / "dog" / f"copy{copy}.tif", 1000, format="TIFF")
    for seed in range(5):
        dataset = read_folder(root, seed=seed)
        where = {}
        for split, part in dataset.splits.items():
            for path in part.items:
                if path.name.startswith("copy") or path.name == "0.png":
                    where.setdefault(path.parent.name, set()).add(split)
        assert all(len(splits) == 1 for splits in where.values())
    assert any("12 pictures twice in one class" in note for note in dataset.notes)


def test_copies_across_given_splits_are_told(root):
    for start, split in enumerate(("train", "validation", "test")):
        fill(root / split, count=3, start=10_000 * start)
    draw(root / "test" / "cat" / "leak.png", 0)
    draw(root / "train" / "dog" / "both.png", 1)
    notes = " ".join(read_folder(root).notes)
    assert "1 picture also in another split, so results on it are too good (first: test/cat/leak.png" in notes
    assert "1 picture also under another class, so one label is wrong (first: train/dog/both.png" in notes


def test_bad_files_stop_unless_skipped_and_then_are_counted(root):
    fill(root)
    for i in range(12):
        (root / "cat" / f"bad{i:02}.jpg").write_bytes(b"<html>" if i % 2 else b"")
    with pytest.raises(FolderError) as caught:
        read_folder(root)
    text = str(caught.value)
    assert "12 files" in text
    assert "--skip-bad" in text
    assert f"{root / 'cat' / 'bad00.jpg'}: empty file" in text
    assert f"{root / 'cat' / 'bad09.jpg'}: an HTML page" in text
    assert "bad10" not in text
    assert "and 2 more" in text
    dataset = read_folder(root, skip_bad=True)
    assert len(all_items(dataset)) == 20
    assert any("Skipped 12 bad files of 32: bad00.jpg (empty file)" in note for note in dataset.notes)


def test_a_vanished_cache_or_a_wrong_one_only_costs_time(root, cache):
    fill(root, count=3)
    first = read_folder(root)
    (stored,) = (cache / "inspected").iterdir()
    for content in ("", "[]", '{"rules": "old", "files": {}}', '{"files": 3}', stored.read_text().replace('"PNG"', "7, 7")):
        stored.write_text(content)
        assert read_folder(root)["train"].items == first["train"].items
    stored.unlink()
    assert read_folder(root)["train"].items == first["train"].items


def test_a_picture_is_decoded_again_only_when_it_changed(root, cache, monkeypatch):
    fill(root, count=3)
    read_folder(root)
    looked = []
    monkeypatch.setattr(inspection, "look", lambda file, look=inspection.look: looked.append(file.name) or look(file))
    read_folder(root)
    assert looked == []
    (root / "cat" / "1.png").write_bytes(b"broken")
    with pytest.raises(FolderError, match="not a picture"):
        read_folder(root)
    assert looked == ["1.png"]
    draw(root / "cat" / "1.png", 77)
    read_folder(root)
    assert looked == ["1.png", "1.png"]
    assert not list(root.rglob("*.json"))


def test_an_unwritable_cache_is_no_obstacle(root, cache):
    fill(root, count=3)
    cache.write_text("a file where the folder should be")
    assert len(read_folder(root)["train"]) == 2


def test_an_interrupt_keeps_what_was_seen(root, cache):
    fill(root, count=6)
    files = [path for _, _, path in scan(root).files()]

    def stop(done, total):
        assert total == 12
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        inspection.inspect(root, files, stop)
    (stored,) = (cache / "inspected").iterdir()
    assert len(json.loads(stored.read_text())["files"]) == 5


def test_an_empty_class_folder_never_shifts_labels(root):
    fill(root, classes=("ant", "cat"), count=5)
    (root / "bird").mkdir()
    with pytest.raises(FolderError, match="1 class folder without a picture; .*skip-bad.*\n.*bird: no pictures in it"):
        read_folder(root)
    dataset = read_folder(root, skip_bad=True)
    assert dataset.classes == ("ant", "cat")
    assert all(
        dataset.classes[label] == path.parent.name
        for part in dataset.splits.values()
        for path, label in zip(part.items, part.labels, strict=True)
    )
    assert any("left out: bird" in note for note in dataset.notes)


def test_a_class_of_bad_files_only_is_left_out_like_an_empty_one(root):
    fill(root, classes=("ant", "cat"), count=5)
    (root / "bird").mkdir()
    (root / "bird" / "x.jpg").write_bytes(b"")
    dataset = read_folder(root, skip_bad=True)
    assert dataset.classes == ("ant", "cat")


def test_an_empty_class_in_test_is_a_class_that_is_not_tested(root):
    for start, split in enumerate(("train", "validation", "test")):
        fill(root / split, count=3, start=10_000 * start)
    for path in (root / "test" / "cat").iterdir():
        path.unlink()
    dataset = read_folder(root)
    assert list(dataset.counts()["test"]) == [0, 3]
    assert any("left out: test/cat" in note for note in dataset.notes)


def test_one_class_only(root):
    fill(root, classes=("cat",))
    with pytest.raises(FolderError, match="only class 'cat' has pictures; a classifier needs at least two"):
        read_folder(root)


def test_a_class_that_train_does_not_have(root):
    fill(root / "train", count=4)
    fill(root / "test", classes=("cat", "zebra"), count=4, start=10_000)
    with pytest.raises(FolderError, match="zebra: 4 pictures of a class without pictures in train"):
        read_folder(root, skip_bad=True)


def test_too_few_pictures_to_divide(root):
    fill(root, count=5)
    for i, seed in enumerate((8001, 8001, 8002)):
        draw(root / "emu" / f"{i}.png", seed)
    with pytest.raises(ValueError, match="class 'emu' has 2 distinct pictures, too few to divide into train, validation, test; add"):
        read_folder(root)


def test_a_class_of_copies_from_another_class_cannot_be_divided(root):
    fill(root, count=5)
    for i in range(4):
        draw(root / "emu" / f"{i}.png", i)  # the cats again
    with pytest.raises(ValueError, match="class 'emu' has 0 distinct pictures"):
        read_folder(root)


def test_folders_that_hold_nothing(root):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        read_folder(root)
    root.mkdir()
    with pytest.raises(ValueError, match="holds no class folders; wanted"):
        read_folder(root)
    draw(root / "a.png", 0)
    with pytest.raises(ValueError, match="holds no class folders"):
        read_folder(root)
    (root / "cat").mkdir()
    (root / "cat" / "a.jpg").write_bytes(b"")
    with pytest.raises(FolderError, match="holds no usable picture"):
        read_folder(root, skip_bad=True)


def test_two_folders_for_one_split(root):
    for split in ("train", "val", "valid"):
        fill(root / split, count=1)
    with pytest.raises(ValueError, match="two folders for the validation split"):
        scan(root)


def test_fractions_are_three_shares_above_zero(root):
    fill(root, count=10)
    assert len(read_folder(root, fractions=(0.5, 0.2, 0.3))["test"]) == 6
    with pytest.raises(ValueError, match="shares of train, validation and test"):
        read_folder(root, fractions=(0.8, 0.2))
    with pytest.raises(ValueError, match="a share above 0"):
        read_folder(root, fractions=(0.8, 0.2, 0))


def test_scan_ignores_and_counts_what_is_no_picture(root):
    fill(root, count=3)
    for name in (
        ".DS_Store",
        "cat/._0.png",
        "__MACOSX/cat/._0.png",
        "cat/Thumbs.db",
        "README.txt",
        ".ipynb_checkpoints/a.png",
        "cat/.git/x.png",
    ):
        (root / name).parent.mkdir(exist_ok=True, parents=True)
        (root / name).write_bytes(b"text")
    draw(root / "stray.png", 5)
    listing = scan(root)
    assert listing.classes == ("cat", "dog")
    assert len(listing.files()) == 6
    assert {why: sorted(path.name for path in paths) for why, paths in listing.ignored.items()} == {
        "hidden": sorted([".DS_Store", "._0.png", ".git", ".ipynb_checkpoints", "__MACOSX"]),
        "not a picture": ["README.txt", "Thumbs.db"],
        "not in a class folder": ["stray.png"],
    }
    assert any(note.startswith("Ignored 8 files: 5 hidden, 2 not a picture, 1 not in a class folder") for note in read_folder(root).notes)


def test_scan_takes_extensions_in_any_case_unknown_ones_by_content_and_folders_in_folders(root):
    for i, name in enumerate(("a.JPG", "b.webp", "c.TIF", "d.jfif", "deep/er/e.png", "f.heic")):
        draw(root / "cat" / name, i)
    for i, name in enumerate(("no_extension", "wrong.dat")):
        draw(root / "cat" / name, 50 + i)
    (root / "cat" / "labels.csv").write_text("a,b")
    draw(root / "dog" / "1.png", 99)
    names = [path.name for _, name, path in scan(root).files() if name == "cat"]
    assert names == ["a.JPG", "b.webp", "c.TIF", "d.jfif", "f.heic", "no_extension", "wrong.dat", "e.png"]


def test_classes_stand_in_natural_order(root):
    for i, name in enumerate(("10", "9", "1", "b2", "b10")):
        draw(root / name / "x.png", i)
    assert scan(root).classes == ("1", "9", "10", "b2", "b10")
    assert sorted(["a1b", "a1", "a01", "", "7", "x"], key=natural) == ["", "7", "a01", "a1", "a1b", "x"]


def test_a_class_may_be_called_train(root):
    fill(root, classes=("bus", "train"), count=4)
    assert scan(root).classes == ("bus", "train")
    assert list(scan(root).splits) == [""]


def test_what_lies_beside_the_split_folders_is_told(root):
    for split in ("train", "test", "docs"):
        fill(root / split, count=1)
    listing = scan(root)
    assert list(listing.splits) == ["train", "test"]
    assert listing.ignored == {"beside the split folders": (root / "docs",)}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_without_permission_is_bad_with_a_reason(root):
    fill(root, count=3)
    (root / "cat" / "0.png").chmod(0)
    with pytest.raises(FolderError, match="cannot be read"):
        read_folder(root)


def test_a_dead_link_is_bad_with_a_reason(root):
    fill(root, count=3)
    (root / "cat" / "link.jpg").symlink_to(root / "nowhere.jpg")
    with pytest.raises(FolderError, match=r"link.jpg: no such file"):
        read_folder(root)


def test_reading_a_folder_needs_no_framework(root):
    fill(root, count=3)
    code = f"""import sys
from zoo.data import decode, doctor, read_folder, sets, source
doctor({str(root)!r}), read_folder({str(root)!r}), sets.table()
print({{"keras", "tensorflow", "jax", "torch"}} & set(sys.modules))"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert found.stdout.strip() == "set()"
