"""The doctor of labels finds every planted illness, and the healthy set healthy; the repaired copy is healthy, the source untouched."""

from __future__ import annotations

import csv
import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo.__main__ import main
from zoo.data import labels
from zoo.data.decode import decode
from zoo.data.labels import copies
from zoo.data.labels.findings import ERROR, KINDS
from zoo.data.labels.mend import repaired
from zoo.data.objects import Objects

BOX = "0 0.5 0.5 0.25 0.5\n"


@pytest.fixture
def ill(tmp_path, paint):
    """A YOLO folder (80 x 60) with planted illnesses, and what the doctor must say: {(kind, picture)}."""
    root = tmp_path / "ill"
    seeds = iter(range(100))

    def put(split, stem, text, seed=None, orientation=1):
        paint(root / f"images/{split}/{stem}.png", next(seeds) if seed is None else seed, orientation=orientation)
        (root / f"labels/{split}").mkdir(parents=True, exist_ok=True)
        if text is not None:
            (root / f"labels/{split}/{stem}.txt").write_text(text)

    put("train", "good", BOX + "1 0.2 0.2 0.1 0.1\n", seed=50)
    put("train", "beyond", "0 0.9 0.5 0.4 0.5\n")
    put("train", "flat", "0 0.5 0.5 0 0.5\n" + BOX)
    put("train", "twice", BOX + BOX)
    put("train", "quarrel", BOX + BOX.replace("0", "1", 1))
    put("train", "nameless", "9 0.5 0.5 0.25 0.5\n")
    put("train", "words", "cat 0.5 0.5 0.25 0.5\n")
    put("train", "nothing", "")
    put("train", "forgotten", None)
    put("train", "turned", BOX, orientation=6)
    put("train", "other", BOX, seed=50)
    put("train", "half", BOX)
    half = root / "images/train/half.png"
    half.write_bytes(half.read_bytes()[:80])
    (root / "labels/train/orphan.txt").write_text(BOX)
    put("val", "leak", BOX + "1 0.2 0.2 0.1 0.1\n", seed=50)
    put("val", "own", BOX, seed=60)
    with Image.open(root / "images/train/good.png") as image:
        image.resize((160, 120), Image.Resampling.BILINEAR).save(root / "images/val/near.png")
    (root / "labels/val/near.txt").write_text(BOX)
    (root / "data.yaml").write_text("names: [cat, dog, fox]\ntrain: images/train\nval: images/val\n")
    expected = {
        *(("out of range", "beyond.png"), ("no area", "flat.png"), ("duplicate box", "twice.png"), ("conflict", "quarrel.png")),
        *(("unknown class", "nameless.png"), ("bad label", "words.txt"), ("empty", "nothing.png"), ("missing label", "forgotten.png")),
        *(("rotated", "turned.png"), ("contradiction", "other.png"), ("bad picture", "half.png"), ("missing picture", "orphan.txt")),
        *(("leak", "leak.png"), ("near leak", "near.png"), ("unused class", "ill")),
    }
    return root, expected


def digest(root: Path) -> str:
    parts = [
        f"{path.relative_to(root)} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in sorted(root.rglob("*")) if path.is_file()
    ]
    return "\n".join(parts)


def test_every_planted_illness_is_found_and_nothing_else(ill):
    root, expected = ill
    before = digest(root)
    found = labels.doctor(root)
    assert {(item.kind, item.path.name) for item in found} == expected
    assert found
    assert digest(root) == before
    table = found.table()
    assert table.startswith(f"{root}: yolo, 15 pictures")
    errors = sum(KINDS[item.kind][0] == ERROR for item in found)
    assert table.endswith(f"{errors} errors.")
    with pytest.raises(ValueError, match="no kind of finding"):
        found.of("measles")


def test_the_repaired_copy_is_healthy_and_the_source_untouched(ill, tmp_path):
    root, _ = ill
    before = digest(root)
    changes = labels.mended(labels.doctor(root), tmp_path / "well")
    assert digest(root) == before
    left = {item.kind for item in labels.doctor(tmp_path / "well")}
    assert left <= {"leak", "near leak", "contradiction", "conflict", "duplicate picture", "empty", "unused class"}
    data = labels.read(tmp_path / "well")
    where = {name.removesuffix(".png"): index for index, name in enumerate(data["train"].attributes["name"])}
    np.testing.assert_allclose(data["train"].objects[where["beyond"]].boxes, [[56, 15, 80, 45]], atol=1e-3)
    assert len(data["train"].objects[where["flat"]]) == len(data["train"].objects[where["twice"]]) == 1
    with (tmp_path / "well/changes.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["picture"], row["change"]) for row in rows] == [(change.picture, change.what) for change in changes]
    told = " ".join(f"{row['picture']} {row['change']}" for row in rows)
    for name in ("beyond.png", "flat.png", "twice.png", "half.png", "words.txt", "orphan.txt"):
        assert name in told
    assert not re.search(r"good|own|nothing", told)


def test_pictures_of_one_name_are_clipped_to_their_own_size(tmp_path, paint):
    for seed, (folder, size) in enumerate({"large": (60, 80), "small": (30, 40)}.items()):
        paint(tmp_path / f"set/images/train/{folder}/a.png", seed, size)
        text = tmp_path / f"set/labels/train/{folder}/a.txt"
        text.parent.mkdir(parents=True)
        text.write_text("0 0.5 0.5 1.5 1.5\n")
    (tmp_path / "set/data.yaml").write_text("names: [cat]\ntrain: images/train\n")
    labels.mended(labels.doctor(tmp_path / "set"), tmp_path / "well")
    part = labels.read(tmp_path / "well")["train"]
    found = {part.image(index).shape[:2]: part.objects[index].boxes.tolist() for index in range(2)}
    assert found == {(60, 80): [[0, 0, 80, 60]], (30, 40): [[0, 0, 40, 30]]}


def test_the_copy_never_goes_into_the_source(ill, tmp_path):
    root, _ = ill
    found = labels.doctor(root)
    with pytest.raises(ValueError, match="not to be changed"):
        labels.mended(found, root / "fixed")
    with pytest.raises(ValueError, match="not empty"):
        labels.mended(found, tmp_path)


def test_repair_clips_outlines_and_forgets_keypoints_outside():
    ring = [[-5, 5], [20, 5], [20, 70]]
    each = Objects([[-5, 5, 20, 70], [90, 5, 99, 9]], [0, 0], polygons=((ring,), ()), keypoints=[[[-1, 5, 2], [3, 3, 2]]] * 2)
    good, done = repaired(each, 80, 60)
    np.testing.assert_array_equal(good.boxes, [[0, 5, 20, 60]])
    np.testing.assert_array_equal(good.polygons[0][0], [[0, 5], [20, 5], [20, 60]])
    np.testing.assert_array_equal(good.keypoints, [[[0, 0, 0], [3, 3, 2]]])
    assert done == [
        "object 2 dropped: [90, 5, 99, 9] has no area, or one pixel, in 80x60",
        "object 1 clipped: [-5, 5, 20, 70] to [0, 5, 20, 60]",
    ]


def test_a_background_class_and_absent_classes(tmp_path, paint):
    for split, text in (("train", "1 0.5 0.5 0.2 0.2\n2 0.3 0.5 0.2 0.2\n"), ("val", "1 0.5 0.5 0.2 0.2\n")):
        paint(tmp_path / f"images/{split}/{split}.png", len(split))
        (tmp_path / f"labels/{split}").mkdir(parents=True)
        (tmp_path / f"labels/{split}/{split}.txt").write_text(text)
    (tmp_path / "data.yaml").write_text("names: [background, cat, dog]\ntrain: images/train\nval: images/val\n")
    found = labels.doctor(tmp_path)
    assert "'background' and has 0 objects" in found.of("background")[0].reason
    assert found.of("absent class")[0].reason == "validation has no dog"
    assert not found  # nothing of this stops a training


@pytest.mark.parametrize("how", ["quality", "half", "gamma"])
def test_a_changed_picture_is_nearly_the_same_and_another_is_not(how):
    from skimage import data

    photos = [data.astronaut(), data.coffee(), data.chelsea(), data.rocket()]
    rows = np.stack([copies.sketch(photo) for photo in photos])
    assert list(copies.pairs(rows)) == []
    height, width = photos[0].shape[:2]
    changed = {
        "quality": lambda: photos[0] // 8 * 8,
        "half": lambda: np.asarray(Image.fromarray(photos[0]).resize((width // 2, height // 2))),
        "gamma": lambda: (255 * (photos[0] / 255) ** 0.7).astype(np.uint8),
    }[how]()
    assert [pair[:2] for pair in copies.pairs(np.stack([*rows, copies.sketch(changed)]))] == [(0, 4)]


def test_one_gray_resembles_nothing():
    rows = np.stack([copies.sketch(np.full((9, 9, 3), value, np.uint8)) for value in (0, 7, 7)])
    assert not rows.any()
    assert list(copies.pairs(rows)) == []


def test_the_page_is_complete_in_itself_and_escapes_what_users_wrote(ill, tmp_path, capsys):
    root, expected = ill
    (root / "data.yaml").write_text("names: ['<script>alert(1)</script>', dog, fox]\ntrain: images/train\nval: images/val\n")
    assert main(["labels", "doctor", str(root), "-o", str(tmp_path / "page.html"), "--fix", str(tmp_path / "well")]) == 1
    page = (tmp_path / "page.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert not re.search(r"(src|href)=\"(?!data:image/jpeg;base64,|#)", page)
    assert "default-src 'none'" in page
    for kind, name in expected:
        assert f'id="{kind.replace(" ", "-")}"' in page
        assert name in page
    assert page.count("data:image/jpeg") >= 15
    out = capsys.readouterr().out
    assert "changes, listed in changes.csv" in out


def test_convert_and_show_in_the_terminal(ill, tmp_path, capsys):
    root, _ = ill
    assert main(["labels", "convert", str(root), str(tmp_path / "coco"), "--to", "coco"]) == 2
    assert "leave them out with skip_bad (--skip-bad)" in capsys.readouterr().err
    assert main(["labels", "convert", str(root), str(tmp_path / "coco"), "--to", "coco", "--skip-bad"]) == 0
    told = capsys.readouterr()
    assert "coco, train 11, validation 3 pictures" in told.out
    assert "Left out 4 faulty entries" in told.err
    assert main(["labels", "show", str(tmp_path / "coco"), "-o", str(tmp_path / "drawn"), "--most", "3", "--side", "200"]) == 0
    drawn = sorted((tmp_path / "drawn").iterdir())
    assert len(drawn) == 3
    assert max(decode(drawn[0]).shape) == 200
